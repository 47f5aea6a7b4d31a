/**
 * The retry of a node that failed: what hangs on it runs once more, and nothing with it that would be paid twice.
 * @module
 */
import { costOfNode } from "./graph_cost.js";
import { isPaid, seedName } from "./models.js";
import { findNode, linkOf, rootGraph } from "./node_places.js";
import { runOnly } from "./run_only.js";
import { toastError } from "./toast.js";
import { isLinked, widgetOf } from "./widgets.js";

/**
 * Runs the outputs after the failed node; null where that would pay for anything again, or nothing hangs on it.
 * @param {import("./run_status.js").Run} run of the workflow on the canvas
 * @returns {(() => void) | null}
 */
export function retryOf(run) {
  const failed = findNode(run.node);
  if (failed?.graph !== rootGraph()) return null; // what hangs on one inside of a subgraph is not looked for
  if (run.credits && !givesTheSame(failed)) return null;
  const outputs = [...reached([failed], followers)].filter((node) => node.constructor.nodeData?.output_node);
  const paid = [...reached(outputs, sources)].filter((node) => node !== failed && costOfNode(node).credits);
  if (!outputs.length || !paid.every(givesTheSame)) return null;
  return () => void runOnly(outputs).catch(toastError);
}

/** Whether running it again takes what is paid for already. @param {any} node */
function givesTheSame(node) {
  if (!isPaid(node) || widgetOf(node, "reuse")?.value !== true) return false;
  const seed = seedName(node);
  return !seed || (!isLinked(node, seed) && widgetOf(node, seed)?.value !== -1);
}

/** These nodes and all that the steps lead to. @param {any[]} nodes @param {(node: any) => any[]} steps */
function reached(nodes, steps) {
  const found = new Set(nodes);
  for (const node of found) for (const next of steps(node)) if (next) found.add(next); // a set is walked to its new end
  return found;
}

/** @param {any} node */
function followers(node) {
  const links = (node.outputs ?? []).flatMap((/** @type {any} */ output) => output.links ?? []);
  return links.map((/** @type {number} */ id) => node.graph.getNodeById(linkOf(node.graph, id)?.target_id));
}

/** @param {any} node */
function sources(node) {
  const links = (node.inputs ?? []).map((/** @type {any} */ input) => input.link).filter((/** @type {any} */ id) => id != null);
  return links.map((/** @type {number} */ id) => node.graph.getNodeById(linkOf(node.graph, id)?.origin_id));
}
