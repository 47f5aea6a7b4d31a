/**
 * Pictures dragged out of the gallery: onto a node that loads images, or into free space as a Load Image.
 *
 * ComfyUI would take the dropped picture for a workflow file, so what comes from here is taken before it sees it.
 * @module
 */
import { app } from "../../scripts/app.js";
import { pictureUrl } from "./api.js";
import { addLoadImages, setImage } from "./canvas.js";
import { tell } from "./task_actions.js";
import { useFiles } from "./upload.js";

/** @typedef {import("./task_store.js").Task} Task */

const TYPE = "application/x-hunyuan-tasks";
const NOT_THE_CANVAS = ".hunyuan-panel, .hunyuan-dialog, .hunyuan-lightbox, .side-bar-panel, .p-dialog, .side-tool-bar-container";

/** @type {Task[]} */
let carried = [];
/** @type {HTMLElement | null} the node in Nodes 2.0 that would take it */
let lit = null;

/**
 * @param {HTMLElement} element
 * @param {() => Task[]} tasks those that are carried
 */
export function makeDraggable(element, tasks) {
  element.draggable = true;
  element.addEventListener("dragstart", (event) => {
    carried = tasks().filter((task) => task.images);
    const data = event.dataTransfer;
    if (!carried.length || !data) return event.preventDefault();
    const url = new URL(pictureUrl(carried[0], "image"), location.href).href;
    data.effectAllowed = "copy";
    data.setData(TYPE, String(carried.length));
    data.setData("text/uri-list", url); // for other programs
    data.setData("DownloadURL", `image/png:${carried[0].task_id ?? carried[0].id}.png:${url}`);
    const image = element.querySelector("img");
    if (image) data.setDragImage(image, image.clientWidth / 2, image.clientHeight / 2);
  });
}

export function watchDrops() {
  // Before ComfyUI's own listeners, which stand on the document and on its nodes.
  window.addEventListener("dragover", over, { capture: true });
  window.addEventListener("drop", (event) => drop(event), { capture: true });
  window.addEventListener("dragend", () => light(null), { capture: true });
}

/** @param {DragEvent} event */
function isOurs(event) {
  const target = /** @type {Element} */ (event.target);
  return Boolean(event.dataTransfer?.types.includes(TYPE)) && !target.closest?.(NOT_THE_CANVAS);
}

/** @param {DragEvent} event */
function over(event) {
  if (!isOurs(event)) return light(null);
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
  light(nodeAt(event));
}

/** @param {DragEvent} event */
function drop(event) {
  if (!isOurs(event)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const [x, y] = app.canvas.convertEventToCanvasOffset(event);
  void put(carried, nodeAt(event), { x, y });
  light(null);
}

const put = tell(async (/** @type {Task[]} */ tasks, /** @type {any} */ node, /** @type {{x: number, y: number}} */ at) => {
  await useFiles(tasks, (files) => {
    if (node) setImage(node, files[0].name);
    const rest = node ? files.slice(1) : files;
    if (rest.length) addLoadImages(rest, at);
  });
});

/** The node under the pointer, if it loads images. @param {DragEvent} event */
function nodeAt(event) {
  const { graph } = app.canvas;
  const [x, y] = app.canvas.convertEventToCanvasOffset(event);
  const node = graph.getNodeOnPos(x, y, graph.nodes);
  return takesImage(node) ? node : null;
}

/** @param {any} node */
function takesImage(node) {
  const spec = node?.constructor?.nodeData?.input?.required?.image;
  return Boolean(spec?.[1]?.image_upload) && node.widgets?.some((/** @type {any} */ one) => one.name === "image");
}

/** Shows which node would take it, in both renderers. @param {any} node */
function light(node) {
  if (app.dragOverNode !== node) {
    app.dragOverNode = node;
    app.canvas.setDirty(true, true);
  }
  lit?.classList.remove("hunyuan-drop");
  lit = node && document.querySelector(`[data-node-id="${CSS.escape(String(node.id))}"]`);
  lit?.classList.add("hunyuan-drop");
}
