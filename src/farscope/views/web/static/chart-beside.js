// Arrows between neighbours in a row, from side to side, with the label in between.

import { canBeBeside } from "./chart-routes.js";

const APART = 12; // between the arrow there and the arrow back
const ROOM = 24; // for the ends of an arrow, besides its label

/**
 * Remove from the layers each arrow between neighbours in a row that can be drawn straight from side to side. The left
 * neighbour keeps the necessary distance in `beside`. Returns the removed arrows.
 */
export function straighten({ layers, chains }) {
  const taken = [];
  for (const [arrow, chain] of chains) {
    const { piece, items } = chain;
    const [from, label, back, to] = items;
    if (!piece.turn || !canBeBeside(arrow, from.child, to.child) || Math.abs(from.place - to.place) !== 1) continue;
    layers[label.layer] = layers[label.layer].filter((item) => item !== label && item !== back);
    for (const item of [from, to]) item.down = item.down.filter((link) => link.arrow !== arrow);
    chains.delete(arrow);
    const left = from.place < to.place ? from : to;
    left.beside = Math.max(left.beside ?? 0, label.w + ROOM);
    taken.push({ arrow, from, to, label });
  }
  layers.forEach((layer) => layer.forEach((item, place) => (item.place = place)));
  for (const { from, to } of taken) {
    // Both labels of a pair lie outside its two arrows; the row is high enough for that.
    const both = taken.some((one) => one.from === to && one.to === from);
    const labels = taken.filter((one) => [one.from, one.to].includes(from) && [one.from, one.to].includes(to));
    const highest = Math.max(...labels.map((one) => one.label.h));
    from.room = Math.max(from.room ?? from.h, (highest + 4) * 2 + (both ? APART : 0));
  }
  return taken;
}

/** Return {arrow, beside, label} of removed arrows; `beside` is {from, to, y} in the items' coordinates. */
export function besides(taken, boxes) {
  return taken.map(({ arrow, from, to, label }) => {
    const both = taken.some((one) => one.from === to && one.to === from);
    const rightwards = from.place < to.place;
    const [left, right] = rightwards ? [from, to] : [to, from];
    const [start, end] = [left.x - left.w / 2 + boxes(left).w, right.x - right.w / 2];
    const middle = (Math.max(left.y, right.y) + Math.min(left.y + left.h, right.y + right.h)) / 2;
    let y = middle;
    if (both) y += rightwards ? -APART / 2 : APART / 2;
    const labelY = both && !rightwards ? y + 3 : y - label.h - 2;
    const written = { ...label.label, x: (start + end - label.w) / 2, y: labelY };
    const runs = [{ x: rightwards ? start : end, from: y, to: y, turn: null }, { x: rightwards ? end : start, from: y, to: y, turn: null }];
    return { arrow, runs, label: written, dot: null };
  });
}
