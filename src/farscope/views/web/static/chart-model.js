// The content of a chart's picture before layout: a tree of states, and arrows.

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
    structure.states.map((state) => [state.name, state.parent]),
    structure.reactions.map((one) => [one.state, one.signal, one.target]).sort(),
    (structure.initials ?? []).map((one) => [one.state, one.target, one.seen]).sort(),
    transitions.map((one) => [one.source, one.target, one.signal, one.outcome ?? ""]).sort(),
  ]);
}

/**
 * Return {root, states, arrows, initials} for what ChartPicture.setStructure takes.
 *
 * root and states: {id, name, parent, depth, children, remarks, loop}; the root has no name and holds the outermost.
 * arrows: {source, target, signals}, one for all signals between two states; a loop is on its state instead.
 * initials: {source, target, seen}, the source being the state (or the root) whose initial transition it is.
 * signals and remarks: [{signal, outcome, count}] by signal; a count of 0 was announced and not yet seen. The outcome of
 * a remark, if the state did not handle the event, is the word that the server sends.
 *
 * The order of transitions and reactions makes no difference; the order of states does.
 */
export function modelOf(structure, transitions) {
  const tree = treeOf(structure, transitions);
  const arrows = new Map();
  const note = (state, target, signal, outcome, count) => {
    const source = tree.find(state);
    const notes = target === "" ? source.remarks : arrowOf(arrows, source, tree.find(target)).signals;
    notes.push({ signal, outcome, count });
  };
  const seen = new Set();
  const tried = new Set();
  for (const { source, target, signal, outcome = "", count } of transitions) {
    (outcome ? tried : seen).add(JSON.stringify([source, signal]));
    note(source, target, signal, outcome, count);
  }
  for (const { state } of structure.initials ?? []) seen.add(JSON.stringify([state, "INIT_SIGNAL"]));
  for (const { state, target, signal } of structure.reactions) {
    const key = JSON.stringify([state, signal]);
    // A guard's refusal does not show where the arrow would have led.
    if (UNTOLD.has(signal) || seen.has(key) || (target === "" && tried.has(key))) continue;
    note(state, target, signal, "", 0);
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
  for (const state of states) state.depth = pathOf(state).length;
  return { root, states, find: (name) => made.get(name) };
}

function stateOf(id, name, parent) {
  return { id, name, parent, depth: 0, children: [], remarks: [], loop: null };
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
  if (one.outcome === other.outcome) return 0;
  return one.outcome < other.outcome ? -1 : 1;
}
