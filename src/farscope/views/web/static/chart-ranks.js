// The row of each state: initial states first, then along the arrows, from left to right and from top to bottom, in
// rows of a readable overall shape.

const WIDE = 1.45; // preferred ratio of width to height of a composite state
const ROW_GAP = 52; // minimum space between two rows: an arrow with its label
const GAP = 30; // minimum space between two states of a row
const HOLLOW_COST = 0.45; // cost of empty space, relative to a deviation from the preferred ratio
const TURN_COST = 0.8; // cost if every arrow had to turn back into its own row
const FOLD_COST = 0.3; // cost of rows in alternating directions
const WIDTHS_TRIED = 6;
const REGIONS_WIDE = 5; // ratio of width to height above which regions are stacked

/**
 * Return {rows, order, w, h}: the row of each node, from 0, the reading order, and the approximate size.
 *
 * @param {Array<{w: number, h: number}>} sizes
 * @param {Array<{from: number, to: number, room: number}>} links  arrows between them, by index; `room` is the
 *   width needed to draw one from side to side, Infinity if that is impossible
 * @param {number[]} starts  indices of those that come first
 */
export function rowsOf(sizes, links, starts) {
  const order = readingOrder(sizes.length, links, starts);
  const rows = layered(sizes, links, order);
  let best = null;
  for (const { tried, price } of [{ tried: rows, price: 0 }, ...wrapped(sizes, rows), ...folded(rows)]) {
    const shape = shapeOf(sizes, links, order, tried);
    shape.cost += price;
    // Arrangements that change less come first, and win unless another is clearly better.
    if (!best || shape.cost < best.cost - 0.02) best = { ...shape, rows: tried };
  }
  return { rows: best.rows, order, w: best.w, h: best.h };
}

/**
 * Return the same for the regions of a state: side by side in their order, or one below the other where that would be
 * too wide. What is not a region comes first.
 *
 * @param {Array<{w: number, h: number}>} sizes
 * @param {boolean[]} regions  which of them are regions
 */
export function regionRows(sizes, regions) {
  const first = regions.every(Boolean) ? 0 : 1;
  const sum = (side) => sizes.reduce((total, size, node) => total + (regions[node] ? size[side] + GAP : 0), 0);
  const most = (side) => Math.max(...sizes.filter((_, node) => regions[node]).map((size) => size[side]));
  const stacked = sum("w") / most("h") > REGIONS_WIDE && sum("w") > most("w") * 1.5;
  let row = first;
  const rows = regions.map((region) => (region ? (stacked ? row++ : first) : 0));
  const order = sizes.map((_, node) => node);
  return { rows, order, w: stacked ? most("w") : sum("w"), h: (stacked ? sum("h") : most("h")) + first * ROW_GAP };
}

/** Order each node before those it leads to, except in cycles. */
function readingOrder(count, links, starts) {
  const next = Array.from({ length: count }, () => []);
  for (const { from, to } of links) next[from].push(to);
  const seen = new Set();
  const order = [];
  const visit = (node, finished) => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const one of next[node]) visit(one, finished);
    finished.push(node);
  };
  for (const root of [...starts, ...next.keys()]) {
    const finished = [];
    visit(root, finished);
    order.push(...finished.reverse());
  }
  return order;
}

/** Place each node below those that lead to it, or further down if the row is full. */
function layered(sizes, links, order) {
  const place = placesIn(order);
  const area = sizes.reduce((sum, size) => sum + (size.w + GAP) * (size.h + ROW_GAP), 0);
  const room = Math.max(Math.sqrt(area * WIDE), ...sizes.map((size) => size.w + GAP));
  const rows = new Array(sizes.length).fill(0);
  const before = sizes.map(() => []);
  for (const { from, to } of links) {
    // An arrow against the reading order is drawn upwards and moves nothing down.
    const [first, second] = place[from] < place[to] ? [from, to] : [to, from];
    before[second].push(first);
  }
  const taken = [];
  for (const node of order) {
    let row = Math.max(0, ...before[node].map((one) => rows[one] + 1));
    while ((taken[row] ?? 0) > 0 && taken[row] + sizes[node].w + GAP > room) row += 1;
    taken[row] = (taken[row] ?? 0) + sizes[node].w + GAP;
    rows[node] = row;
  }
  return rows;
}

/** Put consecutive rows side by side, for several maximum widths. */
function wrapped(sizes, rows) {
  const widths = [];
  rows.forEach((row, node) => (widths[row] = (widths[row] ?? 0) + sizes[node].w + GAP));
  const least = Math.max(...widths);
  const most = widths.reduce((sum, width) => sum + width, 0);
  const ways = new Map();
  for (let step = 0; step <= WIDTHS_TRIED; step += 1) {
    const room = least + ((most - least) * step) / WIDTHS_TRIED;
    let row = 0;
    let taken = 0;
    const joined = widths.map((width) => {
      if (taken > 0 && taken + width > room + 1) {
        row += 1;
        taken = 0;
      }
      taken += width;
      return row;
    });
    ways.set(joined.join(), { tried: rows.map((one) => joined[one]), price: 0 });
  }
  return ways.values();
}

/** Fold rows into alternating directions, so that a long cycle becomes round. */
function* folded(rows) {
  const count = Math.max(0, ...rows) + 1;
  for (let kept = count - 1; kept >= 2; kept -= 1) {
    const period = 2 * (kept - 1);
    const tried = rows.map((row) => Math.min(row % period, period - (row % period)));
    yield { tried, price: FOLD_COST };
  }
}

function shapeOf(sizes, links, order, rows) {
  const place = placesIn(order);
  const widths = [];
  const heights = [];
  rows.forEach((row, node) => {
    widths[row] = (widths[row] ?? 0) + sizes[node].w + GAP;
    heights[row] = Math.max(heights[row] ?? 0, sizes[node].h);
  });
  let turns = 0;
  for (const { from, to, room } of links) {
    if (rows[from] !== rows[to]) continue;
    const apart = rows.filter((row, node) => row === rows[from] && (place[node] - place[from]) * (place[node] - place[to]) < 0).length;
    if (apart > 0 || room === Infinity) turns += 1;
    else if (place[from] < place[to]) widths[rows[from]] += room;
  }
  const w = Math.max(...widths, 1);
  const h = Math.max(heights.reduce((sum, one) => sum + one + ROW_GAP, 0) - ROW_GAP, 1);
  const filled = sizes.reduce((sum, size) => sum + size.w * size.h, 0);
  const cost = Math.abs(Math.log(w / h / WIDE)) + (TURN_COST * turns) / (links.length + 1) + HOLLOW_COST * Math.log((w * h) / filled);
  return { w, h, cost };
}

function placesIn(order) {
  const place = [];
  order.forEach((node, at) => (place[node] = at));
  return place;
}
