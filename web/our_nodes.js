/**
 * Which nodes are ours, and which of them cost.
 * @module
 */
export const PAID = ["HunyuanGenerate", "HunyuanEdit"];
/** Those that wait for tasks. */
export const OURS = [...PAID, "HunyuanTaskWait"];

/** @param {any} node */
export function isPaid(node) {
  return PAID.includes(node?.comfyClass);
}
