"""`POST /events` and what it refuses, over a real broker; and the counters as the API tells them."""

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from backports import zstd

from servers import RabbitMQ, wait_until

GOOD = {"id": "e", "user": "u", "content": "c", "kind": "view"}


def good(at_ms: int, count: int = 1) -> list[dict[str, Any]]:
    return [{**GOOD, "id": f"e{i}", "at_ms": at_ms} for i in range(count)]


@pytest.fixture
def served(rabbit_analytics: Any) -> Any:
    """The API and an aggregator on RabbitMQ."""
    rabbit_analytics.edge(BODY_LIMIT_BYTES="100000", DECODED_LIMIT_BYTES="1000000", BODY_EVENTS_LIMIT="2000")
    rabbit_analytics.worker()
    return rabbit_analytics


def test_events_come_in_each_form_and_encoding(served: Any, expected: Any, now: int) -> None:
    events = good(now, 3)
    array = json.dumps(events).encode()
    lines = b"\n".join(json.dumps(event).encode() for event in events)
    ndjson = {"Content_Type": "application/x-ndjson"}

    answers = [
        served.send(array),
        served.send(lines, **ndjson),
        served.send(gzip.compress(array), Content_Encoding="gzip"),
        served.send(gzip.compress(lines[:50]) + gzip.compress(lines[50:]), Content_Encoding="gzip", **ndjson),
        served.send(zstd.compress(lines), Content_Encoding="zstd", **ndjson),
    ]
    served.wait_counted(15)

    assert [(200, 3)] * 5 == [(answer.status_code, answer.json()["accepted"]) for answer in answers]
    assert expected(events * 5) == served.counters_now()


def test_a_bad_request_is_refused_and_leaves_nothing(served: Any, now: int) -> None:
    body = json.dumps(good(now, 3)).encode()
    bomb = gzip.compress(b" " * 900_000)
    refused = {
        "cut gzip": (400, served.send(gzip.compress(body)[:-9], Content_Encoding="gzip")),
        "no gzip": (400, served.send(body, Content_Encoding="gzip")),
        "cut zstd": (400, served.send(zstd.compress(body)[:-5], Content_Encoding="zstd")),
        "no zstd": (400, served.send(body, Content_Encoding="zstd")),
        "a bomb": (413, served.send(bomb, Content_Encoding="gzip")),
        "a zstd bomb": (413, served.send(zstd.compress(b" " * 900_000), Content_Encoding="zstd")),
        "too long": (413, served.send(b" " * 100_001)),
        "too many events": (400, served.send(b"[" + b",".join([b"{}"] * 2001) + b"]")),
        "no array": (400, served.send(b"{}")),
        "an unknown encoding": (415, served.send(body, Content_Encoding="br")),
        "an unknown type": (415, served.send(body, Content_Type="text/csv")),
        "no token": (401, served.send(body, token="nobody")),
        "an analyst": (403, served.send(body, token="analyst-token")),
        "a long key": (400, served.send(body, key="k" * 129)),
        "a key with a blank": (400, served.send(body, key="a b")),
    }

    assert {name: status for name, (status, _) in refused.items()} == {
        name: answer.status_code for name, (_, answer) in refused.items()
    }
    assert {"application/problem+json"} == {answer.headers["content-type"] for _, answer in refused.values()}
    served.send(good(now))
    served.wait_counted(1)
    assert 1 == served.counted()


def test_a_request_without_a_key_is_refused(served: Any, now: int) -> None:
    headers = {"Authorization": "Bearer web-token", "Content-Type": "application/json"}

    answer = httpx.post(f"http://127.0.0.1:{served.port}/events", content=b"[]", headers=headers)

    assert (400, "Idempotency-Key") == (answer.status_code, answer.json()["errors"][0]["field"])


def test_bad_events_are_refused_singly_and_the_rest_counts(served: Any, expected: Any, now: int) -> None:
    events = good(now, 3)
    mixed = [events[0], {**GOOD, "at_ms": "soon"}, events[1], {"id": "?"}, events[2]]

    answer = served.send(mixed)
    served.wait_counted(3)

    assert 200 == answer.status_code
    assert (3, [1, 3]) == (answer.json()["accepted"], [refused["index"] for refused in answer.json()["refused"]])
    assert {**expected(events), "apart": {"refused": 2}} == served.counters_now()


def test_bots_and_users_with_too_many_events_are_flagged_and_what_is_refused_is_counted(
    rabbit_analytics: Any, expected: Any, now: int
) -> None:
    service = rabbit_analytics
    service.edge(USER_EVENTS_PER_MINUTE="100")
    service.worker()
    loud, bot = good(now, 130), [{**GOOD, "user": "crawler", "at_ms": now, "bot": True}]
    bad = [{"id": "?"}] * 3

    for _ in range(2):  # what is sent again is counted once, whatever the edge decides the second time
        assert 134 - 3 == service.send(loud + bot + bad, key="k").json()["accepted"]
    assert 0 == service.send(bad, key="only-bad").json()["accepted"]
    service.wait_counted(131)
    wait_until(lambda: service.ask("/totals", from_ms=now, to_ms=now + 1)["refused"] == 6, what="the refused events")
    told = service.ask("/totals", from_ms=now, to_ms=now + 1)

    assert ({"view": 31}, {"view": 100}, 131) == (told["flagged"], told["range"], told["revision"])
    assert {**expected(loud[:100]), "apart": {"flagged:view": 31, "refused": 6}} == service.counters_now()


def test_the_api_tells_what_was_counted(served: Any, now: int) -> None:
    hour, day = 3_600_000, 86_400_000
    begin = now - now % hour
    events = [
        {**GOOD, "id": "1", "at_ms": begin - 1},
        {**GOOD, "id": "2", "at_ms": begin},
        {**GOOD, "id": "3", "at_ms": begin, "kind": "like", "user": "other"},
        {**GOOD, "id": "4", "at_ms": now - 3 * day},
        {**GOOD, "id": "5", "at_ms": now + day, "kind": "share"},
        {**GOOD, "id": "6", "at_ms": begin, "content": "gone", "kind": "delete", "user": "other"},
    ]
    served.send(events)
    served.wait_counted(6)

    now_range = {"from_ms": begin, "to_ms": begin + hour}
    content, user, totals = (served.ask(path, **now_range) for path in ("/contents/c", "/users/u", "/totals"))
    both = served.ask("/users/u", from_ms=begin - hour, to_ms=begin + hour)
    gone = served.ask("/contents/gone", **now_range)

    local = f"{datetime.fromtimestamp(begin / 1000, ZoneInfo('Asia/Kathmandu')):%Y-%m-%d}"
    of_day = served.ask("/totals", day=local, zone="Asia/Kathmandu", limit=1)

    assert ({"view": 1}, {"share": 1}, 6) == (user["late"], user["future"], user["revision"])
    assert {"from_ms": begin, "to_ms": begin + hour} == user["covers"]
    assert 24 * hour == of_day["covers"]["to_ms"] - of_day["covers"]["from_ms"]
    assert 15 * 60_000 == of_day["covers"]["from_ms"] % hour
    assert of_day["covers"]["from_ms"] <= begin < of_day["covers"]["to_ms"]
    assert (1, of_day["minutes"][0]["at_ms"]) == (len(of_day["minutes"]), of_day["next_after_ms"])
    assert {"view": 1, "like": 1} == content["range"]
    assert {"view": 2, "like": 1} == content["all_time"]
    assert [{"at_ms": begin, "view": 1, "like": 1}] == content["minutes"]
    assert (False, True) == (content["deleted"], gone["deleted"])
    assert (1, [{"at_ms": begin, "events": 1}]) == (user["events"], user["hours"])
    assert 2 == both["events"]
    assert {"view": 1, "like": 1, "delete": 1} == totals["range"]
    assert ({"view": 1}, {"share": 1}) == (totals["late"], totals["future"])
    assert 6 == served.ask("/freshness")["events"]
    assert now <= content["freshness"]["published_ms"] <= content["freshness"]["counted_ms"] + 1000


@pytest.mark.parametrize("values", [(5, 5), (5, 4), (0, 49 * 3_600_000)], ids=["empty", "backwards", "too long"])
def test_a_bad_range_is_refused(served: Any, values: tuple[int, int]) -> None:
    answer = httpx.get(
        f"http://127.0.0.1:{served.port}/contents/c",
        params={"from_ms": values[0], "to_ms": values[1]},
        headers={"Authorization": "Bearer analyst-token"},
    )

    assert 422 == answer.status_code, answer.text


def test_a_broker_that_hangs_is_a_503_within_the_deadline_and_a_retry_counts_once(
    rabbit_analytics: Any, rabbitmq: RabbitMQ, expected: Any, now: int
) -> None:
    service = rabbit_analytics
    # Without a linger the batch waits for its confirm as long as its request does, so the next request is refused at once.
    service.edge(ANSWER_SECONDS="1", BATCH_LINGER_MS="0")
    service.send(good(now))  # connected, so that the next publish hangs in the confirm

    rabbitmq.pause()
    began = time.monotonic()
    first = service.send(good(now, 5), key="again")
    took = time.monotonic() - began
    began = time.monotonic()
    second = service.send(good(now, 5), key="other")
    at_once = time.monotonic() - began
    rabbitmq.resume()
    wait_until(lambda: service.send(good(now, 5), key="again").status_code == 200, what="a confirm")
    service.worker()
    service.wait_counted(6)
    wait_until(lambda: service.state() == "idle", what="an idle worker")

    assert ([503, 503], "1") == ([first.status_code, second.status_code], first.headers["retry-after"])
    assert took < 5
    assert at_once < took
    # "other" was refused at once, so it never reached the broker; "again" may have reached it twice.
    assert expected(good(now) + good(now, 5)) == service.counters_now()


def test_a_full_buffer_is_a_503_at_once(rabbit_analytics: Any, rabbitmq: RabbitMQ, now: int) -> None:
    service = rabbit_analytics
    service.edge(ANSWER_SECONDS="25", PUBLISH_TIMEOUT_SECONDS="25", BUFFER_EVENTS="1000", BATCH_EVENTS="600")
    service.send(good(now))

    rabbitmq.pause()
    with ThreadPoolExecutor(8) as clients:
        sent = [clients.submit(service.send, good(now, 200)) for _ in range(8)]
        # Five fill the buffer and wait for the broker; the other three are answered meanwhile.
        refused = [answer.result() for answer in islice(as_completed(sent), 3)]
        rabbitmq.resume()
        answers = [answer.result().status_code for answer in sent]

    assert [(503, "1")] * 3 == [(answer.status_code, answer.headers["retry-after"]) for answer in refused]
    assert [200] * 5 + [503] * 3 == sorted(answers)
