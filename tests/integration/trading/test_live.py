"""The WebSocket of the market and the live page in a browser, over a real engine pool: they say what the API answers, also after a cut."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_pool import TOKENS, EnginePool
from playwright.sync_api import Browser, Page
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from chassis.migrate import migrate, scripts_of
from live_pages import STALLED_SECONDS, WIDTHS, chromium, contrasts, equal, follow, pictured, wide
from trading.adapters.control_client import ask
from trading.adapters.latency_store import Measure, SqlLatencyStore
from trading.adapters.market_store import SqlMarketStore
from trading.adapters.portfolio_store import Applied, SqlPortfolioStore
from trading.domain.market_data import Quote, Trade
from trading.domain.portfolio import Instrument, Position
from trading.domain.terms import Input, Phase
from trading.usecases.market_data import MarketData

CALLERS = {**TOKENS, "secret": {**TOKENS["secret"], "accounts": [1, 2]}}
SYMBOLS = {"SYM1": {"id": 1}, "SYM2": {"id": 2}}
OPERATOR = "first-operator"
MINUTE_US = 60_000_000


class Venue(EnginePool):
    """An engine pool with two symbols and two accounts, and the API beside it."""

    def __init__(self, folder: Path, broker_url: str, database_url: str) -> None:
        super().__init__(
            folder,
            broker_url,
            DATABASE_URL=database_url,
            API_TOKENS=json.dumps(CALLERS),
            SYMBOLS=json.dumps(SYMBOLS),
            LIVE_STREAMS_CLIENT_LIMIT="1",
        )
        self.client_id = 0

    def open_market(self) -> None:
        super().open_market()
        control = self.data / "control"
        ask(control, Input.LIST, 2, 1, 5000)
        ask(control, Input.MARKET_DATA, 2, 1000)
        ask(control, Input.PHASE, 2, Phase.CONTINUOUS)
        [[*_, proposal]] = ask(control, Input.PROPOSE_LIMITS, 2, 1, 10**9, 10**9, 10**6, 10**12, 10**6)
        ask(control, Input.APPROVE_LIMITS, 2, 2, proposal)

    def order(self, side: str, price: str, quantity: int, account: int, symbol: str = "SYM1") -> None:
        """An order that is taken."""
        self.client_id += 1
        order = {"account": account, "symbol": symbol, "side": side, "price": price, "quantity": quantity}
        answer = self.call("POST", "/orders", client_id=self.client_id, **order)
        assert answer.status_code == 201, answer.text

    def asked(self, path: str, token: str = OPERATOR) -> Any:
        return self.call("GET", path, token).json()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.api_port}/live/market"


@pytest.fixture
def venue(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[Venue]:
    """Some orders rest, one trade was done, and the database has candles, positions and measures."""
    migrate(database_url, scripts_of("trading.audit"))
    made = Venue(tmp_path, redis_url, database_url)
    try:
        made.until(lambda: made.state == "idle")
        made.open_market()
        made.serve()
        now_us = time.time_ns() // 1000
        market = MarketData(SqlMarketStore(database_url, "market"), band_bp=0)
        minutes = range(12, 0, -1)
        market.take(Trade(13 - n, now_us - n * MINUTE_US, 1, 1000 + n % 5 * (-1) ** n, n) for n in minutes)
        market.take([Quote(13, now_us, 1, 999, 5, 1001, 6), Trade(14, now_us, 1, 1003, 2)])
        market.save()
        with SqlPortfolioStore(database_url).shard(0) as rows:
            held = {(1, 1): Position(10, 9_950, 70, 7, 3), (2, 1): Position(-10, -9_950, -70, 3, 3)}
            rows.save(Applied(b"j", 8, b"c" * 32, now_us), held, {1: Instrument(1, 1003)})
        latency = SqlLatencyStore(database_url, kept_days=7)
        for p99_us in (32.768, 65.536, 16.384):
            latency.add(Measure(0, 120, 8.192, p99_us, 131.072, []))
        for level in range(1, 6):
            made.order("buy", f"{10 - level / 100:.2f}", level * 3, 1)
            made.order("sell", f"{10 + level / 100:.2f}", level * 2, 2)
        made.order("buy", "10.01", 1, 1)
        made.until(lambda: len(made.asked("/trades/SYM1")["trades"]) == 1)
        yield made
    finally:
        made.end()


@contextlib.contextmanager
def begun(venue: Venue, token: str = OPERATOR, **asked: str) -> Iterator[ClientConnection]:
    with connect(venue.url, compression=None) as connection:
        connection.send(json.dumps({"token": token, **asked}))
        yield connection


def heard(connection: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next message of a kind."""
    while True:
        found: dict[str, Any] = json.loads(connection.recv(timeout=STALLED_SECONDS))
        if found["type"] in kinds:
            return found


def reason_of(connection: ClientConnection) -> tuple[int, str]:
    with contextlib.suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=STALLED_SECONDS)
    return connection.close_code or 0, connection.close_reason or ""


class Mute:
    """A client that begins, and then reads nothing until it is asked to."""

    def __init__(self, venue: Venue) -> None:
        self._protocol = ClientProtocol(parse_uri(venue.url))
        self._socket = socket.create_connection(("127.0.0.1", venue.api_port), 5)
        self._protocol.send_request(self._protocol.connect())
        self._send()
        self._protocol.receive_data(self._socket.recv(65536))
        assert self._protocol.handshake_exc is None
        self._protocol.send_text(json.dumps({"token": OPERATOR}).encode())
        self._send()

    def reason(self) -> tuple[int, str]:
        """Read all there is, to the end."""
        self._socket.settimeout(STALLED_SECONDS)
        with self._socket:
            while data := self._socket.recv(65536):
                self._protocol.receive_data(data)
        closed = self._protocol.close_rcvd
        assert closed is not None
        return closed.code, closed.reason

    def _send(self) -> None:
        self._socket.sendall(b"".join(self._protocol.data_to_send()))


REFUSED = (
    ({"token": "nobody"}, 4401, "token"),
    ({"token": OPERATOR, "symbol": "NONE"}, 4400, "'NONE'"),
    ({"token": OPERATOR, "depth": 5}, 4400, "depth"),
    ({"token": "x" * 5000}, 1009, ""),
    ({"token": "secret"}, 1013, "CLIENT1"),
)


def test_a_snapshot_and_its_increments_are_what_the_api_answers(venue: Venue) -> None:
    mute = Mute(venue)
    with begun(venue) as operator, begun(venue, "secret", symbol="SYM1") as client:
        snapshot, state, own = heard(operator, "snapshot"), heard(operator, "state"), heard(client, "state")
        venue.order("sell", "9.99", 2, 2)
        change = heard(operator, "increment")

        assert ("SYM1", 1, "") == (snapshot["symbol"], snapshot["sequence"], snapshot["late"])
        assert [(1, "10.01", 1, "buy")] == [
            (one["number"], one["price"], one["quantity"], one["side"]) for one in snapshot["trades"]
        ]
        assert venue.asked("/candles/SYM1?limit=60")["candles"] == snapshot["candles"]
        assert venue.asked("/prices/SYM1") == snapshot["price"]
        assert 2 == change["sequence"]
        assert [{"price": "9.99", "quantity": 1}] == change["book"]["bids"]
        assert [2] == [one["number"] for one in change["trades"]]
        assert venue.asked("/trades/SYM1")["trades"] == snapshot["trades"] + change["trades"]
        assert venue.asked("/books/SYM1")["sequence"] == change["book"]["sequence"]
        assert venue.asked("/latency?limit=60")["measures"] == state["measures"]
        assert venue.asked("/positions")["positions"] == state["positions"]
        assert {"type", "symbols", "positions", "applied", "venue", "late"} == own.keys()
        assert {"sequence", "killed_from", "time"} == own["venue"].keys()

        for sent, code, told in REFUSED:
            with connect(venue.url) as connection:
                connection.send(json.dumps(sent))
                found, reason = reason_of(connection)
            assert (code, True) == (found, told in reason), sent

        operator.send(json.dumps({"symbol": "SYM2"}))
        other = heard(operator, "snapshot")
        assert ("SYM2", 1, []) == (other["symbol"], other["sequence"], other["book"]["bids"])

        # Nobody waits for the one that reads nothing: it is let go, and what comes each second came here.
        began = time.monotonic()
        for _ in range(10):
            heard(client, "state")
        assert time.monotonic() - began < 20
        assert (1011, "keepalive ping timeout") == mute.reason()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def opened(browser: Browser, venue: Venue, token: str = OPERATOR, **options: Any) -> Page:
    address = f"http://127.0.0.1:{venue.api_port}/live"
    return follow(browser, address, "A client's or an operator's token", token, **options)


def rows(page: Page, table: str) -> list[list[str]]:
    """The cells of a table; none when it says that there are none."""
    found: list[list[str]] = page.locator(f"{table} tbody tr").evaluate_all(
        "rows => rows.map(row => Array.from(row.cells, cell => cell.textContent))"
    )
    return [cells for cells in found if len(cells) > 1]


def shown(page: Page) -> dict[str, Any]:
    """What the page says."""
    depth = [
        [int(cell) if at in (0, 3) and cell else cell for at, cell in enumerate(one)] for one in rows(page, "#depth")
    ]
    return {
        "depth": depth,
        "trades": [cells[1:] for cells in rows(page, "#trades")],
        "candles": [cells[1:] for cells in rows(page, "#candles")],
        "latency": [cells[1:4] for cells in rows(page, "#latency")],
        "positions": rows(page, "#positions"),
        "refused": rows(page, "#refusals"),
        **{name: page.locator(f"#{name}").inner_text() for name in ("phase", "killed", "last", "price")},
    }


def answered(venue: Venue) -> dict[str, Any]:
    """The same of the API."""
    book, venue_now = venue.asked("/books/SYM1"), venue.asked("/venue")
    levels = range(max(len(book["bids"]), len(book["asks"])))
    sides = [[side[at] if at < len(side) else {} for side in (book["bids"], book["asks"])] for at in levels]
    trades = venue.asked("/trades/SYM1")["trades"]
    return {
        "depth": [
            [bid.get("quantity", ""), bid.get("price", ""), ask.get("price", ""), ask.get("quantity", "")]
            for bid, ask in sides
        ],
        "trades": [[one["side"], one["price"], f"{one['quantity']}", f"{one['number']}"] for one in reversed(trades)],
        "candles": [
            [one["open"], one["high"], one["low"], one["close"], f"{one['quantity']}"]
            for one in reversed(venue.asked("/candles/SYM1?limit=60")["candles"])
        ],
        "latency": [
            [f"{one['inputs']}", f"{one['p50_us']:.3f}", f"{one['p99_us']:.3f}"] for one in venue.asked("/latency?limit=60")["measures"]
        ],
        "positions": [
            [f"{one['account']}", one["symbol"], f"{one['quantity']}", one["mark"]]
            + [f"{one[name]:,}" for name in ("value_minor", "unrealised_minor", "realised_minor", "fees_minor")]
            for one in venue.asked("/positions")["positions"]
        ],
        "refused": [[rule, f"{count}"] for rule, count in venue_now["refused"].items()],
        "phase": book["phase"],
        "killed": "on: all" if venue_now["killed_from"] else "off",
        "last": trades[-1]["price"],
        "price": venue.asked("/prices/SYM1")["price"],
    }  # fmt: skip


def same(page: Page, venue: Venue) -> None:
    """Return once the page shows what the API answers."""
    equal(page, lambda: answered(venue), lambda: shown(page))


MEASURED = "[0, 60, 120, 600, 660], [1, 2, 3, 4, 5], [6, 7, 8, 9, 0]"
"""Measures of every minute, of which seven were left out: their times, and two columns."""


def test_the_page_says_what_the_api_answers_also_after_a_cut(browser: Browser, venue: Venue) -> None:
    page = opened(browser, venue)
    for table in ("#candles", "#latency"):
        page.locator(f"{table} summary").focus()
        page.keyboard.press("Enter")
    same(page, venue)
    venue.order("sell", "9.97", 7, 2)
    refused = venue.call(
        "POST", "/orders", client_id=999, account=1, symbol="SYM1", side="buy", price="90.00", quantity=1
    )
    same(page, venue)
    before = shown(page)
    tiles = [page.locator(f"#{name}").inner_text() for name in ("p50", "p99")]

    venue.processes[-1].kill()
    page.wait_for_selector("html.cut")
    told = page.locator("#connection").inner_text()
    kept = shown(page)
    venue.serve()
    assert venue.call("POST", "/kill-switch", OPERATOR, switch="keep").status_code == 200
    page.wait_for_selector("html.open")
    same(page, venue)

    gapped = page.evaluate(f"import('/live/static/market_charts.js').then(all => all.gapped({MEASURED}))")

    assert 422 == refused.status_code
    assert [["collar_high", "1"]] == before["refused"]
    assert [[0, 60, 120, 180, 600, 660], [1, 2, 3, None, 4, 5], [6, 7, 8, None, 9, 0]] == gapped
    assert ["< 8.192 µs", "< 16.38 µs"] == tiles
    assert told.startswith("Cut: ")
    assert before == kept
    assert "on: all" == shown(page)["killed"]
    assert "Europe/Berlin" == page.locator("#zone").input_value()


def test_the_page_fits_a_telephone_and_is_readable(browser: Browser, venue: Venue) -> None:
    schemes: dict[Any, Page] = {}
    for scheme in ("light", "dark"):
        schemes[scheme] = page = opened(browser, venue, viewport={"width": 360, "height": 740}, color_scheme=scheme)
        for table in ("#candles", "#latency"):
            page.locator(f"{table} summary").click()
        page.wait_for_selector("#candles tbody tr")
    widths = {(scheme, width): wide(page, scheme, width) for scheme, page in schemes.items() for width in WIDTHS}
    ratios = {(scheme, text): ratio for scheme, page in schemes.items() for text, ratio in contrasts(page).items()}
    client = opened(browser, venue, "secret", viewport={"width": 1440, "height": 900})
    client.wait_for_selector("html.client")
    pictured(client, "client")
    operators = client.locator(".operator:visible").count()
    venue.processes[-1].kill()
    for scheme, page in schemes.items():
        page.wait_for_selector("html.cut")
        ratios |= {(scheme, text): ratio for text, ratio in contrasts(page).items()}
        pictured(page, f"{scheme}-cut")

    assert {(scheme, width): width for scheme in schemes for width in WIDTHS} == widths
    assert {} == {text: ratio for text, ratio in ratios.items() if ratio < 4.5}
    assert len(ratios) > 100
    assert 0 == operators
