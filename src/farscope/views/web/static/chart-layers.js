// The inside of one state as layers from top to bottom: its border, then alternately a layer of labels and a row of
// states, a last layer of labels, and the border again. An arrow that passes a layer has a position in it.

import { labelOf } from "./chart-labels.js";

export const ATTACH = 12; // between two arrows at the same border

const DOT = 9; // an initial dot's width

const WEIGHTS = { child: 2, dot: 3, border: 2, label: 4, pass: 6 }; // how strongly each kind of end keeps its arrow straight
const GAPS = { child: 26, dot: 14, label: 12, pass: 13, border: 13 };

/**
 * Return {layers, items, chains}: `items` is a Map of child to item, `chains` a Map of arrow to {piece, items}
 * with its items from the upper end to the lower.
 *
 * @param {{rows: Map, order: object[], pieces: object[]}} plan
 * @param {function(object): {w: number, h: number, at: function(object): number}} sizeOf  of a child; `at` is the
 *   attachment point of an arrow, relative to the middle
 */
export function layersOf({ rows, order, pieces }, sizeOf) {
  const last = Math.max(...rows.values());
  const building = {
    layers: Array.from({ length: 2 * last + 5 }, () => []),
    items: new Map(),
    chains: new Map(),
    written: new Map(),
    sizeOf,
    rows,
  };
  for (const child of order) {
    const { w, h } = sizeOf(child);
    building.items.set(child, put(building, rowLayer(rows.get(child)), { kind: "child", child, w, h }));
  }
  for (const piece of pieces) building.chains.set(piece.arrow, { piece, items: chain(building, piece) });
  return building;
}

/** Return the least distance between two neighbours of a layer. */
export function gapBetween(one, other) {
  return one.beside ?? Math.min(GAPS[one.kind], GAPS[other.kind]);
}

function rowLayer(row) {
  return 2 + 2 * row;
}

function put(building, layer, item) {
  Object.assign(item, { layer, x: 0, place: 0, up: [], down: [] });
  building.layers[layer].push(item);
  return item;
}

function chain(building, piece) {
  const upper = endItem(building, piece.upper, 0);
  if (piece.turn) {
    const lower = endItem(building, piece.lower, 0);
    const label = labelItem(building, piece, upper.layer + 1);
    const back = put(building, upper.layer + 1, { kind: "pass", w: 0, h: 0 });
    label.turnTo = back;
    link(building, piece, upper, label);
    link(building, piece, lower, back);
    return [upper, label, back, lower];
  }
  const lower = endItem(building, piece.lower, building.layers.length - 1);
  const labelLayer = piece.label ? roomiest(building, piece, upper.layer, lower.layer) : -1;
  const items = [upper];
  for (let layer = upper.layer + 1; layer < lower.layer; layer += 1) {
    items.push(layer === labelLayer ? labelItem(building, piece, layer) : put(building, layer, { kind: "pass", w: 0, h: 0 }));
  }
  items.push(lower);
  for (let i = 1; i < items.length; i += 1) link(building, piece, items[i - 1], items[i]);
  return items;
}

function endItem(building, end, borderLayer) {
  if (end.child) return building.items.get(end.child);
  if (end.border) return put(building, borderLayer, { kind: "border", w: 0, h: 0 });
  return put(building, rowLayer(building.rows.get(end.dot)) - 1, { kind: "dot", w: DOT, h: DOT });
}

function labelItem(building, piece, layer) {
  const label = labelOf(piece.arrow);
  building.written.set(layer, (building.written.get(layer) ?? 0) + label.w);
  return put(building, layer, { kind: "label", label, w: label.w, h: label.h });
}

/** Return the emptiest layer of labels that an arrow passes; of equal ones, the nearest to its source. */
function roomiest(building, piece, from, to) {
  let best = -1;
  let least = Infinity;
  const layers = [];
  for (let layer = from + 1; layer < to; layer += 1) if (layer % 2 === 1) layers.push(layer);
  for (const layer of piece.forward ? layers : layers.reverse()) {
    const written = building.written.get(layer) ?? 0;
    if (written < least) {
      best = layer;
      least = written;
    }
  }
  return best;
}

function link(building, piece, upper, lower) {
  const one = {
    arrow: piece.arrow,
    upper,
    lower,
    upperAt: attached(building, piece, upper),
    lowerAt: attached(building, piece, lower),
    weight: Math.min(WEIGHTS[upper.kind], WEIGHTS[lower.kind]),
  };
  upper.down.push(one);
  lower.up.push(one);
}

function attached(building, piece, item) {
  return item.kind === "child" ? building.sizeOf(item.child).at(piece.arrow) : 0;
}
