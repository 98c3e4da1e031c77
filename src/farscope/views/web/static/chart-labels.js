// The texts of a picture, truncated, and the space they need. All counts get the same space, so that counting moves
// nothing.

import { historySign, stereotype } from "./chart-captions.js";
import { shown } from "./chart-model.js";
import { count } from "./format.js";

// The font sizes are those of chart-picture.css.
const FAMILY = "system-ui, sans-serif";

const FONTS = { name: `600 13px ${FAMILY}`, note: `11px ${FAMILY}` };

const WIDTHS_KEPT = 5000; // texts whose width is cached; above that, the cache is cleared
const widths = new Map();
let pen = null;
let penFont = "";

const heads = new WeakMap();
const labels = new WeakMap();

const NAME_ROOM = 210; // pixels for a state's name; a longer one is truncated and shown in full on hover
const SIGNAL_ROOM = 150;
const MAX_LINES = 6; // signals on an arrow or in a state; the rest is counted, and listed on hover

export const LINE = 15; // height of a line of signals
export const NAME_LINE = 26; // height of the line with a state's name
export const SIDE = 11; // space left and right of text in a box
export const SIGN = 22; // width of the sign of a final or history state, left of its name

/** Return {name, sign, lines, w, h} of a state's head; `sign` is the width of its sign. The state must be complete. */
export function headOf(state) {
  return made(heads, state, makeHead);
}

/** Return {lines, w, h} of an arrow's label; the arrow must be complete. */
export function labelOf(arrow) {
  return made(labels, arrow, makeLabel);
}

function made(known, thing, make) {
  if (!known.has(thing)) known.set(thing, make(thing));
  return known.get(thing);
}

function makeHead(state) {
  const name = shortened(`${stereotype(state.kind)}${state.name}`, NAME_ROOM, FONTS.name);
  const sign = state.kind === "final" || historySign(state.kind) ? SIGN : 0;
  const lines = linesOf(state.remarks);
  const w = Math.max(widthOf(name, FONTS.name) + sign, ...lines.map((line) => line.w)) + 2 * SIDE;
  return { name, sign, lines, w: Math.ceil(w), h: NAME_LINE + (lines.length ? lines.length * LINE + 6 : 0) };
}

function makeLabel(arrow) {
  const lines = linesOf(arrow.signals);
  return { lines, w: Math.ceil(Math.max(...lines.map((line) => line.w)) + 8), h: lines.length * LINE + 2 };
}

/** Return the text of a count: empty for what has not been seen yet. */
export function times(number) {
  return number > 0 ? ` ×${count(number)}` : "";
}

/** A line is {text, notes, w, whole}; the last one stands for the signals that did not fit. */
function linesOf(signals) {
  const whole = signals.length <= MAX_LINES;
  const first = whole ? signals : signals.slice(0, MAX_LINES - 1);
  const lines = first.map((note) => {
    const cut = shortened(note.text, SIGNAL_ROOM, FONTS.note);
    const text = note.outcome ? `${cut} ${note.outcome}` : cut;
    return { text, notes: [note], whole: cut === shown(note.text) && !note.handler, w: widthOf(text, FONTS.note) + widthOf(" ×9,999", FONTS.note) };
  });
  if (!whole) {
    const more = signals.slice(MAX_LINES - 1);
    const text = `and ${more.length} more`;
    lines.push({ text, notes: more, whole: false, w: widthOf(`${text} ×9,999`, FONTS.note) });
  }
  return lines;
}

function widthOf(text, font) {
  const key = `${font}|${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size >= WIDTHS_KEPT) widths.clear();
    pen ??= document.createElement("canvas").getContext("2d");
    if (font !== penFont) pen.font = penFont = font;
    width = pen.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/** Return `text` as shown, truncated to a width, with an ellipsis where something was removed. */
function shortened(text, room, font) {
  const whole = shown(text);
  // Measuring time grows with the length; ten thousand characters are never shown.
  if (whole.length < 400 && widthOf(whole, font) <= room) return whole;
  const signs = [...new Intl.Segmenter().segment(whole.slice(0, 400))].map((one) => one.segment);
  let fits = 1;
  let fails = signs.length;
  while (fails - fits > 1) {
    const middle = (fits + fails) >> 1;
    if (widthOf(`${signs.slice(0, middle).join("")}…`, font) <= room) fits = middle;
    else fails = middle;
  }
  return `${signs.slice(0, fits).join("").trimEnd()}…`;
}
