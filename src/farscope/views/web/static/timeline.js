// The timeline: one lane per chart, from microseconds to days. The server sends lanes reduced to pixels.

import { ask, byId, mark, newestOnly, oncePerPicture, write } from "./dom.js";
import { span } from "./format.js";
import { FOLD, RULER, activeIn, drawLane, drawMoment, drawName, drawPartName, drawRecording, drawRuler } from "./timeline-draw.js";
import { TimelineRows, endOf } from "./timeline-rows.js";
import { drawValue, valueAt } from "./timeline-values.js";
import { theme } from "./theme.js";

const LEFT = 150; // pixels of the gutter with the names
const REFRESH_MS = 250; // shortest pause between two requests while it follows the present
const LEAST_SPAN = 1e3; // a microsecond
const MOST_SPAN = 366 * 86400e9;
const FIRST_SPAN = 60e9;
const SETTLED_NS = 8e9; // by then all steps have arrived, and silent charts are known

/** Shows the lanes of the charts that `lanes()` returns; while it follows, its right edge is the present. */
export class Timeline {
  constructor(world, list) {
    this._world = world;
    this._list = list;
    this._canvas = byId("lanes");
    this._box = byId("timeline");
    this._pen = this._canvas.getContext("2d");
    this._answer = { from: 0, to: 0, lanes: [] };
    this._lanes = new Map();
    this._rows = new TimelineRows();
    this._fetch = newestOnly((query) => this._ask(query), REFRESH_MS);
    this._asked = "";
    this._begun = false;
    /** Whether the right edge is the present. */
    this.following = true;
    this.span = FIRST_SPAN;
    this.to = 0;
    this.draw = oncePerPicture(() => this._draw());
    this._box.addEventListener("scroll", this.draw, { passive: true });
    new ResizeObserver(this.draw).observe(this._box);
    for (const [source, event] of [[world, "change"], [world, "moment"], [list, "select"], [list, "shown"], [theme, "theme"]]) {
      source.addEventListener(event, this.draw);
    }
    setInterval(() => this.following && this.draw(), 100);
  }

  /** The visible part: {from, to, left, width, height}. */
  get view() {
    if (this.following) this.to = this._world.now;
    const width = Math.max(50, this._box.clientWidth - LEFT);
    return { from: this.to - this.span, to: this.to, left: LEFT, width, height: this._box.clientHeight };
  }

  /** Zoom around the fraction `at` of the width; a factor of 0.5 shows half the span. */
  zoom(by, at = 1) {
    const view = this.view;
    const fixed = view.from + at * (view.to - view.from);
    this.span = Math.min(Math.max(this.span * by, LEAST_SPAN), MOST_SPAN);
    if (this.following && at === 1) this.draw();
    else this._show(fixed + (1 - at) * this.span);
  }

  /** Move by a fraction of the width; positive is towards the present. */
  pan(by) {
    this._show(this.view.to + by * this.span);
  }

  /** Show everything that is known. */
  showAll() {
    const { first, span: whole } = this._world.account;
    if (first === null || first === undefined) return;
    if (whole) {
      this.span = Math.min(Math.max((whole[1] - whole[0]) * 1.06, LEAST_SPAN), MOST_SPAN);
      this._show(whole[1] + (whole[1] - whole[0]) * 0.04);
      return;
    }
    // A recording that ended long ago would be tiny compared with the time since.
    const last = this._world.charts().reduce((latest, chart) => Math.max(latest, chart.at ?? first), first);
    const { now } = this._world;
    const end = now - last > Math.max(FIRST_SPAN, last - first) ? last + (last - first) * 0.03 : now;
    this.span = Math.min(Math.max((end - first) * 1.05, LEAST_SPAN), MOST_SPAN);
    this._show(end);
  }

  /** Start with everything if it lies further back than the initial span. */
  _begin() {
    const charts = this._world.charts();
    if (this._begun || this._world.account.recorded || !charts.some((chart) => chart.at !== null)) return;
    this._begun = true;
    if (charts.every((chart) => chart.at === null || this._world.now - chart.at > FIRST_SPAN)) this.showAll();
  }

  /** Scroll to a moment. */
  reveal(time) {
    const { from, to } = this.view;
    if (time < from || time > to) this._show(time + this.span / 2);
  }

  /** The time under a point of the canvas. */
  timeAt(x) {
    const view = this.view;
    return view.from + ((x - view.left) / view.width) * (view.to - view.from);
  }

  /** The row under a point of the canvas: {chart, kind, place, name}; undefined for none. */
  rowAt(y) {
    return y < RULER ? undefined : this._rows.at(y - RULER + this._box.scrollTop);
  }

  /** Whether a point in the gutter is on the sign that folds a chart. */
  isFold(row, x) {
    return row.kind === "lane" && x < FOLD && this._rows.isFoldable(row.chart);
  }

  /** Fold a chart into one lane, or show its regions and values again. */
  toggle(chart) {
    if (!chart || !this._rows.isFoldable(chart)) return;
    this._rows.toggle(chart);
    this.draw();
  }

  /** What a row shows at a time: {item, state, signal, into, mark}, or {value} in a value's track; null if unknown. */
  factsAt({ chart, kind, place, name }, time) {
    const lane = this._lanes.get(chart.id);
    if (!lane) return null;
    if (kind === "value") {
      const track = lane.values.find((one) => one.name === name);
      const value = track ? valueAt(track, time) : null;
      return value === null ? null : { value, item: null };
    }
    const near = (3 * this.span) / this.view.width;
    let found = null;
    let state = lane.before;
    for (const item of lane.items) {
      if (item[0] > time + near) break;
      if (item[1] && Math.abs(item[0] - time) <= near) found = item;
      if (item[0] <= time) [, , state] = item;
    }
    const active = activeIn(lane, state, place);
    if (kind === "region") return active ? { item: null, state: active, final: lane.finals.includes(active) } : null;
    return {
      item: found,
      state: activeIn(lane, state, null),
      final: lane.finals.includes(active),
      signal: found && lane.signals[found[3]],
      into: found && activeIn(lane, found[2], null),
      kinds: lane.kinds,
      mark: found && found[5] >= 0 ? lane.marks[found[5]] : "",
    };
  }

  _show(to) {
    const { now } = this._world;
    this.following = this._world.live && to >= now;
    this.to = Math.min(to, Math.max(now, this._world.time + this.span / 2));
    this.draw();
  }

  /** The chosen charts and the selected one if any are chosen, otherwise all that the list shows. */
  _charts() {
    const { chosen, selected, shown } = this._list;
    if (!chosen.size) return shown;
    return shown.filter((chart) => chosen.has(chart.id) || chart.id === selected);
  }

  async _ask(query) {
    const answer = await ask("timeline", query);
    this._lanes = new Map(answer.lanes.map((lane) => [lane.chart, lane]));
    this._answer = answer;
    this.draw();
  }

  _draw() {
    if (!this._world.live && this.following) {
      this.to = this._world.moment + this.span / 20;
      this.following = false;
    }
    this._begin();
    const view = this.view;
    const charts = this._charts();
    const ratio = devicePixelRatio;
    const [across, down] = [view.left + view.width, view.height];
    if (this._canvas.width !== Math.round(across * ratio) || this._canvas.height !== Math.round(down * ratio)) {
      this._canvas.width = Math.round(across * ratio);
      this._canvas.height = Math.round(down * ratio);
      this._canvas.style.width = `${across}px`;
      this._canvas.style.height = `${down}px`;
    }
    this._rows.place(charts);
    byId("lanes-room").style.height = `${Math.max(0, RULER + this._rows.height - down)}px`;
    const rows = this._rows.between(this._box.scrollTop, this._box.scrollTop + down);
    this._request(view, [...new Set(rows.map((row) => row.chart))]);
    this._pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this._pen.clearRect(0, 0, across, down);
    drawRuler(this._pen, view);
    const { span: whole, read, finished } = this._world.account;
    if (whole) drawRecording(this._pen, view, whole, finished ? null : (read ?? whole[0]));
    this._pen.save();
    this._pen.beginPath();
    this._pen.rect(0, RULER, across, down);
    this._pen.clip();
    for (const row of rows) this._drawRow({ ...row, y: RULER + row.y - this._box.scrollTop }, view);
    this._pen.restore();
    if (!this._world.live) drawMoment(this._pen, view, this._world.moment);
    write(byId("span"), span(this.span));
    mark(this._box, "data-following", this.following ? "" : null);
  }

  _drawRow(row, view) {
    const { chart, kind, name } = row;
    const lane = this._lanes.get(chart.id);
    const end = Math.min(this._world.end, view.to);
    if (lane && kind === "value") {
      const track = lane.values.find((one) => one.name === name);
      if (track) drawValue(this._pen, track, view, row, knownSpan(lane, view.from, end));
    } else if (lane) {
      drawLane(this._pen, lane, view, row, end, endOf(chart));
    }
    const [selected, chosen] = [chart.id === this._list.selected, this._list.chosen.has(chart.id)];
    if (kind !== "lane") {
      drawPartName(this._pen, name, row, { left: LEFT, selected });
      return;
    }
    const folded = this._rows.isFoldable(chart) ? this._rows.isFolded(chart) : null;
    drawName(this._pen, chart, row.y, { left: LEFT, selected, chosen, folded });
  }

  _request(view, charts) {
    const { recorded, finished } = this._world.account;
    const query = {
      from: Math.floor(view.from),
      to: Math.ceil(view.to),
      width: Math.round(view.width),
      charts: charts.map((chart) => chart.id).join(","),
      moment: this._world.live ? null : Math.round(this._world.moment),
    };
    const reading = recorded && !finished;
    // While it follows, every frame may bring something; a fixed window is requested once.
    const changing = this.following || reading || query.to > this._world.now - SETTLED_NS;
    const key = JSON.stringify([query, finished, changing ? this._world.frames : 0]);
    if (!charts.length || key === this._asked) return;
    this._asked = key;
    this._fetch(query);
  }
}

/** Return where a lane begins and ends to be known: values outside are not, although nothing says that they changed. */
function knownSpan({ states, before, items }, from, end) {
  const [first, last] = [items[0], items.at(-1)];
  const begun = before >= 0 && states[before] !== "";
  return [!begun && first ? first[0] : from, last && last[2] < 0 ? last[0] : end];
}
