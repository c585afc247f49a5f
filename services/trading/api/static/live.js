// Shows what /live/market tells. Every number on the page is one of the API: of /books, /trades, /candles, /prices, /positions, /latency, /venue.

import { $, clock, fill, livePage, number, zone } from "./live_page.js";
import { candleChart, depthChart, latencyChart } from "./market_charts.js";
import { follow } from "./market_stream.js";

const KEPT = { trades: 50, candles: 60 };

let market = null;
let state = null;
let ask = () => {};
let charts = null;

const page = livePage("trading-token", {
  follow(stream) {
    const url = new URL("live/market", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    ask = follow(url, { ...stream, symbol: () => $("symbol").value, heard });
  },
  redraw,
  restyle: () => charts && Object.values(charts).forEach((one) => one.plot.redraw()),
  forget() {
    state = market = null;
    document.documentElement.classList.remove("client");
  },
});

/** Returns false when an increment is missing: what is shown would be wrong from then on. */
function heard(message) {
  const { type, sequence } = message;
  if (type === "unavailable") {
    page.show("cut", `Cut: ${message.detail}; what you see is of ${page.heardAt() ? clock(page.heardAt()) : "no time"}`);
    market = null;
    return true;
  }
  if (type === "state") {
    if (!message.late) state = message;
    else state = { ...state, symbols: message.symbols, late: message.late };
    drawState();
  } else if (type === "snapshot") market = message;
  else if (market?.sequence + 1 !== sequence) return false;
  else market = applied(market, message);
  if (market) {
    page.live();
    if (type !== "state") drawMarket();
    drawLine();
  }
  return true;
}

/** The market with what changed; see usecases/increments.py. */
function applied(before, change) {
  const book = { ...before.book, ...change.book };
  for (const [side, sign] of [["bids", -1], ["asks", 1]]) {
    const levels = new Map(before.book[side].map((one) => [one.price, one.quantity]));
    for (const one of change.book[side]) one.quantity ? levels.set(one.price, one.quantity) : levels.delete(one.price);
    book[side] = Array.from(levels, ([price, quantity]) => ({ price, quantity })).sort((one, other) => sign * (one.price - other.price));
  }
  const candles = new Map([...before.candles, ...change.candles].map((one) => [one.begin, one]));
  return {
    ...before,
    ...change,
    book,
    trades: [...before.trades, ...change.trades].slice(-KEPT.trades),
    candles: Array.from(candles.values()).slice(-KEPT.candles),
  };
}

function drawMarket() {
  charts ??= {
    depth: depthChart($("depth-chart")),
    candles: candleChart($("candles-chart"), zone),
    latency: latencyChart($("latency-chart"), zone),
  };
  const { bids, asks } = market.book;
  charts.depth.show(bids, asks);
  charts.candles.show(market.candles);
  const levels = Array.from({ length: Math.max(bids.length, asks.length) }, (_, at) => [bids[at], asks[at]]);
  fill(
    $("depth").tBodies[0],
    levels.map(([bid, ask]) => [bid && number.format(bid.quantity), bid?.price, ask?.price, ask && number.format(ask.quantity)]),
    { nothing: "Nobody bids or offers", kinds: ["number", "number bid", "number ask", "number"] },
  );
  fill(
    $("trades").tBodies[0],
    market.trades.toReversed().map((one) => [clock(one.time), one.side, one.price, number.format(one.quantity), number.format(one.number)]),
    { nothing: "Nothing was traded since the book's keeper began", kinds: ["", "", "number", "number", "number"] },
  );
  if ($("candles").open) {
    fill(
      $("candles").querySelector("tbody"),
      market.candles.toReversed().map((one) => [clock(one.begin, "short"), one.open, one.high, one.low, one.close, number.format(one.quantity)]),
      { nothing: "The market's feed told no trade yet", kinds: ["", "number", "number", "number", "number", "number"] },
    );
  }
}

function drawLine() {
  const { book, trades, price, symbol } = market;
  const best = (side) => side[0]?.price ?? "–";
  $("line").textContent = `${symbol} ${best(book.bids)} bid, ${best(book.asks)} ask`;
  const options = Array.from($("symbol").options, (one) => one.value);
  if (state && String(options) !== String(state.symbols)) $("symbol").replaceChildren(...state.symbols.map((name) => new Option(name, name)));
  if ($("symbol").value !== symbol && document.activeElement !== $("symbol")) $("symbol").value = symbol;
  $("phase").textContent = book.phase;
  $("sequence").textContent = number.format(Math.max(book.sequence, state?.venue?.sequence ?? 0));
  const last = trades.at(-1);
  $("last").textContent = last ? last.price : "none yet";
  $("price").textContent = price?.price ?? "none yet";
  const all = state?.venue?.killed_from;
  const accounts = Object.keys(state?.venue?.accounts_killed_from ?? {});
  const killed = [all && "all", book.killed_from && symbol, accounts.length && `account ${accounts.join(", ")}`].filter(Boolean);
  $("killed").textContent = killed.length ? `on: ${killed.join("; ")}` : "off";
  $("killed").className = killed.length ? "on" : "";
  const said = [
    `Book of ${book.time_us ? clock(book.time_us / 1000) : "no time"}`,
    price?.time ? `market price of ${clock(price.time)}` : "no market price yet",
    state?.applied?.length ? `positions of ${clock(Math.max(...state.applied.map((one) => Date.parse(one.time))))}` : "no positions yet",
  ];
  const late = market.late || state?.late;
  $("freshness").textContent = `${said.join(", ")}.${late ? ` Late: ${late}.` : ""}`;
}

/** A bound of a bucket of latency, short enough for one line; the table has the whole number. */
function bound(us) {
  const [value, unit] = us < 1000 ? [us, "µs"] : us < 1e6 ? [us / 1000, "ms"] : [us / 1e6, "s"];
  return `< ${value.toLocaleString("en-US", { maximumSignificantDigits: 4 })} ${unit}`;
}

function drawState() {
  const whole = Boolean(state.measures);
  document.documentElement.classList.toggle("client", !whole);
  const positions = state.positions ?? [];
  fill(
    $("positions").tBodies[0],
    positions.map((one) => [
      one.account, one.symbol, number.format(one.quantity), one.mark,
      ...[one.value_minor, one.unrealised_minor, one.realised_minor, one.fees_minor].map((minor) => number.format(minor)),
    ]),
    { nothing: "Nobody holds anything", kinds: ["", "", ...Array(6).fill("number")] },
  );
  if (!whole) return;
  const newest = state.measures[0];
  $("p50").textContent = newest ? bound(newest.p50_us) : "no input";
  $("p99").textContent = newest ? bound(newest.p99_us) : "no input";
  charts?.latency.show(state.measures);
  if ($("latency").open) {
    fill(
      $("latency").querySelector("tbody"),
      state.measures.map((one) => [
        clock(one.measured_at),
        ...[one.inputs, one.p50_us, one.p99_us, one.p999_us].map((value) => number.format(value)),
        one.breaches.join("; "),
      ]),
      { nothing: "No input was measured yet", kinds: ["", "number", "number", "number", "number", ""] },
    );
  }
  const refused = Object.entries(state.venue?.refused ?? {}).sort((one, other) => other[1] - one[1]);
  $("refused").textContent = number.format(refused.reduce((sum, [, count]) => sum + count, 0));
  $("since").textContent = state.venue?.refused_since ? `Since ${clock(state.venue.refused_since)}, when the keeper of the journal began.` : "";
  fill(
    $("refusals").tBodies[0],
    refused.map(([rule, count]) => [rule, number.format(count)]),
    { nothing: "Nothing was refused", kinds: ["", "number"] },
  );
}

function redraw() {
  if (market) drawMarket();
  if (state) drawState();
  if (market) drawLine();
}

for (const id of ["candles", "latency"]) $(id).addEventListener("toggle", redraw);
$("symbol").addEventListener("change", () => ask($("symbol").value));
page.connect();
