"""What is no message at all in a list of Redis or Valkey, taken out of the worker's way without losing it.

kombu reads an entry and decodes it in one step, in the worker's event loop; what cannot be decoded (somebody pushed it by hand, or
another library did) ends the worker, and the entry, already popped, is gone. Here every entry is tried first; a bad one goes to the
list `<queue>.dead`, which the collector of dead letters empties.
"""

from typing import Any

from kombu.utils.json import loads

from chassis.loggers import get_logger
from chassis.queues import dead_queue_name

log = get_logger(__name__)


def keep_unreadable(channel: Any) -> None:
    """Watch over what a consuming channel of kombu's Redis transport reads, as long as it is open."""
    client = channel.client
    parse = client.parse_response

    def parse_response(connection: Any, command: str, **options: Any) -> Any:
        answer = parse(connection, command, **options)
        if command != "BRPOP" or not answer or _readable(channel, answer[1]):
            return answer
        queue, entry = answer
        name = queue.decode() if isinstance(queue, bytes) else queue
        with channel.conn_or_acquire() as other:
            other.lpush(dead_queue_name(name), entry)
        log.error("unreadable_entry", queue=name)
        return None

    client.parse_response = parse_response


def _readable(channel: Any, entry: Any) -> bool:
    try:
        text = entry.decode() if isinstance(entry, bytes) else entry
        message = channel.Message(loads(text), channel=channel)
        return isinstance(message.delivery_tag, str) and isinstance(message.properties["delivery_info"], dict)
    except Exception:  # noqa: BLE001 - in whatever way it is broken
        return False
