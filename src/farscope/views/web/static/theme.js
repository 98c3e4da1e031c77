// Light and dark theme: the system's, until the user chooses another.

const CHOICES = ["system", "light", "dark"];
const STORE = "farscope-theme";

/** Emits "theme" when colours change, so that canvases can be redrawn. */
class Theme extends EventTarget {
  constructor() {
    super();
    this._choice = CHOICES.includes(kept()) ? kept() : "system";
    this._apply();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this._tell());
  }

  /** The chosen theme: system, light or dark. */
  get choice() {
    return this._choice;
  }

  get dark() {
    if (this._choice !== "system") return this._choice === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }

  /** Switch between light and dark; back to the system's choice if that is the same. */
  toggle() {
    const wanted = this.dark ? "light" : "dark";
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    this._choice = wanted === system ? "system" : wanted;
    try {
      localStorage.setItem(STORE, this._choice);
    } catch {
      // Without storage, the browser forgets the choice when the page is closed.
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
const PAINTS_KEPT = 5000; // cached names; above that, the cache is cleared
const FIRST_HUE = 45; // hues around 0 are red, which is reserved for failures
const HUES = 27; // ten degrees apart, so that states of different hues look different
const TONES = {
  light: [[52, 84, 24], [46, 78, 20], [38, 90, 28]], // saturation and lightness of the fill, lightness of the text
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

/** Return a colour of the style sheet, by its name without the leading dashes. */
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

/** A state's colour depends on its name only. */
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

/** FNV-1a with the finalizer of MurmurHash3: names that differ in one character get distant values. */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (let place = 0; place < text.length; place += 1) hash = Math.imul(hash ^ text.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
