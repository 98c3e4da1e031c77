// The texts of arrows and remarks: a signal or a delay, guards and flags.

const REPEATED = "every."; // how the signals of repeated timeouts begin

/**
 * Return the text of an arrow or a remark: "GO [ready]", "after 200 ms", "RESET (internal)".
 *
 * @param {string} signal  empty for a transition without an event
 * @param {Array<{guard: string, flags: string[], delay: string}>} reactions  those announced for it; several share an
 *   arrow if only their guards differ
 */
export function caption(signal, reactions) {
  const unique = (texts) => [...new Set(texts.filter(Boolean))];
  const guards = unique(reactions.map(({ guard = "" }) => guard));
  const flags = unique(reactions.flatMap(({ flags: some = [] }) => some));
  const delay = reactions.map((one) => one.delay).find(Boolean);
  const parts = [];
  if (delay && flags.includes("timed")) parts.push(`${signal.startsWith(REPEATED) ? "every" : "after"} ${delay}`);
  else if (signal) parts.push(signal);
  if (guards.length) parts.push(`[${guards.join(" or ")}]`);
  for (const flag of flags) if (flag !== "timed") parts.push(`(${flag.replaceAll("_", " ")})`);
  return parts.join(" ") || "(eventless)";
}

/** Return the targets of an announced reaction; "" alone if its target is unknown. */
export function targetsOf({ target, more_targets: more = [] }) {
  return target === "" ? [""] : [target, ...more];
}

const SIGNS = { history: "H", deep_history: "H*" };
const WORDS = { parallel: "with regions", history: "history state", deep_history: "deep history state", final: "final state" };

/** Return the sign of a history state, and an empty text for all others. */
export function historySign(kind) {
  return SIGNS[kind] ?? "";
}

/** Return the name of a kind of state that this page does not know, in guillemets; empty for all others. */
export function stereotype(kind) {
  return kind === "plain" || kind in WORDS ? "" : `«${kind.replaceAll("_", " ")}» `;
}

/** Return what a state is, in words: its name, its kind if that is special, and whether it is a region. */
export function wordsFor({ name, kind, region }) {
  return [name, region ? "region" : "", WORDS[kind] ?? (kind === "plain" ? "" : kind)].filter(Boolean).join(", ");
}
