// Two line charts over one time axis.

import { fromZero, line, plotted, times, values } from "./live_charts.js";

/** A chart in `place`; `colour` names a property of the style sheet, `zone()` the zone of the time axis. */
export function chart(place, { colour, zone, format }) {
  const { tzDate, below } = times(zone, 70, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return plotted(place, { tzDate, scales: { y: fromZero }, axes: [below, values(format)], series: [{}, line(colour)] }, 2);
}
