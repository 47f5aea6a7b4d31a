/**
 * A node's own widgets and links.
 * @module
 */

/** @param {any} node @param {string} name @returns {any} undefined where it has no such widget */
export function widgetOf(node, name) {
  return node?.widgets?.find((/** @type {any} */ widget) => widget.name === name);
}

/** Whether something is linked to an input. @param {any} node @param {string} name */
export function isLinked(node, name) {
  return Boolean(node.inputs?.some((/** @type {any} */ input) => input.name === name && input.link != null));
}
