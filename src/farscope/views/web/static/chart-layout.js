// The layout of a picture. States are laid out from the innermost outwards. An arrow that leaves a state passes its
// border at a position that the surrounding layout keeps. Thus no arrow crosses a state it does not belong to, and no
// label covers a state or another label.

import { headOf } from "./chart-labels.js";
import { besides, straighten } from "./chart-beside.js";
import { ATTACH, gapBetween, layersOf } from "./chart-layers.js";
import { attach, clearHead, lead } from "./chart-attach.js";
import { relax, reorder, spread } from "./chart-order.js";
import { loopOf, planOf } from "./chart-routes.js";

const INSET = 14; // between a state's border and its contents
const MARGIN = 16; // around the whole picture
const LEAF_WIDTH = 64; // minimum width of a state
const STEP = 15; // minimum distance between two layers that arrows join
const SLOPE = 0.07; // additional distance for each pixel that an arrow moves sideways
const MAX_SLOPE = 24;
const LANE = 9; // between two turns below one layer
const DOT_ABOVE = 20;

/**
 * Return the positions of everything:
 * {w, h, boxes: Map of state to {x, y, w, h, head, loop}, lines: [{arrow, runs, label}], dots: [{x, y, seen}]}.
 *
 * The runs of a line are its vertical parts {x, from, to, turn} in order; after one with a turn, the line continues
 * horizontally at that height to the next one. label is {x, y, w, h, lines} or null.
 */
export function layoutOf(model) {
  const plan = planOf(model);
  const insides = new Map();
  const whole = layInside(model.root, plan, insides);
  const layout = { w: whole.w, h: whole.h, boxes: new Map(), lines: [], dots: [] };
  const parts = new Map();
  place(model.root, 0, 0, insides, layout, parts);
  const arrows = [...model.arrows, ...model.initials];
  layout.lines = arrows.map((arrow) => lineOf(arrow, parts.get(arrow)));
  return layout;
}

/** Lay out the contents of a state; return {w, h, head, loop, at, children, chains} relative to its top left. */
function layInside(state, plan, insides) {
  const head = state.parent ? headOf(state) : { w: 0, h: 0 };
  const loop = loopOf(state);
  const inside = { head, loop, ports: new Map(), children: new Map(), chains: [], w: 0, h: 0 };
  insides.set(state, inside);
  if (state.children.length) {
    for (const child of state.children) layInside(child, plan, insides);
    levelRegions(state, plan.get(state), insides);
    fill(inside, state, plan.get(state), insides);
  } else if (state.parent) {
    inside.w = Math.max(LEAF_WIDTH, head.w, attachRoom(state, plan));
    inside.h = head.h + 4;
  }
  // A loop's label may be taller than its state.
  inside.h = Math.max(inside.h, loop.h + 6);
  return inside;
}

/** Make regions that are side by side equally high. */
function levelRegions({ children }, { rows }, insides) {
  const regions = children.filter((child) => child.region);
  if (new Set(regions.map((region) => rows.get(region))).size !== 1) return;
  const highest = Math.max(...regions.map((region) => insides.get(region).h));
  for (const region of regions) insides.get(region).h = highest;
}

/** Return the width that a state needs to keep its arrows apart. */
function attachRoom(state, plan) {
  const sides = { upper: 0, lower: 0 };
  for (const { upper, lower } of plan.get(state.parent).pieces) {
    if (upper.child === state) sides.upper += 1;
    if (lower.child === state) sides.lower += 1;
  }
  return Math.max(sides.upper, sides.lower) * ATTACH + 12;
}

function fill(inside, state, plan, insides) {
  const sizeOf = (child) => {
    const { w, h, loop, ports } = insides.get(child);
    return { w: w + loop.w, h, at: (arrow) => (ports.has(arrow) ? ports.get(arrow) - w / 2 : 0) - loop.w / 2 };
  };
  const built = layersOf(plan, sizeOf);
  reorder(built.layers);
  keepRegionsInOrder(built.layers);
  const beside = straighten(built);
  spread(built.layers, gapBetween);
  const attachAll = () => built.items.forEach((item, child) => attach(item, insides.get(child)));
  attachAll();
  relax(built.layers, gapBetween);
  const edges = sideEdges(built.layers, inside.head, state.parent ? INSET : MARGIN);
  clearHead(built.layers[0], edges, inside.head);
  attachAll();
  for (const item of built.layers.flat()) if (item.kind === "label") lead(item);
  const levels = levelsOf(built.layers, inside.head, state.parent ? INSET : MARGIN);
  inside.w = edges.right - edges.left;
  inside.h = levels.at(-1).bottom;
  for (const layer of built.layers) for (const item of layer) item.x -= edges.left;
  for (const [child, item] of built.items) {
    const { top, bottom } = levels[item.layer];
    item.y = (top + bottom - item.h) / 2;
    inside.children.set(child, { x: item.x - item.w / 2, y: item.y });
  }
  inside.chains.push(...besides(beside, (item) => insides.get(item.child)));
  for (const [arrow, chain] of built.chains) {
    inside.chains.push(walked(arrow, chain, levels));
    for (const [end, item] of [[chain.piece.upper, chain.items[0]], [chain.piece.lower, chain.items.at(-1)]]) {
      if (end.passing) inside.ports.set(arrow, item.x);
    }
  }
}

/** Regions stand in document order, in which they are entered. */
function keepRegionsInOrder(layers) {
  for (const layer of layers) {
    const regions = layer.filter((item) => item.child?.region).sort((one, other) => one.child.id - other.child.id);
    if (!regions.length) continue;
    layer.forEach((item, place) => {
      if (item.child?.region) layer[place] = regions.shift();
    });
    layer.forEach((item, place) => (item.place = place));
  }
}

function sideEdges(layers, head, inset) {
  const items = layers.flat();
  let left = Math.min(...items.map((item) => item.x - item.w / 2)) - inset;
  let right = Math.max(...items.map((item) => item.x + item.w / 2)) + inset;
  const missing = (head.w - (right - left)) / 2;
  if (missing > 0) {
    left -= missing;
    right += missing;
  }
  return { left, right };
}

/** Return {top, bottom} of each layer. */
function levelsOf(layers, head, inset) {
  const levels = [{ top: 0, bottom: head.h }];
  let empty = true;
  for (let i = 1; i < layers.length; i += 1) {
    const links = layers[i].flatMap((item) => item.up);
    const moves = links.map((link) => Math.abs(link.upper.x + link.upperAt - link.lower.x - link.lowerAt));
    const height = Math.max(0, ...layers[i].map((item) => item.room ?? item.h));
    let gap = 0;
    if (links.length) gap = STEP + Math.min(MAX_SLOPE, Math.max(...moves) * SLOPE);
    else if (height > 0) gap = empty ? 4 : STEP;
    if (empty && height > 0) gap = Math.max(gap, head.h ? 4 : inset);
    if (i === layers.length - 1) gap = Math.max(gap, inset);
    if (height > 0) empty = false;
    const top = (levels[i - 1].below ?? levels[i - 1].bottom) + gap;
    const bottom = top + height;
    // Turns have separate lanes below the labels, the shorter ones nearer.
    const turns = layers[i].filter((item) => item.turnTo).sort((one, other) => reach(one) - reach(other));
    turns.forEach((item, lane) => (item.lane = bottom + LANE * (lane + 1)));
    levels.push({ top, bottom, below: bottom + LANE * turns.length });
  }
  return levels;
}

/** Return {arrow, runs, label, dot} of an arrow's part within a state, in order. */
function walked(arrow, { piece, items }, levels) {
  const runs = items.map((item, i) => {
    const { top, bottom } = levels[item.layer];
    return { x: item.x + attachAt(arrow, item, i, piece), from: top, to: bottom, item };
  });
  const upper = runs[0];
  const lower = runs.at(-1);
  if (upper.item.kind === "child") upper.from = upper.item.y + upper.item.h;
  if (lower.item.kind === "child") lower.to = lower.item.y;
  if (upper.item.kind === "dot") startNear(upper, lower);
  if (piece.turn) {
    const [, label, back] = runs;
    label.turn = label.item.lane;
    [back.from, back.to] = [back.to, back.from];
    [lower.from, lower.to] = [levels[lower.item.layer].bottom, lower.item.y + lower.item.h];
  }
  if (!piece.forward) {
    runs.reverse();
    for (const run of runs) [run.from, run.to] = [run.to, run.from];
  }
  const written = items.find((item) => item.kind === "label");
  const label = written && { ...written.label, x: written.x - written.w / 2, y: centred(written, levels) };
  const dot = piece.upper.dot ? { x: upper.x, y: upper.from } : null;
  return { arrow, runs, label: label ?? null, dot };
}

function attachAt(arrow, item, i, piece) {
  if (item.kind !== "child") return item.lead ?? 0;
  const down = i === 0 || piece.turn;
  const link = (down ? item.down : item.up).find((one) => one.arrow === arrow);
  return down ? link.upperAt : link.lowerAt;
}

/** Place an initial dot directly above its state, even if the state is lower than its row. */
function startNear(dot, state) {
  dot.to = Math.max(dot.to, state.to - DOT_ABOVE);
  dot.from = dot.to;
  state.from = Math.max(state.from, dot.to);
}

function reach(item) {
  return Math.abs(item.x - item.turnTo.x);
}

function centred(item, levels) {
  return (levels[item.layer].top + levels[item.layer].bottom - item.h) / 2;
}

/** Convert positions within each state to positions in the picture. */
function place(state, x, y, insides, layout, parts) {
  const inside = insides.get(state);
  if (state.parent) layout.boxes.set(state, { x, y, w: inside.w, h: inside.h, head: inside.head, loop: inside.loop });
  for (const { arrow, runs, label, dot } of inside.chains) {
    const moved = runs.map((run) => moveRun(run, x, y));
    const known = parts.get(arrow) ?? { runs: [], label: null };
    parts.set(arrow, { pieces: [...(known.pieces ?? []), { holder: state, runs: moved }], label: label ? { ...label, x: label.x + x, y: label.y + y } : known.label });
    if (dot) layout.dots.push({ x: dot.x + x, y: dot.y + y, seen: arrow.seen });
  }
  for (const [child, at] of inside.children) place(child, x + at.x, y + at.y, insides, layout, parts);
}

function moveRun({ x, from, to, turn }, right, down) {
  return { x: x + right, from: from + down, to: to + down, turn: turn === undefined ? null : turn + down };
}

/** Join an arrow's parts: out of its source from the inside outwards, and into its target from the outside. */
function lineOf(arrow, { pieces, label }) {
  const shared = pieces[0];
  const out = pieces.slice(1).filter((piece) => isAbove(piece.holder, arrow.source));
  const into = pieces.slice(1).filter((piece) => !isAbove(piece.holder, arrow.source));
  return { arrow, runs: [...out.reverse(), shared, ...into].flatMap((piece) => piece.runs), label };
}

function isAbove(holder, state) {
  let at = state;
  while (at && at !== holder) at = at.parent;
  return Boolean(at);
}
