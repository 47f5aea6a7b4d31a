/**
 * What a run of the canvas would cost: every paid node that would run, in subgraphs too, as often as it would run.
 *
 * The page knows what stands in the nodes. What is paid for already, and how many prompts a list holds, the server says.
 * @module
 */
import { post } from "./api.js";
import { costOf, isPaid } from "./models.js";
import { linkOf, rootGraph } from "./node_places.js";

/**
 * @typedef {{name: string, host: any}} Frame a subgraph node that is looked into, and its execution id
 * @typedef {{type?: string, inputs?: Record<string, any>, list?: boolean}} Source list: it may give several values
 * @typedef {{id: string, type: string, inputs: Record<string, any>, linked: Record<string, Source>}} Sighted
 * @typedef {{credits: number, at_least: boolean, reused: number, nodes: number}} Cost
 */

const NEVER = 2; // LiteGraph's modes of a node that does not run
const BYPASS = 4;
const FROM_OUTSIDE = -10; // LiteGraph's id of a subgraph's own inputs
const PASSES_ON = ["Reroute"];
const MOST_STEPS = 50; // of links that only pass on

/**
 * A node, or a subgraph with all in it.
 * @param {any} node
 * @returns {{credits: number, atLeast: boolean, single: boolean}}
 */
export function costOfNode(node) {
  const found = isIdle(node) ? [] : isPaid(node) ? [sight(node, [])] : inside(node, []);
  const costs = found.map(costOf);
  const credits = costs.reduce((sum, cost) => sum + cost.credits, 0);
  return { credits, atLeast: costs.some((cost) => cost.atLeast) || found.some(hasList), single: isPaid(node) };
}

/** Whether a list may make the node run more than once. @param {Sighted} sighted */
function hasList({ linked }) {
  return Object.values(linked).some((source) => source.list);
}

/** Of all that would run. @returns {Promise<Cost>} */
export function costOfCanvas() {
  return post("cost", { nodes: inGraph(rootGraph(), []) });
}

/** @param {any} graph @param {Frame[]} frames @returns {Sighted[]} */
function inGraph(graph, frames) {
  const nodes = (graph?.nodes ?? []).filter((/** @type {any} */ node) => !isIdle(node));
  return nodes.flatMap((/** @type {any} */ node) => (isPaid(node) ? [sight(node, frames)] : inside(node, frames)));
}

/** @param {any} node @param {Frame[]} frames @returns {Sighted[]} */
function inside(node, frames) {
  if (!node.isSubgraphNode?.()) return [];
  return inGraph(node.subgraph, [...frames, { name: String(node.id), host: node }]);
}

/** @param {any} node */
function isIdle(node) {
  return node.mode === NEVER || node.mode === BYPASS;
}

/** What stands in a paid node, links followed as far as a value stands at their end. @param {any} node @param {Frame[]} frames */
function sight(node, frames) {
  /** @type {Record<string, any>} */
  const inputs = {};
  /** @type {Record<string, any>} */
  const linked = {};
  for (const widget of node.widgets ?? []) inputs[widget.name] = widget.value;
  for (const input of node.inputs ?? []) {
    if (input.link === null || input.link === undefined) continue;
    const end = origin(node.graph, input.link, frames);
    if (end && "value" in end) inputs[input.name] = end.value;
    else {
      delete inputs[input.name];
      linked[input.name] = end && "node" in end ? sourceOf(end) : {};
    }
  }
  return { id: [...frames.map(({ name }) => name), node.id].join(":"), type: node.comfyClass, inputs, linked };
}

/**
 * Where a link comes from: a node, or the value that stands there.
 * @param {any} graph
 * @param {number} link
 * @param {Frame[]} frames
 * @param {number} [steps]
 * @returns {{node: any, slot: number} | {value: any} | null}
 */
function origin(graph, link, frames, steps = 0) {
  const found = linkOf(graph, link);
  if (!found || steps > MOST_STEPS) return null;
  if (found.origin_id === FROM_OUTSIDE) return fromOutside(graph, found.origin_slot, frames, steps);
  const node = graph.getNodeById(found.origin_id);
  if (!node) return null;
  const before = PASSES_ON.includes(node.type) ? node.inputs?.[0]?.link : null;
  if (before !== null && before !== undefined) return origin(graph, before, frames, steps + 1);
  return /^Primitive/.test(node.type) && node.widgets?.length ? { value: node.widgets[0].value } : { node, slot: found.origin_slot };
}

/** What the subgraph node has at that input: a link, or a value that is set on it. @param {any} graph @param {number} slot @param {Frame[]} frames @param {number} steps */
function fromOutside(graph, slot, frames, steps) {
  const host = frames.at(-1)?.host;
  const name = graph.inputNode?.slots?.[slot]?.name ?? graph.inputs?.[slot]?.name;
  const input = host?.inputs?.find((/** @type {any} */ each) => each.name === name);
  if (input && input.link !== null && input.link !== undefined) {
    return origin(host.graph, input.link, frames.slice(0, -1), steps + 1);
  }
  const widget = host?.widgets?.find((/** @type {any} */ each) => each.name === name);
  return widget ? { value: widget.value } : null;
}

/** @param {{node: any, slot: number}} end @returns {Source} */
function sourceOf({ node, slot }) {
  const list = node.outputs?.[slot]?.shape === window.LiteGraph.GRID_SHAPE; // as the front-end draws an output of lists
  return { type: node.comfyClass ?? node.type, inputs: valuesOf(node), ...(list ? { list } : {}) };
}

/** @param {any} node */
function valuesOf(node) {
  return Object.fromEntries((node.widgets ?? []).map((/** @type {any} */ widget) => [widget.name, widget.value]));
}
