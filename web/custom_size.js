/**
 * `width` and `height` are seen only where they count: with the size "custom", or where something is linked to them.
 * The first Nodes 2.0 (front-end 1.32) read once what is hidden, and would never show them again: there they stay.
 * @module
 */
const GAP = 4; // pixels that the canvas adds to each widget
const SIZED = ["HunyuanGenerate", "HunyuanEdit"];
const SIDES = ["width", "height"];

/** @param {any} node a node just made */
export function showSides(node) {
  if (!SIZED.includes(node.comfyClass)) return;
  const size = widgetOf(node, "size");
  if (!size) return;
  const { callback } = size;
  size.callback = (/** @type {any[]} */ ...given) => {
    const told = callback?.apply(size, given);
    fit(node);
    return told;
  };
  const { onConfigure, onConnectionsChange } = node;
  node.onConfigure = function (/** @type {any[]} */ ...given) {
    const told = onConfigure?.apply(this, given);
    fit(node);
    return told;
  };
  node.onConnectionsChange = function (/** @type {any[]} */ ...given) {
    const told = onConnectionsChange?.apply(this, given);
    fit(node);
    return told;
  };
  fit(node);
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

/** @param {any} node @param {string} name */
function widgetOf(node, name) {
  return node.widgets?.find((/** @type {any} */ widget) => widget.name === name);
}

/** @param {any} node @param {string} name */
function isLinked(node, name) {
  return Boolean(node.inputs?.some((/** @type {any} */ input) => input.name === name && input.link != null));
}
