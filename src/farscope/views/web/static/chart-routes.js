// The route of each arrow through the tree of states: out of the states that contain its source, down, up or around
// within the state that contains both ends, and into those that contain its target.

import { headOf, labelOf } from "./chart-labels.js";
import { holds } from "./chart-model.js";
import { regionRows, rowsOf } from "./chart-ranks.js";

const LOOP_ROOM = 24; // width of the loop itself, next to its label
const BESIDE_ROOM = 14; // width of an arrow from side to side besides its label

/**
 * Return the plan of a model: Map of each state with children (and the root) to {rows, order, pieces}.
 *
 * rows: Map of child to its row; order: the children in reading order. pieces: [{arrow, upper, lower, forward,
 * label, turn}], the part of an arrow within that state, from its upper to its lower end; `forward` means that it
 * leads downwards. An end is {child} for a state, {dot} for an initial dot, {border: "top"|"bottom"} for the
 * holder's own border. A piece with `turn` joins two children of one row from below; upper is where it starts, lower
 * where it ends.
 */
export function planOf(model) {
  const routes = [...model.arrows.map(routeOf), ...model.initials.map(dotRouteOf)];
  const plan = new Map();
  planInside(model.root, routes, plan);
  for (const route of routes) addPieces(route, plan);
  return plan;
}

/** Return the loop to the right of a state with a transition to itself: {w, h, label}. */
export function loopOf(state) {
  if (!state.loop) return { w: 0, h: 0, label: null };
  const label = labelOf(state.loop);
  return { w: LOOP_ROOM + label.w, h: label.h, label };
}

/** Choose the rows of a state and of all its descendants; return its approximate size. */
function planInside(state, routes, plan) {
  const head = state.parent ? headOf(state) : { w: 0, h: 0 };
  const loop = loopOf(state);
  const { children } = state;
  if (!children.length) return { w: head.w + loop.w, h: Math.max(head.h + 4, loop.h + 6) };
  const sizes = children.map((child) => planInside(child, routes, plan));
  const here = routes.filter((route) => route.holder === state);
  const starts = here.filter((route) => !route.label).map((route) => children.indexOf(route.to));
  const links = here.filter((route) => route.from && route.to).map((route) => linkOf(route, children));
  const parallel = children.some((child) => child.region);
  const { rows, order, w, h } = parallel ? regionRows(sizes, children.map((child) => child.region)) : rowsOf(sizes, links, starts);
  const rowOf = new Map(children.map((child, place) => [child, rows[place]]));
  plan.set(state, { rows: rowOf, order: order.map((place) => children[place]), pieces: [] });
  return { w: Math.max(w, head.w) + loop.w, h: h + head.h + 40 };
}

function linkOf({ arrow, from, to }, children) {
  const room = canBeBeside(arrow, from, to) ? labelOf(arrow).w + BESIDE_ROOM : Infinity;
  return { from: children.indexOf(from), to: children.indexOf(to), room };
}

/** Return whether an arrow can be drawn from side to side: it joins the two themselves, and no loop is in between. */
export function canBeBeside(arrow, from, to) {
  return arrow.source === from && arrow.target === to && !from.loop && !to.loop;
}

function routeOf(arrow) {
  const { source, target } = arrow;
  const label = true;
  if (holds(source, target)) return { arrow, holder: source, from: null, to: childIn(source, target), label };
  if (holds(target, source)) return { arrow, holder: target, from: childIn(target, source), to: null, label };
  let holder = source.parent;
  while (!holds(holder, target)) holder = holder.parent;
  return { arrow, holder, from: childIn(holder, source), to: childIn(holder, target), label };
}

function dotRouteOf(arrow) {
  return { arrow, holder: arrow.source, from: null, to: childIn(arrow.source, arrow.target), label: false };
}

/** Return the child of `holder` that is `state` or contains it. */
function childIn(holder, state) {
  let at = state;
  while (at.parent !== holder) at = at.parent;
  return at;
}

function addPieces({ arrow, holder, from, to, label }, plan) {
  const { rows, pieces } = plan.get(holder);
  let upwards = false;
  let turn = false;
  if (from && to) {
    upwards = rows.get(from) > rows.get(to);
    turn = rows.get(from) === rows.get(to);
  }
  const first = from ? { child: from } : firstEnd(to, label);
  const last = to ? { child: to } : { border: "bottom" };
  pieces.push({ arrow, upper: upwards ? last : first, lower: upwards ? first : last, forward: !upwards, label, turn });
  if (from) addPassages(arrow, arrow.source, holder, upwards ? "top" : "bottom", plan, false);
  if (to) addPassages(arrow, arrow.target, holder, upwards || turn ? "bottom" : "top", plan, true);
}

function firstEnd(to, label) {
  return label ? { border: "top" } : { dot: to };
}

/** Add the parts of an arrow between `state` and `holder`: it passes all borders in between on the same side. */
function addPassages(arrow, state, holder, side, plan, inwards) {
  let child = state;
  for (let at = state.parent; at !== holder; at = at.parent) {
    const border = { border: side, passing: true };
    const top = side === "top";
    const forward = top === inwards;
    const piece = { arrow, upper: top ? border : { child }, lower: top ? { child } : border, forward, label: false, turn: false };
    plan.get(at).pieces.push(piece);
    child = at;
  }
}
