"""Lets every test import the fakes and the servers by name, and gives it the fixtures of real servers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from server_fixtures import (  # noqa: F401
    broker_url,
    database_url,
    postgres,
    rabbitmq,
    rabbitmq_url,
    redis_url,
    store_url,
    valkey,
    vhost,
)
