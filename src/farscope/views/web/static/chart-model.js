// The content of a chart's picture before layout: a tree of states, and arrows.

import { caption, historySign, targetsOf } from "./chart-captions.js";
import { visible } from "./format.js";

/** Every state is entered and left, but whether it reacts is not recorded, so "not yet seen" would be wrong. */
const UNTOLD = new Set(["ENTRY_SIGNAL", "EXIT_SIGNAL"]);

/**
 * Return text for a picture: invisible characters, and those not allowed in XML, become visible escapes.
 */
export function shown(text) {
  return visible(text).replace(/[\ufffe\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16)}`);
}

/**
 * Return the part of a picture that determines the layout. While it is the same, only counts have changed.
 */
export function shapeOf(structure, transitions) {
  return JSON.stringify([
    structure.states.map((state) => [state.name, state.parent, state.kind]),
    structure.reactions.map((one) => [one.state, one.signal, ...targetsOf(one), one.guard, one.delay, one.flags]).sort(),
    (structure.initials ?? []).map((one) => [one.state, one.target, one.seen]).sort(),
    transitions.map((one) => [one.source, one.target, one.signal, one.outcome ?? "", one.handler ?? ""]).sort(),
  ]);
}

/**
 * Return transitions with each arrow from a composite state split by the leaves it was taken from.
 *
 * A split transition leads from its leaf and has a `handler`, the composite state. What was taken from no single leaf
 * keeps its source.
 *
 * @param {object[]} transitions
 * @param {Array<{source: string, target: string, signal: string, leaf: string, count: number}>} leaves
 */
export function byLeaf(transitions, leaves) {
  const taken = new Map();
  const keyOf = ({ source, target, signal }) => JSON.stringify([source, target, signal]);
  for (const one of leaves) taken.set(keyOf(one), [...(taken.get(keyOf(one)) ?? []), one]);
  return transitions.flatMap((one) => {
    const parts = one.target === "" ? [] : (taken.get(keyOf(one)) ?? []);
    const rest = one.count - parts.reduce((sum, { count }) => sum + count, 0);
    const split = parts.map(({ leaf, count }) => ({ ...one, source: leaf, handler: one.source, count }));
    return parts.length && rest <= 0 ? split : [...split, { ...one, count: rest }];
  });
}

/**
 * Return {root, states, arrows, initials} for what ChartPicture.setStructure takes.
 *
 * root and states: {id, name, parent, kind, region, depth, children, remarks, loop}; the root has no name and holds the
 * outermost.
 * arrows: {source, target, signals}, one for all signals between two states; a loop is on its state instead.
 * initials: {source, target, seen}, the source being the state (or the root) whose initial transition it is.
 * signals and remarks: [{signal, outcome, handler, text, count}] by signal; a count of 0 was announced and not yet seen.
 * The outcome of a remark, if the state did not handle the event, is the word that the server sends.
 *
 * The order of transitions and reactions makes no difference; the order of states does.
 */
export function modelOf(structure, transitions) {
  const tree = treeOf(structure, transitions);
  const arrows = new Map();
  const announced = new Map();
  for (const one of structure.reactions) {
    const key = JSON.stringify([one.state, one.signal]);
    announced.set(key, [...(announced.get(key) ?? []), one]);
  }
  const note = (state, target, signal, { outcome = "", handler = "", count = 0, reactions }) => {
    const source = tree.find(state);
    const notes = target === "" ? source.remarks : arrowOf(arrows, source, tree.find(target)).signals;
    notes.push({ signal, outcome, handler, text: caption(signal, reactions), count });
  };
  const seen = new Set();
  const tried = new Set();
  const arrived = new Set();
  for (const { source, target, signal, outcome = "", handler = "", count } of transitions) {
    const key = JSON.stringify([handler || source, signal]);
    (outcome ? tried : seen).add(key);
    arrived.add(JSON.stringify([handler || source, signal, target]));
    const known = announced.get(key) ?? [];
    const reactions = outcome ? known : known.filter((one) => one.target === "" || targetsOf(one).includes(target));
    note(source, target, signal, { outcome, handler, count, reactions });
  }
  for (const { state } of structure.initials ?? []) seen.add(JSON.stringify([state, "INIT_SIGNAL"]));
  for (const reaction of structure.reactions) {
    const { state, target, signal } = reaction;
    const key = JSON.stringify([state, signal]);
    // Guards decide between several ways, and one of them shows nothing about the others.
    const ways = announced.get(key).filter((one) => one.target !== "").length;
    const other = ways > 1 && target !== "" && !targetsOf(reaction).some((one) => arrived.has(JSON.stringify([state, signal, one])));
    // A guard's refusal does not show where the arrow would have led.
    if (UNTOLD.has(signal) || (seen.has(key) && !other) || (target === "" && tried.has(key))) continue;
    if (signal === "INIT_SIGNAL" && seen.has(key)) continue;
    for (const to of targetsOf(reaction)) note(state, to, signal, { reactions: [reaction] });
  }
  for (const state of tree.states) state.remarks.sort(bySignal);
  for (const arrow of arrows.values()) arrow.signals.sort(bySignal);
  const sorted = [...arrows.values()].sort((a, b) => a.source.id - b.source.id || a.target.id - b.target.id);
  for (const arrow of sorted) if (arrow.source === arrow.target) arrow.source.loop = arrow;
  return {
    root: tree.root,
    states: tree.states,
    arrows: sorted.filter((arrow) => arrow.source !== arrow.target),
    initials: initialsOf(structure.initials ?? [], tree),
  };
}

/** Return the states that hold a state, outermost first, itself last; without the root. */
export function pathOf(state) {
  const path = [];
  for (let at = state; at.parent; at = at.parent) path.unshift(at);
  return path;
}

/** Return whether `holder` is `state` or contains it. */
export function holds(holder, state) {
  let at = state;
  while (at && at !== holder) at = at.parent;
  return at === holder;
}

function treeOf(structure, transitions) {
  const parents = new Map(structure.states.map((state) => [state.name, state.parent]));
  const know = (name) => name !== "" && !parents.has(name) && parents.set(name, "");
  for (const parent of [...parents.values()]) know(parent);
  for (const one of transitions) [one.source, one.target].forEach(know);
  for (const one of structure.reactions) [one.state, one.target].forEach(know);
  const root = stateOf(-1, "", null);
  const made = new Map();
  const make = (name, above) => {
    if (made.has(name)) return made.get(name);
    const parent = parents.get(name);
    // A cycle of parents cannot be a chart; it is cut where it closes.
    const holder = parent === "" || above.has(parent) ? root : make(parent, new Set(above).add(name));
    const state = made.get(name) ?? stateOf(0, name, holder);
    made.set(name, state);
    return state;
  };
  const states = [...parents.keys()].map((name) => make(name, new Set([name])));
  states.forEach((state, place) => {
    state.id = place;
    state.parent.children.push(state);
  });
  const kinds = new Map(structure.states.map((state) => [state.name, state.kind ?? "plain"]));
  for (const state of states) {
    state.depth = pathOf(state).length;
    state.kind = kinds.get(state.name) ?? "plain";
    state.region = kinds.get(state.parent.name) === "parallel" && !historySign(state.kind);
  }
  return { root, states, find: (name) => made.get(name) };
}

function stateOf(id, name, parent) {
  return { id, name, parent, kind: "plain", region: false, depth: 0, children: [], remarks: [], loop: null };
}

function arrowOf(arrows, source, target) {
  const key = `${source.id} ${target.id}`;
  if (!arrows.has(key)) arrows.set(key, { source, target, signals: [] });
  return arrows.get(key);
}

function initialsOf(initials, tree) {
  const found = [];
  for (const { state, target, seen } of initials) {
    const source = state === "" ? tree.root : tree.find(state);
    const to = tree.find(target);
    if (source && to && source !== to && holds(source, to)) found.push({ source, target: to, signals: [], seen: seen !== false });
  }
  return found.sort((a, b) => a.source.id - b.source.id);
}

function bySignal(one, other) {
  if (one.signal !== other.signal) return one.signal < other.signal ? -1 : 1;
  const [first, second] = [one, other].map(({ outcome, handler, text }) => JSON.stringify([outcome, handler, text]));
  if (first === second) return 0;
  return first < second ? -1 : 1;
}
