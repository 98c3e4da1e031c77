// Elements and their text. No code of the page makes markup from data: names are only ever inserted as text.

import { labelParts, nameParts } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

/** Return the element of the page with that id. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * Make an element.
 * @param {string} tag
 * @param {object} attributes  `class`, `on` (listeners by event) and plain attributes
 * @param {...(Node|string)} children
 */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an SVG element; otherwise like `make`. */
export function makeSvg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children);
  return element;
}

/** Set the text of an element, unless it is unchanged. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set the name in an element of class `label`, which truncates a long name in the middle. */
export function writeName(element, name) {
  if (element.textContent !== name) element.replaceChildren(...nameSpans(name));
}

/**
 * Set a chart's label in an element, unless it is unchanged. If it is too long, the host is truncated first, then the
 * middle of the name; the part that distinguishes the chart from others of the same name stays.
 */
export function writeLabel(element, chart) {
  const { name, place, run } = labelParts(chart);
  if (element.textContent === name + place + run) return;
  const parts = [make("span", { class: "own" }, ...nameSpans(name))];
  if (run) parts.push(make("span", { class: "place" }, place), make("span", { class: "run" }, run));
  element.replaceChildren(...parts);
}

/** Set the active states of a chart in an element of class `label`: each is truncated, so that all can be seen. */
export function writeStates(element, states) {
  if (element.textContent === states.join("|")) return;
  const leaves = states.map((state, place) => make("span", { class: place ? "leaf further" : "leaf" }, state));
  element.replaceChildren(...leaves.flatMap((leaf, place) => (place ? [make("span", { class: "bar" }, "|"), leaf] : [leaf])));
}

function nameSpans(name) {
  const [front, end] = nameParts(name);
  const spans = [make("span", { class: "front" }, front)];
  if (end) spans.push(make("span", { class: "end" }, end));
  return spans;
}

/** Set an attribute, or remove it for null, unless it is unchanged. */
export function mark(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/** Return a function that schedules `draw` once before the next repaint, however often it is called. */
export function oncePerPicture(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/**
 * Return a function that runs an asynchronous `ask` for its newest arguments only: while a call is running, later calls
 * replace each other; `pause` milliseconds lie between two runs.
 */
export function newestOnly(ask, pause = 0) {
  let running = false;
  let next = null;
  async function run() {
    running = true;
    while (next) {
      const [args] = next;
      next = null;
      try {
        await ask(...args);
      } catch (error) {
        // The page already reports the lost connection; the next call asks again.
        if (!(error instanceof TypeError) && error.name !== "AbortError" && !error.refused) throw error;
      }
      if (pause) await new Promise((done) => setTimeout(done, pause));
    }
    running = false;
  }
  return (...args) => {
    next = [args];
    if (!running) run();
  };
}

/** Query the server; the answer is plain data. An error with `refused` means that the server rejected the query. */
export async function ask(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") words.set(name, String(value));
  }
  const answer = await fetch(`/api/${path}?${words}`);
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { refused: answer.status });
  return answer.json();
}
