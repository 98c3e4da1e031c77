// A chart as a picture: nested states in Harel's notation.

import { draw, writeCounts } from "./chart-draw.js";
import { ChartHand } from "./chart-hand.js";
import { layoutOf } from "./chart-layout.js";
import { byLeaf, modelOf, pathOf, shapeOf, shown } from "./chart-model.js";
import { svgText } from "./chart-save.js";
import { makeSvg } from "./dom.js";

/**
 * Draws one chart into an <svg> element that fills its container. Names are only ever inserted as text.
 *
 * structure    {states: [{name, parent, kind}], reactions: [{state, signal, target, more_targets, guard, flags, delay}],
 *              initials: [{state, target, seen}]}
 *              parent "" is outermost and the states always form a tree; a kind is plain, parallel, history,
 *              deep_history, final or the name of a later one; reactions were announced, with target "" if it is
 *              unknown; initials with seen false were only announced; state "" is the chart's own start
 * transitions  [{source, target, signal, outcome, count}]: those seen; target "" is an event that a state handled
 *              without a transition, or, where there is an outcome, did not handle; a count of 0 is drawn as announced and not yet seen
 * leaves       [{source, target, signal, leaf, count}]: transitions out of composite states, by the leaf they were taken
 *              from; drawn separately if the picture is split
 *
 * setStructure is called whenever counts or states change, up to four times a second; pan and zoom are kept. Another
 * chart gets a new ChartPicture on the same, emptied element.
 */
export class ChartPicture {
  constructor(svgElement) {
    this._svg = svgElement;
    this._world = makeSvg("g", { class: "world" });
    svgElement.append(this._world);
    this._hand = new ChartHand(svgElement, this._world);
    this._shape = "";
    this._drawn = null;
    this._boxes = new Map();
    this._size = { w: 1, h: 1 };
    this._active = [];
    this._lit = [];
    this._last = [];
    this._beat = 0;
    this._split = false;
    this._given = null;
  }

  setStructure(structure, transitions, leaves = []) {
    this._given = [structure, transitions, leaves];
    const drawn = this._split ? byLeaf(transitions, leaves) : transitions;
    const shape = shapeOf(structure, drawn);
    if (shape !== this._shape) {
      this._shape = shape;
      const model = modelOf(structure, drawn);
      const layout = layoutOf(model);
      this._drawn = draw(model, layout);
      this._size = { w: layout.w, h: layout.h };
      this._boxes = layout.boxes;
      this._world.replaceChildren(this._drawn.group);
      this._lit = [];
      this._light();
      this._hand.resize(layout.w, layout.h);
      for (const arrow of this._arrowsOf(this._last)) arrow.element.classList.add("last");
    }
    const keyOf = (source, target, { signal, outcome = "", handler = "" }) => JSON.stringify([source, target, signal, outcome, handler]);
    const counts = new Map(drawn.map((one) => [keyOf(one.source, one.target, one), one.count]));
    writeCounts(this._drawn, (source, target, note) => counts.get(keyOf(source, target, note)) ?? 0);
  }

  /** Draw arrows from composite states separately for each leaf they were taken from, or once each. */
  split(split) {
    if (split === this._split) return;
    this._split = split;
    if (this._given) this.setStructure(...this._given);
  }

  /**
   * Highlight the active leaves and all states that contain them.
   *
   * @param {string[]} leaves
   * @param {Array<{source: string, target: string, signal: string, leaf: string}>} last  the transitions of the last
   *   step; leaf "" if they were taken from the source itself, or from no single leaf
   */
  setActive(leaves, last) {
    if (JSON.stringify(leaves) !== JSON.stringify(this._active)) {
      const before = new Set(this._active);
      this._active = leaves;
      this._light(leaves.find((leaf) => !before.has(leaf)));
    }
    const now = this._arrowsOf(last);
    for (const arrow of this._arrowsOf(this._last)) if (!now.includes(arrow)) arrow.element.classList.remove("last");
    this._last = last;
    this._run(now);
  }

  /** Show the whole chart. */
  showWhole() {
    this._hand.showWhole();
  }

  /** Scale the picture by steps: 1 larger, -1 smaller. */
  zoom(steps) {
    this._hand.zoom(steps);
  }

  /** Return the picture as the text of a self-contained SVG file. */
  toSvgText() {
    return svgText(this._world, this._size, getComputedStyle(this._svg).getPropertyValue("background-color"));
  }

  /** Light the active states; `entered` is the leaf to keep in sight, by default the first one. */
  _light(entered = this._active[0]) {
    for (const element of this._lit) element.classList.remove("active", "on-path");
    const leaves = this._active.map((name) => this._drawn?.states.get(name)).filter(Boolean);
    this._lit = [...new Set(leaves.flatMap(({ state }) => pathOf(state)))].map((state) => this._drawn.states.get(state.name).element);
    for (const element of this._lit) element.classList.add("on-path");
    for (const { element } of leaves) element.classList.add("active");
    this._svg.setAttribute("aria-label", `The chart as a picture; ${this._active.length ? `active: ${this._active.map(shown).join(", ")}` : "no state is active"}`);
    const kept = this._drawn?.states.get(entered) ?? leaves[0];
    if (kept) this._hand.follow(this._boxes.get(kept.state));
  }

  /** Restart the animation along arrows; alternating between two names restarts it each time. */
  _run(arrows) {
    const flow = this._drawn?.flow;
    if (!flow) return;
    flow.classList.remove("run-0", "run-1");
    if (!arrows.length) return;
    for (const { element } of arrows) element.classList.add("last");
    flow.setAttribute("d", arrows.map(({ line }) => line).join(""));
    this._beat = 1 - this._beat;
    flow.classList.add(`run-${this._beat}`);
  }

  /** Return the arrows of transitions, as far as they are drawn. */
  _arrowsOf(transitions) {
    if (!this._drawn) return [];
    const found = transitions.map(({ source, target, signal, leaf }) => {
      const from = this._split && leaf ? leaf : source;
      return this._drawn.arrows.find(({ arrow }) => arrow.source.name === from && arrow.target.name === target && arrow.signals.some((one) => one.signal === signal));
    });
    return [...new Set(found.filter(Boolean))];
  }
}
