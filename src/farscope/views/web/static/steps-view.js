// The steps of the selected chart, newest first, and all facts of the selected one.

import { ask, byId, make, mark, newestOnly, write } from "./dom.js";
import { KINDS, clock, span, things, visible } from "./format.js";

const LISTED = 100;
const COLUMNS = ["time", "event", "from", "to", "values and log", "took", "waited", "queued"];
const SHOWN = 4; // the column that is left out where no step has any; those after it hold numbers

/** Emits "cause" with {chart, number} in `detail` when the step that caused another is requested. */
export class StepsView extends EventTarget {
  constructor(world) {
    super();
    this._world = world;
    this._chart = null;
    this._picked = null;
    this._body = make("tbody");
    const heads = COLUMNS.map((name, place) => make("th", { class: kindOf(place) }, name));
    this._table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), this._body);
    this._facts = make("div", { class: "facts", hidden: "" });
    byId("view-steps").append(make("div", { class: "steps" }, make("div", { tabindex: "0" }, this._table), this._facts));
    this._body.addEventListener("click", (event) => this._click(event));
    this._past = newestOnly(async (chart, to) => {
      const answer = await ask("steps", { chart, to, limit: LISTED });
      if (chart === this._chart && to === this._world.moment) this._fill(answer.steps);
    });
    this._ask = newestOnly((chart, number, time) => this._show(chart, number, time));
  }

  /** Show the steps of a chart up to the moment shown. */
  draw(chart) {
    if (chart !== this._chart) {
      this._chart = chart;
      this._picked = null;
      this._facts.hidden = true;
      this._body.replaceChildren();
    }
    if (chart === null) return;
    if (this._world.live) this._fill(this._world.detail(chart)?.steps ?? []);
    else this._past(chart, this._world.moment);
  }

  /** Show all facts of a step, by its number; `time` is near it, if that is known better than from the moment shown. */
  pick(chart, number, time = this._world.moment) {
    this._picked = number;
    this._ask(chart, number, time);
  }

  /** Show all facts of the last step of a chart that ended at a time or before. */
  async pickAt(chart, time) {
    const answer = await ask("steps", { chart, to: Math.ceil(time), limit: 1 });
    if (answer.steps.length) this.pick(chart, answer.steps[0][0], answer.steps[0][1]);
  }

  _click(event) {
    const row = event.target.closest("[data-number]");
    if (row) this.pick(this._chart, Number(row.dataset.number), Number(row.dataset.at));
  }

  _fill(steps) {
    const newest = steps.slice(-LISTED).reverse();
    while (this._body.rows.length < newest.length) this._body.append(makeRow());
    while (this._body.rows.length > newest.length) this._body.deleteRow(-1);
    mark(this._table, "data-plain", newest.some((step) => shown(step.at(-1))) ? null : "");
    newest.forEach((step, place) => this._fillRow(this._body.rows[place], step));
  }

  _fillRow(row, [number, at, kind, signal, start, end, duration, waited, queued, , more]) {
    const key = `${number} ${at}`;
    mark(row, "aria-selected", String(number === this._picked));
    if (row.dataset.key === key) return;
    row.dataset.key = key;
    row.dataset.number = number;
    row.dataset.at = at;
    row.dataset.kind = kind;
    const texts = [clock(at), visible(signal), visible(start), outcome(kind, start, end, more), shown(more), span(duration), span(waited), String(queued)];
    mark(row.cells[SHOWN], "data-raised", more?.raised ? "" : null);
    texts.forEach((text, column) => {
      write(row.cells[column], text);
      if (column > 0 && column <= SHOWN) row.cells[column].title = text;
    });
  }

  async _show(chart, number, time) {
    let facts;
    try {
      facts = await ask("step", { chart, number, time });
    } catch (error) {
      if (!error.refused) throw error;
      this._facts.hidden = false;
      this._facts.replaceChildren(make("p", { class: "soft" }, "This step is not remembered any more."));
      return;
    }
    const [, at, kind, signal, , , duration, waited, queued, deferred, more] = facts.step;
    const head = make("p", {}, make("b", {}, `Step ${number}`), ` ${visible(signal)}, ${more?.kind ? visible(more.kind) : KINDS[kind]}, at ${clock(at, 1)}: `);
    head.append(`took ${span(duration)}, waited ${span(waited)}, ${queued} queued, ${deferred} deferred`);
    if (facts.ahead) head.append(`; ${clock(at + facts.ahead, 1)} by its own clock`);
    if (facts.cause) head.append(this._cause(facts.cause));
    for (const text of others(facts)) head.append(`; ${text}`);
    const lines = [...(facts.trace ? [facts.trace] : []), ...facts.spy, ...facts.long.flat()];
    this._facts.hidden = false;
    this._facts.replaceChildren(head, ...failure(facts.failure), make("pre", {}, shownLines(lines)));
    this._facts.scrollTop = 0;
    for (const row of this._body.rows) mark(row, "aria-selected", String(Number(row.dataset.number) === number));
  }

  _cause({ chart, number, claimed, span: token }) {
    const poster = this._world.chart(chart);
    if (token) return `; caused by span ${token} outside, as a token claims`;
    if (!poster) return `; posted by step ${number} of a chart that is not followed`;
    const link = make("a", { role: "button", tabindex: "0" }, `step ${number} of ${visible(poster.label)}`);
    link.addEventListener("click", () => this.dispatchEvent(new CustomEvent("cause", { detail: { chart, number } })));
    return make("span", {}, claimed ? "; caused, as a token claims, by " : "; posted by ", link);
  }
}

/** The word or state in the column "to". Unknown kinds have their own name. */
function outcome(kind, start, end, more) {
  if (more?.kind) return start === end ? visible(more.kind) : visible(end);
  if (kind <= 2) return visible(end);
  return kind === 3 ? "handled" : KINDS[kind];
}

/** The values that a step changed, its log records, and whether a handler raised although it went on. */
function shown(more) {
  if (!more) return "";
  const parts = Object.entries(more.values ?? {}).map(([name, value]) => `${visible(name)}=${visible(String(value))}`);
  if (more.raised) parts.push("raised");
  for (const [level, , message] of more.logs ?? []) parts.push(`${visible(level)} ${visible(message)}`);
  return parts.join(", ");
}

/** What else a step did, in words: transitions in several regions, completions, signals sent, values. */
function others({ transitions, completed, sent, values }) {
  const parts = [];
  if (transitions.length) parts.push(`transitions ${transitions.map(([from, to]) => `${visible(from)} → ${visible(to)}`).join(", ")}`);
  if (completed.length) parts.push(`completed ${completed.map(visible).join(", ")}`);
  for (const [signal, address] of sent) parts.push(`sent ${visible(signal)} to ${visible(address)}`);
  const changed = Object.entries(values).map(([name, value]) => `${visible(name)}=${visible(String(value))}`);
  if (changed.length) parts.push(`values ${changed.join(", ")}`);
  return parts;
}

/** Return elements about a failed handler: the error, the user's own lines, and the folded traceback. */
function failure(raised) {
  if (!raised) return [];
  const places = raised.mine.flatMap(({ file, line, within, source }) => [
    `${visible(file)}, line ${line}${within ? `, in ${visible(within)}` : ""}`,
    ...(source ? [`    ${source}`] : []),
  ]);
  const others = raised.others ? `, with ${things(raised.others, "frame")} of farscope and of libraries` : "";
  const whole = make("details", {}, make("summary", {}, `whole traceback${others}`), make("pre", {}, shownLines(raised.whole)));
  // Without a line of the user's code there is nothing else to show.
  if (!places.length) whole.open = true;
  return [make("pre", { class: "error" }, shownLines(raised.error)), make("pre", { class: "mine" }, shownLines(places)), whole];
}

function shownLines(lines) {
  return lines.map((line) => line && visible(line.replaceAll("\t", "    "))).join("\n");
}

function kindOf(place) {
  if (place === SHOWN) return "shown";
  return place > SHOWN ? "number" : "";
}

function makeRow() {
  const row = make("tr");
  COLUMNS.forEach((_, place) => row.append(make("td", { class: place === SHOWN - 1 ? "to" : kindOf(place) })));
  return row;
}
