/**
 * The prompt box keeps its height: the line that appears on a node in its first run makes the node higher instead.
 * @module
 */
import { app } from "../../scripts/app.js";
import { on } from "./api.js";
import { isWaiting } from "./models.js";

const LINE = "$$node-text-preview"; // ComfyUI's widget for it
const LEAST = 2; // pixels that are worth a change
// The line comes some frames after the event, and takes its share of each pixel that the node grows by; Nodes 2.0 draw
// a node higher than its size says where the line needs it, and the size has to get there first.
const LOOKS = 10;
const BETWEEN = 6; // frames from the canvas to the boxes on it

/** @type {Map<string, {node: any, height: number}>} node id → how high its prompt box was when the run began */
const before = new Map();

export function keepPromptHeight() {
  on("execution_start", () => {
    before.clear();
    for (const node of app.canvas?.graph?.nodes ?? []) {
      const box = isWaiting(node) && !hasLine(node) ? boxOf(node) : null;
      if (box) before.set(String(node.id), { node, height: box.offsetHeight });
    }
  });
  on("progress_text", ({ nodeId }) => {
    const known = before.get(String(nodeId));
    if (!known) return;
    before.delete(String(nodeId));
    void giveBack(known.node, known.height);
  });
}

/** @param {any} node @param {number} height of its box before */
async function giveBack(node, height) {
  const smallest = node.size[1];
  for (let look = 0; look < LOOKS; look++) {
    await drawn(node);
    const box = boxOf(node);
    if (!box || !node.graph) return;
    const lost = height - box.offsetHeight;
    if (Math.abs(lost) >= LEAST) node.setSize([node.size[0], Math.max(smallest, node.size[1] + lost)]);
  }
}

/** Waits until the node's size is what its boxes have: a new size alone makes no canvas draw. @param {any} node */
async function drawn(node) {
  node.setDirtyCanvas(true, true);
  do await frames(1);
  while (app.canvas.dirty_canvas);
  await frames(BETWEEN);
}

/** @param {number} count */
async function frames(count) {
  for (let frame = 0; frame < count; frame++) await new Promise((drawn) => requestAnimationFrame(drawn));
}

/** @param {any} node */
function hasLine(node) {
  return node.widgets?.some((/** @type {any} */ widget) => widget.name === LINE);
}

/** The box of the node's longest text. @param {any} node @returns {HTMLElement | null} */
function boxOf(node) {
  const shown = window.LiteGraph.vueNodesMode
    ? document.querySelector(`[data-node-id="${CSS.escape(String(node.id))}"] textarea`)
    : node.widgets?.find((/** @type {any} */ widget) => widget.element?.tagName === "TEXTAREA")?.element;
  return /** @type {HTMLElement | null} */ (shown ?? null);
}
