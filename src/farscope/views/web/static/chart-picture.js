// A chart as a picture: nested states in Harel's notation.

import { draw, writeCounts } from "./chart-draw.js";
import { ChartHand } from "./chart-hand.js";
import { layoutOf } from "./chart-layout.js";
import { holds, modelOf, pathOf, shapeOf } from "./chart-model.js";
import { svgText } from "./chart-save.js";
import { makeSvg } from "./dom.js";

/**
 * Draws one chart into an <svg> element that fills its container. Names are only ever inserted as text.
 *
 * structure    {states: [{name, parent}], reactions: [{state, signal, target}], initials: [{state, target, seen}]}
 *              parent "" is outermost and the states always form a tree; reactions were announced, with target ""
 *              if it is unknown; initials with seen false were only announced; state "" is the chart's own start
 * transitions  [{source, target, signal, outcome, count}]: those seen; target "" is an event that a state handled
 *              without a transition, or, where there is an outcome, did not handle; a count of 0 is drawn as announced and not yet seen
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
    this._active = "";
    this._lit = [];
    this._last = null;
    this._beat = 0;
  }

  setStructure(structure, transitions) {
    const shape = shapeOf(structure, transitions);
    if (shape !== this._shape) {
      this._shape = shape;
      const model = modelOf(structure, transitions);
      const layout = layoutOf(model);
      this._drawn = draw(model, layout);
      this._size = { w: layout.w, h: layout.h };
      this._boxes = layout.boxes;
      this._world.replaceChildren(this._drawn.group);
      this._lit = [];
      this._light();
      this._hand.resize(layout.w, layout.h);
      this._arrowOf(this._last)?.element.classList.add("last");
    }
    const keyOf = (source, target, { signal, outcome = "" }) => JSON.stringify([source, target, signal, outcome]);
    const counts = new Map(transitions.map((one) => [keyOf(one.source, one.target, one), one.count]));
    writeCounts(this._drawn, (source, target, note) => counts.get(keyOf(source, target, note)) ?? 0);
  }

  /** Highlight a state and all that contain it; lastTransition {source, target, signal} is null if there was none. */
  setActive(stateName, lastTransition) {
    if (stateName !== this._active) {
      this._active = stateName;
      this._light();
    }
    const before = this._arrowOf(this._last);
    const now = this._arrowOf(lastTransition);
    this._last = lastTransition;
    if (before !== now) before?.element.classList.remove("last");
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

  _light() {
    for (const element of this._lit) element.classList.remove("active", "on-path");
    const leaf = this._drawn?.states.get(this._active);
    if (!leaf) {
      this._lit = [];
      return;
    }
    this._lit = pathOf(leaf.state).map((state) => this._drawn.states.get(state.name).element);
    for (const element of this._lit) element.classList.add("on-path");
    leaf.element.classList.add("active");
    this._hand.follow(this._boxes.get(leaf.state));
  }

  /** Restart the animation along an arrow; alternating between two names restarts it each time. */
  _run(found) {
    const flow = this._drawn?.flow;
    if (!flow) return;
    flow.classList.remove("run-0", "run-1");
    if (!found) return;
    found.element.classList.add("last");
    flow.setAttribute("d", found.line);
    this._beat = 1 - this._beat;
    flow.classList.add(`run-${this._beat}`);
  }

  /**
   * Return the arrow of a step. A step has the states before and after; its arrow leads from the first or a state that
   * contains it, and the innermost is the best match.
   */
  _arrowOf(step) {
    if (!step || !this._drawn) return null;
    const start = this._drawn.states.get(step.source)?.state;
    const end = this._drawn.states.get(step.target)?.state;
    if (!start || !end) return null;
    let best = null;
    for (const one of this._drawn.arrows) {
      const { source, target, signals } = one.arrow;
      if (!holds(source, start) || !holds(target, end) || !signals.some(({ signal }) => signal === step.signal)) continue;
      const { source: bestSource, target: bestTarget } = best?.arrow ?? {};
      if (!best || source.depth > bestSource.depth || (source === bestSource && target.depth > bestTarget.depth)) best = one;
    }
    return best;
  }
}
