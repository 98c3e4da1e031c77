// Moving and scaling a picture with wheel, hand and keys.

const STEP = 1.3; // scale factor of a key or a button
const WHEEL = 0.0016; // exponent of the scale per pixel of the wheel
const LARGEST = 4; // times natural size
const WHOLE_LARGEST = 1.25; // a small chart is not enlarged further to fill the space
const READABLE = 0.5; // below this scale, only the part around the active state is shown
const PART = 0.7; // the scale of that part
const FOLLOW_MS = 700; // shortest time between two moves of the visible part
const GLIDE_MS = 260;
const EDGE = 8;
const TOP = 40; // space for the buttons

const hands = new WeakMap();

/**
 * Keeps the group `world` visible within `svg`: all of it, or the part around the active state if it is large, until the
 * user moves or scales it. The key 0 or a double click shows all of it.
 */
export class ChartHand {
  /**
   * @param {SVGSVGElement} svg  any earlier handler on it is detached
   * @param {SVGGElement} world
   */
  constructor(svg, world) {
    hands.get(svg)?._letGo();
    hands.set(svg, this);
    this._svg = svg;
    this._world = world;
    this._size = { w: 1, h: 1 };
    this._view = { x: 0, y: 0, scale: 1 };
    this._keeping = "best"; // or "whole" or "nothing"
    this._focus = null;
    this._moved = -Infinity;
    this._later = 0;
    this._glide = 0;
    this._held = null;
    this._end = new AbortController();
    this._watch = new ResizeObserver(() => this._keep());
    this._watch.observe(svg);
    svg.setAttribute("tabindex", "0");
    svg.setAttribute("aria-label", "The chart as a picture");
    this._listen();
  }

  /** Set the size of the picture in its own pixels. */
  resize(w, h) {
    this._size = { w, h };
    this._keep();
  }

  /** Keep a box {x, y, w, h} of the picture visible if the whole is not; null for none. */
  follow(box) {
    this._focus = box;
    if (this._keeping !== "best" || this._later) return;
    const wait = Math.max(0, this._moved + FOLLOW_MS - performance.now());
    if (wait === 0) this._keep(true);
    else this._later = setTimeout(() => this._keep(true), wait);
  }

  /** Show the whole picture, also after it or the available space changes. */
  showWhole() {
    this._keeping = "whole";
    this._keep();
  }

  /** Show the part to be kept visible; `still` moves nothing if it is visible already. */
  _keep(still = false) {
    clearTimeout(this._later);
    this._later = 0;
    const room = this._svg.getBoundingClientRect();
    if (this._keeping === "nothing" || !room.width || !room.height) return;
    const { w, h } = this._size;
    const high = room.height - TOP - EDGE;
    const scale = Math.max(0.01, Math.min((room.width - 2 * EDGE) / w, high / h, WHOLE_LARGEST));
    if (this._keeping === "whole" || scale >= READABLE) {
      if (!still) this._show({ scale, x: (room.width - w * scale) / 2, y: TOP + (high - h * scale) / 2 });
      return;
    }
    const box = this._focus ?? { x: 0, y: 0, w: Math.min(w, room.width / PART), h: Math.min(h, high / PART) };
    if (still && this._inSight(box, room)) return;
    const view = {
      scale: PART,
      x: EDGE + around(box.x + box.w / 2, w, room.width - 2 * EDGE),
      y: TOP + around(box.y + box.h / 2, h, high),
    };
    this._moved = performance.now();
    if (still) this._glideTo(view);
    else this._show(view);
  }

  _inSight(box, room) {
    const { x, y, scale } = this._view;
    const [left, top] = [x + scale * box.x, y + scale * box.y];
    return left >= EDGE && top >= TOP && left + scale * box.w <= room.width - EDGE && top + scale * box.h <= room.height - EDGE;
  }

  _glideTo(view) {
    const from = this._view;
    const began = performance.now();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = (now) => {
      const part = still ? 1 : Math.min(1, Math.max(0, (now - began) / GLIDE_MS));
      const eased = part * part * (3 - 2 * part);
      const at = (name) => from[name] + (view[name] - from[name]) * eased;
      this._show({ scale: at("scale"), x: at("x"), y: at("y") });
      if (part < 1) this._glide = requestAnimationFrame(step);
    };
    this._glide = requestAnimationFrame(step);
  }

  /** Scale by steps: 1 is one step larger, -1 one smaller; the point `at` stays fixed. */
  zoom(steps, at = this._middle()) {
    this._scale(STEP ** steps, at);
  }

  _listen() {
    const how = { signal: this._end.signal };
    const svg = this._svg;
    const wheel = (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
      this._scale(Math.exp(-pixels * WHEEL * (event.ctrlKey ? 5 : 1)), this._point(event));
    };
    svg.addEventListener("wheel", wheel, { ...how, passive: false });
    svg.addEventListener("pointerdown", (event) => this._grab(event), how);
    svg.addEventListener("pointermove", (event) => this._drag(event), how);
    for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => this._release(), how);
    svg.addEventListener("dblclick", () => this.showWhole(), how);
    svg.addEventListener("keydown", (event) => this._key(event), how);
  }

  _key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const doings = { "+": () => this.zoom(1), "=": () => this.zoom(1), "-": () => this.zoom(-1), 0: () => this.showWhole() };
    const doing = doings[event.key];
    if (!doing) return;
    // Elsewhere on the page these keys mean something else.
    event.stopPropagation();
    event.preventDefault();
    doing();
  }

  _grab(event) {
    if (event.button !== 0) return;
    this._held = { id: event.pointerId, x: event.clientX, y: event.clientY, moved: false };
  }

  _drag(event) {
    const held = this._held;
    if (held?.id !== event.pointerId) return;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    if (!held.moved && Math.hypot(dx, dy) < 3) return;
    if (!held.moved) this._svg.setPointerCapture(event.pointerId);
    this._svg.classList.add("held");
    this._held = { ...held, x: event.clientX, y: event.clientY, moved: true };
    this._keeping = "nothing";
    this._show({ ...this._view, x: this._view.x + dx, y: this._view.y + dy });
  }

  _release() {
    this._held = null;
    this._svg.classList.remove("held");
  }

  _scale(factor, at) {
    const { x, y, scale } = this._view;
    const least = Math.min(0.05, this._view.scale);
    const wanted = Math.min(LARGEST, Math.max(least, scale * factor));
    const grown = wanted / scale;
    this._keeping = "nothing";
    this._show({ scale: wanted, x: at.x - (at.x - x) * grown, y: at.y - (at.y - y) * grown });
  }

  _show(view) {
    cancelAnimationFrame(this._glide);
    this._view = view;
    const [x, y] = [view.x, view.y].map((one) => Math.round(one * 10) / 10);
    this._world.setAttribute("transform", `translate(${x} ${y}) scale(${Math.round(view.scale * 1e4) / 1e4})`);
  }

  _point(event) {
    const room = this._svg.getBoundingClientRect();
    return { x: event.clientX - room.left, y: event.clientY - room.top };
  }

  _middle() {
    const room = this._svg.getBoundingClientRect();
    return { x: room.width / 2, y: room.height / 2 };
  }

  _letGo() {
    this._end.abort();
    this._watch.disconnect();
    clearTimeout(this._later);
    cancelAnimationFrame(this._glide);
  }
}

/** Return the offset of a picture that centres a position of it in the available space, limited by its edges. */
function around(place, size, room) {
  if (size * PART <= room) return (room - size * PART) / 2;
  return Math.min(0, Math.max(room - size * PART, room / 2 - place * PART));
}
