"""`make_app`: a Celery app on which no message is lost by configuration.

Decided once, here: JSON only; acknowledged after the work, also when the worker is lost; one message at a time; no results, no
events, no delays in the broker; publishing that confirms and never hangs. README.md has the table of what each broker can promise.
Importing this module imports neither the worker nor a broker client.
"""

import socket
import ssl
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from chassis import sending, tracing
from chassis.queues import work_queue
from chassis.settings import ServiceSettings

if TYPE_CHECKING:
    from chassis.batch_consumer import BatchQueue
    from chassis.companion import CompanionOf

# Seconds and, for the first, milliseconds; py-amqp's own TCP_USER_TIMEOUT of 1 s drops every connection to a broker that pauses.
_KEEPALIVE = {"TCP_USER_TIMEOUT": 20_000, "TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2}

CHILD_UP_SECONDS = 60.0
"""How long a child of a pool may take to start."""

_TRANSPORTS = {"amqp": "rabbitmq", "amqps": "rabbitmqs", "redis": "valkey", "rediss": "valkey"}
"""By the scheme of the URL, kombu's client with what production needs."""

# Under names of their own, which stand in the log in place of the scheme.
TRANSPORT_ALIASES.update(
    rabbitmq="chassis.rabbitmq:Transport",
    rabbitmqs="chassis.rabbitmq:SSLTransport",
    valkey="chassis.valkey_transport:Transport",
)


class ChassisApp(Celery):  # type: ignore[misc]
    """The Celery app of a service; made by `make_app`."""

    settings: ServiceSettings
    service_queues: tuple[str, ...]
    _declares = True
    batch_queues: "Mapping[str, BatchQueue]"
    """Those of `service_queues` whose messages are batches and no tasks."""
    companions: "Mapping[str, CompanionOf]"
    """By queue, what its workers own besides their consumer."""

    @property
    def copies(self) -> Mapping[str, tuple[str, ...]]:
        """By queue of batches, the queues whose batches it gets as well."""
        return {name: queue.copies_of for name, queue in self.batch_queues.items() if queue.copies_of}

    @cached_property
    def Worker(self) -> Any:
        """The worker that refuses to start without limits, writes the heartbeat and parks what it cannot run."""
        return self.subclass_with_self("chassis.worker:Worker")

    @cached_property
    def Beat(self) -> Any:
        """The beat whose log is in the form that the settings ask for."""
        return self.subclass_with_self("chassis.beat:Beat")

    def send_task(self, name: str, *args: Any, **options: Any) -> Any:
        """Publish one message; raises what the broker said, within a bounded time.

        Raises ValueError for a delay: a message that waits in a broker can be lost with it, so delays are rows with a due time.
        """
        if options.get("countdown") or options.get("eta"):
            raise ValueError(f"{name} was sent with a delay; put it in the outbox with delay_seconds instead")
        routing_key = options.get("routing_key")
        if options.get("queue") is None and routing_key in self.service_queues:
            # A queue is addressed differently on each broker (see chassis.queues); its name says all that is needed.
            options["queue"] = options.pop("routing_key")
            options.pop("exchange", None)
        options.setdefault("confirm_timeout", self.settings.publish_timeout_seconds)
        if not self._declares:
            options.setdefault("declare", [])
        if not tracing.on():
            return self._send(name, args, options)
        options.setdefault("task_id", str(uuid.uuid4()))
        queue = options.get("queue") or options.get("routing_key") or self.conf.task_default_queue
        with sending.sent(self.settings.messaging_system, name, str(queue), options["task_id"]) as trace:
            return self._send(name, args, {**options, "headers": {**trace, **(options.get("headers") or {})}})

    def _send(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            return super().send_task(name, *args, **options)
        except Exception as error:
            if "declare" in options or not _refuses_declaring(error):
                raise
            # Celery declares the queue before it publishes; a publisher who may only write can do without, once somebody else did.
            self._declares = False
            return super().send_task(name, *args, **{**options, "declare": []})


def make_app(
    name: str,
    queues: Sequence[str],
    settings: ServiceSettings,
    *,
    includes: Iterable[str] = (),
    beat_schedule: Mapping[str, Any] | None = None,
    batch_queues: "Mapping[str, BatchQueue] | None" = None,
    companions: "Mapping[str, CompanionOf] | None" = None,
) -> ChassisApp:
    """The app of service `name`; the first of `queues` (each `service.pool`) takes what is sent without naming one.

    `includes` are task modules, imported by workers and beat. `batch_queues` says which of `queues` hold batches and no tasks, and how
    they are consumed; `companions` says of which of them each worker owns something besides its consumer. Raises ValueError for a queue
    of another service, and for a copy of what is no queue of batches.
    """
    strangers = [queue for queue in queues if not queue.startswith(f"{name}.")]
    if strangers or not queues:
        raise ValueError(f"queues of {name!r} are named {name}.<pool>, got {list(strangers or queues)}")
    if unknown := sorted(set(batch_queues or {}) - set(queues)):
        raise ValueError(f"batch queues {unknown} of {name!r} are none of its queues")
    if unknown := sorted(set(companions or {}) - set(queues)):
        raise ValueError(f"companions of {unknown} of {name!r}: none of its queues")
    for copy, queue in (batch_queues or {}).items():
        if unknown := sorted(set(queue.copies_of) - (set(batch_queues or {}) - {copy})):
            raise ValueError(f"{copy!r} cannot copy {unknown}: no other queues of batches")
    app = ChassisApp(name, set_as_current=False, task_cls="chassis.task:ChassisTask")
    app.settings = settings
    app.service_queues = tuple(queues)
    app.batch_queues = dict(batch_queues or {})
    app.companions = dict(companions or {})
    app.conf.update(_configuration(queues, settings))
    app.conf.task_queues = [
        work_queue(queue, redis=settings.broker_is_redis, copies_of=app.copies.get(queue, ())) for queue in queues
    ]
    app.conf.include = list(includes)
    app.conf.beat_schedule = {name: dict(entry) for name, entry in (beat_schedule or {}).items()}
    return app


def _refuses_declaring(error: Exception) -> bool:
    from chassis.permissions import refuses_declaring

    return refuses_declaring(error)


def _configuration(queues: Sequence[str], settings: ServiceSettings) -> dict[str, Any]:
    redis = settings.broker_is_redis
    patience = settings.publish_timeout_seconds
    return {
        "broker_url": settings.broker_url,
        "broker_transport": _TRANSPORTS[urlsplit(settings.broker_url).scheme],
        "broker_use_ssl": _tls(settings),
        "broker_transport_options": _redis_options(settings) if redis else _rabbitmq_options(settings),
        "broker_connection_timeout": patience,
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        # A worker waits for its broker for ever: restarting it would not bring the broker back.
        "broker_connection_max_retries": None,
        # A cancelled consumer or a closed channel is repaired like a lost connection.
        "broker_channel_error_retry": True,
        "broker_heartbeat": 0 if redis else settings.broker_heartbeat_seconds,
        "broker_heartbeat_checkrate": 2,
        "broker_pool_limit": settings.connection_limit,
        "broker_pool_acquire_timeout": patience,
        "task_publish_retry": True,
        "task_publish_retry_policy": {
            "max_retries": 1,
            "interval_start": 0.1,
            "interval_step": 0.2,
            "interval_max": 0.5,
        },
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": queues[0],
        "task_default_exchange": "" if redis else queues[0].partition(".")[0],
        "task_default_exchange_type": "direct" if redis else "topic",
        "task_default_routing_key": queues[0],
        "task_create_missing_queues": False,
        "task_queue_max_priority": None,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # A failure is recorded in the database before the acknowledgement; the broker has nothing to add by redelivering.
        "task_acks_on_failure": True,
        "task_acks_on_timeout": True,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_send_sent_event": False,
        "worker_send_task_events": False,
        "worker_prefetch_multiplier": 1,
        # Prefetch is one a process already; Celery's own reduction after a reconnect does not reach quorum queues.
        "worker_enable_prefetch_count_reduction": False,
        "worker_disable_prefetch": redis,
        # A running task may finish after its connection is lost: a second delivery finds its rows locked and does nothing.
        # Cancelling it would kill the process in the middle of an effect.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "beat_scheduler": "chassis.beat:Scheduler",
        # A tick is also the sign of life, so it must not wait for the next entry, which may be hours away.
        "beat_max_loop_interval": 1,
        "worker_consumer": "chassis.worker:Consumer",
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_lost_wait": 5.0,
        # By itself Celery kills a child that has not said after 4 s that it is up, and starts another one. Where the CPU is short, as after
        # the loss of a node, none gets so far, and the pool does nothing but start children.
        "worker_proc_alive_timeout": CHILD_UP_SECONDS,
        "visibility_timeout": settings.visibility_timeout_seconds,
        "result_backend_transport_options": {"visibility_timeout": settings.visibility_timeout_seconds},
        "enable_utc": True,
        "timezone": "UTC",
    }


def _tls(settings: ServiceSettings) -> dict[str, Any] | None:
    """How the broker proves who it is, where it is spoken to over TLS; authorities are OpenSSL's, so SSL_CERT_FILE can name others.

    By itself kombu lets a Redis with any certificate in, and a RabbitMQ with a certificate for any name.
    """
    if settings.broker_url.startswith("rediss:"):
        return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    if settings.broker_url.startswith("amqps:"):
        return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None}  # kombu puts the URL's host there
    return None


def _rabbitmq_options(settings: ServiceSettings) -> dict[str, Any]:
    patience = settings.publish_timeout_seconds
    return {
        "confirm_publish": True,
        "write_timeout": patience,
        "answer_seconds": patience,
        # A connection whose other side is cut off is not closed: the kernel gives up after about this long, also for idle publishers, which
        # send no heartbeats.
        "socket_settings": {
            getattr(socket, option): value for option, value in _KEEPALIVE.items() if hasattr(socket, option)
        },
        "client_properties": {"connection_name": settings.pool},
    }


def _redis_options(settings: ServiceSettings) -> dict[str, Any]:
    return {
        # Three places, one value: kombu reads the first, Celery's own checks and result backends the others.
        "visibility_timeout": settings.visibility_timeout_seconds,
        # kombu looks for overdue messages every `interval` x `throttle` seconds, 100 s by default.
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        # One list a queue: with priorities each queue is four lists, which dashboards and scalers do not know of.
        "priority_steps": [0],
        "queue_order_strategy": "round_robin",
        "socket_connect_timeout": settings.publish_timeout_seconds,
        # More than the second that a blocking pop waits; without it a silent server hangs the worker for good.
        "socket_timeout": settings.publish_timeout_seconds + 1.5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "retry_on_timeout": False,
    }
