/**
 * Putting nodes on the canvas, with standard nodes and links only.
 * @module
 */
import { app } from "../../scripts/app.js";
import { t } from "./i18n.js";

const GAP = 40; // pixels between nodes

/**
 * A HunyuanTaskWait with these ids, and a preview behind it, so that Run shows the images.
 * @param {string[]} ids
 */
export function addTaskWait(ids) {
  const wait = add("HunyuanTaskWait", { task_ids: ids.join("\n") });
  const preview = add("PreviewImage", {}, wait);
  wait.connect(0, preview, 0);
  finish([wait, preview]);
}

/** A LoadImage of a file in ComfyUI's input folder. @param {string} name */
export function addLoadImage(name) {
  const node = add("LoadImage", {});
  const widget = widgetOf(node, "image");
  const values = widget.options?.values;
  if (Array.isArray(values) && !values.includes(name)) values.push(name);
  set(node, "image", name);
  finish([node]);
}

/**
 * The same request once more, as a new image: with `reuse` off and the seed fixed.
 * @param {{type: string | null, prompt: string, size: string | null, seed: number | null}} task
 * @param {string[]} inputs URLs of an edit's images
 * @returns {any} the preview node, which makes it run
 */
export function addAgain(task, inputs) {
  const edit = task.type === "edit";
  const node = add(edit ? "HunyuanEdit" : "HunyuanGenerate", {
    prompt: task.prompt,
    ...sizeInputs(edit ? "HunyuanEdit" : "HunyuanGenerate", task.size),
    seed: task.seed ?? -1,
    control_after_generate: "fixed",
    reuse: false,
    ...(edit ? { image_urls: inputs.join("\n") } : {}),
  });
  const preview = add("PreviewImage", {}, node);
  node.connect(0, preview, 0);
  finish([node, preview]);
  return preview;
}

/** Runs this output node and what it needs, nothing else of the canvas. @param {any} node */
export function queueOnly(node) {
  return app.queuePrompt(0, 1, [String(node.id)]);
}

/** @param {string} type @param {string | null} size such as 1024*1024 */
function sizeInputs(type, size) {
  const [width, height] = (size ?? "").split("*").map(Number);
  if (!width || !height) return {};
  const probe = window.LiteGraph.createNode(type);
  const known = probe && widgetOf(probe, "size").options?.values?.includes(size);
  return known ? { size } : { size: "custom", width, height };
}

/**
 * @param {string} type
 * @param {Record<string, any>} values of its widgets
 * @param {any} [after] the node to stand to the right of
 */
function add(type, values, after = null) {
  const root = app.rootGraph ?? app.graph;
  if (app.canvas.graph !== root) app.canvas.setGraph(root); // out of a subgraph: nodes are run by their root ids
  const node = window.LiteGraph.createNode(type);
  if (!node) throw new Error(t("toast.no_node", { type }));
  node.pos = after ? [after.pos[0] + after.size[0] + GAP, after.pos[1]] : middle(node.size);
  root.add(node);
  for (const [name, value] of Object.entries(values)) set(node, name, value);
  return node;
}

/** The middle of what is seen, a little aside for each node that stands there. @param {number[]} size */
function middle(size) {
  const { canvas, ds, graph } = app.canvas;
  const x = canvas.clientWidth / 2 / ds.scale - ds.offset[0] - size[0];
  let y = canvas.clientHeight / 2 / ds.scale - ds.offset[1] - size[1] / 2;
  const taken = () => graph.nodes.some((/** @type {any} */ node) => Math.hypot(node.pos[0] - x, node.pos[1] - y) < 20);
  while (taken()) y += GAP;
  return [x, y];
}

/** @param {any} node @param {string} name */
function widgetOf(node, name) {
  const widget = node.widgets?.find((/** @type {any} */ one) => one.name === name);
  if (!widget) throw new Error(t("toast.no_node", { type: `${node.type}.${name}` }));
  return widget;
}

/** @param {any} node @param {string} name @param {any} value */
function set(node, name, value) {
  const widget = widgetOf(node, name);
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
}

/**
 * The canvas as it stands becomes a step that can be undone. Older front-ends only have checkState, newer ones warn of it.
 * @param {any} tracker
 */
function remember(tracker) {
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}

/** @param {any[]} nodes */
function finish(nodes) {
  app.canvas.deselectAll?.();
  for (const node of nodes) app.canvas.select?.(node);
  app.canvas.setDirty(true, true);
  remember(app.extensionManager.workflow?.activeWorkflow?.changeTracker);
}
