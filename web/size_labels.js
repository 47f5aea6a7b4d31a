/**
 * Sizes as people read them, "1280×720 · 16:9", in the list of a node's `size`. The values stay those of the API, so that
 * workflows and API clients see no difference.
 * @module
 */
import { t } from "./i18n.js";
import { widgetOf } from "./widgets.js";

/** The nodes with a `size`. */
export const SIZED = ["HunyuanGenerate", "HunyuanEdit"];

/** @param {any} node a node just made */
export function labelSizes(node) {
  if (!SIZED.includes(node.comfyClass)) return;
  const widget = widgetOf(node, "size");
  if (widget?.options) widget.options.getOptionLabel = sizeLabel;
}

/**
 * @param {string | null} value of the API, or a word of ours
 * @returns {string}
 */
function sizeLabel(value) {
  if (value === "match input") return t("sizes.match");
  if (value === "custom") return t("sizes.custom");
  const [, width, height] = (/^(\d+)\*(\d+)$/.exec(value ?? "") ?? []).map(Number);
  if (!width || !height) return value ?? "";
  const common = divisor(width, height);
  return `${width}×${height} · ${width / common}:${height / common}`;
}

/**
 * The greatest common divisor.
 * @param {number} a
 * @param {number} b
 * @returns {number}
 */
function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}
