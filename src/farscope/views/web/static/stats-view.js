// Statistics of the selected chart up to the moment shown.

import { ask, byId, make, newestOnly } from "./dom.js";
import { FAILED, IGNORED, KINDS, REFUSED, clock, count, span, things, visible } from "./format.js";

const REFRESH_MS = 2000;

/** Refreshes every two seconds while it is live and visible. */
export class StatsView {
  constructor(world) {
    this._world = world;
    this._box = byId("view-stats");
    this._shown = "";
    this._ask = newestOnly(async (chart, to) => {
      const answer = await ask("stats", { chart, to });
      this._fill(answer);
    });
  }

  /** Show the statistics of a chart. */
  draw(chart) {
    const { live, moment, account } = this._world;
    const key = JSON.stringify([chart, account.finished, live ? Math.floor(performance.now() / REFRESH_MS) : moment]);
    if (chart === null || key === this._shown) return;
    this._shown = key;
    this._ask(chart, live ? null : moment);
  }

  _fill(figures) {
    const kinds = figures.kinds;
    const turned = `${things(kinds[IGNORED] ?? 0, "event")} ${IGNORED}, ${count(kinds[REFUSED] ?? 0)} ${REFUSED} by guards, ${count(kinds[FAILED] ?? 0)} ${FAILED}`;
    const further = Object.entries(kinds).filter(([name]) => !KINDS.includes(name));
    const others = further.map(([name, number]) => `, ${count(number)} ${visible(name)}`).join("");
    const scroll = this._box.scrollTop;
    this._box.replaceChildren(
      make(
        "div",
        { class: "stats" },
        heading("Time in state"),
        table(["state", "", "total", "mean", "p95", "longest", "times"], figures.states.map(stay(figures.states))),
        heading("Events"),
        table(["signal", "", "times", "transitions", "handled", IGNORED, REFUSED, FAILED], figures.signals.map(event(figures.signals))),
        make("p", { class: "soft" }, turned + others),
        heading("Waiting and working"),
        table(["", "mean", "p95", "longest"], [
          ["time in queue", span(figures.waited.mean), span(figures.waited.p95), span(figures.waited.most)],
          ["step duration", span(figures.took.mean), span(figures.took.p95), span(figures.took.most)],
        ]),
        heading("Slowest steps"),
        table(["event", "from", "to", "at", "took"], figures.slowest.map(slow)),
        make("p", { class: "soft" }, figures.steps ? `Of ${things(figures.steps, "step")} since ${clock(figures.from)}.` : "No steps yet."),
      ),
    );
    this._box.scrollTop = scroll;
  }
}

function heading(text) {
  return make("h3", {}, text);
}

function table(heads, rows) {
  const cell = (kind, value, place) => {
    const made = make(kind, place > 0 && typeof value === "string" ? { class: "number" } : {});
    made.append(value);
    if (typeof value === "string" && kind === "td" && value.length > 20) made.title = value;
    if (typeof value !== "string") made.className = "share";
    return made;
  };
  const head = make("tr", {}, ...heads.map((name, place) => cell("th", name, place)));
  const body = rows.map((row) => make("tr", {}, ...row.map((value, place) => cell("td", value, place))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

function stay(states) {
  const whole = states.reduce((sum, one) => sum + one.total, 0) || 1;
  return (one) => [
    visible(one.state),
    bar(one.total / whole),
    span(one.total),
    span(one.mean),
    span(one.p95),
    span(one.most),
    count(one.times),
  ];
}

function event(signals) {
  const most = Math.max(1, ...signals.map((one) => one.times));
  return (one) => [
    visible(one.signal),
    bar(one.times / most),
    count(one.times),
    count((one.transition ?? 0) + (one.start ?? 0)),
    count(one.hook ?? 0),
    ...[IGNORED, REFUSED, FAILED].map((kind) => count(one[kind] ?? 0)),
  ];
}

function slow([, at, , signal, start, end, duration]) {
  return [visible(signal), visible(start), visible(end), clock(at), span(duration)];
}

function bar(share) {
  const made = make("span", { class: "bar" });
  made.style.width = `${(100 * share).toFixed(1)}%`;
  return made;
}
