"""`python -m loadtests.analytics.live_page`: the live page in Chromium while events come at a rate, and whether it says what the API says.

One edge, one aggregator, RabbitMQ, the store (`appendfsync always`), the clients and the browser share the machine. While events come, the
page's line of state is read twice a second: it says how far behind the page is. When all are counted the page must show the numbers of the
API, and every counter must be that of a count in plain Python. Prints JSON; the exit code is 1 when something differs, or the page was ever
more than 5 s behind.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from loadtests.analytics import events, over_http
from loadtests.analytics.servers import TOKEN, start_aggregator, start_edge, started

ANALYST = "analyst"
FRESH_SECONDS = 5.0
DISTINCT_BODIES = 40
LOOK_MS = 500
EQUAL_SECONDS = 30.0
LINE = re.compile(r"([\d,]+) events/s, ([\d.]+) s behind")


@dataclass
class Shown:
    """What the page said while events came: events of each second, and how far behind it was, in seconds."""

    rates: list[int] = field(default_factory=list)
    behind: list[float] = field(default_factory=list)

    def read(self, page: Page) -> None:
        """Read the line of state once more."""
        if found := LINE.match(page.locator("#line").inner_text()):
            self.rates.append(int(found[1].replace(",", "")))
            self.behind.append(float(found[2]))


def main(argv: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="live_page", description=__doc__)
    parser.add_argument("--rate", type=int, default=100_000, help="events a second that are sent")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--picture", type=Path, help="where to leave a picture of the page under load")
    options = parser.parse_args(argv)
    tokens = json.dumps({TOKEN: {"client": "bench"}, ANALYST: {"role": "analyst"}})
    settings = {"LOG_LEVEL": "ERROR", "API_TOKENS": tokens.replace("{", "{{").replace("}", "}}")}
    with started(settings) as servers, sync_playwright() as playwright, ThreadPoolExecutor(1) as pool:
        os.environ.update(servers.environment)
        start_aggregator(servers)
        port = start_edge(servers)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        made = events.bodies(
            DISTINCT_BODIES, users=10_000, contents=1_000, zipf=True, now_ms=time.time_ns() // 1_000_000
        )
        rate = options.rate / events.EVENTS
        load = pool.submit(
            over_http.measure, servers, port, made, round(rate * options.seconds), "live", per_second=rate
        )
        page, shown = _opened(browser.new_page(), port), Shown()
        while not load.done():
            shown.read(page)
            if options.picture and len(shown.rates) == options.seconds:  # half-way, by two looks a second
                page.screenshot(path=options.picture, full_page=True)
            page.wait_for_timeout(LOOK_MS)
        measured = load.result()
        differs = _differs(page, port)
        browser.close()
    told: dict[str, Any] = {
        "sent_per_second": options.rate,
        "counted_per_second": round(measured.events / measured.seconds),
        "shown_per_second": round(statistics.median(shown.rates)),
        "behind_seconds": {"p50": statistics.median(shown.behind), "max": max(shown.behind)},
        "looks": len(shown.rates),
        "differs": differs,
        "wrong_counters": len(measured.differences),
        "measured": measured.document(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(told))
    return int(bool(differs or measured.differences or max(shown.behind) > FRESH_SECONDS))


def _opened(page: Page, port: int) -> Page:
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"http://127.0.0.1:{port}/live")
    page.get_by_label("An analyst's token").fill(ANALYST)
    page.keyboard.press("Enter")
    page.wait_for_selector("html.open #data")
    return page


def _differs(page: Page, port: int) -> list[Any]:
    """Empty once the page shows what the API answers; else what both said last. Asked again, because a second may end in between."""
    deadline = time.monotonic() + EQUAL_SECONDS
    with httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {ANALYST}"}, timeout=10
    ) as api:
        while (answered := _answered(api)) != (read := _read(page)):
            if time.monotonic() > deadline:
                return [answered, read]
            page.wait_for_timeout(100)
    return []


def _answered(api: httpx.Client) -> dict[str, Any]:
    top = api.get("/top").raise_for_status().json()
    return {"revision": top["revision"], "top": {one["content"]: one["events"] for one in top["contents"]}}


def _read(page: Page) -> dict[str, Any]:
    rows = page.locator("#top tbody tr").evaluate_all(
        "rows => rows.map(row => Array.from(row.cells, cell => cell.textContent))"
    )
    return {
        "revision": _number(page.locator("#revision").inner_text()),
        "top": {cells[0]: _number(cells[1]) for cells in rows if len(cells) > 1},
    }


def _number(text: str) -> int:
    return int(text.replace(",", ""))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
