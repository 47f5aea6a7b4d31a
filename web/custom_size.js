/**
 * `width` and `height` are seen only where they count: with the size "custom", or where something is linked to them.
 * The first Nodes 2.0 (front-end 1.32) read once what is hidden, and would never show them again: there they stay.
 * @module
 */
import { SIZED } from "./size_labels.js";
import { isLinked, widgetOf } from "./widgets.js";

const GAP = 4; // pixels that the canvas adds to each widget
const SIDES = ["width", "height"];

/** @param {any} node a node just made */
export function showSides(node) {
  if (!SIZED.includes(node.comfyClass)) return;
  const size = widgetOf(node, "size");
  if (!size) return;
  const adapt = () => fit(node);
  after(size, "callback", adapt);
  after(node, "onConfigure", adapt);
  after(node, "onConnectionsChange", adapt);
  adapt();
}

/** Does something after what is done already. @param {any} target @param {string} name @param {() => void} act */
function after(target, name, act) {
  const before = target[name];
  target[name] = (/** @type {any[]} */ ...given) => {
    const told = before?.apply(target, given);
    act();
    return told;
  };
}

/** Shows or hides the two, and keeps the room of the rest. @param {any} node */
function fit(node) {
  const size = widgetOf(node, "size");
  const sides = SIDES.map((name) => widgetOf(node, name)).filter(Boolean);
  const changed = sides.filter((side) => {
    const wanted = size.value === "custom" || isLinked(node, "size") || isLinked(node, side.name);
    if (Boolean(side.hidden) === !wanted) return false;
    side.hidden = !wanted; // the canvas
    if ("visibility" in side) side.options.hidden = !wanted; // Nodes 2.0 of front-ends that look again
    if (wanted) delete side.computeSize;
    else side.computeSize = () => [0, -GAP]; // the canvas of older front-ends leaves the room of what it does not draw
    return true;
  });
  if (!changed.length) return;
  node.widgets = [...node.widgets]; // Vue watches the list, not the option
  const [width, height] = node.size;
  const least = node.computeSize();
  if (height < least[1]) node.setSize([width, least[1]]);
  node.setDirtyCanvas?.(true, true);
}
