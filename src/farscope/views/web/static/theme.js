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

const hues = new Map();
const HUES_KEPT = 5000; // names; beyond, colours are given out anew
const GOLDEN_ANGLE = 137.508;

/** Return the fill of a state: the same on every lane. */
export function stateFill(name) {
  return theme.dark ? `hsl(${hueOf(name)} 32% 33%)` : `hsl(${hueOf(name)} 52% 84%)`;
}

/** Return the colour of text on `stateFill`. */
export function stateInk(name) {
  return theme.dark ? `hsl(${hueOf(name)} 40% 86%)` : `hsl(${hueOf(name)} 45% 24%)`;
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
  for (const name of ["paper", "panel", "ink", "soft", "line", "hover", "accent", "accent-soft", "bad", "warn"]) {
    probe.style.color = `var(--${name})`;
    cached[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return cached;
}

/** Colours follow in the order in which states are first drawn, each as far from the ones before as can be. */
function hueOf(name) {
  let hue = hues.get(name);
  if (hue === undefined) {
    if (hues.size >= HUES_KEPT) hues.clear();
    hue = Math.round((210 + hues.size * GOLDEN_ANGLE) % 360);
    hues.set(name, hue);
  }
  return hue;
}
