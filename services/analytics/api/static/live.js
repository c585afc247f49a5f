// Shows what /live/events tells. Every number on the page is one of the API: of /rate, /top, /trends and of what each answer says of itself.

import { chart } from "./charts.js";
import { follow } from "./event_stream.js";
import { $, clock, fill, livePage, number, zone } from "./live_page.js";

const KEPT = 300;

const last = {};
let seconds = [];
let state = null;
let charts = null;

const seconds1 = (ms) => (ms === null ? "–" : (ms / 1000).toFixed(1));
const sum = (counts) => Object.values(counts).reduce((total, one) => total + one, 0);

const page = livePage("analytics-token", {
  follow({ token, signal, changed }) {
    const question = new URLSearchParams({ of: $("of").value, window: $("window").value });
    follow(`live/events?${question}`, { token, last, signal, heard, changed });
  },
  redraw() {
    if (seconds.length) drawSeconds();
    drawState();
  },
  restyle: () => charts?.forEach((one) => one.redraw()),
});

function heard(kind, data) {
  if (kind === "end") return;
  if (kind === "unavailable") {
    page.show("cut", `Cut: ${data.detail}`);
    return;
  }
  page.live();
  if (kind === "seconds") {
    const newest = data.seconds.at(-1).at_ms;
    // What came before a longer cut than the service tells of is left out: a line across it would be no measurement.
    if (seconds.length && data.seconds[0].at_ms !== seconds.at(-1).at_ms + 1000) seconds = [];
    seconds = seconds.concat(data.seconds).filter((one) => one.at_ms > newest - KEPT * 1000);
    drawSeconds();
  } else if (kind === "state") state = data;
  drawState();
}

function drawSeconds() {
  charts ??= [
    chart($("rate"), { colour: "--rate", zone, format: (one) => number.format(one) }),
    chart($("delay"), { colour: "--delay", zone, format: (one) => `${one} s` }),
  ];
  const at = seconds.map((one) => one.at_ms / 1000);
  charts[0].setData([at, seconds.map((one) => one.events)]);
  // A gap where nothing was counted: a line at zero would say that all was well.
  charts[1].setData([at, seconds.map((one) => one.delay_ms && one.delay_ms / 1000)]);
  if ($("seconds").open) {
    const rows = seconds.toReversed().map((one) => [clock(one.at_ms), ...[one.events, seconds1(one.delay_ms), one.late, one.future, one.flagged, one.refused]]);
    fill($("seconds").querySelector("tbody"), rows, { keys: seconds.toReversed().map((one) => one.at_ms) });
  }
}

function drawState() {
  if (!state) return;
  const newest = seconds.at(-1);
  const behind = Math.max(state.freshness.behind_ms, newest?.delay_ms ?? 0);
  if (newest) $("line").textContent = `${number.format(newest.events)} events/s, ${seconds1(behind)} s behind`;
  $("late").textContent = number.format(sum(state.late));
  $("future").textContent = number.format(sum(state.future));
  $("flagged").textContent = number.format(sum(state.flagged));
  $("refused").textContent = number.format(state.refused);
  $("behind").textContent = `${seconds1(behind)} s`;
  const waiting = state.freshness.waiting_batches;
  $("waiting").textContent = waiting === null ? "not known" : `${number.format(waiting)} ${waiting === 1 ? "batch" : "batches"}`;
  $("revision").textContent = number.format(state.revision);
  const fresh = state.freshness;
  $("freshness").textContent = fresh.counted_ms
    ? `Last counted ${clock(fresh.counted_ms)}, what was accepted until ${clock(fresh.published_ms)}.`
    : "Nothing was counted yet.";
  fill(
    $("trends").tBodies[0],
    state.trends.trends.map((one) => [one.id, number.format(one.events), one.reason]),
    { nothing: state.trends.replicas ? "Nothing comes more often than usual" : "No aggregator reports trends", kinds: ["", "number"] },
  );
  fill(
    $("top").tBodies[0],
    state.top.contents.map((one) => [one.content, number.format(one.events), kinds(one.kinds)]),
    { nothing: state.top.replicas ? "Nothing was counted" : "No aggregator names contents", kinds: ["", "number"] },
  );
}

const kinds = (counts) =>
  Object.entries(counts)
    .sort((one, other) => other[1] - one[1])
    .map(([kind, count]) => `${kind} ${number.format(count)}`)
    .join(", ");

$("seconds").addEventListener("toggle", () => seconds.length && drawSeconds());
for (const id of ["of", "window"]) $(id).addEventListener("change", page.connect);
page.connect();
