"""The gate of remote control: which broadcasts a worker obeys, and what each may hold.

Everybody who may publish to the broker may broadcast, and Celery's handler believes what it reads: time limits that are no numbers, ten
thousand more processes, a regular expression that takes hours, a clock beyond any number, or `shutdown`. Here a worker takes the
commands of chassis.pause, those that only look, and to consume or not to consume a queue of its own. Anything else is refused with a log
line and, if somebody waits for it, an answer. A broadcast is never kept: it is no work, and every worker has the same one.
"""

from typing import Any

from celery.worker import pidbox
from celery.worker.consumer.control import Control as CeleryControl
from celery.worker.control import Panel

from chassis.envelope import MAX_NAME, fault_of_properties, told
from chassis.loggers import get_logger
from chassis.sizes import too_much

log = get_logger(__name__)

MAX_BROADCAST = 64 * 1024
"""Bytes of a broadcast, and the weight of its headers."""

OWN = ("pause", "stand_by", "resume", "consumption")
OF_OWN_QUEUES = ("add_consumer", "cancel_consumer")
_COSTLY = ("hello", "objgraph", "memsample", "memdump")
"""They look, but take sides or take long: another worker's revoked tasks, pictures of the memory."""

_MOST = 2**53


class Refused(Exception):
    """A broadcast that is not obeyed; says why."""


class Pidbox(pidbox.Pidbox):  # type: ignore[misc]
    """Celery's mailbox of a worker, behind the gate."""

    def start(self, c: Any) -> None:
        """Listen on a channel of its own."""
        self.node.channel = c.connection.channel()
        if c.app.settings.broker_is_redis:
            from chassis.valkey import drop_unreadable

            drop_unreadable(self.node.channel)
        self.consumer = self.node.Consumer()
        self.consumer.on_message = self.on_broadcast
        self.consumer.on_decode_error = self.on_undecodable
        self.consumer.consume()

    def on_undecodable(self, message: Any, error: Exception) -> None:
        """Its body is compressed, or its properties are of another type."""
        log.warning("broadcast_refused", why=told(error))

    def on_broadcast(self, message: Any) -> None:
        """Obey, or refuse and say why."""
        try:
            body = broadcast(message, self.hostname)
            if body is None:
                return
            if (why := refusal(body, frozenset(self.c.controller.worker_heartbeat.expected))) is not None:
                log.warning("broadcast_refused", command=body["method"], why=why)
                if body["reply_to"]:
                    self.node.reply({self.hostname: {"error": why}}, **body["reply_to"], ticket=body["ticket"])
                return
            message.headers = {"clock": clock(message.headers)}
        except Refused as error:
            log.warning("broadcast_refused", why=str(error))
            return
        except Exception as error:  # noqa: BLE001 - a broadcast that cannot be read or answered is no reason to end
            log.warning("broadcast_refused", why=told(error))
            self.reset()
            return
        self.on_message(body, message)


class Control(CeleryControl):  # type: ignore[misc]
    """Celery's step with the mailbox above. No green pool: the chassis has none."""

    def __init__(self, c: Any, **options: Any) -> None:
        super().__init__(c, **options)
        self.box = Pidbox(c)
        self.start, self.stop, self.shutdown = self.box.start, self.box.stop, self.box.shutdown


def broadcast(message: Any, hostname: str) -> dict[str, Any] | None:
    """What a message asks of the worker `hostname`; None when it is for others. Raises Refused for what cannot be read."""
    size = len(message.body or b"")
    wrong = f"{size} bytes, at most {MAX_BROADCAST} are read" if size > MAX_BROADCAST else None
    wrong = wrong or fault_of_properties(message) or too_much(message.headers, MAX_BROADCAST)
    if wrong is not None:
        raise Refused(wrong)
    try:
        body = message.payload
    except Exception as error:
        raise Refused(f"body cannot be read: {told(error)}") from error
    if not isinstance(body, dict) or too_much(body, 2 * MAX_BROADCAST):
        raise Refused("body is no object, or one that is nested too deep")
    if not _is_meant(body, hostname):
        return None
    method, arguments, ticket = body.get("method"), body.get("arguments") or {}, body.get("ticket")
    if not _is_name(method) or not isinstance(arguments, dict) or not (ticket is None or _is_name(ticket)):
        raise Refused(f"method is {told(method)}, arguments are {told(arguments)}, ticket is {told(ticket)}")
    return {"method": method, "arguments": arguments, "ticket": ticket, "reply_to": _reply_to(body.get("reply_to"))}


def _is_meant(body: dict[str, Any], hostname: str) -> bool:
    destination = body.get("destination")
    if destination:
        if not isinstance(destination, list):
            raise Refused(f"destination is {told(destination)}, not a list of workers")
        return hostname in destination
    if body.get("pattern"):
        # A pattern may take hours to match, whatever its kind.
        raise Refused(f"pattern is {told(body['pattern'])}, and workers are told by name")
    return True


def _reply_to(wanted: Any) -> dict[str, str] | None:
    if not wanted:
        return None
    match wanted:
        case {"exchange": "reply.celery.pidbox" as exchange, "routing_key": str(key)} if _is_name(key):
            return {"exchange": exchange, "routing_key": key}
    raise Refused(f"reply_to is {told(wanted)}, not an exchange of answers and a key")


def refusal(body: dict[str, Any], queues: frozenset[str]) -> str | None:
    """Why a worker that consumes `queues` does not obey, as a sentence; None when it does."""
    method, arguments = body["method"], body["arguments"]
    if method in OF_OWN_QUEUES:
        given = {name: value for name, value in arguments.items() if value is not None and name != "exchange_type"}
        own = set(given) == {"queue"} and isinstance(given["queue"], str) and given["queue"] in queues
        return None if own else f"{method} of {told(arguments)}, which names no queue of this worker"
    if method in OWN:
        return None if not arguments else f"{method} takes no arguments, got {told(arguments)}"
    if method not in looks():
        return f"{told(method)} is not taken by remote control"
    return None


def looks() -> set[str]:
    """Celery's commands that only look, by all their names."""
    found = {name: meta for name, meta in Panel.meta.items() if meta.type == "inspect" and name not in _COSTLY}
    return {*found, *(meta.alias for meta in found.values() if meta.alias)}


def clock(headers: Any) -> int:
    """The sender's logical clock; 0 for what is none."""
    value = headers.get("clock") if isinstance(headers, dict) else None
    return value if type(value) is int and 0 <= value < _MOST else 0


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable()
