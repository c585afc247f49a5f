"""What is no message at all in a list or a channel of Redis or Valkey, taken out of the worker's way.

kombu reads an entry and decodes it in one step, in the worker's event loop; what cannot be decoded (somebody pushed it by hand, or
another library did) ends the worker, and the entry, already popped, is gone. Here every entry is tried first; a bad one goes to the
list `<queue>.dead`, which the collector of dead letters empties. What else kombu would trip over later, when it acknowledges an entry or
gives it back, is put right. A broadcast that cannot be decoded is dropped: it is no work, and nobody keeps those that can.
"""

import uuid
from typing import Any

from kombu.utils.json import dumps, loads

from chassis.amqp_properties import refuse_compression
from chassis.envelope import MAX_NAME, UNREADABLE
from chassis.loggers import get_logger
from chassis.queues import dead_queue_name
from chassis.sizes import MAX_ENTRY_BYTES, decodable, too_much
from chassis.storable import escaped

log = get_logger(__name__)

_BROADCASTS = (b"message", b"pmessage")


def keep_unreadable(channel: Any) -> None:
    """Watch over what a consuming channel of kombu's Redis transport reads, as long as it is open."""
    refuse_compression()
    client = channel.client
    parse = client.parse_response

    def parse_response(connection: Any, command: str, **options: Any) -> Any:
        answer = parse(connection, command, **options)
        if command != "BRPOP" or not answer:
            return answer
        queue, entry = answer
        name = queue.decode() if isinstance(queue, bytes) else queue
        readable = _readable(channel, name, entry if isinstance(entry, bytes) else entry.encode())
        if readable is not None:
            return [queue, readable]
        with channel.conn_or_acquire() as other:
            other.lpush(dead_queue_name(name), entry)
        log.error("unreadable_entry", queue=name)
        return None

    client.parse_response = parse_response


def drop_unreadable(channel: Any) -> None:
    """Watch over the broadcasts that a channel of kombu's Redis transport reads, as long as it is open."""
    subscriber = channel.subclient
    parse = subscriber.parse_response

    def parse_response(*arguments: Any, **options: Any) -> Any:
        answer = parse(*arguments, **options)
        if isinstance(answer, list) and answer[0] in _BROADCASTS and not _is_broadcast(channel, answer[-1]):
            log.warning("unreadable_broadcast")
            return None
        return answer

    subscriber.parse_response = parse_response


def _is_broadcast(channel: Any, entry: bytes) -> bool:
    try:
        return decodable(entry) and isinstance(channel.Message(loads(entry), channel=channel).headers, dict)
    except Exception:  # noqa: BLE001 - in whatever way it is broken
        return False


def _readable(channel: Any, queue: str, entry: bytes) -> bytes | None:
    """The entry, put right where that is needed; None when it is no message."""
    try:
        if not decodable(entry):
            return None
        payload = loads(entry)
        right = _put_right(channel, queue, payload)
        channel.Message(payload, channel=channel)
    except Exception:  # noqa: BLE001 - in whatever way it is broken
        return None
    return entry if right else dumps(payload).encode()


def _put_right(channel: Any, queue: str, payload: Any) -> bool:
    """Whether a payload was as kombu needs it; it is afterwards. Raises for what is no message."""
    properties = payload["properties"]
    tag, delivery = properties["delivery_tag"], properties["delivery_info"]
    if not (isinstance(tag, str) and isinstance(delivery, dict) and isinstance(payload.get("body"), str | None)):
        raise TypeError("no message of kombu's")
    headers, own = payload.get("headers"), {"exchange": "", "routing_key": queue}
    # kombu encodes an entry again to keep it, which recurses. How much there is of anything is for the gate to judge.
    shallow = isinstance(headers, dict) and not too_much([headers, properties], MAX_ENTRY_BYTES)
    # An acknowledgement is by the tag: of two messages with one tag, the first would acknowledge both.
    tagged = len(tag) <= MAX_NAME and tag.isprintable() and tag not in channel.qos._delivered
    # Infinity cannot be compared with the priorities that there are.
    ranked = not shallow or not isinstance(properties.get("priority"), float)
    if shallow and tagged and ranked and delivery.items() >= own.items():
        return True
    if not shallow:
        payload["headers"] = {UNREADABLE: escaped([headers, properties])} if headers is not None else {}
        properties = {name: properties[name] for name in ("body_encoding",) if name in properties}
        delivery = {}
    priority = {} if ranked else {"priority": repr(properties["priority"])}
    new = {"delivery_tag": tag if tagged else str(uuid.uuid4()), "delivery_info": {**delivery, **own}}
    payload["properties"] = {**properties, **priority, **new}
    return False
