// The rows of the timeline: each chart has a lane and, unless it is folded, one for each region and a track for each value.

import { FINISHED, FAILED } from "./format.js";
import { LANE } from "./timeline-draw.js";

const REGION = 18; // heights in pixels
const TRACK = 26;

/** Which charts are folded into one lane, and where the rows of all charts are. */
export class TimelineRows {
  constructor() {
    this._folded = new Set();
    this._rows = [];
    /** The height of all rows in pixels. */
    this.height = 0;
  }

  /** Place the rows of some charts below each other: {chart, kind, place, name, y, height}. */
  place(charts) {
    const rows = [];
    let y = 0;
    const add = (chart, kind, place, name, height) => {
      rows.push({ chart, kind, place, name, y, height });
      y += height;
    };
    for (const chart of charts) {
      const unfolded = this.isFoldable(chart) && !this._folded.has(chart.id);
      add(chart, "lane", unfolded && chart.regions.length ? 0 : null, chart.label, LANE);
      if (!unfolded) continue;
      chart.regions.forEach((name, place) => add(chart, "region", place + 1, name, REGION));
      for (const name of chart.values) add(chart, "value", null, name, TRACK);
    }
    this._rows = rows;
    this.height = y;
  }

  /** The rows between two heights. */
  between(top, bottom) {
    return this._rows.filter(({ y, height }) => y + height > top && y < bottom);
  }

  /** The row at a height; undefined for none. */
  at(top) {
    return this._rows.find(({ y, height }) => top >= y && top < y + height);
  }

  /** Whether a chart has more than one row to show. */
  isFoldable(chart) {
    return chart.regions.length > 0 || chart.values.length > 0;
  }

  isFolded(chart) {
    return this._folded.has(chart.id);
  }

  /** Fold a chart into one lane, or show all its rows again. */
  toggle(chart) {
    if (!this._folded.delete(chart.id)) this._folded.add(chart.id);
  }
}

/** The sign at the end of a lane that says how its chart ended; null for none. */
export function endOf(chart) {
  if (chart.status === FINISHED) return "◉";
  return chart.status === FAILED ? "✕" : null;
}
