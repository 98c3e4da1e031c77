// The data of the page: every chart as it is now and, in time travel, as it was at a moment.

import { setOrigin } from "./format.js";

const STEPS_KEPT = 200; // newest steps of an open chart; at the limit, the oldest are removed here; the server still has them

/**
 * Emits "change" for each frame and "moment" when another moment is shown; for a recording, "opened" when any moment of
 * it can be shown, and "finished" when all of it has been read.
 */
export class World extends EventTarget {
  constructor() {
    super();
    this.account = {};
    this.notices = [];
    /** The moment that the page shows, in nanoseconds since the origin; null for live. */
    this.moment = null;
    this.frames = 0;
    this._charts = new Map();
    this._past = new Map();
    this._details = new Map();
    this._fields = [];
    this._heard = 0;
    this._now = 0;
  }

  /** Nanoseconds since the origin, by the server's clock. */
  get now() {
    return this._now + (performance.now() - this._heard) * 1e6;
  }

  /** The moment the page shows, or now. */
  get time() {
    return this.moment ?? this.now;
  }

  get live() {
    return this.moment === null;
  }

  /** The end of what is known: now, or a recording's end. */
  get end() {
    return this.account.span ? this.account.span[1] : this.now;
  }

  /** All charts at the moment shown. */
  charts() {
    return [...this._charts.keys()].map((id) => this.chart(id));
  }

  /** A chart at the moment shown; undefined if there is none with that number. */
  chart(id) {
    return this.live ? this._charts.get(id) : (this._past.get(id) ?? this._charts.get(id));
  }

  /** The data of an open chart besides its row: {structure, moves, leaves, active, last, steps, uncounted}. */
  detail(id) {
    return this._details.get(id);
  }

  /** Apply a frame from the server. */
  take(frame) {
    this.frames += 1;
    this._heard = performance.now();
    this._now = frame.now;
    if (frame.begin) this._begin(frame.begin);
    for (const chart of frame.new) {
      const known = this._charts.get(chart.id) ?? { spark: [] };
      this._charts.set(chart.id, Object.assign(known, chart));
    }
    for (const row of frame.rows) this._fill(this._charts.get(row[0]), row);
    for (const [id, spark] of frame.sparks) this._charts.get(id).spark = spark;
    for (const [id, detail] of Object.entries(frame.open)) this._open(Number(id), detail);
    this.notices = this.notices.concat(frame.notices).slice(-STEPS_KEPT);
    const before = this.account;
    this.account = frame.account;
    if (this.account.span && !before.span) this.dispatchEvent(new Event("opened"));
    if (this.account.finished && before.span && !before.finished) this.dispatchEvent(new Event("finished"));
    this.dispatchEvent(new Event("change"));
  }

  /** Show a moment, given the server's answer about it. */
  showPast(answer) {
    const past = new Map();
    for (const row of answer.rows) {
      const known = this._charts.get(row[0]);
      if (known) past.set(row[0], this._fill({ ...known, spark: [] }, row));
    }
    for (const [id, spark] of answer.sparks) if (past.has(id)) past.get(id).spark = spark;
    this._past = past;
    this.moment = answer.time;
    this.dispatchEvent(new Event("moment"));
  }

  /** Show the present again. */
  showPresent() {
    this.moment = null;
    this._past = new Map();
    this.dispatchEvent(new Event("moment"));
  }

  _begin(begin) {
    setOrigin(begin.origin_ms);
    this._fields = begin.row_fields;
    this._charts.clear();
    this._details.clear();
    this.notices = [];
  }

  _fill(chart, row) {
    if (chart) this._fields.forEach((field, place) => (chart[field] = row[place]));
    return chart;
  }

  _open(id, news) {
    const detail = this._details.get(id) ?? {
      structure: { states: [], reactions: [], initials: [] },
      moves: new Map(),
      leaves: new Map(),
      steps: [],
      last: [],
    };
    this._details.set(id, detail);
    if (news.structure) detail.structure = news.structure;
    for (const [source, target, signal, count, outcome = ""] of news.moves) {
      detail.moves.set(JSON.stringify([source, target, signal, outcome]), { source, target, signal, outcome, count });
    }
    for (const [source, target, signal, leaf, count] of news.leaves) {
      detail.leaves.set(JSON.stringify([source, target, signal, leaf]), { source, target, signal, leaf, count });
    }
    detail.active = news.active;
    if (news.steps.length) detail.last = news.last;
    detail.steps = detail.steps.concat(news.steps).slice(-STEPS_KEPT);
    detail.uncounted = news.uncounted;
    detail.changed = Boolean(news.structure || news.moves.length || news.steps.length);
  }
}
