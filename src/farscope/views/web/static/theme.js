// Light and dark: as the system says, until a person says otherwise.

const CHOICES = ["system", "light", "dark"];
const STORE = "farscope-theme";

/** Tells "theme" when colours changed, so that what is drawn by hand can be drawn again. */
class Theme extends EventTarget {
  constructor() {
    super();
    this._choice = CHOICES.includes(kept()) ? kept() : "system";
    this._apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this._tell());
  }

  /** What was chosen: system, light or dark. */
  get choice() {
    return this._choice;
  }

  get dark() {
    if (this._choice !== "system") return this._choice === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }

  /** Turn light to dark and dark to light; back to the system's choice where that is the same. */
  toggle() {
    const wanted = this.dark ? "light" : "dark";
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    this._choice = wanted === system ? "system" : wanted;
    try {
      localStorage.setItem(STORE, this._choice);
    } catch {
      // A browser that keeps nothing for us forgets the choice with the page.
    }
    this._apply();
    this._tell();
  }

  _apply() {
    if (this._choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this._choice;
  }

  _tell() {
    this.dispatchEvent(new Event("theme"));
  }
}

function kept() {
  try {
    return localStorage.getItem(STORE);
  } catch {
    return null;
  }
}

export const theme = new Theme();

const paints = new Map();
const PAINTS_KEPT = 5000; // names; beyond, they are worked out again
const FIRST_HUE = 45; // hues round 0 are red, which failures alone have
const HUES = 27; // ten degrees apart, so that two states look alike only where they have the same
const TONES = {
  light: [[52, 84, 24], [46, 78, 20], [38, 90, 28]], // saturation and lightness of the ground, lightness of the ink
  dark: [[32, 33, 92], [46, 22, 80], [20, 38, 96]],
};

/** Return the fill of a state: the same on every lane, after every reload and in every browser. */
export function stateFill(name) {
  const { hue, tone } = paintOf(name);
  const [saturation, ground] = TONES[theme.dark ? "dark" : "light"][tone];
  return `hsl(${hue} ${saturation}% ${ground}%)`;
}

/** Return the colour of text on `stateFill`. */
export function stateInk(name) {
  const { hue, tone } = paintOf(name);
  const ink = TONES[theme.dark ? "dark" : "light"][tone][2];
  return `hsl(${hue} 40% ${ink}%)`;
}

/** Return a colour of the style sheet, by its name without the dashes. */
export function colour(name) {
  return colours()[name];
}

let cached = null;
let cachedDark = null;

function colours() {
  if (cached && cachedDark === theme.dark) return cached;
  cachedDark = theme.dark;
  const probe = document.createElement("i");
  document.body.append(probe);
  cached = {};
  for (const name of ["paper", "panel", "ink", "soft", "line", "hover", "accent", "accent-soft", "bad", "warn", "tick"]) {
    probe.style.color = `var(--${name})`;
    cached[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return cached;
}

/** A state's colour comes of its name alone. */
function paintOf(name) {
  let paint = paints.get(name);
  if (paint === undefined) {
    if (paints.size >= PAINTS_KEPT) paints.clear();
    const place = hashOf(name) % (HUES * TONES.light.length);
    paint = { hue: FIRST_HUE + 10 * (place % HUES), tone: Math.floor(place / HUES) };
    paints.set(name, paint);
  }
  return paint;
}

/** FNV-1a, stirred as MurmurHash3 ends: names that differ in one sign are far apart. */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
