// Elements and their text. Nothing here or elsewhere makes markup from data: names are only ever text.

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

/** Write text into an element, touching nothing when it is there already. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Write a name into an element of class `label`, which cuts it in the middle where it is too long. */
export function writeName(element, name) {
  if (element.textContent !== name) element.replaceChildren(...nameSpans(name));
}

/**
 * Write a chart's label into an element, touching nothing when it is there already. Where it is too long the host
 * gives way first, then the middle of the name; what tells the chart from its namesakes stays.
 */
export function writeLabel(element, chart) {
  const { name, place, run } = labelParts(chart);
  if (element.textContent === name + place + run) return;
  const parts = [make("span", { class: "own" }, ...nameSpans(name))];
  if (run) parts.push(make("span", { class: "place" }, place), make("span", { class: "run" }, run));
  element.replaceChildren(...parts);
}

function nameSpans(name) {
  const [front, end] = nameParts(name);
  const spans = [make("span", { class: "front" }, front)];
  if (end) spans.push(make("span", { class: "end" }, end));
  return spans;
}

/** Set an attribute, or remove it for null, touching nothing when it is so already. */
export function mark(element, name, value) {
  if (value === null) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
  } else if (element.getAttribute(name) !== value) {
    element.setAttribute(name, value);
  }
}

/** Return a function that has `draw` run once before the next picture is shown, however often it is called. */
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
 * Return a function that runs an asynchronous `ask` for its newest argument only: while one is under way,
 * later calls replace each other, and `pause` milliseconds lie between two.
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
        // Without a connection the page says so already; the next call asks again.
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

/** Ask the server; the answer is plain data. An error with `refused` says that it would not answer. */
export async function ask(path, query = {}) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") words.set(name, String(value));
  }
  const answer = await fetch(`/api/${path}?${words}`);
  if (!answer.ok) throw Object.assign(new Error(await answer.text()), { refused: answer.status });
  return answer.json();
}
