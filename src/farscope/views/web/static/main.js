// Connects the parts of the page.

import { ChartList } from "./chart-list.js";
import { byId, make, write } from "./dom.js";
import { count, things, visible } from "./format.js";
import { listen, showKeys } from "./keyboard.js";
import { Live } from "./live.js";
import { Panel } from "./panel.js";
import { theme } from "./theme.js";
import { Timeline } from "./timeline.js";
import { TimelineHand } from "./timeline-hand.js";
import { Travel } from "./travel.js";
import { World } from "./world.js";

const NEWS_NS = 10e9; // how long the newest notice is shown in the head of the page
const RANKS = { alive: 0, ended: 1, silent: 2 }; // the order in which the page selects a chart by itself; all others come last
let touched = false; // whether the user has done anything

const world = new World();
const live = new Live(world);
const list = new ChartList(world);
const panel = new Panel(world, list);
const timeline = new Timeline(world, list);
const travel = new Travel(world, () => [...new Set([...list.chosen, list.selected])].filter((id) => id !== null));
const hand = new TimelineHand(timeline, travel, world);

world.addEventListener("change", () => {
  if (world.live) list.draw();
  if (world.live || panel.tab === "picture") panel.draw();
  drawAccount();
});
// A recording has no present: the page opens at its end, and any moment can be selected.
world.addEventListener("opened", () => {
  timeline.showAll();
  travel.toLive();
});
// Answers that covered only the surroundings of the moment can now cover everything from the start.
world.addEventListener("finished", () => travel.again());
world.addEventListener("moment", () => {
  list.draw();
  panel.turn();
  if (!world.live) timeline.reveal(world.moment);
  else timeline.following = true;
});
list.addEventListener("select", () => {
  live.open(list.selected === null ? [] : [list.selected]);
  panel.draw();
});
list.addEventListener("shown", preselect);
world.addEventListener("change", preselect);
for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, () => (touched = true), { once: true, capture: true });
hand.addEventListener("step", ({ detail: { chart, time, more } }) => {
  list.select(chart, more);
  if (more || time === null) return;
  panel.show("steps");
  panel.steps.pickAt(chart, time);
});
panel.steps.addEventListener("cause", ({ detail: { chart, number } }) => {
  list.select(chart);
  panel.steps.pick(chart, number);
});
live.addEventListener("link", () => {
  write(byId("link"), live.trouble === "connecting" ? "" : live.trouble);
  byId("link").hidden = live.trouble === "" || live.trouble === "connecting";
});
byId("search").addEventListener("input", (event) => list.search(event.target.value));
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && list.shown.length) {
    list.select(list.shown[0].id);
    byId("list").focus();
  }
});
byId("theme").addEventListener("click", () => theme.toggle());
byId("help").addEventListener("click", showKeys);

listen([
  [["/"], "search", () => byId("search").select()],
  [["ArrowUp", "k"], "select the chart above", () => list.move(-1)],
  [["ArrowDown", "j"], "select the chart below", () => list.move(1)],
  [["c"], "add or remove the selected chart", () => list.selected !== null && list.select(list.selected, true)],
  [["Escape"], "remove all added charts", () => list.clearChosen()],
  [["1", "2", "3", "4"], "picture, steps, statistics, sequence", (event) => panel.show(["picture", "steps", "stats", "sequence"][Number(event.key) - 1])],
  [["b"], "arrows of the picture by leaf, or joined", () => panel.splitPicture()],
  [[" ", "p"], "pause, or go back to live", () => travel.toggle()],
  [["ArrowLeft"], "one step back in the selected and added charts", () => travel.step("back")],
  [["ArrowRight"], "one step forward", () => travel.step("forward")],
  [["Shift+ArrowLeft"], "one step back in any chart", () => travel.step("back", true)],
  [["Shift+ArrowRight"], "one step forward in any chart", () => travel.step("forward", true)],
  [["l", "End"], "back to live, or to a recording's end", () => travel.toLive()],
  [["+", "="], "zoom in", () => hand.zoom(0.5)],
  [["-"], "zoom out", () => hand.zoom(2)],
  [["["], "move the timeline to the past", () => timeline.pan(-0.25)],
  [["]"], "move the timeline to the present", () => timeline.pan(0.25)],
  [["Home", "0"], "show everything remembered on the timeline", () => timeline.showAll()],
  [["f"], "fold the selected chart's regions and values on the timeline, and back", () => timeline.toggle(world.chart(list.selected))],
  [["t"], "light or dark", () => theme.toggle()],
  [["?"], "this list", showKeys],
]);

live.open([]);
panel.draw();

/** Select the chart that is alive and was active last; repeated until the user has done anything. */
function preselect() {
  if (!list.shown.length || (touched && list.selected !== null)) return;
  const rank = (chart) => RANKS[chart.status] ?? 3;
  const better = (one, other) => rank(one) - rank(other) || (other.at ?? 0) - (one.at ?? 0);
  const best = list.shown.reduce((found, chart) => (better(chart, found) < 0 ? chart : found));
  const selected = world.chart(list.selected);
  if (!selected || rank(best) < rank(selected)) list.select(best.id);
}

function drawAccount() {
  const { account, live } = world;
  const charts = world.charts();
  const sum = (field) => charts.reduce((total, chart) => total + (chart[field] ?? 0), 0);
  const having = (status) => charts.filter((chart) => chart.status === status).length;
  const parts = [make("b", {}, String(charts.length)), charts.length === 1 ? " chart, " : " charts, "];
  for (const status of ["alive", "silent"]) {
    const number = having(status);
    if (number || (live && status === "alive")) parts.push(`${number} ${status}, `);
  }
  const [steps, lost] = live ? [account.received, account.lost] : [sum("steps"), sum("lost")];
  parts.push(make("b", {}, count(sum("rate"))), " steps/s, ", `${things(steps, "step")} ${live ? "seen" : "so far"}`);
  if (lost) parts.push(", ", make("span", { class: "bad" }, `${count(lost)} lost`));
  const refused = Object.values(account.refused).reduce((total, one) => total + one, 0);
  if (refused) parts.push(", ", make("span", { class: "bad" }, `${things(refused, "batch")} refused`));
  const open = charts.filter((chart) => chart.unknown).length;
  const unknown = live ? account.unknown : open ? [`unknown after the last steps of ${things(open, "chart")}`] : [];
  for (const text of unknown) parts.push(", ", make("span", { class: "bad" }, visible(text)));
  if (account.waiting > 20_000 && !account.recorded) parts.push(`, ${count(account.waiting)} behind`);
  const newest = world.notices.at(-1);
  if (live && newest && world.now - newest.at < NEWS_NS) parts.push(` · ${visible(newest.text)}`);
  byId("account").replaceChildren(...parts);
}
