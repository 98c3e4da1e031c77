// The selected chart: its name, and four views of it.

import { ChartPicture } from "./chart-picture.js";
import { ask, byId, make, mark, newestOnly, write, writeLabel } from "./dom.js";
import { clock, things, visible, whereOf } from "./format.js";
import { savePng, saveSvg } from "./save.js";
import { SequenceView } from "./sequence-view.js";
import { StatsView } from "./stats-view.js";
import { StepsView } from "./steps-view.js";

const TABS = ["picture", "steps", "stats", "sequence"];
const TITLES = { picture: "Picture", steps: "Steps", stats: "Statistics", sequence: "Sequence" };
const RECOUNT_MS = 250; // counts on the arrows are updated four times a second

/** Shows one chart at the moment that the world shows. */
export class Panel {
  constructor(world, list) {
    this._world = world;
    this._list = list;
    this._chart = null;
    this._picture = null;
    this._lastStep = "";
    this._recounted = 0;
    this._pastMoves = null;
    this._isSplit = false;
    this.tab = "picture";
    this.steps = new StepsView(world);
    this._stats = new StatsView(world);
    this._sequence = new SequenceView(world);
    this._tabs = TABS.map((name, place) => {
      const tab = make("button", { type: "button", role: "tab", title: `${TITLES[name]} (${place + 1})` }, TITLES[name]);
      tab.addEventListener("click", () => this.show(name));
      return tab;
    });
    byId("tabs").append(...this._tabs);
    byId("save-svg").addEventListener("click", () => this._save(saveSvg));
    byId("picture-smaller").addEventListener("click", () => this._picture?.zoom(-1));
    byId("picture-whole").addEventListener("click", () => this._picture?.showWhole());
    byId("picture-larger").addEventListener("click", () => this._picture?.zoom(1));
    byId("picture-split").addEventListener("click", () => this.splitPicture());
    byId("save-png").addEventListener("click", () => this._save(savePng));
    this._recall = newestOnly(async (chart, time) => {
      const answer = await ask("picture", { chart, time });
      const list = await ask("steps", { chart, to: time, limit: 1 });
      if (chart !== this._chart || time !== this._world.moment) return;
      const moves = withThoseToCome(answer.moves, this._world.detail(chart)?.moves);
      this._pastMoves = { ...answer, moves, steps: list.steps };
      this._drawPicture(true);
    });
  }

  /** Show one of the views: picture, steps, stats or sequence. */
  show(tab) {
    this.tab = tab;
    this.draw();
  }

  /** Split the picture's arrows from composite states by leaf, or join them again. */
  splitPicture() {
    this._isSplit = !this._isSplit;
    byId("picture-split").setAttribute("aria-pressed", String(this._isSplit));
    this._picture?.split(this._isSplit);
  }

  /** Draw the current view from the world's data. */
  draw() {
    this._open(this._list.selected);
    TABS.forEach((name, place) => {
      mark(this._tabs[place], "aria-selected", String(name === this.tab));
      byId(`view-${name}`).hidden = name !== this.tab;
    });
    const chart = this._world.chart(this._chart);
    if (chart) writeLabel(byId("chart-name"), chart);
    else write(byId("chart-name"), "No chart selected");
    byId("chart-name").title = chart ? visible(chart.label) : "";
    write(byId("chart-place"), chart ? [whereOf(chart), ...(chart.library ? [visible(chart.library)] : []), ...(chart.parent ? [`created by ${visible(chart.parent)}`] : []), things(chart.steps, "step")].join(" · ") : "");
    if (!chart) return;
    if (this.tab === "picture") this._drawPicture(false);
    if (this.tab === "steps") this.steps.draw(this._chart);
    if (this.tab === "stats") this._stats.draw(this._chart);
    if (this.tab === "sequence") this._sequence.draw(this._together());
  }

  /** React to another moment being shown. */
  turn() {
    this._pastMoves = null;
    this._lastStep = "";
    if (!this._world.live && this._chart !== null) this._recall(this._chart, this._world.moment);
    this._recounted = 0;
    this.draw();
  }

  _open(id) {
    if (id === this._chart) return;
    this._chart = id;
    byId("picture").replaceChildren();
    this._picture = new ChartPicture(byId("picture"));
    this._picture.split(this._isSplit);
    this._lastStep = "";
    this._recounted = 0;
    this._pastMoves = null;
    if (!this._world.live && id !== null) this._recall(id, this._world.moment);
  }

  _drawPicture(now) {
    const known = this._world.live ? this._world.detail(this._chart) : this._pastMoves;
    const chart = this._world.chart(this._chart);
    if (!known || !chart) return;
    const moment = performance.now();
    if (now || moment - this._recounted >= RECOUNT_MS) {
      this._recounted = moment;
      this._picture.setStructure(known.structure, [...known.moves.values()].map(asTransition), [...known.leaves.values()].map(asLeaf));
    }
    const step = known.steps.at(-1);
    const key = JSON.stringify([known.active, step?.[0]]);
    if (key !== this._lastStep) {
      this._lastStep = key;
      this._picture.setActive(known.active, known.last.map(([source, target, signal, leaf]) => ({ source, target, signal, leaf })));
    }
    const notes = chart.status === "alive" || !chart.status ? [] : [visible(chart.status)];
    if (known.uncounted) notes.push(`${things(known.uncounted, "step")} more than can be drawn`);
    if (known.since) notes.push(`counted since ${clock(known.since, 1e9)}, still reading`);
    write(byId("picture-note"), notes.join("; "));
  }

  _together() {
    const charts = [...this._list.chosen];
    if (!charts.includes(this._chart)) charts.unshift(this._chart);
    return charts;
  }

  _save(save) {
    const chart = this._world.chart(this._chart);
    if (chart && this._picture) save(this._picture.toSvgText(), chart.name);
  }
}

/** Transitions that had not happened yet are drawn as such, so that the picture keeps its layout over time. */
function withThoseToCome(moves, now = new Map()) {
  const before = new Set(moves.map(([source, target, signal, , outcome = ""]) => JSON.stringify([source, target, signal, outcome])));
  const later = [...now].filter(([key]) => !before.has(key)).map(([, move]) => ({ ...move, count: 0 }));
  return [...moves, ...later];
}

function asTransition(move) {
  if (!Array.isArray(move)) return move;
  const [source, target, signal, count, outcome = ""] = move;
  return { source, target, signal, outcome, count };
}

function asLeaf(taken) {
  if (!Array.isArray(taken)) return taken;
  const [source, target, signal, leaf, count] = taken;
  return { source, target, signal, leaf, count };
}
