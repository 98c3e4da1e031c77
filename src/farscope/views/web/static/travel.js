// Time travel: the moment that the page shows, and the controls that change it.

import { ask, byId, newestOnly, write } from "./dom.js";
import { count, dateClock, span } from "./format.js";

const CATCH_UP_MS = 500;

/** The controls above the timeline. Parts that show a moment listen to the world's "moment". */
export class Travel {
  /**
   * @param {World} world
   * @param {function(): number[]} charts  the charts whose steps to follow; empty for all
   */
  constructor(world, charts) {
    this._world = world;
    this._charts = charts;
    this._go = newestOnly(async (time) => world.showPast(await ask("at", { time: Math.round(time) })));
    this._wanted = null;
    byId("pause").addEventListener("click", () => this.toggle());
    byId("back").addEventListener("click", () => this.step("back"));
    byId("forward").addEventListener("click", () => this.step("forward"));
    byId("to-live").addEventListener("click", () => this.toLive());
    world.addEventListener("moment", () => this._draw());
    world.addEventListener("change", () => this._draw());
    setInterval(() => this._draw(), CATCH_UP_MS);
  }

  /** Show a moment, in nanoseconds since the origin. While the server works, only the newest request counts. */
  goTo(time) {
    this._wanted = Math.round(time);
    this._go(this._wanted);
  }

  /** Query the moment shown again, since more is known by now. */
  again() {
    if (!this._world.live) this.goTo(this._wanted ?? this._world.moment);
  }

  /** Pause at the present, or return to it. A recording has none. */
  toggle() {
    if (this._world.account.recorded) return;
    if (this._world.live) this.goTo(this._world.now);
    else this.toLive();
  }

  /** Follow the present again, or go to a recording's end. */
  toLive() {
    const { account, end } = this._world;
    if (account.recorded) {
      if (account.span) this.goTo(end);
      return;
    }
    this._wanted = null;
    this._world.showPresent();
  }

  /** Go to the next step of the selected charts, "back" or "forward"; `all` takes every chart. */
  async step(direction, all = false) {
    const time = Math.round(this._wanted ?? this._world.time);
    const charts = all ? [] : this._charts();
    const answer = await ask("near", { time, direction, charts: charts.join(",") });
    if (answer.time !== null) this.goTo(answer.time);
    else if (direction === "forward" && !this._world.live) this.toLive();
    else if (this._world.live) this.goTo(time);
  }

  _draw() {
    const world = this._world;
    const { live } = world;
    const { recorded, span: whole, finished, read, remembered, forgotten, first } = world.account;
    byId("pause").hidden = Boolean(recorded);
    byId("to-live").disabled = live || (recorded && world.moment >= world.end);
    byId("to-live").title = recorded ? "To the end (l)" : "Back to live (l)";
    write(byId("to-live"), recorded ? (world.moment >= world.end ? "recording ends here" : "To the end") : live ? "● live" : "Back to live");
    write(byId("pause"), live ? "Pause" : "Paused");
    byId("pause").setAttribute("aria-pressed", String(!live));
    byId("pause").closest("section").toggleAttribute("data-past", !live);
    write(byId("moment"), dateClock(live ? Math.floor(world.now / 1e9) * 1e9 : world.moment).slice(0, live ? 19 : undefined));
    let text = "";
    if (recorded) {
      const steps = `${count(world.account.received)} steps`;
      if (whole) text = `recording of ${span(whole[1] - whole[0])}, ${finished ? steps : `${percent(read, whole)} read: ${steps}`}`;
      else text = "opening";
      if (finished && forgotten) text += "; too long to count in full";
      if (whole && !live && world.moment < world.end) text = `${span(world.end - world.moment)} before the end · ${text}`;
    } else if (remembered) {
      text = `${count(remembered)} steps of ${span(world.now - first)} remembered`;
      if (forgotten) text += `; the oldest ${count(forgotten)} have been forgotten`;
    }
    if (!live && !recorded) text = `${span(world.now - world.moment)} ago · ${text}`;
    write(byId("remembered"), text);
  }
}

function percent(read, [first, last]) {
  const part = read === null ? 0 : (read - first) / Math.max(1, last - first);
  return `${Math.round(100 * Math.min(Math.max(part, 0), 1))} %`;
}
