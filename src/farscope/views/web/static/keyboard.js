// Keyboard control of everything on the page; ? lists the keys.

import { byId, make } from "./dom.js";

const DIALOG_SPARES = new Set(["INPUT", "SELECT", "TEXTAREA"]);

/**
 * Listen for keys.
 * @param {Array<[string[], string, function(KeyboardEvent)]>} keys  the keys, a description, and the action;
 *   "Shift+" before a key's name requires Shift, too
 */
export function listen(keys) {
  const doings = new Map(keys.flatMap(([names, , doing]) => names.map((name) => [name, doing])));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
    const typing = DIALOG_SPARES.has(event.target.tagName);
    if (event.key === "Escape" && typing) {
      event.target.blur();
      return;
    }
    // Space or Enter on a button belongs to the button.
    const pressing = event.target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter");
    if (typing || pressing) return;
    const arrow = event.shiftKey && event.key.startsWith("Arrow");
    const doing = doings.get(arrow ? `Shift+${event.key}` : event.key);
    if (!doing) return;
    event.preventDefault();
    doing(event);
  });
  fillDialog(keys);
}

/** Show the list of keys. */
export function showKeys() {
  byId("keys").showModal();
}

const SIGNS = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space", "Shift+ArrowLeft": "Shift ←", "Shift+ArrowRight": "Shift →" };

function fillDialog(keys) {
  const rows = keys.map(([names, words]) => {
    const caps = names.flatMap((name) => [make("kbd", {}, SIGNS[name] ?? name), " "]);
    return make("tr", {}, make("td", {}, ...caps), make("td", {}, words));
  });
  const mouse = [
    ["wheel, drag on the picture", "zoom, move; double click, the whole; + - 0 once it was clicked"],
    ["wheel on the timeline", "zoom; with Shift, move; over the names, scroll"],
    ["drag on the timeline", "move; on its ruler, travel in time"],
    ["click on the timeline", "the facts of that step; double click, travel there"],
    ["Ctrl-click in the list", "add charts to the timeline and the sequence"],
  ].map(([hand, words]) => make("tr", {}, make("td", { class: "soft" }, hand), make("td", {}, words)));
  const close = make("button", { type: "button", autofocus: "" }, "Close");
  close.addEventListener("click", () => byId("keys").close());
  byId("keys").append(make("h2", {}, "Keyboard"), make("table", {}, make("tbody", {}, ...rows, ...mouse)), make("p", {}, " "), close);
  byId("keys").addEventListener("click", (event) => event.target === byId("keys") && byId("keys").close());
}
