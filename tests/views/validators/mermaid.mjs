// Reads one JSON string a line, Mermaid source; answers with one JSON object a line: what Mermaid made of it.
import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>");
globalThis.window = window;
globalThis.document = window.document;
globalThis.Option = window.Option;
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false, maxTextSize: 5_000_000, maxEdges: 100_000 });

// Mermaid keeps entities in this form until it draws them.
const shown = (text) =>
  (Array.isArray(text) ? text.join("\n") : String(text ?? "")).replace(/ﬂ°°(\d+)¶ß/g, (_, code) =>
    String.fromCodePoint(Number(code)));

async function read(source) {
  const { diagramType } = await mermaid.parse(source);
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(source);
  if (diagramType === "sequence") {
    const actors = db.getActors();
    return {
      type: diagramType,
      lanes: db.getActorKeys().map((key) => shown(actors.get(key).description)),
      boxes: db.getBoxes().map((box) => shown(box.name)),
      messages: db.getMessages().filter((each) => each.from !== undefined && each.placement === undefined)
        .map((each) => shown(each.message)),
      notes: db.getMessages().filter((each) => each.placement !== undefined).map((each) => shown(each.message)),
      loops: db.getMessages().filter((each) => each.type === db.LINETYPE.LOOP_START).map((each) => shown(each.message)),
    };
  }
  const { nodes, edges } = db.getData();
  const states = nodes.filter((each) => /^c\d+s\d+$/.test(each.id));
  const known = new Map(nodes.map((each) => [each.id, each]));
  // Mermaid puts what stands between lines that divide regions into states of its own.
  const holder = ({ parentId }) => (known.get(parentId)?.shape === "divider" ? holder(known.get(parentId)) : parentId ?? "");
  return {
    type: diagramType,
    states: states.map((each) => [each.id, shown(each.label), holder(each)]),
    regions: nodes.filter((each) => each.shape === "divider").length,
    active: states.filter((each) => /\bactive\b/.test(each.cssClasses ?? "")).map((each) => each.id),
    edges: edges.map((each) => [each.start, each.end, shown(each.label)]),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await read(JSON.parse(line));
  } catch (error) {
    answer = { error: String(error.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
