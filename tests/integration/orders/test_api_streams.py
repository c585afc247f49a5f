"""Event streams over a real server: they follow, resume, end, and do not hold up the end of the process."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chassis.errors import BadSetting
from orders.adapters.intake_store import PostgresIntakeStore
from orders.domain.saga import Parcel, Payment, Saga, State, Stock
from orders.ports import Event
from orders.settings import Settings
from served_orders import Served, serving
from servers import wait_until

Shop = Any
DELIVERED = Saga(State.DELIVERED, Stock.SHIPPED, Payment.CAPTURED, Parcel.HANDED_OVER, delivered=True)


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    """One process for the tests that leave it running."""
    with serving(settings) as server:
        yield server


def note(shop: Shop, order_id: str, kind: str) -> None:
    with PostgresIntakeStore(shop.engine).begin() as tx:
        tx.note([Event(order_id, kind, {})])


def test_a_stream_tells_what_was_and_what_comes(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    with served.stream(order_id) as told:
        kinds = [next(told)["retry"], next(told)["event"]]
        note(shop, order_id, "later")
        kinds.append(next(told)["event"])

    assert kinds == ["1000", "placed", "later"]


def test_a_stream_resumes_behind_the_last_event(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    note(shop, order_id, "second")
    with served.stream(order_id) as told:
        next(told)
        first = int(next(told)["id"])
    with served.stream(order_id, last=first) as told:
        next(told)
        resumed = next(told)

    assert resumed["event"] == "second"


def test_a_stream_ends_when_nothing_can_follow(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, DELIVERED)
    with served.stream(order_id) as told:
        last = list(told)[-1]

    assert (last["event"], json.loads(last["data"])) == ("end", {"reason": "final", "state": "delivered"})


def test_a_stream_resumed_after_everything_ends_at_once(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    shop.become(order_id, DELIVERED)
    with served.stream(order_id, last=2**63 - 1) as told:
        kinds = [event.get("event") for event in told]

    assert kinds == [None, "end"]


def test_a_long_past_is_told_in_full_before_the_end(shop: Shop, wanted: dict[str, Any], served: Served) -> None:
    order_id = shop.placed(wanted)
    shop.run(
        "INSERT INTO timeline (order_id, kind) SELECT CAST(:id AS uuid), 'x' FROM generate_series(1, 450)", id=order_id
    )
    shop.become(order_id, DELIVERED)
    with served.stream(order_id) as told:
        kinds = [event.get("event") for event in told]

    assert kinds == [None, "placed", *["x"] * 450, "end"]


def test_sigterm_ends_open_streams_and_the_process(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    with serving(shop.settings) as server:
        with server.stream(order_id) as told:
            next(told), next(told)
            server.process.send_signal(signal.SIGTERM)
            last = next(told)
        code = server.process.wait(5)

    assert (json.loads(last["data"])["reason"], code) == ("draining", 0)


def test_a_customers_streams_beyond_the_limit_are_429_and_a_closed_one_makes_room(
    shop: Shop, wanted: dict[str, Any]
) -> None:
    hers, his = shop.placed(wanted), shop.placed(wanted, token="bob-token")
    with serving(shop.settings, EVENT_STREAMS_LIMIT="1") as server:
        with server.stream(hers) as told:
            next(told)
            answers = [server.stream_status(hers, "ann-token"), server.stream_status(his, "bob-token")]
            answers.append(server.stream_status(hers, "op-token"))
        wait_until(lambda: server.stream_status(hers, "ann-token")[0] == 200, what="the place to be free again")

    assert [(429, "5"), (200, None), (200, None)] == answers


def test_a_full_process_is_503_and_keeps_a_place_for_operators(shop: Shop, wanted: dict[str, Any]) -> None:
    hers, his = shop.placed(wanted), shop.placed(wanted, token="bob-token")
    limits = {"EVENT_STREAMS_LIMIT": "2", "EVENT_STREAMS_PROCESS_LIMIT": "3", "EVENT_STREAMS_RESERVED": "1"}
    with serving(shop.settings, **limits) as server, ExitStack() as kept:
        streams = [kept.enter_context(server.stream(hers)) for _ in range(2)]
        for told in streams:
            next(told)
        answers = [server.stream_status(his, "bob-token"), server.stream_status(his, "op-token")]

    assert [(503, "5"), (200, None)] == answers


def test_the_limits_leave_one_customer_unable_to_shut_out_another(settings: Settings) -> None:
    customers_places = settings.event_streams_process_limit - settings.event_streams_reserved

    assert settings.event_streams_limit < customers_places


def test_a_stream_ends_after_its_longest_life_and_says_where_to_go_on(shop: Shop, wanted: dict[str, Any]) -> None:
    order_id = shop.placed(wanted)
    with serving(shop.settings, EVENT_STREAM_SECONDS="0.5") as server:
        with server.stream(order_id) as told:
            *_, placed, end = told
        note(shop, order_id, "later")
        last = json.loads(end["data"])["last_event_id"]
        with server.stream(order_id, last=last) as told:
            resumed = [event.get("event") for event in told]

    assert ("placed", "end") == (placed["event"], end["event"])
    assert {"reason": "expired", "state": None, "reconnect": True, "last_event_id": int(placed["id"])} == json.loads(
        end["data"]
    )
    assert [None, "later", "end"] == resumed


def test_no_place_may_be_left_for_customers_is_a_bad_setting(settings: Settings) -> None:
    with pytest.raises(BadSetting, match=r"EVENT_STREAMS_RESERVED is .?5.?: customers need a place"):
        settings.replace(event_streams_process_limit=5, event_streams_reserved=5)
