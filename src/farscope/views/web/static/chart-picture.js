// A chart as a picture.

import { makeSvg } from "./dom.js";
import { visible } from "./format.js";

/**
 * Draws one chart into an <svg> element that fills its room. Text is only ever text.
 *
 * structure    {states: [{name, parent}], reactions: [{state, signal, target}], initials: [{state, target}]}
 *              parent "" is outermost and the states always make a tree; reactions were announced, with target ""
 *              where that is not known; initials were seen, with state "" for the chart's own start
 * transitions  [{source, target, signal, count}]: those seen; target "" is an event that a state handled
 *              without a transition
 *
 * setStructure is called again whenever counts or states changed, up to four times a second: what a person did to
 * pan and zoom stays. Another chart gets another ChartPicture on the same, emptied element.
 */
export class ChartPicture {
  constructor(svgElement) {
    this._svg = svgElement;
    this._list = makeSvg("g");
    this._active = "";
    this._svg.append(this._list);
  }

  setStructure(structure, transitions) {
    const depths = new Map();
    for (const state of structure.states) depths.set(state.name, state.parent);
    const depth = (name) => (depths.get(name) ? 1 + depth(depths.get(name)) : 0);
    this._list.replaceChildren(
      ...structure.states.map((state, place) => {
        const x = 16 + 18 * depth(state.name);
        const line = makeSvg("text", { x, y: 30 + 20 * place, "data-state": state.name });
        const from = transitions.filter((one) => one.source === state.name);
        const text = from.map((one) => `${visible(one.signal)} → ${visible(one.target || "handled")} × ${one.count}`).join(", ");
        line.append(`${visible(state.name)}   ${text}`);
        return line;
      }),
    );
    this.setActive(this._active, null);
  }

  /** Light a state and all that hold it; lastTransition {source, target, signal} is null where there was none. */
  setActive(stateName, lastTransition) {
    this._active = stateName;
    for (const line of this._list.children) {
      line.classList.toggle("active", line.dataset.state === stateName);
    }
    this._last = lastTransition;
  }

  /** Return the picture as the text of an SVG file that needs nothing else. */
  toSvgText() {
    return new XMLSerializer().serializeToString(this._svg);
  }
}
