/**
 * The models that the server knows: the nodes that create their tasks, and what a node costs as it stands.
 * @module
 */
import { get } from "./api.js";

/**
 * @typedef {object} Family models that share a node, as nodes/routes/models.py gives it
 * @property {string} key
 * @property {string} title
 * @property {string[]} nodes
 * @property {string[]} models values that its tasks have as `model`
 * @property {string} edit_model what is sent with an image, empty where that is the same
 * @property {string[]} image_inputs
 * @property {Record<string, any>} usual the values of what nobody chose
 * @property {string[]} per_image inputs that say how many images a task has
 * @property {string} seed the name of its seed, empty where it has none
 * @property {boolean} by_task one task for each of its `task_ids`
 * @property {{credits: number, when: Record<string, any>}[]} prices the first that fits
 */

/** @type {Family[]} Hunyuan Image 3 first */
let families = [];

/** Asks once, before the first node is made. */
export async function loadModels() {
  families = (await get("models")).families;
}

export const allFamilies = () => families;

/** The family whose tasks nodes of this type create. @param {string} type */
function ofNode(type) {
  return families.find(({ nodes }) => nodes.includes(type));
}

/** Whether the node creates tasks. @param {any} node */
export function isPaid(node) {
  return Boolean(ofNode(node?.comfyClass));
}

/** Whether the node waits for tasks. @param {any} node */
export function isWaiting(node) {
  return isPaid(node) || node?.comfyClass === "HunyuanTaskWait";
}

/** The name of the node's seed, empty where it has none. @param {any} node */
export function seedName(node) {
  return ofNode(node?.comfyClass)?.seed ?? "";
}

/** Its family; a renamed Hunyuan Image 3 has tasks of a type too. @param {{model: string, type: string | null}} task */
export function familyOf({ model, type }) {
  return type === null ? families.find(({ models }) => models.includes(model)) : families[0];
}

/** Credits of the cheapest image there is. */
export function leastCredits() {
  if (!families.length) return 0; // they could not be loaded
  return Math.min(...families.flatMap(({ prices }) => prices.map(({ credits }) => credits)));
}

/**
 * What a node costs by its values; the least where what decides is linked and only known when it runs.
 * @param {import("./graph_cost.js").Sighted} sighted
 * @returns {{credits: number, atLeast: boolean}}
 */
export function costOf({ type, inputs, linked }) {
  const family = /** @type {Family} */ (ofNode(type));
  const open = Object.keys(linked);
  const chosen = { ...family.usual, ...inputs };
  if (family.edit_model && family.image_inputs.some((name) => name in linked || inputs[name])) chosen.model = family.edit_model;
  for (const name of open) delete chosen[name];
  const fits = ([name, value]) => !(name in chosen) || chosen[name] === value;
  const fitting = family.prices.filter(({ when }) => Object.entries(when).every(fits)).map(({ credits }) => credits);
  const deciding = [...family.prices.flatMap(({ when }) => Object.keys(when)), ...family.per_image];
  const isOpen = deciding.some((name) => open.includes(name));
  const price = (isOpen ? Math.min(...fitting) : fitting[0]) || 0;
  const images = family.per_image.reduce((product, name) => product * Math.max(1, Number(chosen[name]) || 1), 1);
  const ids = new Set(String(inputs.task_ids ?? "").split(/[\s,;，、；]+/).filter(Boolean));
  const count = family.by_task ? (open.includes("task_ids") ? NaN : Math.max(1, ids.size)) : Number(inputs.count);
  const known = Number.isFinite(count);
  return { credits: price * images * (known ? count : 1), atLeast: isOpen || !known };
}
