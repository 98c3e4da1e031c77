// Draws the timeline: ruler, lanes, spans, ticks, and the moment shown. Keeps no state besides a cache of labels.

import { FAILED, KINDS, REFUSED, clock, labelParts, midnight, nameParts, visible } from "./format.js";
import { colour, stateFill, stateInk } from "./theme.js";

export const LANE = 22;
export const RULER = 24;
export const FOLD = 18; // width in pixels of the sign that folds a chart
const PART = 26; // where the names of regions and values begin
const BAR = 16;
const MOST_TICK = 9; // of steps that did not fail: the upper half of a bar is for the name of the state
const MARK = 2.5; // radius in pixels
const TOOK = 3; // height in pixels of a step that took long
const LEAST_TEXT = 20; // minimum width in pixels of a span that may show the name of its state
const WIDTHS_KEPT = 5000;
const MOST_MEASURED = 80; // characters of a name; more do not fit in any gutter
const HALO = 4;
const widths = new Map();
const labels = new Map(); // truncated labels, by width and text
export const FONT = "11px system-ui, sans-serif";
const STEPS = [1, 2, 5];
const LONG_STEPS = [60e9, 120e9, 300e9, 600e9, 1800e9, 3600e9, 7200e9, 21600e9, 43200e9, 86400e9, 172800e9, 604800e9];

/** Return the distance between ruler marks in nanoseconds, given the nanoseconds per pixel. */
export function rulerStep(perPixel) {
  const least = perPixel * 90;
  for (let power = 0; power < 11; power += 1) {
    for (const step of STEPS) {
      const size = step * 10 ** power;
      if (size >= least && size <= 20e9) return size;
    }
  }
  if (least <= 30e9) return 30e9;
  return LONG_STEPS.find((step) => step >= least) ?? Math.ceil(least / 604800e9) * 604800e9;
}

/** Draw ruler and marks; `view` is {from, to, left, width, height}, times in nanoseconds since the origin. */
export function drawRuler(pen, view) {
  const perPixel = (view.to - view.from) / view.width;
  const step = rulerStep(perPixel);
  const start = midnight(view.from);
  pen.fillStyle = colour("panel");
  pen.fillRect(0, 0, view.left + view.width, RULER);
  pen.font = FONT;
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  for (let mark = start + Math.ceil((view.from - start) / step) * step; mark <= view.to; mark += step) {
    const x = Math.round(view.left + (mark - view.from) / perPixel) + 0.5;
    pen.fillStyle = colour("line");
    pen.fillRect(x, RULER - 6, 1, view.height);
    pen.fillStyle = colour("soft");
    pen.fillText(clock(mark, step), x + 4, RULER / 2);
  }
}

/** Draw where a recording begins and ends, and how far it has been read: up to `read`, or to its end for null. */
export function drawRecording(pen, view, [first, last], read) {
  const scale = view.width / (view.to - view.from);
  const at = (time) => Math.min(Math.max(view.left + (time - view.from) * scale, view.left), view.left + view.width);
  pen.fillStyle = colour("hover");
  pen.fillRect(view.left, RULER, at(first) - view.left, view.height);
  pen.fillRect(at(last), RULER, view.left + view.width - at(last), view.height);
  if (read === null) return;
  pen.fillStyle = colour("line");
  pen.fillRect(at(first), RULER - 3, at(last) - at(first), 3);
  pen.fillStyle = colour("accent");
  pen.fillRect(at(first), RULER - 3, at(read) - at(first), 3);
}

/**
 * Draw a lane.
 * @param {object} lane  {states, split, finals, signals, marks, before, items: [[time, steps, state, signal, kind, mark]],
 *   busy: [[begin, end]]}; an item without steps marks the start of another known part
 * @param {object} row  {y, height, place}: `place` of the part of the chart in `split`; null for its whole configuration
 * @param {number} end  where the last state ends: now, or the moment up to which is known
 * @param {?string} sign  how the chart ended, drawn where its last state ends
 */
export function drawLane(pen, lane, view, { y, height, place }, end, sign) {
  const at = placer(view);
  const [bar, whole] = [height - (LANE - BAR), place === null || place === 0];
  const top = y + (LANE - BAR) / 2;
  const changes = lane.items.map(([time, , next]) => [time, activeIn(lane, next, place)]);
  const known = { changes, before: activeIn(lane, lane.before, place), finals: lane.finals };
  // No tick covers a name.
  const names = spans(pen, known, view, top, bar, end);
  if (whole) {
    durations(pen, lane, at, top);
    ticks(pen, lane, at, top);
    marks(pen, lane, at, top);
  }
  for (const write of names) write?.();
  const last = lane.items.at(-1);
  if (whole && sign && last && last[2] < 0) drawSign(pen, sign, at(last[0]), top + bar / 2);
}

/** What is active in a part of a chart while it has a configuration; null if that is unknown or nothing is. */
export function activeIn(lane, state, place) {
  if (state < 0) return null;
  return place === null || !lane.split ? lane.states[state] : lane.split[state][place];
}

/** Draw spans: {changes: [[time, name]], before, finals}; a name of null is a gap. */
export function drawSpans(pen, known, view, top, height, end) {
  for (const write of spans(pen, known, view, top, height, end)) write?.();
}

function placer(view) {
  const scale = view.width / (view.to - view.from);
  return (time) => Math.min(Math.max(view.left + (time - view.from) * scale, view.left), view.left + view.width);
}

/** Draw spans; return functions that write their names. */
function spans(pen, { changes, before, finals = [] }, view, top, height, end) {
  const at = placer(view);
  const names = [];
  let [x, name] = [view.left, before];
  for (const [time, next] of changes) {
    // Events that were handled or rejected within a state do not end the stay: its name is written once.
    if (next === name) continue;
    names.push(span(pen, name, [x, at(time)], [top, height], finals.includes(name)));
    [x, name] = [at(time), next];
  }
  names.push(span(pen, name, [x, at(end)], [top, height], finals.includes(name)));
  return names;
}

/** Draw how a chart ended, next to where its last state did. */
function drawSign(pen, sign, x, middle) {
  pen.font = FONT;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = colour(sign === "✕" ? "bad" : "ink");
  pen.fillText(sign, x + 3, middle + 0.5);
}

/** Draw a dot above each step that followed a history state or completed something. */
function marks(pen, lane, at, top) {
  pen.fillStyle = colour("accent");
  for (const [time, , , , , mark] of lane.items) {
    if (!(mark >= 0)) continue;
    pen.beginPath();
    pen.arc(at(time) + 0.5, top + 1, MARK, 0, 2 * Math.PI);
    pen.fill();
  }
}

/** Draw a span; return a function that writes its name into it, or null if there is not enough space. */
function span(pen, name, [from, to], [top, height], final) {
  if (!name || to <= from) return null;
  pen.fillStyle = stateFill(name);
  pen.fillRect(from, top, to - from, height);
  if (final) {
    // As in the picture, a final state has a second border.
    pen.strokeStyle = stateInk(name);
    pen.lineWidth = 1;
    pen.strokeRect(from + 1.5, top + 1.5, Math.max(0, to - from - 3), height - 3);
  }
  if (to - from < LEAST_TEXT) return null;
  pen.font = FONT;
  const text = visible(name);
  if (widthOf(pen, text) > to - from - 9) return null;
  return () => {
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    // The background around the letters stays clear, even among many ticks.
    pen.strokeStyle = stateFill(name);
    pen.lineWidth = HALO;
    pen.lineJoin = "round";
    pen.strokeText(text, from + 5, top + height / 2 + 0.5);
    pen.fillStyle = stateInk(name);
    pen.fillText(text, from + 5, top + height / 2 + 0.5);
  };
}

/** Draw steps that took long as lines along the lower edge, from where they began to the tick where they ended. */
function durations(pen, lane, at, top) {
  pen.fillStyle = colour("soft");
  for (const [begin, end] of lane.busy ?? []) {
    pen.fillRect(at(begin), top + BAR - TOOK, Math.max(0, at(end) - at(begin)), TOOK);
  }
}

function widthOf(pen, text) {
  let width = widths.get(text);
  if (width === undefined) {
    if (widths.size >= WIDTHS_KEPT) widths.clear();
    width = pen.measureText(text).width;
    widths.set(text, width);
  }
  return width;
}

/**
 * Draw events on the lower edge, taller where many fall on a pixel. Those that a guard refused are amber but not taller,
 * since that is normal. Failed ones are red and reach to the top.
 */
function ticks(pen, lane, at, top) {
  const inks = { [REFUSED]: colour("tick"), [FAILED]: colour("bad") };
  const plain = colour("soft");
  for (const [time, steps, , , kind] of lane.items) {
    if (!steps) continue; // another known part begins here
    const height = KINDS[kind] === FAILED ? BAR : Math.min(MOST_TICK, 3 + 2 * Math.log2(steps));
    pen.fillStyle = inks[KINDS[kind]] ?? plain;
    pen.fillRect(Math.round(at(time)), top + BAR - height, 1, height);
  }
}

/** Draw the name of a region or value in the gutter, below that of its chart. */
export function drawPartName(pen, name, { y, height }, { left, selected }) {
  pen.fillStyle = selected ? colour("accent-soft") : colour("panel");
  pen.fillRect(0, y, left, height);
  pen.fillStyle = colour("soft");
  pen.font = FONT;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillText(cut(pen, { name: visible(name), place: "", run: "" }, left - PART - 8), PART, y + height / 2);
}

/**
 * Draw a chart's label in the gutter, truncated so that it still differs from charts of the same name.
 * @param {?boolean} folded  null for a chart that has a single lane anyway
 */
export function drawName(pen, chart, y, { left, selected, chosen, folded = null }) {
  pen.fillStyle = selected ? colour("accent-soft") : colour("panel");
  pen.fillRect(0, y, left, LANE);
  if (chosen) {
    pen.fillStyle = colour("accent");
    pen.fillRect(0, y, 3, LANE);
  }
  pen.save();
  pen.beginPath();
  pen.rect(0, y, left - 8, LANE);
  pen.clip();
  pen.fillStyle = selected ? colour("accent") : colour("ink");
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  const inset = folded === null ? 10 : FOLD;
  pen.fillText(fitted(pen, chart, left - 8 - inset), inset, y + LANE / 2);
  if (folded !== null) {
    pen.fillStyle = colour("soft");
    pen.fillText(folded ? "▸" : "▾", 5, y + LANE / 2);
  }
  pen.restore();
}

function fitted(pen, chart, room) {
  const parts = labelParts(chart);
  const key = `${room}|${parts.name}${parts.place}${parts.run}`;
  if (!labels.has(key)) {
    if (labels.size >= WIDTHS_KEPT) labels.clear();
    labels.set(key, cut(pen, parts, room));
  }
  return labels.get(key);
}

function cut(pen, { name, place, run }, room) {
  const fits = (text) => pen.measureText(text).width <= room;
  const whole = name + place + run;
  if (whole.length <= MOST_MEASURED && fits(whole)) return whole;
  if (place && fits(`${name.slice(0, MOST_MEASURED)}…${run}`)) return `${name}…${run}`;
  const [front, end] = nameParts(name);
  const signs = [...front.slice(0, MOST_MEASURED)];
  const shown = (length) => `${signs.slice(0, length).join("")}…${end}${run}`;
  let length = signs.length;
  while (length && !fits(shown(length))) length -= 1;
  return shown(length);
}

/** Draw the line at the moment shown, with a handle on the ruler. */
export function drawMoment(pen, view, time) {
  const x = view.left + ((time - view.from) / (view.to - view.from)) * view.width;
  if (x < view.left || x > view.left + view.width) return;
  pen.fillStyle = colour("accent");
  pen.fillRect(Math.round(x) - 0.5, 0, 1.5, view.height);
  pen.beginPath();
  pen.moveTo(x - 6, 0);
  pen.lineTo(x + 6, 0);
  pen.lineTo(x + 6, 9);
  pen.lineTo(x, 15);
  pen.lineTo(x - 6, 9);
  pen.fill();
}
