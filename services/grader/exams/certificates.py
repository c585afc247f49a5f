"""Certificates: what was passed, signed with an examiner's key (Ed25519, RFC 8032). Whoever has its public half verifies them offline.

The signature covers the canonical JSON of everything else (keys sorted, no spaces, UTF-8).
"""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from grader.domain.attempt import Attempt, State
from grader.errors import CertificateBad

SCHEMA = 1
"""Of a certificate's JSON; raised when a field changes its meaning or goes."""

PUBLIC = ".public"
"""What is added to the name of a private key's file for its public half."""


def make_key(path: Path) -> Path:
    """Write a new private key, readable by its owner alone, and its public half beside it. Returns the public one's path."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = path.with_name(path.name + PUBLIC)
    for one in (path, public):
        if one.exists() or one.is_symlink():
            raise CertificateBad(f"{one} is there already: a key is never overwritten")
    try:
        public.write_bytes(_pem(key.public_key()))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
    except OSError as error:
        raise CertificateBad(f"{error.filename}: {error.strerror}") from error
    return public


def issue(
    attempt: Attempt, title: str, holder: str, issuer: str, at: datetime, book: Mapping[str, Any], key: Path
) -> dict[str, Any]:
    """The signed certificate of a passed attempt. `book` names the gradebook's last event, by which the attempt can be looked up."""
    if attempt.state_at(at) is not State.PASSED:
        raise CertificateBad(f"attempt {attempt.number} at {attempt.exam.slug} is {attempt.state_at(at)}, not passed")
    private = _private(key)
    body = {
        "schema": SCHEMA,
        "title": title,
        "holder": holder,
        "issuer": issuer,
        "issued_at": at.isoformat(timespec="seconds"),
        "exam": {
            "name": attempt.exam.slug,
            "title": attempt.exam.title,
            "attempt": attempt.number,
            "ended_at": attempt.ended_at(at).isoformat(timespec="seconds"),
            "points": round(attempt.points, 2),
            "of": attempt.exam.points,
            "parts": {
                name: {"points": round(part.points, 2), "of": part.part.points} for name, part in attempt.parts.items()
            },
            "versions": dict(attempt.versions),
        },
        "gradebook": dict(book),
        "key": fingerprint(private.public_key()),
    }
    return body | {"signature": base64.b64encode(private.sign(_canonical(body))).decode()}


def check(key: Path) -> None:
    """Raise CertificateBad for what cannot sign."""
    _private(key)


def verify(certificate: Path, public: Path) -> dict[str, Any]:
    """What a certificate says. Raises CertificateBad when it was not signed with this key, or was changed since."""
    try:
        read = json.loads(certificate.read_bytes(), object_pairs_hook=_once, parse_constant=_no_number)
        body = {name: value for name, value in read.items() if name != "signature"}
        signature = base64.b64decode(read["signature"], validate=True)
        named, signed = str(body["key"]), _canonical(body)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError, OverflowError) as error:
        raise CertificateBad(f"{certificate}: no certificate: {type(error).__name__}: {error}") from error
    key = _public(public)
    if named != fingerprint(key):
        raise CertificateBad(f"{certificate}: signed with the key {named!r:.60}, and {public} is {fingerprint(key)}")
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        raise CertificateBad(f"{certificate}: it was changed after it was signed") from None
    return body


def fingerprint(key: Ed25519PublicKey) -> str:
    """By which people compare keys: the SHA-256 of the public key's 32 bytes, its first half in hexadecimal."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:32]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses a name that stands there twice: readers would differ in which one they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a name stands there twice among {', '.join(name for name, _ in pairs)}")
    return found


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError, UnsupportedAlgorithm) as error:
        raise CertificateBad(f"{path}: no private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CertificateBad(f"{path}: not an Ed25519 key")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, OSError, UnsupportedAlgorithm) as error:
        raise CertificateBad(f"{path}: no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise CertificateBad(f"{path}: not an Ed25519 key")
    return key


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _canonical(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()
