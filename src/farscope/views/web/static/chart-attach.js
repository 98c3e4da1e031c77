// Attachment points of arrows: positions along a border, and the path through a label.

import { ATTACH } from "./chart-layers.js";
import { apart } from "./chart-order.js";

const CORNER = 8; // of a state; no arrow ends there
const LABEL_END = 7; // of a label; an arrow keeps this distance from its left and right ends
const FIXED = 1e6; // weight of a position that cannot move
const PASSAGE = 14; // between the outermost arrow through a border and the corner

/** Let arrows through the upper border pass to the right of the name; `edges` may grow to make room. */
export function clearHead(border, edges, head) {
  let least = edges.left + head.w + 4;
  for (const item of border) {
    item.x = Math.max(item.x, least);
    least = item.x + ATTACH;
    edges.right = Math.max(edges.right, item.x + PASSAGE);
  }
}

/** Spread the arrows that end at a state along its borders, ordered by where they come from. */
export function attach(item, { w, ports }) {
  const left = item.x - item.w / 2;
  const range = [left + CORNER, left + w - CORNER];
  attachSide(item, ports, range, item.up.map((link) => ({ link, near: "lowerAt", far: link.upper, farAt: link.upperAt })));
  attachSide(item, ports, range, item.down.map((link) => ({ link, near: "upperAt", far: link.lower, farAt: link.lowerAt })));
}

function attachSide(item, ports, [lowest, highest], ends) {
  const fixed = ends.filter(({ link }) => ports.has(link.arrow));
  const free = ends.filter(({ link }) => !ports.has(link.arrow));
  if (!free.length) return;
  for (const end of fixed) end.at = item.x + end.link[end.near];
  fixed.sort((one, other) => one.at - other.at);
  fixed.forEach((end, slot) => (end.slot = slot));
  for (const end of free) {
    end.at = Math.min(highest, Math.max(lowest, end.far.x + end.farAt));
    // Between the fixed ones, where it crosses the fewest of them.
    end.slot = fixed.filter((one) => one.far.place < end.far.place).length - 0.5;
  }
  const all = [...fixed, ...free].sort((one, other) => one.slot - other.slot || one.far.place - other.far.place);
  const distance = Math.min(ATTACH, (highest - lowest) / Math.max(1, all.length - 1));
  const wanted = all.map((end) => end.at);
  const weights = all.map((end) => (ports.has(end.link.arrow) ? FIXED : 1));
  const places = within(apart(wanted, weights, new Array(all.length).fill(distance)), lowest, highest, distance);
  all.forEach((end, i) => {
    if (!ports.has(end.link.arrow)) end.link[end.near] = places[i] - item.x;
  });
}

function within(places, lowest, highest, distance) {
  const moved = [...places];
  moved.forEach((_, i) => (moved[i] = Math.max(moved[i], i ? moved[i - 1] + distance : lowest)));
  for (let i = moved.length - 1; i >= 0; i -= 1) {
    moved[i] = Math.min(moved[i], i < moved.length - 1 ? moved[i + 1] - distance : highest);
  }
  return moved;
}

/** Route an arrow through its label where it bends least. */
export function lead(label) {
  const ends = [...label.up.map((link) => link.upper.x + link.upperAt), ...label.down.map((link) => link.lower.x + link.lowerAt)];
  const wanted = ends.reduce((sum, end) => sum + end, 0) / ends.length;
  const most = Math.max(0, label.w / 2 - LABEL_END);
  label.lead = Math.min(most, Math.max(-most, wanted - label.x));
}
