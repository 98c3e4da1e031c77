// The sequence diagram of the chosen charts, growing as they run. The server draws it; only known elements are copied.

import { byId, make, makeSvg, newestOnly } from "./dom.js";

const PAUSE_MS = 500;
const BELOW_HEADS = 4; // pixels of empty background below the lanes' names
const LENGTHS = ["20", "40", "100", "400"];
const ELEMENTS = new Set(["svg", "g", "rect", "path", "text", "title", "line"]);
const ATTRIBUTES = new Set([
  "viewBox", "width", "height", "x", "y", "rx", "d", "class", "text-anchor", "role", "aria-label", "x1", "x2", "y1", "y2",
]);

/** Draws the last steps up to the moment shown; asks again when something has happened. */
export class SequenceView {
  constructor(world) {
    this._world = world;
    this._shown = "";
    this._drawing = make("div", { class: "drawing" });
    this._lanes = select("Lanes", [["charts", "one lane per chart"], ["states", "one lane per state"]]);
    this._last = select("Steps", LENGTHS.map((length) => [length, `last ${length} steps`]));
    this._hint = make("span", { class: "soft" });
    this._link = make("a", { class: "button", download: "sequence.svg" }, "SVG");
    const tools = make("div", { class: "sequence-tools" }, this._lanes, this._last, this._link, this._hint);
    byId("view-sequence").append(tools, this._drawing);
    byId("view-sequence").addEventListener("scroll", () => this._keepHeads(), { passive: true });
    this._charts = [];
    this._said = false;
    this._lanes.addEventListener("change", () => (this._said = true));
    for (const choice of [this._lanes, this._last]) choice.addEventListener("change", () => this.draw(this._charts));
    this._ask = newestOnly(async (query) => this._take(await askSvg(query)), PAUSE_MS);
  }

  /** Show these charts together. */
  draw(charts) {
    this._charts = charts;
    // A single chart has no arrows to other charts.
    if (!this._said) this._lanes.value = charts.length < 2 ? "states" : "charts";
    this._hint.textContent = charts.length < 2 ? "Ctrl-click or c adds charts." : "";
    const seen = this._world.live ? charts.map((id) => this._world.chart(id)?.steps ?? 0) : this._world.moment;
    const query = { charts: charts.join(","), lanes: this._lanes.value, last: this._last.value };
    if (!this._world.live) query.to = this._world.moment;
    const key = JSON.stringify([query, seen, this._world.account.finished]);
    if (!charts.length || key === this._shown) return;
    this._shown = key;
    this._link.href = `/api/sequence?${new URLSearchParams({ ...query, style: "own" })}`;
    this._ask(query);
  }

  _take(answer) {
    const box = byId("view-sequence");
    // Keep the end visible if it was visible before.
    const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 40;
    this._drawing.replaceChildren(taken(answer.documentElement));
    const heads = this._drawing.querySelector(".heads");
    if (heads?.childElementCount) {
      const { y, height } = heads.getBBox();
      heads.prepend(makeSvg("rect", { class: "back", width: "100%", height: y + height + BELOW_HEADS }));
    }
    if (atEnd) box.scrollTop = box.scrollHeight;
    this._keepHeads();
  }

  /** Keep the lanes' names visible above the visible part. */
  _keepHeads() {
    this._drawing.querySelector(".heads")?.setAttribute("transform", `translate(0 ${byId("view-sequence").scrollTop})`);
  }
}

function select(label, choices) {
  return make("select", { "aria-label": label }, ...choices.map(([value, text]) => make("option", { value }, text)));
}

/** Return a copy that consists of known elements and attributes only; its style is the page's. */
function taken(node) {
  const copy = makeSvg(node.localName);
  if (node.localName === "svg") copy.setAttribute("class", "farscope");
  for (const { name, value } of node.attributes) if (ATTRIBUTES.has(name)) copy.setAttribute(name, value);
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) copy.append(child.data);
    else if (ELEMENTS.has(child.localName)) copy.append(taken(child));
  }
  return copy;
}

function askSvg(query) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("GET", `/api/sequence?${new URLSearchParams(query)}`);
    request.responseType = "document";
    request.onload = () =>
      request.status === 200 && request.responseXML
        ? done(request.responseXML)
        : failed(Object.assign(new Error("no diagram"), { refused: request.status }));
    request.onerror = () => failed(new TypeError("no connection"));
    request.send();
  });
}
