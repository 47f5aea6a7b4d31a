/**
 * Putting nodes on the canvas, with standard nodes and links only, where nothing stands.
 * @module
 */
import { app } from "../../scripts/app.js";
import { bringIntoView, freePlace, seenBox, titleHeight } from "./free_place.js";
import { t } from "./i18n.js";
import { rootGraph } from "./node_places.js";

const GAP = 40; // pixels between nodes
const PICTURE = [320, 400]; // of a node that shows an image: it grows to that anyway
const AROUND = 150; // what such a node has above and below its image in Nodes 2.0

/**
 * A HunyuanTaskWait with these ids, and a preview behind it, so that Run shows the images.
 * @param {string[]} ids
 */
export function addTaskWait(ids) {
  const wait = make("HunyuanTaskWait", { task_ids: ids.join("\n") });
  const preview = make("PreviewImage", {}, 1);
  join(stand([wait, preview], shownRoot()));
}

/**
 * A LoadImage for each file of ComfyUI's input folder.
 * @param {import("./upload.js").Uploaded[]} files
 * @param {{x: number, y: number} | null} [at] where the first one is wanted; null: in the middle of what is seen
 */
export function addLoadImages(files, at = null) {
  const graph = app.canvas.graph;
  const nodes = files.map(({ name, ratio }) => {
    const [node] = stand([make("LoadImage", {}, ratio)], graph, at);
    setImage(node, name);
    return node;
  });
  finish(nodes);
}

/** Shows a file of the input folder in a node that loads images. @param {any} node @param {string} name */
export function setImage(node, name) {
  const values = widgetOf(node, "image").options?.values;
  if (Array.isArray(values) && !values.includes(name)) values.push(name);
  set(node, "image", name);
  remember();
}

/**
 * A node with these inputs and its seed fixed, its masks before it and a preview behind it.
 * @param {{type: string, inputs: Record<string, any>, masks: Record<string, string>}} wanted masks: input → URL
 * @param {string | null} size such as 1024*1024
 * @returns {any} the preview node, which makes it run
 */
export function addAgain({ type, inputs, masks }, size) {
  const [width, height] = (size ?? "").split("*").map(Number);
  const loaders = Object.values(masks).flatMap((url) => [
    make("HunyuanImageFromURL", { image_urls: url }),
    make("ImageToMask", { channel: "red" }),
  ]);
  const made = [...loaders, make(type, inputs), make("PreviewImage", {}, height && width ? height / width : 1)];
  const nodes = stand(made, shownRoot());
  const [again, preview] = nodes.slice(-2);
  fixSeed(again);
  for (const [index, name] of Object.keys(masks).entries()) {
    const [picture, mask] = nodes.slice(2 * index);
    picture.connect(0, mask, 0);
    mask.connect(0, again, again.findInputSlot(name));
  }
  return join([again, preview]);
}

/** A seed that stays. @param {any} node @param {string} name @param {number} seed */
export function setSeed(node, name, seed) {
  putSeed(node, name, seed);
  remember();
}

/**
 * The same in a workflow that is just being opened: the front-end 1.32 would remember it as a step of the one before.
 * @param {any} node @param {string} name @param {number} seed
 */
export function putSeed(node, name, seed) {
  set(node, name, seed);
  fixSeed(node);
  app.canvas.setDirty(true, true);
}

/** Not every model has a seed. @param {any} node */
function fixSeed(node) {
  const control = "control_after_generate";
  if (node.widgets.some((/** @type {any} */ widget) => widget.name === control)) set(node, control, "fixed");
}

/** The first one's images into the second one. @param {any[]} nodes @returns {any} the second one */
function join([node, preview]) {
  node.connect(0, preview, 0);
  finish([node, preview]);
  return preview;
}

/** The outermost graph, shown: nodes are run by their ids there. */
function shownRoot() {
  const root = rootGraph();
  if (app.canvas.graph !== root) app.canvas.setGraph(root);
  return root;
}

/**
 * @typedef {object} Made a node that stands nowhere yet
 * @property {any} node
 * @property {Record<string, any>} values of its widgets
 * @property {number} ratio of the image it will show, height by width; 0: none
 */

/**
 * @param {string} type
 * @param {Record<string, any>} values
 * @param {number} [ratio]
 * @returns {Made}
 */
function make(type, values, ratio = 0) {
  const node = window.LiteGraph.createNode(type);
  if (!node) throw new Error(t("toast.no_node", { type }));
  if (ratio) node.setSize(PICTURE);
  return { node, values, ratio };
}

/**
 * Adds the nodes side by side, all of them in free space.
 * @param {Made[]} made
 * @param {any} graph
 * @param {{x: number, y: number} | null} [at]
 * @returns {any[]} the nodes
 */
function stand(made, graph, at = null) {
  const title = titleHeight();
  const rooms = made.map(roomOf);
  const size = {
    width: rooms.reduce((sum, room) => sum + room.width, GAP * (made.length - 1)),
    height: Math.max(...rooms.map((room) => room.height)) + title,
  };
  const seen = seenBox();
  const middle = { x: seen.x + (seen.width - size.width) / 2, y: seen.y + (seen.height - size.height) / 2 };
  const box = at ? freePlace(size, at, graph) : freePlace(size, middle, graph, seen);
  let x = box.x;
  for (const [index, { node, values }] of made.entries()) {
    node.pos = [x, box.y + title];
    graph.add(node);
    for (const [name, value] of Object.entries(values)) set(node, name, value);
    x += rooms[index].width + GAP;
  }
  if (!at) bringIntoView(box);
  return made.map(({ node }) => node);
}

/** How much room a node will take: Nodes 2.0 draws its inputs and images higher than the canvas does. @param {Made} made */
function roomOf({ node, ratio }) {
  const [width, height] = node.size;
  if (!window.LiteGraph.vueNodesMode) return { width, height };
  const inside = ratio ? width * ratio + AROUND : height * 1.4;
  return { width: Math.max(width, 340), height: Math.max(height, inside) };
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

/** @param {any[]} nodes */
function finish(nodes) {
  app.canvas.deselectAll?.();
  for (const node of nodes) app.canvas.select?.(node);
  app.canvas.setDirty(true, true);
  remember();
}

/** A step that Ctrl+Z takes back. Older front-ends know it as `checkState`, newer ones complain of that name. */
function remember() {
  const tracker = app.extensionManager.workflow?.activeWorkflow?.changeTracker;
  if (tracker?.captureCanvasState) tracker.captureCanvasState();
  else tracker?.checkState?.();
}
