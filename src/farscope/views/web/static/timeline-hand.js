// Pointer control of the timeline: zoom, drag, hover, click, and drag the moment along the ruler.

import { byId, write } from "./dom.js";
import { KINDS, clock, things, visible, whereOf } from "./format.js";
import { RULER } from "./timeline-draw.js";

const CLICK_ROOM = 4; // pixels that a pointer may move during a click

/** Emits "step" with {chart, time} in `detail` when a step is clicked. */
export class TimelineHand extends EventTarget {
  constructor(timeline, travel, world) {
    super();
    this._timeline = timeline;
    this._travel = travel;
    this._world = world;
    this._tip = byId("tip");
    this._grip = null;
    const canvas = byId("lanes");
    canvas.addEventListener("wheel", (event) => this._wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this._press(event));
    canvas.addEventListener("pointermove", (event) => this._move(event));
    canvas.addEventListener("pointerup", (event) => this._release(event));
    canvas.addEventListener("pointercancel", () => (this._grip = null));
    canvas.addEventListener("pointerleave", () => (this._tip.hidden = true));
    canvas.addEventListener("dblclick", (event) => travel.goTo(timeline.timeAt(event.offsetX)));
    byId("zoom-in").addEventListener("click", () => timeline.zoom(0.5, this._centre()));
    byId("zoom-out").addEventListener("click", () => timeline.zoom(2, this._centre()));
  }

  /** Zoom by key; the moment shown, or else the present or the middle, stays fixed. */
  _centre() {
    const { from, to } = this._timeline.view;
    if (!this._world.live) return Math.min(Math.max((this._world.moment - from) / (to - from), 0), 1);
    return this._timeline.following ? 1 : 0.5;
  }

  zoom(by) {
    this._timeline.zoom(by, this._centre());
  }

  _wheel(event) {
    const { left, width } = this._timeline.view;
    // Over the names, the wheel scrolls the lanes as usual.
    if (event.offsetX < left || event.altKey) return;
    event.preventDefault();
    const amount = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 20 : event.deltaY;
    const sideways = event.deltaX || (event.shiftKey ? amount : 0);
    if (sideways) {
      this._timeline.pan(sideways / width);
      return;
    }
    const at = this._timeline.following ? 1 : (event.offsetX - left) / width;
    this._timeline.zoom(2 ** Math.min(Math.max(amount / 180, -2), 2), at);
  }

  _press(event) {
    if (event.button !== 0) return;
    event.target.setPointerCapture(event.pointerId);
    const ruler = event.offsetY < RULER && event.offsetX >= this._timeline.view.left;
    this._grip = { x: event.offsetX, y: event.offsetY, start: event.offsetX, ruler, moved: false };
    if (ruler) this._travel.goTo(this._timeline.timeAt(event.offsetX));
  }

  _move(event) {
    const grip = this._grip;
    if (!grip) {
      this._hover(event);
      return;
    }
    this._tip.hidden = true;
    if (Math.abs(event.offsetX - grip.start) > CLICK_ROOM) grip.moved = true;
    if (grip.ruler) this._travel.goTo(this._timeline.timeAt(event.offsetX));
    else if (grip.moved) this._timeline.pan((grip.x - event.offsetX) / this._timeline.view.width);
    grip.x = event.offsetX;
  }

  _release(event) {
    const grip = this._grip;
    this._grip = null;
    if (!grip || grip.moved || grip.ruler) return;
    const row = this._timeline.rowAt(event.offsetY);
    if (!row) return;
    const { chart } = row;
    if (this._timeline.isFold(row, event.offsetX)) {
      this._timeline.toggle(chart);
      return;
    }
    const time = event.offsetX < this._timeline.view.left ? null : this._timeline.timeAt(event.offsetX);
    const facts = time === null ? null : this._timeline.factsAt(row, time);
    this.dispatchEvent(
      new CustomEvent("step", {
        detail: { chart: chart.id, time: facts?.item ? facts.item[0] : time, more: event.ctrlKey || event.metaKey || event.shiftKey },
      }),
    );
  }

  _hover(event) {
    const row = this._timeline.rowAt(event.offsetY);
    const { left, width, from, to } = this._timeline.view;
    const chart = row?.chart;
    if (chart && event.offsetX < left) {
      const made = chart.parent ? [`created by ${visible(chart.parent)}`] : [];
      const part = row.kind === "lane" ? [] : [`${row.kind} ${visible(row.name)}`];
      this._tell(event, [...part, visible(chart.label), `${whereOf(chart)}, ${visible(chart.status)}`, ...made]);
      return;
    }
    const facts = chart ? this._timeline.factsAt(row, this._timeline.timeAt(event.offsetX)) : null;
    this._tip.hidden = !facts;
    if (!facts) return;
    const perPixel = (to - from) / width;
    const lines = [`${visible(chart.label).slice(0, 120)} at ${clock(this._timeline.timeAt(event.offsetX), perPixel)}`];
    if (row.kind !== "lane") lines.push(`${row.kind} ${visible(row.name).slice(0, 120)}`);
    if (facts.value) lines.push(`= ${facts.value.slice(0, 240)}`);
    if (facts.state) lines.push(`in ${visible(facts.state).slice(0, 120)}${facts.final ? ", a final state" : ""}`);
    if (facts.item) {
      const [time, steps, , , kind] = facts.item;
      const what = `${visible(facts.signal).slice(0, 120)} → ${visible(facts.into).slice(0, 120)} (${KINDS[kind] ?? visible(facts.kinds[kind] ?? "")})${facts.mark ? `, ${visible(facts.mark)}` : ""}`;
      lines.push(steps === 1 ? `${clock(time, perPixel)} ${what}` : `${things(steps, "step")} here, the last: ${what}`);
    }
    this._tell(event, lines);
  }

  _tell(event, lines) {
    this._tip.hidden = false;
    write(this._tip, lines.join("\n"));
    const room = byId("timeline").parentElement.getBoundingClientRect();
    const x = Math.min(event.clientX - room.left + 12, room.width - this._tip.offsetWidth - 8);
    const y = event.clientY - room.top - this._tip.offsetHeight - 10;
    this._tip.style.transform = `translate(${Math.max(4, x)}px, ${y}px)`;
  }
}
