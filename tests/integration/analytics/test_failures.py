"""What may fail under a running aggregator, and what its counters are afterwards."""

import contextlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from analytics.domain.batch import Batch, columnise, encode
from analytics.domain.events import Event, Timing
from analytics.domain.parts import Part, part_id
from servers import wait_until

Expected = Callable[[list[dict[str, Any]]], dict[str, dict[str, int]]]


def events_of(request: int, count: int, at_ms: int) -> list[dict[str, Any]]:
    dice = random.Random(request)
    return [
        {
            "id": f"{request}-{i}",
            "user": f"u{dice.randrange(2000)}",
            "content": f"c{dice.randrange(500)}",
            "kind": dice.choice(("view", "like", "share")),
            "at_ms": at_ms - dice.randrange(120_000),
        }
        for i in range(count)
    ]


def batch_of(key: str, events: list[dict[str, Any]], published_ms: int) -> Batch:
    part = Part(part_id("web", key, 0), [Event(**event) for event in events])
    return columnise([part], published_ms, lambda _: Timing.ON_TIME)


def publish(service: Any, *bodies: bytes) -> None:
    """Put messages into the queue of batches, past the edge."""
    import kombu

    with kombu.Connection(service.environment["BROKER_URL"]) as connection:
        redis = connection.transport.driver_type == "redis"
        for number, body in enumerate(bodies):
            connection.Producer().publish(
                body,
                exchange="" if redis else "analytics",
                routing_key="analytics.aggregate",
                content_type="application/octet-stream",
                content_encoding="binary",
                headers={"id": f"{time.time_ns()}-{number}"},
                delivery_mode=2,
            )


def test_workers_that_are_killed_under_load_lose_and_double_nothing(
    rabbit_analytics: Any, expected: Expected, now: int
) -> None:
    service = rabbit_analytics
    service.edge()
    workers = [service.worker("one"), service.worker("two")]
    requests = [events_of(number, 2500, now) for number in range(120)]
    answers: list[int] = []

    def send(number: int) -> None:
        while (status := service.send(requests[number], key=f"request-{number}").status_code) != 200:
            answers.append(status)

    killed = threading.Event()

    def kill() -> None:
        for turn in range(6):
            floor = service.counted()
            wait_until(lambda floor=floor: service.counted() > floor, what="progress between two kills")
            name = ("one", "two")[turn % 2]
            workers[turn % 2].kill()
            workers[turn % 2].wait()
            workers[turn % 2] = service.worker(name, ready=False)
        killed.set()

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(3) as clients:
        for number in range(len(requests)):
            clients.submit(send, number)
        extra = len(requests)
        while not killed.wait(0.05):  # there must be load as long as there are kills
            requests.append(events_of(extra, 2500, now))
            clients.submit(send, extra).result()
            extra += 1
    killer.join()
    total = sum(map(len, requests))
    service.wait_counted(total, seconds=60)

    assert killed.is_set()
    assert expected([event for request in requests for event in request]) == service.counters_now()
    assert total == service.counted()
    assert [] == service.parked()


def test_an_edge_that_is_killed_loses_and_doubles_nothing_of_a_client_that_repeats(
    rabbit_analytics: Any, expected: Expected, now: int
) -> None:
    service = rabbit_analytics
    edge = service.edge()
    service.worker()
    requests = [events_of(number, 500, now) for number in range(40)]
    repeated: list[int] = []

    def send(number: int) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if service.send(requests[number], key=f"request-{number}").status_code == 200:
                    return
            repeated.append(number)
            time.sleep(0.05)  # what a client does between two tries

    with ThreadPoolExecutor(4) as clients:
        sent = [clients.submit(send, number) for number in range(len(requests))]
        for kill in (1, 2):
            wait_until(lambda kill=kill: sum(one.done() for one in sent) >= 8 * kill, what="answers before a kill")
            edge.kill()
            edge.wait()
            edge = service.edge()
        for one in sent:
            one.result()
    service.wait_counted(40 * 500, seconds=60)

    assert repeated
    assert expected([event for request in requests for event in request]) == service.counters_now()


def test_a_store_that_is_away_is_waited_for(analytics: Any, expected: Expected, now: int) -> None:
    analytics.edge()
    worker = analytics.worker()
    first, second = events_of(1, 500, now), events_of(2, 500, now)
    analytics.send(first)
    analytics.wait_counted(500)

    analytics.counters.kill()
    accepted = analytics.send(second)
    wait_until(lambda: analytics.state() == "stalled", what="a worker that says that it waits")
    record, ready, live = analytics.record(), analytics.probe("ready"), analytics.probe("live")
    analytics.counters.start()
    analytics.wait_counted(1000)
    wait_until(lambda: analytics.state() == "idle", what="an idle worker")

    assert 200 == accepted.status_code
    assert 1 == record["held"]
    assert "the counter store failed" in record["detail"]
    assert (1, 0) == (ready[0], live[0])
    assert worker.poll() is None
    assert expected(first + second) == analytics.counters_now()


def test_a_store_that_is_full_is_waited_for(rabbit_analytics: Any, expected: Expected, now: int) -> None:
    service = rabbit_analytics
    service.edge()
    service.worker()
    events = events_of(1, 3000, now)
    with service.store() as client:
        client.config_set("maxmemory", "1mb")

    service.send(events)
    wait_until(lambda: service.state() == "stalled", what="a worker that says that it waits")
    full = service.record()["detail"]
    with service.store() as client:
        client.config_set("maxmemory", "0")
    service.wait_counted(3000)

    assert "maxmemory" in full
    assert expected(events) == service.counters_now()


def test_a_store_that_hangs_does_not_stop_the_loop(rabbit_analytics: Any, expected: Expected, now: int) -> None:
    service = rabbit_analytics
    service.edge()
    service.worker()
    events = events_of(1, 1000, now)

    service.counters.pause()
    service.send(events)
    wait_until(lambda: service.state() == "stalled", what="a worker that says that it waits")
    live = service.probe("live")
    service.counters.resume()
    service.wait_counted(1000)
    wait_until(lambda: service.state() == "idle", what="an idle worker")

    assert 0 == live[0], live[1]
    assert (
        expected(events) == service.counters_now()
    )  # the call that timed out was carried out as well, and counts once


def test_batches_that_cannot_be_read_are_parked_and_cost_no_other(analytics: Any, expected: Expected, now: int) -> None:
    good = events_of(1, 300, now)
    body = encode(batch_of("good", good, now))
    old = encode(batch_of("old", events_of(2, 10, now), now - 13 * 3_600_000))
    analytics.worker()

    publish(analytics, b"no batch", b"\x09" + body[1:], body[: len(body) // 2], body, old)
    wait_until(lambda: len(analytics.parked()) == 4, what="four parked batches")
    analytics.wait_counted(300)
    wait_until(lambda: analytics.state() == "idle", what="an idle worker")

    assert ["malformed", "malformed", "malformed", "permanent"] == sorted(reason for reason, _ in analytics.parked())
    assert any("version 9" in detail for _, detail in analytics.parked())
    assert any("13.0 h old" in detail for _, detail in analytics.parked())
    assert expected(good) == analytics.counters_now()
    assert 0 == analytics.record()["held"]


def test_a_part_in_two_batches_counts_once(rabbit_analytics: Any, expected: Expected, now: int) -> None:
    service = rabbit_analytics
    one, two, three = events_of(1, 100, now), events_of(2, 100, now), events_of(3, 100, now)
    parts = [
        Part(part_id("web", str(number), 0), [Event(**event) for event in events])
        for number, events in enumerate((one, two, three))
    ]
    service.worker()

    publish(service, encode(columnise(parts[:2], now, lambda _: Timing.ON_TIME)))
    service.wait_counted(200)
    publish(service, encode(columnise(parts[1:], now, lambda _: Timing.ON_TIME)))
    service.wait_counted(300)

    assert expected(one + two + three) == service.counters_now()


def test_a_worker_that_ends_flushes_what_it_holds(rabbit_analytics: Any, expected: Expected, now: int) -> None:
    service = rabbit_analytics
    worker = service.worker(WINDOW_MS="5000")
    first, rest = events_of(1, 50, now), events_of(2, 50, now)
    publish(service, encode(batch_of("1", first, now)))
    service.wait_counted(50)

    publish(service, encode(batch_of("2", rest, now)))
    wait_until(lambda: service.record().get("held") == 1, what="a batch in the window")
    worker.terminate()
    worker.wait(20)

    assert expected(first + rest) == service.counters_now()
