// Two line charts over one time axis, by uPlot. Colours are those of the style sheet, so a cut stream and a dark page are drawn in theirs.

const HEIGHT = 200;

/** A chart in `place`; `colour` names a property of the style sheet, `zone()` the zone of the time axis. */
export function chart(place, { colour, zone, format }) {
  const property = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const axis = { stroke: () => property("--soft"), grid: { stroke: () => property("--line"), width: 1 }, ticks: { show: false } };
  const plot = new uPlot(
    {
      width: place.clientWidth || 300,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone()),
      scales: { y: { range: (_, least, most) => [0, most > 0 ? most * 1.1 : 1] } },
      axes: [
        { ...axis, size: 30, space: 70, values: (_, splits) => splits.map((at) => shortTime(at, zone())) },
        { ...axis, size: 62, values: (_, splits) => splits.map(format) },
      ],
      series: [{}, { stroke: () => property(colour), width: 2, points: { show: false } }],
    },
    [[], []],
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plot.redraw());
  return plot;
}

function shortTime(seconds, zone) {
  return new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(seconds * 1000);
}
