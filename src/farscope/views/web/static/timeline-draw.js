// Draws the timeline: ruler, lanes, spans, ticks, and the moment shown. Keeps no state besides a cache of labels.

import { FAILED, KINDS, REFUSED, clock, labelParts, midnight, nameParts, visible } from "./format.js";
import { colour, stateFill, stateInk } from "./theme.js";

export const LANE = 22;
export const RULER = 24;
const BAR = 16;
const MOST_TICK = 9; // of steps that did not fail: the upper half of a bar is for the name of the state
const TOOK = 3; // height in pixels of a step that took long
const LEAST_TEXT = 20; // minimum width in pixels of a span that may show the name of its state
const WIDTHS_KEPT = 5000;
const MOST_MEASURED = 80; // characters of a name; more do not fit in any gutter
const HALO = 4;
const widths = new Map();
const labels = new Map(); // truncated labels, by width and text
const FONT = "11px system-ui, sans-serif";
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
 * @param {object} lane  {states, signals, before, items: [[time, steps, state, signal, kind]], busy: [[begin, end]]}; an
 *   item without steps marks the start of another known part
 * @param {number} end  where the last state ends: now, or the moment up to which is known
 */
export function drawLane(pen, lane, view, y, end) {
  const scale = view.width / (view.to - view.from);
  const right = view.left + view.width;
  const at = (time) => Math.min(Math.max(view.left + (time - view.from) * scale, view.left), right);
  const top = y + (LANE - BAR) / 2;
  let x = view.left;
  let state = lane.before;
  const names = [];
  for (const [time, , next] of lane.items) {
    // Events that were handled or rejected within a state do not end the stay: its name is written once.
    if (next === state) continue;
    const to = at(time);
    names.push(span(pen, lane.states[state], x, to, top));
    x = to;
    state = next;
  }
  names.push(span(pen, lane.states[state], x, at(end), top));
  durations(pen, lane, at, top);
  ticks(pen, lane, at, top);
  // No tick covers a name.
  for (const write of names) write?.();
}

/** Draw a span; return a function that writes its name into it, or null if there is not enough space. */
function span(pen, name, from, to, top) {
  if (!name || to <= from) return null;
  pen.fillStyle = stateFill(name);
  pen.fillRect(from, top, to - from, BAR);
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
    pen.strokeText(text, from + 5, top + BAR / 2 + 0.5);
    pen.fillStyle = stateInk(name);
    pen.fillText(text, from + 5, top + BAR / 2 + 0.5);
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

/** Draw a chart's label in the gutter, truncated so that it still differs from charts of the same name. */
export function drawName(pen, chart, y, { left, selected, chosen }) {
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
  pen.fillText(fitted(pen, chart, left - 18), 10, y + LANE / 2);
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
