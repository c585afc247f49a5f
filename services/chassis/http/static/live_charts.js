// What the charts of every live page have in common, by uPlot. Colours are those of the style sheet, so a cut stream and a dark page are drawn
// in theirs.

const HEIGHT = 200;

/** The value of a property of the style sheet. */
export const property = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();

export const axis = { stroke: () => property("--soft"), grid: { stroke: () => property("--line"), width: 1 }, ticks: { show: false } };

/** An axis of numbers, each written by `format`. */
export const values = (format) => ({ ...axis, size: 62, values: (_, splits) => splits.map(format) });

/** The places of values that stand between gaps: no line reaches them. */
function alone(plot, series) {
  const column = plot.data[series];
  const found = Array.from(column.keys()).filter((at) => column[at] != null && column[at - 1] == null && column[at + 1] == null);
  return found.length ? found : null;
}

/** A line in the colour of a property, with a gap at each null, and a point for what stands between two. */
export const line = (colour, dash) => ({
  stroke: () => property(colour),
  width: 2,
  dash,
  points: { show: false, filter: alone, size: 4, fill: () => property(colour) },
});

/** A scale from zero to a little more than the most. */
export const fromZero = { range: (_, least, most) => [0, most > 0 ? most * 1.1 : 1] };

/** A time axis in the zone that `zone()` names, in `space` pixels a label: `tzDate` and `below` of a chart. `parts` are shown of a time. */
export function times(zone, space, parts) {
  const format = (at) => new Intl.DateTimeFormat("en-GB", { timeZone: zone(), ...parts }).format(at * 1000);
  return {
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone()),
    below: { ...axis, size: 30, space, values: (_, splits) => splits.map(format) },
  };
}

/** An empty chart with so many columns of data, as wide as its place, now and later. */
export function plotted(place, options, columns) {
  const plot = new uPlot(
    { width: place.clientWidth || 300, height: HEIGHT, cursor: { show: false }, legend: { show: false }, ...options },
    Array.from({ length: columns }, () => []),
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
  return plot;
}
