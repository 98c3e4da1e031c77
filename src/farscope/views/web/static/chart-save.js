// A picture as a self-contained file: every style becomes an attribute, so that any viewer shows it as the page does.

const SVG = "http://www.w3.org/2000/svg";

const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "opacity",
  "font-family", "font-size", "font-weight", "font-style", "text-anchor",
];
const COLOURS = new Set(["fill", "stroke"]);
const DRAWN = new Set(["rect", "path", "circle", "text", "tspan"]);
const LEFT_OUT = new Set(["reach", "flow"]); // elements for the pointer and for animation only

/** Return the text of an SVG file that shows `group` on a background colour. */
export function svgText(group, { w, h }, ground) {
  const width = Math.ceil(w);
  const height = Math.ceil(h);
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) svg.setAttribute(name, value);
  const paper = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width, height, fill: plainColour(ground) })) paper.setAttribute(name, value);
  svg.append(paper, styled(group));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(svg)}\n`;
}

function styled(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.data);
  const copy = document.createElementNS(SVG, node.localName);
  for (const { name, value } of node.attributes) {
    if (name !== "transform" && name !== "tabindex") copy.setAttribute(name, value);
  }
  if (DRAWN.has(node.localName)) inline(node, copy);
  for (const child of node.childNodes) {
    if (!LEFT_OUT.has(child.classList?.[0])) copy.append(styled(child));
  }
  return copy;
}

function inline(node, copy) {
  const style = getComputedStyle(node);
  for (const name of STYLES) {
    const value = style.getPropertyValue(name);
    copy.setAttribute(name, COLOURS.has(name) ? plainColour(value) : value);
  }
}

const plain = new Map();
let pen = null;

/** Return a colour in a notation that every viewer knows; browsers may use color(srgb 0.1 0.2 0.3). */
function plainColour(colour) {
  if (colour === "none" || colour.startsWith("rgb(")) return colour;
  if (!plain.has(colour)) {
    pen ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pen.getImageData(0, 0, 1, 1).data;
    plain.set(colour, alpha === 0 ? "none" : `rgb(${red}, ${green}, ${blue})`);
  }
  return plain.get(colour);
}
