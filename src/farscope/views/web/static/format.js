// Numbers and times in human-readable form. Times are in nanoseconds since the server's origin.

const RUN_LENGTH = 14; // characters of a label after the host; a longer one is truncated at the front
const RUN_END = 10;
const NAME_END = 6; // characters kept at the end of a long name: names often differ there

let originMs = 0;

/** Set the origin of all times, in milliseconds since the epoch. */
export function setOrigin(ms) {
  originMs = ms;
}

/** Return {name, place, run}: the parts of a chart's label; `run` distinguishes charts of the same name. */
export function labelParts({ name, host, service, label }) {
  if (service && label === `${name}@${service}`) return { name: visible(name), place: visible(`@${service}`), run: "" };
  const place = `@${host}`;
  if (!label.startsWith(`${name}${place}:`)) return { name: visible(label), place: "", run: "" };
  const run = label.slice(name.length + place.length);
  const end = run.length > RUN_LENGTH ? `…${run.slice(-RUN_END)}` : run;
  return { name: visible(name), place: visible(place), run: visible(end) };
}

/** Return the name of a chart's process; its host if it has none. */
export function placeOf({ host, service }) {
  return service || host;
}

/** Return [front, end] of a name; the front is truncated if there is not enough space for both. */
export function nameParts(name) {
  const signs = [...name];
  if (signs.length <= 2 * NAME_END) return [name, ""];
  return [signs.slice(0, -NAME_END).join(""), signs.slice(-NAME_END).join("")];
}

/** Return 1,234 or 12.3k or 4.56M. */
export function count(number) {
  if (number === null || number === undefined) return "–";
  if (number < 10_000) return number.toLocaleString("en");
  if (number < 1_000_000) return `${(number / 1000).toFixed(number < 100_000 ? 1 : 0)}k`;
  return `${(number / 1_000_000).toFixed(number < 100_000_000 ? 2 : 0)}M`;
}

/** Return "1,234 steps", "1 step". */
export function things(number, thing) {
  return `${(number ?? 0).toLocaleString("en")} ${thing}${number === 1 ? "" : "s"}`;
}

/** Return a span of nanoseconds in a suitable unit: 350 ns, 12 µs, 3.4 ms, 5.6 s, 7:08, 2 h 05, 3 d 4 h. */
export function span(ns) {
  if (ns === null || ns === undefined || Number.isNaN(ns)) return "–";
  const amount = Math.max(0, ns);
  if (amount < 1e3) return `${Math.round(amount)} ns`;
  if (amount < 1e6) return `${short(amount / 1e3)} µs`;
  if (amount < 1e9) return `${short(amount / 1e6)} ms`;
  if (amount < 60e9) return `${short(amount / 1e9)} s`;
  const seconds = Math.floor(amount / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours} h ${two(Math.floor((seconds % 3600) / 60))}`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Return a time in state, in whole seconds or coarser. */
export function age(ns) {
  if (ns === null || ns === undefined) return "–";
  if (ns < 1e9) return "< 1 s";
  if (ns < 60e9) return `${Math.floor(ns / 1e9)} s`;
  return span(ns);
}

/** Return the time of day of a moment, with enough digits to show steps of `step` nanoseconds. */
export function clock(ns, step = 1e3) {
  if (ns === null || ns === undefined) return "–";
  const ms = Math.floor(ns / 1e6);
  const moment = new Date(originMs + ms);
  const text = `${two(moment.getHours())}:${two(moment.getMinutes())}`;
  if (step >= 60e9) return text;
  const rest = Math.round(ns - ms * 1e6);
  const fraction = String(moment.getMilliseconds()).padStart(3, "0") + String(rest).padStart(6, "0");
  const digits = step >= 1e9 ? 0 : Math.min(9, Math.ceil(-Math.log10(step / 1e9) - 1e-9));
  return `${text}:${two(moment.getSeconds())}${digits ? `.${fraction.slice(0, digits)}` : ""}`;
}

/** Return date and time of a moment, to the microsecond. */
export function dateClock(ns) {
  const day = new Date(originMs + Math.floor(ns / 1e6));
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())} ${clock(ns, 1e3)}`;
}

/** Return the last local midnight before a moment, in nanoseconds since the origin; ruler marks count from there. */
export function midnight(ns) {
  const day = new Date(originMs + Math.floor(ns / 1e6));
  return (new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime() - originMs) * 1e6;
}

/**
 * Return text with invisible characters as visible escapes: control characters as \n, \x1b, direction marks as \u202e;
 * an empty name becomes "(no name)".
 */
export function visible(text) {
  if (text === "") return "(no name)";
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{DI}]|(?! )\p{Zs}/gu, (char) => {
    const named = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    if (named) return named;
    const code = char.codePointAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** The words for the outcome of an event, by the number of the step's kind. */
export const KINDS = ["", "start", "transition", "hook", "ignored", "refused", "failed"];
export const [, , , , IGNORED, REFUSED, FAILED] = KINDS;

/** The status of a chart that reached its final state; one that an error ended has the word of such a step. */
export const FINISHED = "finished";

/** Return where a chart runs: the name of its process, its machine, and the number of the process. */
export function whereOf({ service, host, pid }) {
  return `${service ? `${visible(service)} on ` : ""}${visible(host)}, process ${pid}`;
}

function short(number) {
  if (number >= 100) return String(Math.round(number));
  return number >= 10 ? number.toFixed(1) : number.toFixed(2);
}

function two(number) {
  return String(number).padStart(2, "0");
}
