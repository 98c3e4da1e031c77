// Draws a layout as SVG elements. Returns those that change while a chart runs, so that only they are updated.

import { historySign, wordsFor } from "./chart-captions.js";
import { LINE, NAME_LINE, SIDE, times } from "./chart-labels.js";
import { shown } from "./chart-model.js";
import { loopPaths, pathsOf } from "./chart-paths.js";
import { makeSvg } from "./dom.js";

const SHADES = 7; // classes level-0 to level-6 in chart-picture.css

/**
 * Return {group, states, arrows, flow}.
 *
 * states: Map of name to {state, element}. arrows: [{arrow, element, line}], loops among them.
 * flow is the animated path along the last transition.
 */
export function draw(model, layout) {
  const states = new Map();
  const arrows = [];
  const boxes = makeSvg("g", { class: "states" });
  const lines = makeSvg("g", { class: "arrows" });
  for (const state of outermostFirst(model.root)) {
    const box = layout.boxes.get(state);
    const element = drawState(state, box);
    boxes.append(element);
    states.set(state.name, { state, element });
    if (state.loop) arrows.push(addTo(lines, drawLoop(state, box)));
  }
  for (const { arrow, runs, label } of layout.lines) {
    if (arrow.signals.length) arrows.push(addTo(lines, drawArrow(arrow, runs, label)));
    else lines.append(drawInitial(arrow, runs));
  }
  for (const { x, y, seen } of layout.dots) lines.append(makeSvg("circle", { class: `dot${unseen(seen)}`, cx: round(x), cy: round(y), r: 4.5 }));
  const flow = makeSvg("path", { class: "flow", pathLength: 1 });
  return { group: makeSvg("g", { class: "chart" }, boxes, lines, flow), states, arrows, flow };
}

/** Write counts, and mark what has not been seen yet. `countOf` takes a source, a target ("" for a remark) and a note. */
export function writeCounts({ states, arrows }, countOf) {
  for (const { state, element } of states.values()) {
    writeLines(element, (note) => countOf(state.name, "", note), state.remarks);
  }
  for (const { arrow, element } of arrows) {
    const seen = writeLines(element, (note) => countOf(arrow.source.name, arrow.target.name, note), arrow.signals);
    element.classList.toggle("unseen", !seen);
  }
}

/** Return whether any of the signals was seen. */
function writeLines(element, countOf, notes) {
  const counts = new Map(notes.map((note) => [note, countOf(note)]));
  for (const line of element.querySelectorAll(":scope > .lines > text")) {
    const sum = line.notes.reduce((total, note) => total + counts.get(note), 0);
    const text = times(sum);
    const counter = line.lastChild;
    if (counter.textContent !== text) counter.textContent = text;
    line.classList.toggle("unseen", sum === 0);
  }
  return [...counts.values()].some((count) => count > 0);
}

function outermostFirst(root) {
  const states = [...root.children];
  for (const state of states) states.push(...state.children);
  return states;
}

function drawState(state, { x, y, w, h, head }) {
  const holds = state.children.length > 0;
  const kinds = [holds ? `holder level-${shade(state)}` : "leaf", state.region ? "region" : "", head.sign ? "signed" : ""];
  const group = makeSvg("g", { class: ["state", ...kinds.filter(Boolean)].join(" "), "data-state": shown(state.name), "data-kind": shown(state.kind) });
  const line = nameLine(state, y, h);
  group.append(
    makeSvg("title", {}, shown(wordsFor(state))),
    makeSvg("rect", { class: "body", x: round(x), y: round(y), width: round(w), height: round(h), rx: round(radius(state, h)) }),
    makeSvg("text", { class: "name", x: round(holds ? x + SIDE + head.sign : x + (w + head.sign) / 2), y: round(line) }, head.name),
  );
  if (head.sign) group.append(...drawSign(state.kind, x + SIDE + 6, line - 4.5));
  if (head.lines.length) {
    const under = y + NAME_LINE;
    const right = holds ? x + head.w : x + w;
    group.append(makeSvg("path", { class: "rule", d: `M${round(x)} ${round(under)}H${round(right)}` }));
    group.append(drawLines(head.lines, x + SIDE, under + 3));
  }
  return group;
}

function radius(state, h) {
  if (state.children.length) return 10;
  return state.kind === "final" || historySign(state.kind) ? Math.min(h / 2, 16) : 7;
}

/** A bull's-eye for a final state; H or H* in a circle for a history state. */
function drawSign(kind, x, y) {
  const circle = makeSvg("circle", { class: "sign", cx: round(x), cy: round(y), r: 8 });
  const letters = historySign(kind);
  if (!letters) return [circle, makeSvg("circle", { class: "sign-core", cx: round(x), cy: round(y), r: 4.5 })];
  return [circle, makeSvg("text", { class: "sign-text", x: round(x), y: round(y + 3.8) }, letters)];
}

/** A name without remarks is centred in its box. */
function nameLine(state, y, h) {
  const alone = !state.children.length && !state.remarks.length;
  return y + (alone ? h / 2 : NAME_LINE / 2) + 4.5;
}

function shade(state) {
  return Math.min(state.depth, SHADES - 1);
}

function drawArrow(arrow, runs, label) {
  const { line, head } = pathsOf(runs);
  const group = arrowGroup(arrow, line, head);
  if (label) group.append(...drawLabel(label, holderShade(arrow)));
  return { arrow, element: group, line };
}

function drawLoop(state, box) {
  const { line, head, labelX, middle } = loopPaths(box);
  const group = arrowGroup(state.loop, line, head);
  const { label } = box.loop;
  const y = Math.max(box.y + 3, middle - label.h / 2);
  group.append(...drawLabel({ ...label, x: labelX, y }, holderShade(state.loop), true));
  return { arrow: state.loop, element: group, line };
}

function drawInitial(arrow, runs) {
  const { line, head } = pathsOf(runs);
  return makeSvg("g", { class: `initial${unseen(arrow.seen)}` }, makeSvg("path", { class: "line", d: line }), makeSvg("path", { class: "head", d: head }));
}

function unseen(seen) {
  return seen ? "" : " unseen";
}

function arrowGroup(arrow, line, head) {
  const signals = arrow.signals.map(wordsOf).join(", ");
  return makeSvg(
    "g",
    { class: "arrow", "data-source": shown(arrow.source.name), "data-target": shown(arrow.target.name) },
    makeSvg("title", {}, `${shown(arrow.source.name)} → ${shown(arrow.target.name)}: ${signals}`),
    makeSvg("path", { class: "reach", d: line }),
    makeSvg("path", { class: "line", d: line }),
    makeSvg("path", { class: "head", d: head }),
  );
}

/** Return the shade of the state that contains an arrow's label. */
function holderShade({ source, target }) {
  const above = new Set();
  for (let at = source === target ? source.parent : source; at; at = at.parent) above.add(at);
  let at = source === target ? source.parent : target;
  while (!above.has(at)) at = at.parent;
  return shade(at);
}

function drawLabel({ x, y, w, h, lines }, level, beside = false) {
  const back = makeSvg("rect", { class: `back level-${level}`, x: round(x), y: round(y), width: round(w), height: round(h), rx: 4 });
  const texts = drawLines(lines, beside ? x + 4 : x + w / 2, y);
  texts.classList.add(beside ? "beside" : "label");
  return [back, texts];
}

function drawLines(lines, x, y) {
  const group = makeSvg("g", { class: "lines" });
  lines.forEach((line, place) => {
    const text = makeSvg("text", { class: "signal", x: round(x), y: round(y + place * LINE + 12) }, line.text);
    text.append(makeSvg("tspan", { class: "count" }, ""));
    text.notes = line.notes;
    if (!line.whole) text.prepend(makeSvg("title", {}, line.notes.map(wordsOf).join(", ")));
    group.append(text);
  });
  return group;
}

function wordsOf({ text, outcome, handler }) {
  return [shown(text), outcome, handler && `(handled by ${shown(handler)})`].filter(Boolean).join(" ");
}

function addTo(group, drawn) {
  group.append(drawn.element);
  return drawn;
}

function round(number) {
  return Math.round(number * 10) / 10;
}
