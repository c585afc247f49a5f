// Depth, candles and latency.

import { axis, fromZero, line, plotted, property, times, values } from "./live_charts.js";

const HOUR_AND_MINUTE = { hour: "2-digit", minute: "2-digit" };
const whole = new Intl.NumberFormat("en-US");

/** Lots at a price or better: `show(bids, asks)` takes the levels as the API has them, the best first. */
export function depthChart(place) {
  const step = (align) => uPlot.paths.stepped({ align });
  const side = (colour, align, dash) => ({ ...line(colour, dash), paths: step(align) });
  const plot = plotted(
    place,
    {
      scales: { x: { time: false }, y: fromZero },
      axes: [
        { ...axis, size: 30, space: 70, values: (_, splits) => splits.map((at) => at.toFixed(2)) },
        values((one) => whole.format(one)),
      ],
      series: [{}, side("--bid", -1), side("--ask", 1, [6, 4])],
    },
    3,
  );
  const summed = (levels) => {
    let sum = 0;
    return levels.map((one) => [Number(one.price), (sum += one.quantity)]);
  };
  return {
    plot,
    show(bids, asks) {
      const [below, above] = [summed(bids).reverse(), summed(asks)];
      plot.setData([
        [...below, ...above].map(([price]) => price),
        [...below.map(([, sum]) => sum), ...above.map(() => null)],
        [...below.map(() => null), ...above.map(([, sum]) => sum)],
      ]);
    },
  };
}

/** Open, high, low and close: `show(candles)` takes them as the API has them, the oldest first. */
export function candleChart(place, zone) {
  const { tzDate, below } = times(zone, 60, HOUR_AND_MINUTE);
  const draw = (plot) => {
    const [at, opens, highs, lows, closes] = plot.data;
    const { ctx } = plot;
    const y = (value) => Math.round(plot.valToPos(value, "y", true));
    const wide = Math.max(2, Math.min(14, (plot.bbox.width / 60) * 0.6));
    ctx.save();
    at.forEach((begin, index) => {
      const x = Math.round(plot.valToPos(begin, "x", true));
      const up = closes[index] >= opens[index];
      ctx.fillStyle = ctx.strokeStyle = property(up ? "--up" : "--down");
      ctx.lineWidth = Math.max(1, devicePixelRatio);
      ctx.beginPath();
      ctx.moveTo(x, y(highs[index]));
      ctx.lineTo(x, y(lows[index]));
      ctx.stroke();
      const [top, bottom] = [y(Math.max(opens[index], closes[index])), y(Math.min(opens[index], closes[index]))];
      // One that rose is hollow: the colour is not all that tells them apart.
      if (up) {
        ctx.clearRect(x - wide / 2, top, wide, Math.max(1, bottom - top));
        ctx.strokeRect(x - wide / 2, top, wide, Math.max(1, bottom - top));
      } else ctx.fillRect(x - wide / 2, top, wide, Math.max(1, bottom - top));
    });
    ctx.restore();
  };
  const hidden = { paths: () => null, points: { show: false } };
  const plot = plotted(
    place,
    {
      tzDate,
      scales: { x: { range: (_, least, most) => [most - Math.max(most - least, 600) - 60, most + 60] } },
      axes: [below, values((one) => one.toFixed(2))],
      series: [{}, hidden, hidden, hidden, hidden],
      hooks: { draw: [draw] },
    },
    5,
  );
  return {
    plot,
    show(candles) {
      const column = (name) => candles.map((one) => Number(one[name]));
      plot.setData([candles.map((one) => Date.parse(one.begin) / 1000), ...["open", "high", "low", "close"].map(column)]);
    },
  };
}

/** Times (s) and columns with a row of nulls wherever a measure was left out, so that no line is drawn across. */
export function gapped(at, ...columns) {
  const steps = at.slice(1).map((time, index) => time - at[index]);
  const usual = steps.toSorted((one, other) => one - other)[steps.length >> 1];
  const rows = at.flatMap((time, index) => {
    const row = [time, ...columns.map((column) => column[index])];
    return steps[index] > 2 * usual ? [row, [time + usual, ...columns.map(() => null)]] : [row];
  });
  return [at, ...columns].map((_, place) => rows.map((row) => row[place]));
}

/** p50 and p99: `show(measures)` takes them as the API has them, the newest first. */
export function latencyChart(place, zone) {
  const { tzDate, below } = times(zone, 60, HOUR_AND_MINUTE);
  const plot = plotted(
    place,
    {
      tzDate,
      // Ten minutes at least: labels tell hours and minutes. Buckets double: so does the axis.
      scales: { x: { range: (_, least, most) => [most - Math.max(most - least, 600), most] }, y: { distr: 3, log: 2 } },
      axes: [below, values((one) => (one === null ? "" : whole.format(one)))],
      series: [{}, line("--bid"), line("--ask", [6, 4])],
    },
    3,
  );
  return {
    plot,
    show(measures) {
      const oldest = measures.toReversed();
      const at = oldest.map((one) => Date.parse(one.measured_at) / 1000);
      plot.setData(gapped(at, oldest.map((one) => one.p50_us), oldest.map((one) => one.p99_us)));
    },
  };
}
