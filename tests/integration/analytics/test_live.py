"""The live page in a browser, and what it shows, over a real broker: the page says what the API answers, also after a cut."""

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from analytics.domain.seconds import SECOND_MS
from live_pages import STALLED_SECONDS, WIDTHS, chromium, contrasts, equal, follow, moving, pictured, wide
from servers import free_port, wait_until

ANALYST = {"Authorization": "Bearer analyst-token"}


def event(number: int, content: str, at_ms: int, **other: Any) -> dict[str, Any]:
    return {"id": f"{number}", "user": f"u{number}", "content": content, "kind": "view", "at_ms": at_ms, **other}


def stream(service: Any, **headers: str) -> Iterator[tuple[str, str | None, Any]]:
    """Kind, id and data of each event of a stream."""
    url = f"http://127.0.0.1:{service.port}/live/events"
    with httpx.stream(
        "GET",
        url,
        headers={**ANALYST, **{name.replace("_", "-"): value for name, value in headers.items()}},
        timeout=30,
    ) as answer:
        assert 200 == answer.status_code
        found: dict[str, str] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if line:
                found[name] = value
            elif found.get("data"):
                yield found["event"], found.get("id"), json.loads(found["data"])
                found = {}


def seconds_of(service: Any, after_ms: int = 0) -> list[dict[str, int]]:
    found: list[dict[str, int]] = service.ask("/rate", after_ms=after_ms)["seconds"]
    return found


def test_each_second_says_what_was_counted_in_it(rabbit_analytics: Any, now: int) -> None:
    rabbit_analytics.edge()
    rabbit_analytics.worker()
    sent = [event(i, "c", now) for i in range(30)] + [event(i, "c", now - 30 * 3_600_000) for i in range(5)]
    assert 200 == rabbit_analytics.send(sent).status_code
    rabbit_analytics.wait_counted(35)
    wait_until(lambda: sum(one["events"] for one in seconds_of(rabbit_analytics)) == 35, what="the end of the second")

    found = seconds_of(rabbit_analytics)
    busy = [one for one in found if one["events"]]
    later = seconds_of(rabbit_analytics, after_ms=found[-2]["at_ms"])

    assert [SECOND_MS] * (len(found) - 1) == [b["at_ms"] - a["at_ms"] for a, b in pairwise(found)]
    assert (5, 0) == (sum(one["late"] for one in found), sum(one["future"] for one in found))
    assert 0 < max(one["delay_ms"] for one in busy) < 15_000
    assert {None} == {one["delay_ms"] for one in found} - {one["delay_ms"] for one in busy}
    assert found[-1] == later[0]


def test_what_is_accepted_and_not_counted_is_behind(rabbit_analytics: Any, now: int) -> None:
    port = free_port()
    rabbit_analytics.edge(METRICS_PORT=f"{port}")
    rabbit_analytics.send([event(1, "c", now)])
    wait_until(lambda: rabbit_analytics.ask("/freshness")["behind_ms"] > 0, what="a note of what was accepted")
    wait_until(lambda: rabbit_analytics.ask("/freshness")["waiting_batches"] == 1, what="the batch that waits")
    first = rabbit_analytics.ask("/freshness")
    told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    rabbit_analytics.worker()
    rabbit_analytics.wait_counted(1)
    second = rabbit_analytics.ask("/freshness")
    wait_until(lambda: rabbit_analytics.ask("/freshness")["waiting_batches"] == 0, what="nothing that waits")

    assert 'analytics_waiting_batches{queue="analytics.aggregate"} 1.0' in told
    assert (0, 0) == (first["published_ms"], second["behind_ms"])
    assert now <= first["accepted_ms"] == second["published_ms"]


def test_a_stream_resumes_on_another_replica_without_a_gap(rabbit_analytics: Any, now: int) -> None:
    rabbit_analytics.edge("one")
    rabbit_analytics.worker()
    rabbit_analytics.send([event(i, "c", now) for i in range(7)])
    rabbit_analytics.wait_counted(7)
    told = [(id, data["seconds"]) for kind, id, data in take(stream(rabbit_analytics), 6) if kind == "seconds"]
    last, seen = told[-1][0], [one for _, more in told for one in more]

    rabbit_analytics.processes[0].kill()
    rabbit_analytics.edge("two")
    _, _, resumed = next(one for one in stream(rabbit_analytics, Last_Event_ID=str(last)) if one[0] == "seconds")

    seen += resumed["seconds"]
    assert [str(seen[-len(resumed["seconds"]) - 1]["at_ms"])] == [last]
    assert [SECOND_MS] * (len(seen) - 1) == [b["at_ms"] - a["at_ms"] for a, b in pairwise(seen)]
    assert 7 == sum(one["events"] for one in seen)


def take(events: Iterator[Any], count: int) -> list[Any]:
    return [one for one, _ in zip(events, range(count), strict=False)]


def test_only_analysts_read_and_the_page_itself_holds_no_data(rabbit_analytics: Any) -> None:
    rabbit_analytics.edge()
    base = f"http://127.0.0.1:{rabbit_analytics.port}"
    client = {"Authorization": "Bearer web-token"}

    nobody = {path: httpx.get(base + path).status_code for path in ("/live/events", "/rate", "/top", "/live")}
    clients = {path: httpx.get(base + path, headers=client).status_code for path in ("/live/events", "/rate", "/top")}
    page = httpx.get(f"{base}/live")
    strange = httpx.get(f"{base}/live/static/..%2f..%2faccess.py")
    start, docs = (httpx.get(base + path, headers={"Accept": "text/html"}) for path in ("/", "/docs"))

    assert {"/live/events": 401, "/rate": 401, "/top": 401, "/live": 200} == nobody
    assert {"/live/events": 403, "/rate": 403, "/top": 403} == clients
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "//" not in page.text.replace("<!doctype", "").replace("</", "")
    assert 404 == strange.status_code
    assert "/live" in start.text
    assert "/live/events" in docs.text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def opened(browser: Browser, service: Any, **options: Any) -> Page:
    address = f"http://127.0.0.1:{service.port}/live"
    return follow(browser, address, "An analyst's token", "analyst-token", **options)


def rows(page: Page, table: str) -> list[list[str]]:
    found: list[list[str]] = page.locator(f"{table} tbody tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.key ?? '', ...Array.from(row.cells, cell => cell.textContent)])"
    )
    return found


def filled(page: Page, table: str) -> list[list[str]]:
    """The rows without the one that says that there are none."""
    return [cells for cells in rows(page, table) if len(cells) > 2]


def shown(page: Page) -> dict[str, Any]:
    """What the page says, as numbers."""
    numbers = {
        name: int(page.locator(f"#{name}").inner_text().replace(",", ""))
        for name in ("revision", "late", "future", "flagged", "refused")
    }
    top = {name: int(events.replace(",", "")) for _, name, events, _ in filled(page, "#top")}
    return {**numbers, "top": top, "trends": {name: reason for _, name, _, reason in filled(page, "#trends")}}


def asked(service: Any) -> dict[str, Any]:
    """The same of the API."""
    top, trends = service.ask("/top"), service.ask("/trends", limit=10)
    return {
        "revision": top["revision"],
        "late": sum(top["late"].values()),
        "future": sum(top["future"].values()),
        "flagged": sum(top["flagged"].values()),
        "refused": top["refused"],
        "top": {one["content"]: one["events"] for one in top["contents"]},
        "trends": {one["id"]: one["reason"] for one in trends["trends"]},
    }


def test_the_page_says_what_the_api_answers_also_after_a_cut(browser: Browser, rabbit_analytics: Any, now: int) -> None:
    service = rabbit_analytics
    service.edge("one")
    service.worker(TRENDS_LIVE_SECONDS="2")
    usual = [event(i, "usual", now - 3_600_000 + i * 1000) for i in range(3600)]
    apart = [event(i, "old", now - 30 * 3_600_000) for i in range(4)] + [event(5, "c", now, bot=True), {"id": "?"}]
    assert 200 == service.send(usual + apart).status_code
    page = opened(browser, service)
    at_ms = time.time_ns() // 1_000_000
    burst = [event(i, "burst", at_ms) for i in range(300)] + [event(i, "like", at_ms, kind="like") for i in range(20)]
    assert 200 == service.send(burst).status_code
    service.wait_counted(3925, seconds=STALLED_SECONDS)
    wait_until(lambda: "burst" in asked(service)["trends"], what="a trend", seconds=STALLED_SECONDS)
    same(page, service)
    page.locator("#seconds summary").click()
    assert "Europe/Berlin" == page.locator("#zone").input_value()

    service.processes[0].kill()
    page.wait_for_selector("html.cut")
    told = page.locator("#connection").inner_text()
    before = rows(page, "#seconds")
    service.edge("two")
    service.send([event(i, "burst", at_ms, kind="share") for i in range(50)])
    service.wait_counted(3975, seconds=STALLED_SECONDS)
    page.wait_for_selector("html.open")
    same(page, service)
    end = time.time_ns() // 1_000_000 // SECOND_MS * SECOND_MS
    moving(page, lambda: int(rows(page, "#seconds")[0][0]) >= end, lambda: rows(page, "#seconds")[0])
    table = {int(at): int(events) for at, _, events, *_ in rows(page, "#seconds")}
    undelayed = {int(at) for at, _, _, delay, *_ in rows(page, "#seconds") if delay == "–"}
    told_now = seconds_of(service)
    answered = {one["at_ms"]: one["events"] for one in told_now}
    without = {one["at_ms"] for one in told_now if one["delay_ms"] is None}

    assert told.startswith("Cut: ")
    assert int(before[0][0]) < end
    assert 50 == sum(events for at, events in table.items() if at > int(before[0][0]))
    common = sorted(table.keys() & answered.keys())
    assert undelayed.intersection(common) == without.intersection(common) != set()
    assert [table[at] for at in common] == [answered[at] for at in common]
    assert [SECOND_MS] * (len(table) - 1) == [a - b for a, b in pairwise(table)]


def same(page: Page, service: Any) -> None:
    """Return once the page shows what the API answers, a trend with it."""
    moving(page, lambda: asked(service)["trends"] != {}, lambda: asked(service))
    equal(page, lambda: asked(service), lambda: shown(page))


def test_the_page_fits_a_telephone_and_is_readable(browser: Browser, rabbit_analytics: Any, now: int) -> None:
    service = rabbit_analytics
    service.edge("one")
    service.worker()
    service.send([event(i, f"content-of-a-long-name-{i % 12:041}", now) for i in range(300)])
    service.wait_counted(300, seconds=STALLED_SECONDS)
    schemes: dict[Any, Page] = {scheme: looked_at(browser, service, scheme) for scheme in ("light", "dark")}
    widths = {(scheme, width): wide(page, scheme, width) for scheme, page in schemes.items() for width in WIDTHS}
    ratios = {(scheme, text): ratio for scheme, page in schemes.items() for text, ratio in contrasts(page).items()}
    schemes["light"].wait_for_selector("#top tbody td:nth-child(2)")
    lines = schemes["light"].evaluate(LINES_OF_A_LONG_NUMBER)
    service.processes[0].kill()
    for scheme, page in schemes.items():
        page.wait_for_selector("html.cut")
        ratios |= {(scheme, text): ratio for text, ratio in contrasts(page).items()}
        pictured(page, f"{scheme}-cut")

    assert {(scheme, width): width for scheme in schemes for width in WIDTHS} == widths
    assert {} == {text: ratio for text, ratio in ratios.items() if ratio < 4.5}
    assert len(ratios) > 100
    assert 1 == lines


LINES_OF_A_LONG_NUMBER = """() => {
  const cell = document.querySelector("#top tbody td:nth-child(2)"), inside = document.createRange();
  cell.textContent = "9,999,999,999";
  inside.selectNodeContents(cell);
  return inside.getClientRects().length;
}"""


def looked_at(browser: Browser, service: Any, scheme: Any) -> Page:
    """The page with both charts and its table opened by the keyboard."""
    page = opened(browser, service, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.wait_for_selector("#rate canvas")
    page.locator("#seconds summary").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#seconds tbody tr")
    return page
