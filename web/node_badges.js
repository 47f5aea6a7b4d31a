/**
 * What a run of a node costs, on the node: a badge, which both the canvas and Nodes 2.0 show.
 * @module
 */
import { t } from "./i18n.js";

const CREDITS = 25; // an image (the vendor's model page)
const PAID = ["HunyuanGenerate", "HunyuanEdit"];
const NEVER = 2; // LiteGraph's modes of a node that does not run
const BYPASS = 4;

/** @param {any} node a node just made */
export function addEstimate(node) {
  if (!PAID.includes(node.comfyClass) || !Array.isArray(node.badges) || !window.LGraphBadge) return;
  let badge = makeBadge("");
  node.badges.push(() => {
    const text = estimate(node);
    if (text !== badge.text) badge = makeBadge(text);
    return badge;
  });
}

/** @param {any} node */
function estimate(node) {
  if (node.mode === NEVER || node.mode === BYPASS) return "";
  const count = node.widgets?.find((/** @type {any} */ widget) => widget.name === "count");
  const input = node.inputs?.find((/** @type {any} */ one) => one.name === "count");
  if (input?.link != null || !count) return t("badge.each", { n: CREDITS });
  return t("badge.all", { n: CREDITS * Number(count.value) });
}

/** @param {string} text */
function makeBadge(text) {
  return new window.LGraphBadge({ text, fgColor: "#ffffff", bgColor: "#3f5a8a" });
}
