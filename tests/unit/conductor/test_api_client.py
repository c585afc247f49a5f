"""Server-sent events are read as the API writes them."""

from chassis.http.server import KEEP_ALIVE_SECONDS
from conductor.capstones.orders.api_client import parsed
from conductor.http_client import KEEP_UNUSED_SECONDS

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


def test_a_connection_is_given_up_well_before_the_server_gives_it_up() -> None:
    assert KEEP_UNUSED_SECONDS <= KEEP_ALIVE_SECONDS / 2
