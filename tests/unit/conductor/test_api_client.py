"""Server-sent events are read as the API writes them."""

from conductor.capstones.orders.api_client import parsed

STREAM = """retry: 1000

id: 7
event: placed
data: {"kind": "placed"}

: still here

event: end
data: {"reason": "final"}

"""


def test_events_are_read_with_their_ids_and_comments_are_not_events() -> None:
    events = list(parsed(iter(STREAM.splitlines())))

    assert [(7, "placed", {"kind": "placed"}), (None, "end", {"reason": "final"})] == events
