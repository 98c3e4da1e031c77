// Draws the track of a value: a number as a line, anything else as spans.

import { visible } from "./format.js";
import { FONT, drawSpans } from "./timeline-draw.js";
import { colour } from "./theme.js";

const ROOM = 4; // pixels above and below a line

/**
 * Draw a track: {name, before, points} or {name, before, spans, texts}, with times in nanoseconds since the origin.
 * @param {[number, number]} known  the span in which the chart is known
 */
export function drawValue(pen, track, view, { y, height }, known) {
  if (track.points) drawNumber(pen, track, view, y, height, known);
  else drawTexts(pen, track, view, y + 3, height - 6, known);
  pen.fillStyle = colour("line");
  pen.fillRect(view.left, y + height - 1, view.width, 1);
}

/** What a track shows at a time, as text; null if that is unknown. */
export function valueAt(track, time) {
  let value = track.before;
  for (const [at, next] of track.points ?? track.spans) {
    if (at > time) break;
    value = next;
  }
  if (value === null || value === undefined) return null;
  return track.points ? String(value) : visible(track.texts[value]);
}

/** The lowest and highest number of a track; null if it has none. */
export function extentOf({ before, points }) {
  const all = points.flatMap(([, , low, high]) => [low, high]);
  if (before !== null) all.push(before);
  return all.length ? [all.reduce((a, b) => Math.min(a, b)), all.reduce((a, b) => Math.max(a, b))] : null;
}

function drawNumber(pen, track, view, y, height, [begin, end]) {
  const extent = extentOf(track);
  if (!extent) return;
  const [low, high] = extent;
  const at = placer(view);
  const level = (value) => {
    const share = high === low ? 0.5 : (value - low) / (high - low);
    return Math.round(y + height - 1 - ROOM - share * (height - 1 - 2 * ROOM)) + 0.5;
  };
  pen.strokeStyle = colour("accent");
  pen.lineWidth = 1.5;
  pen.lineJoin = "miter";
  pen.beginPath();
  let current = track.before;
  if (current !== null) pen.moveTo(at(begin), level(current));
  for (const [time, last, lowest, highest] of track.points) {
    const x = at(time);
    if (current === null) pen.moveTo(x, level(last));
    else pen.lineTo(x, level(current));
    current = last;
    // Where several changes fall on a pixel, the line reaches from the lowest to the highest.
    pen.lineTo(x, level(lowest));
    pen.lineTo(x, level(highest));
    pen.lineTo(x, level(last));
  }
  pen.lineTo(at(end), level(current));
  pen.stroke();
  pen.font = FONT;
  pen.textAlign = "left";
  pen.fillStyle = colour("soft");
  if (high !== low) {
    pen.textBaseline = "top";
    pen.fillText(shortNumber(high), view.left + 3, y + 1);
    pen.textBaseline = "bottom";
    pen.fillText(shortNumber(low), view.left + 3, y + height - 1);
  } else {
    pen.textBaseline = "bottom";
    pen.fillText(shortNumber(low), view.left + 3, y + height / 2 - 1);
  }
}

function drawTexts(pen, { before, spans, texts }, view, y, height, [begin, end]) {
  const first = before === null ? [] : [[begin, texts[before]]];
  const changes = [...first, ...spans.map(([time, place]) => [time, texts[place]])];
  drawSpans(pen, { changes, before: null }, view, y, height, end);
}

function placer(view) {
  const scale = view.width / (view.to - view.from);
  return (time) => Math.min(Math.max(view.left + (time - view.from) * scale, view.left), view.left + view.width);
}

/** Return a number in few characters. */
export function shortNumber(number) {
  if (Number.isInteger(number) && Math.abs(number) < 1e6) return String(number);
  return String(Number(number.toPrecision(4)));
}
