/**
 * Room on the canvas, so that no node lands on another.
 * @module
 */
import { app } from "../../scripts/app.js";

/** @typedef {{x: number, y: number, width: number, height: number}} Box in the canvas's own units, title included */

const MARGIN = 24; // kept free around a node
const STEP = 32; // from one place that is tried to the next
const RINGS = 150;

/**
 * The free place for a box of this size that is nearest to the wanted one.
 * @param {{width: number, height: number}} size
 * @param {{x: number, y: number}} wanted its top left corner
 * @param {any} graph
 * @param {Box | null} [seen] where it should be if there is room
 * @returns {Box}
 */
export function freePlace(size, wanted, graph, seen = null) {
  const taken = graph.nodes.map(boxOf);
  const isFree = (/** @type {Box} */ box) => !taken.some((/** @type {Box} */ other) => overlaps(box, other));
  /** @type {Box | null} */
  let nearest = null;
  for (const { x, y } of around(wanted)) {
    const box = { ...size, x, y };
    if (!isFree(box)) continue;
    if (!seen || isInside(box, seen)) return box;
    nearest ??= box;
  }
  return nearest ?? { ...size, x: Math.max(...taken.map((/** @type {Box} */ each) => each.x + each.width)) + MARGIN, y: wanted.y };
}

/** What is seen of the canvas, without what the sidebar covers. @returns {Box} */
export function seenBox() {
  const { canvas, ds } = app.canvas;
  const whole = canvas.getBoundingClientRect();
  let [left, right] = [whole.left, whole.right];
  const panel = document.querySelector(".hunyuan-panel")?.getBoundingClientRect();
  if (panel?.width && panel.right > left && panel.left < right) {
    if (panel.left - left < right - panel.right) left = panel.right;
    else right = panel.left;
  }
  return {
    x: (left - whole.left) / ds.scale - ds.offset[0],
    y: -ds.offset[1],
    width: (right - left) / ds.scale,
    height: whole.height / ds.scale,
  };
}

/** Moves the canvas as far as is needed to see the box. @param {Box} box */
export function bringIntoView(box) {
  const seen = seenBox();
  const { ds } = app.canvas;
  ds.offset[0] += shift(box.x, box.width, seen.x, seen.width);
  ds.offset[1] += shift(box.y, box.height, seen.y, seen.height);
  app.canvas.setDirty(true, true);
}

/** @param {number} from @param {number} length @param {number} seenFrom @param {number} seenLength */
function shift(from, length, seenFrom, seenLength) {
  const before = seenFrom + MARGIN - from; // the beginning is seen in any case
  if (before > 0 || length + 2 * MARGIN > seenLength) return before;
  return Math.min(0, seenFrom + seenLength - MARGIN - (from + length));
}

/** How high a node's title is. */
export function titleHeight() {
  return window.LiteGraph.NODE_TITLE_HEIGHT ?? 30;
}

/** A node with its title. @param {any} node @returns {Box} */
function boxOf(node) {
  const title = titleHeight();
  const [width, height] = node.flags?.collapsed ? [node._collapsed_width ?? 160, 0] : node.size;
  return { x: node.pos[0], y: node.pos[1] - title, width, height: height + title };
}

/** The places in growing rings. @param {{x: number, y: number}} centre */
function* around({ x, y }) {
  yield { x, y };
  for (let ring = 1; ring <= RINGS; ring++) {
    for (let along = -ring; along < ring; along++) {
      yield { x: x + along * STEP, y: y - ring * STEP };
      yield { x: x + ring * STEP, y: y + along * STEP };
      yield { x: x - along * STEP, y: y + ring * STEP };
      yield { x: x - ring * STEP, y: y - along * STEP };
    }
  }
}

/** @param {Box} one @param {Box} other */
function overlaps(one, other) {
  return (
    one.x < other.x + other.width + MARGIN &&
    other.x < one.x + one.width + MARGIN &&
    one.y < other.y + other.height + MARGIN &&
    other.y < one.y + one.height + MARGIN
  );
}

/** @param {Box} box @param {Box} frame */
function isInside(box, frame) {
  return (
    box.x >= frame.x && box.y >= frame.y && box.x + box.width <= frame.x + frame.width && box.y + box.height <= frame.y + frame.height
  );
}
