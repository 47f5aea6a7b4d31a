/**
 * Where things are in the graphs: nodes by the ids that the server knows them by ("7", or "4:7" for a node within the
 * subgraph node 4), links, the root.
 * @module
 */
import { app } from "../../scripts/app.js";

/** The graph that holds all others; the one that is seen may be within it. */
export function rootGraph() {
  return app.rootGraph ?? app.graph;
}

/** A graph's link by its id, in every front-end. @param {any} graph @param {number} id @returns {any} */
export function linkOf(graph, id) {
  return graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id];
}

/** @param {string} id @returns {any} undefined where the canvas has no such node (any more) */
export function findNode(id) {
  let graph = rootGraph();
  let node;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(part) ?? graph?.getNodeById(Number(part));
    graph = node?.subgraph;
  }
  return node ?? undefined;
}

/** Brings it into view, and selects it. @param {string} id */
export function showNode(id) {
  const node = findNode(id);
  if (!node) return;
  if (node.graph && node.graph !== app.canvas.graph) app.canvas.setGraph?.(node.graph);
  app.canvas.centerOnNode(node);
  app.canvas.selectNode?.(node);
}
