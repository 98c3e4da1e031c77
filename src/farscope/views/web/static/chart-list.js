// The list of charts: sorted, searched, and drawn only where it is visible, so that thousands cost no more than forty.

import { byId, make, makeSvg, mark, oncePerPicture, write, writeLabel, writeName, writeStates } from "./dom.js";
import { age, clock, count, placeOf, span, things, visible, whereOf } from "./format.js";

const ROW_HEIGHT = 28;
const SPARE_ROWS = 3;
const NAMES = new Set(["name", "state", "event"]); // columns of names, which are truncated in the middle

/** What a column shows and sorts by. `down` columns start with the largest. */
const COLUMNS = [
  { name: "status", title: "", hint: "alive, silent, closed, how the chart ended, or heard up to a recording's end", by: (chart) => chart.status },
  { name: "name", title: "chart", by: (chart) => chart.label },
  { name: "host", title: "service", by: placeOf },
  { name: "state", title: "state", by: (chart) => chart.state ?? "" },
  { name: "since", title: "for", hint: "time in state", by: (chart) => chart.since ?? Infinity },
  { name: "rate", title: "steps/s", by: (chart) => chart.rate, down: true },
  { name: "spark", title: "", hint: "steps in each of the last 40 seconds" },
  { name: "event", title: "last event", by: (chart) => chart.event },
  { name: "lost", title: "lost", by: (chart) => chart.lost ?? 0, down: true },
];

/** Emits "select" when another chart is selected or more are chosen, "shown" when other charts are listed. */
export class ChartList extends EventTarget {
  constructor(world) {
    super();
    this._world = world;
    this._list = byId("list");
    this._rows = byId("rows");
    this._pool = [];
    this._words = [];
    this._sort = { column: COLUMNS[1], down: false };
    /** The charts that match the search, in the order shown. */
    this.shown = [];
    /** Number of the selected chart; null if there is none. */
    this.selected = null;
    /** Numbers of charts chosen in addition, for the timeline and the sequence. */
    this.chosen = new Set();
    this.draw = oncePerPicture(() => this._draw());
    this._makeHeads();
    this._list.addEventListener("scroll", this.draw, { passive: true });
    this._list.addEventListener("click", (event) => this._click(event));
    new ResizeObserver(() => {
      byId("heads").style.paddingRight = `${10 + this._list.offsetWidth - this._list.clientWidth}px`;
      this.draw();
    }).observe(this._list);
    setInterval(this.draw, 500);
  }

  /** List only charts that contain every word of the text: in label, service, host, state, event or status. */
  search(text) {
    this._words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this._list.scrollTop = 0;
    this.draw();
  }

  /** Select a chart and scroll to it; `more` adds it to the chosen ones, or removes it. */
  select(id, more = false) {
    if (more) {
      if (!this.chosen.delete(id)) this.chosen.add(id);
    } else {
      this.selected = id;
    }
    const place = this.shown.findIndex((chart) => chart.id === id);
    const top = place * ROW_HEIGHT;
    if (place >= 0 && top < this._list.scrollTop) this._list.scrollTop = top;
    const bottom = top + ROW_HEIGHT - this._list.clientHeight;
    if (place >= 0 && bottom > this._list.scrollTop) this._list.scrollTop = bottom;
    this.draw();
    this.dispatchEvent(new Event("select"));
  }

  /** Select the chart this many rows further down, or up for a negative number. */
  move(by) {
    if (!this.shown.length) return;
    const place = this.shown.findIndex((chart) => chart.id === this.selected);
    const next = place < 0 ? 0 : Math.min(Math.max(place + by, 0), this.shown.length - 1);
    this.select(this.shown[next].id);
  }

  /** Clear the choice. */
  clearChosen() {
    this.chosen.clear();
    this.draw();
    this.dispatchEvent(new Event("select"));
  }

  _makeHeads() {
    const heads = byId("heads");
    for (const column of COLUMNS) {
      const head = make("button", { type: "button", class: `cell ${column.name}`, title: column.hint ?? `sort by ${column.title}` });
      head.append(column.title);
      if (column.by) head.addEventListener("click", () => this._sortBy(column));
      column.head = head;
      heads.append(head);
    }
  }

  _sortBy(column) {
    const again = this._sort.column === column;
    this._sort = { column, down: again ? !this._sort.down : Boolean(column.down) };
    this.draw();
  }

  _click(event) {
    const row = event.target.closest("[data-chart]");
    if (row) this.select(Number(row.dataset.chart), event.ctrlKey || event.metaKey || event.shiftKey);
  }

  _draw() {
    this._choose();
    this._rows.style.height = `${this.shown.length * ROW_HEIGHT}px`;
    const first = Math.max(0, Math.floor(this._list.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const room = Math.ceil(this._list.clientHeight / ROW_HEIGHT) + 2 * SPARE_ROWS;
    const visibleCharts = this.shown.slice(first, first + room);
    while (this._pool.length < visibleCharts.length) this._pool.push(this._makeRow(this._pool.length));
    this._pool.forEach((row, place) => {
      const chart = visibleCharts[place];
      row.element.hidden = !chart;
      if (chart) this._fill(row, chart, first + place);
    });
    // Most rows do not exist in the document: screen readers get the position of the selected one.
    mark(this._list, "aria-rowcount", String(this.shown.length));
    const selected = visibleCharts.findIndex((chart) => chart.id === this.selected);
    mark(this._list, "aria-activedescendant", selected < 0 ? null : this._pool[selected].element.id);
    for (const column of COLUMNS) {
      mark(column.head, "aria-sort", column !== this._sort.column ? null : this._sort.down ? "descending" : "ascending");
    }
    const none = byId("none");
    none.hidden = this.shown.length > 0;
    write(none, this._words.length ? "No chart matches the search." : "No chart has been heard yet. They appear here as soon as they say something.");
  }

  _choose() {
    const { column, down } = this._sort;
    const charts = this._world.charts().filter((chart) => this._fits(chart));
    const sign = down ? -1 : 1;
    charts.sort((one, other) => {
      const [a, b] = [column.by(one), column.by(other)];
      if (a !== b) return (a < b ? -1 : 1) * sign;
      return one.label < other.label ? -1 : one.label > other.label ? 1 : one.id - other.id;
    });
    const changed = charts.length !== this.shown.length || charts.some((chart, place) => chart.id !== this.shown[place].id);
    this.shown = charts;
    if (changed) this.dispatchEvent(new Event("shown"));
  }

  _fits(chart) {
    if (!this._words.length) return true;
    const text = [chart.label, chart.host, chart.service, chart.parent, chart.state, chart.event, chart.status].join("\n").toLowerCase();
    return this._words.every((word) => text.includes(word));
  }

  _makeRow(place) {
    const cells = {};
    const element = make("div", { class: "row", role: "row", id: `row-${place}` });
    for (const { name } of COLUMNS) {
      cells[name] = make("span", { class: `cell ${name}${NAMES.has(name) ? " label" : ""}`, role: "gridcell" });
      element.append(cells[name]);
    }
    const line = makeSvg("polyline");
    cells.spark.append(makeSvg("svg", { viewBox: "0 0 80 18", class: "spark", "aria-hidden": "true" }, line));
    this._rows.append(element);
    return { element, cells, line, spark: null };
  }

  _fill(row, chart, place) {
    const { element, cells } = row;
    element.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    mark(element, "aria-rowindex", String(place + 1));
    mark(element, "data-chart", String(chart.id));
    mark(element, "aria-selected", String(chart.id === this.selected));
    mark(element, "data-chosen", this.chosen.has(chart.id) ? "" : null);
    mark(element, "data-status", chart.status);
    mark(cells.status, "title", chart.status === "ended" ? "heard up to the end of the recording, which has no goodbye" : chart.status);
    writeLabel(cells.name, chart);
    mark(cells.name, "title", chart.parent ? `${visible(chart.label)}, created by ${visible(chart.parent)}` : visible(chart.label));
    write(cells.host, visible(placeOf(chart)));
    mark(cells.host, "title", `${whereOf(chart)}, ${things(chart.steps, "step")}`);
    if (chart.states) writeStates(cells.state, chart.states.map(visible));
    else writeName(cells.state, chart.state ? visible(chart.state) : chart.state === null ? "not remembered" : "not started");
    mark(cells.state, "title", chart.state ? visible(chart.state) : "");
    mark(cells.state, "data-none", chart.state ? null : "");
    const stay = chart.since === null ? null : this._world.time - chart.since;
    write(cells.since, age(stay));
    mark(cells.since, "title", chart.since === null ? "" : `since ${clock(chart.since)} (${span(stay)})`);
    write(cells.rate, count(chart.rate));
    writeName(cells.event, chart.event ? visible(chart.event) : "–");
    mark(cells.event, "title", chart.event ? `${visible(chart.event)} at ${clock(chart.at)}, ${chart.queued} waiting` : "");
    mark(cells.event, "data-outcome", String(chart.outcome));
    // Proven losses, and whether there may be more: a silent chart may have made unknown steps.
    write(cells.lost, chart.lost === null ? "–" : `${chart.lost ? count(chart.lost) : "0"}${chart.unknown ? "+?" : ""}`);
    mark(cells.lost, "title", chart.unknown ? "what it did after its last step is unknown" : "");
    mark(cells.lost, "data-some", chart.lost ? "" : null);
    if (row.spark !== chart.spark) {
      row.spark = chart.spark;
      mark(row.line, "points", sparkPoints(chart.spark));
    }
  }
}

function sparkPoints(values) {
  const most = Math.max(1, ...values);
  const across = 80 / Math.max(1, values.length - 1);
  return values.map((value, place) => `${(place * across).toFixed(1)},${(17 - (16 * value) / most).toFixed(1)}`).join(" ");
}
