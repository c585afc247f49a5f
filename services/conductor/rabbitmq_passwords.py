"""A password as RabbitMQ's definitions hold it, for laptop and cluster. Source: https://www.rabbitmq.com/docs/passwords#computing-password-hash."""

import base64
import hashlib
import secrets


def hashed(password: str) -> str:
    """By rabbit_password_hashing_sha256: a salt of four bytes, and the digest of salt and password; another text at each call."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
