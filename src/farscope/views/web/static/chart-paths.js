// Arrows as SVG paths: vertical where they pass or end, and smooth between.

const HEAD = 7; // length of an arrow head
const HALF = 3.6; // half its width
const LOOP = 20; // how far a loop extends

/** Return {line, head} as path data for the runs of a line, in order. */
export function pathsOf(runs) {
  const walk = runs.map((run) => ({ ...run }));
  const last = walk.at(-1);
  if (walk.every((run) => run.from === run.to && run.from === last.to)) return levelPaths(walk[0], last);
  const sense = senseOf(last.to - last.from) || senseBefore(walk);
  const tip = { x: last.x, y: last.to };
  last.to -= sense * (HEAD - 1);
  if ((last.to - last.from) * sense < 0) last.from = last.to;
  return { line: lineData(walk), head: headData(tip, 0, sense) };
}

/** Return {line, head, labelAt} of the loop on the right of a box. */
export function loopPaths({ x, y, w }) {
  const right = x + w;
  const [upper, lower] = [y + 8, y + 22];
  const end = right + HEAD - 1;
  const line = `M${n(right)} ${n(upper)}C${n(right + LOOP)} ${n(upper - 5)} ${n(right + LOOP + 4)} ${n(lower + 1)} ${n(end)} ${n(lower)}`;
  return { line, head: headData({ x: right, y: lower }, -1, 0), labelX: right + LOOP, middle: (upper + lower) / 2 };
}

/** From side to side. */
function levelPaths(first, last) {
  const sense = Math.sign(last.x - first.x);
  const line = `M${n(first.x)} ${n(first.to)}L${n(last.x - sense * (HEAD - 1))} ${n(last.to)}`;
  return { line, head: headData({ x: last.x, y: last.to }, sense, 0) };
}

/** Return 1 for down, -1 for up, 0 for differences due to rounding. */
function senseOf(way) {
  return Math.abs(way) < 0.01 ? 0 : Math.sign(way);
}

function senseBefore(walk) {
  for (let i = walk.length - 2; i >= 0; i -= 1) {
    const sense = senseOf(walk.at(-1).from - walk[i].to);
    if (sense !== 0) return sense;
  }
  return 1;
}

function lineData(walk) {
  let at = { x: walk[0].x, y: walk[0].from };
  const parts = [`M${n(at.x)} ${n(at.y)}`];
  const upTo = (x, y) => {
    if (Math.abs(x - at.x) < 0.4) {
      if (Math.abs(y - at.y) > 0.01) parts.push(`L${n(x)} ${n(y)}`);
    } else {
      const half = (y - at.y) / 2;
      parts.push(`C${n(at.x)} ${n(at.y + half)} ${n(x)} ${n(y - half)} ${n(x)} ${n(y)}`);
    }
    at = { x, y };
  };
  walk.forEach((run, i) => {
    upTo(run.x, run.from);
    upTo(run.x, run.to);
    if (run.turn === null) return;
    const next = walk[i + 1];
    parts.push(across(at, run.turn, next));
    at = { x: next.x, y: next.from };
  });
  return parts.join("");
}

/** Go from one vertical to another, horizontally at a depth, with rounded corners. */
function across(from, deep, to) {
  const round = Math.min(8, Math.abs(to.x - from.x) / 2);
  const side = Math.sign(to.x - from.x) * round;
  return (
    `L${n(from.x)} ${n(deep - round)}Q${n(from.x)} ${n(deep)} ${n(from.x + side)} ${n(deep)}` +
    `L${n(to.x - side)} ${n(deep)}Q${n(to.x)} ${n(deep)} ${n(to.x)} ${n(deep - round)}L${n(to.x)} ${n(to.from)}`
  );
}

function headData({ x, y }, acrossSense, downSense) {
  const [backX, backY] = [x - acrossSense * HEAD, y - downSense * HEAD];
  const [sideX, sideY] = [downSense * HALF, acrossSense * HALF];
  return `M${n(x)} ${n(y)}L${n(backX + sideX)} ${n(backY + sideY)}L${n(backX - sideX)} ${n(backY - sideY)}Z`;
}

function n(number) {
  return String(Math.round(number * 10) / 10);
}
