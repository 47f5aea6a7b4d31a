/**
 * Nodes by the ids that the server knows them by: "7", or "4:7" for a node within the subgraph node 4.
 * @module
 */
import { app } from "../../scripts/app.js";

/** @param {string} id @returns {any} undefined where the canvas has no such node (any more) */
export function findNode(id) {
  let graph = app.rootGraph ?? app.graph;
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
