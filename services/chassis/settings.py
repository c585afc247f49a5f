"""What every process of a service is told by its environment; a service subclasses `ServiceSettings` with its own fields.

Field `database_url` is read from `DATABASE_URL`, and so on. Values that cannot work stop the process at once, with the name
of the variable and the value it had; a password is never shown.
"""

import os
import re
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.errors import BadSetting

_PASSWORD = re.compile(r"(?<=//)([^:/@\s]*:).*@")
_SECRET = re.compile(r"secret|token|password|key", re.IGNORECASE)
_SCHEMES = {
    "database_url": ("postgresql+psycopg",),
    "broker_url": ("amqp", "amqps", "redis", "rediss"),
    "store_url": ("redis", "rediss"),
    "otel_exporter_otlp_endpoint": ("http", "https"),
}


def without_password(value: str) -> str:
    """The value as it may be shown: what stands between the user and the last @ is starred out."""
    return _PASSWORD.sub(r"\1***@", value)


class ServiceSettings(BaseSettings):
    """Settings that every service has. Raises BadSetting when built from an environment that cannot work."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    database_url: str = Field(repr=False)
    """PostgreSQL, the only truth: `postgresql+psycopg://user:password@host:port/database`. Required."""

    database_pooler: Literal["none", "transaction"] = "none"
    """What stands between this process and PostgreSQL: `transaction` for PgBouncer with `pool_mode = transaction`, whose connections
    belong to a client for one transaction only. Costs a round trip a transaction, so by default a session is taken for our own."""

    broker_url: str = Field(repr=False)
    """RabbitMQ (`amqp://…/vhost`) or Redis/Valkey (`redis://…/0`). Required."""

    store_url: str | None = Field(None, repr=False)
    """Redis/Valkey for what processes share but may lose (breaker state); without it each process keeps its own."""

    heartbeat_file: Path | None = None
    """Where every process says how it is; read by the probes. Without it nothing is written."""

    metrics_port: int = Field(0, ge=0, le=65535)
    """Port on which worker, relay and beat answer `/health/live`, `/health/ready` and `/metrics`, and the API `/metrics`, which its port
    does not show, because anybody may reach that; 0 = none, so that a laptop needs no free port a pool."""

    memory_limit_bytes: int = Field(0, ge=0)
    """The most memory of a process with its children, for `/metrics`, where no container has a limit; 0 = none is known."""

    prometheus_multiproc_dir: Path | None = None
    """Folder in which the processes of one pool share their counters; must be its own for every pool."""

    otel_exporter_otlp_endpoint: str | None = None
    """Base address of an OTLP/HTTP collector; without it tracing is not even imported."""

    otel_traces_sampler_arg: float = Field(1.0, ge=0, le=1)
    """The share of new traces that is recorded. What failed or was slow is recorded in any trace."""

    process_name: str = Field(default_factory=lambda: os.uname().nodename)
    """The process that spans and log lines name; in a pod its host name, which is the pod's."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe log line that is written."""

    log_format: Literal["json", "console"] = "json"
    """`json`: one object a line, for collectors; `console`: for eyes."""

    pool: str = "unnamed"
    """The pool this process belongs to, for logs and metrics; one name for all its replicas, so series do not multiply."""

    service_version: str = "unknown"
    """What is deployed: the tag of an image, or a commit; shown by metrics, spans and log lines, so that it is seen which versions run."""

    host: str = "127.0.0.1"
    """Address that the API, and the port for probes and metrics, listen on; `::` takes IPv4 as well. Loopback, so that nothing is exposed
    by default."""

    port: int = Field(8000, ge=0, le=65535)
    """Port that the API listens on."""

    share_port: bool = False
    """Let a second process listen on the same ports, so that one machine can start a new API before it ends the old."""

    listen_fd: int | None = Field(None, ge=3)
    """API only: the file descriptor of a listening socket that the process was started with, in place of one of its own on HOST and PORT.
    The socket outlives the process, so that a connection that still waits is the next process's."""

    broker_heartbeat_seconds: int = Field(30, ge=2, le=600)
    """How often RabbitMQ and worker expect a sign of life: a dead peer is noticed after twice this, a busy loop is forgiven."""

    visibility_timeout_seconds: int = Field(180, ge=10, le=86_400)
    """Redis only: after this an unacknowledged message is delivered again. More than any hard time limit, else a running task
    is started a second time; not much more, since it is also how long a dead worker's messages wait."""

    publish_timeout_seconds: float = Field(5.0, gt=0, le=60)
    """How long is waited to connect, to write, and for the broker's answer or confirm, each; then the error is the caller's."""

    connection_limit: int = Field(10, ge=1, le=1000)
    """Broker connections that one process keeps for publishing; the next publisher waits, as long as the time above."""

    consumers_paused: bool = False
    """Worker only: begin as one that was paused, but ready, so that a new version can get ready beside the old and take over when it is
    told to `resume`."""

    http_connections_limit: int = Field(2000, ge=2, le=100_000)
    """API only: connections that one process keeps open, and half of them from one address; the next one gets a 503."""

    request_head_seconds: float = Field(10.0, gt=0, le=600)
    """API only: a connection that has not sent the head of a request by then is ended."""

    request_body_seconds: float = Field(10.0, gt=0, le=600)
    """API only: a request whose body is not there by then gets a 408. Bodies are short; this is 7 KB a second for the longest."""

    response_write_seconds: float = Field(20.0, gt=0, le=600)
    """API only: a client that reads nothing of what waits for it for so long is dropped."""

    linger_seconds: float = Field(0.0, ge=0, le=600)
    """API only: how long it goes on answering after SIGTERM. In a cluster requests come until everybody knows that it is leaving."""

    drain_seconds: float = Field(4.0, ge=0, le=3600)
    """API only: how long open requests may take after SIGTERM before they are cut off."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise BadSetting("; ".join(_explain(part) for part in error.errors())) from None

    @field_validator(*_SCHEMES, check_fields=False)
    @classmethod
    def _is_a_url(cls, value: str | None, info: Any) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.scheme in _SCHEMES[info.field_name] and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(f"{without_password(value)!r} is not {' or '.join(_SCHEMES[info.field_name])}://host…")
        return value

    @property
    def behind_pooler(self) -> bool:
        """True when no session of the database is this process's own."""
        return self.database_pooler == "transaction"

    @property
    def broker_is_redis(self) -> bool:
        """True for Redis and Valkey, False for RabbitMQ."""
        return self.broker_url.startswith("redis")

    @property
    def messaging_system(self) -> str:
        """The broker, as spans name it."""
        return "redis" if self.broker_is_redis else "rabbitmq"

    def replace(self, **values: Any) -> Self:
        """A copy with some fields changed, checked like the rest."""
        return type(self)(**{**self.model_dump(), **values})


def _explain(part: Any) -> str:
    name = ".".join(str(step) for step in part["loc"]).upper()
    if part["type"] == "missing":
        return f"{name} is not set"
    value = "***" if _SECRET.search(name) else repr(without_password(str(part.get("input"))))
    reason = part["msg"].removeprefix("Value error, ")
    return f"{name} is {value}: {reason}"
