/**
 * What a run of a node costs, on the node, and how it stands: badges, which both the canvas and Nodes 2.0 show.
 *
 * The server's progress text says how a task stands. Nodes 2.0 of the front-end of ComfyUI 0.3.75 (1.32) shows its first
 * words only and never those that follow, so there a badge says them; that front-end lets extensions import its Vue.
 * @module
 */
import { app } from "../../scripts/app.js";
import { on, onNewSocket } from "./api.js";
import { costOfNode } from "./graph_cost.js";
import { t } from "./i18n.js";
import { isPaid, isWaiting } from "./models.js";

const TEXT_WIDGET = "$$node-text-preview";
const ENDS = ["execution_success", "execution_error", "execution_interrupted"];
const COST = "#3f5a8a";
const STATE = "#2e7d4f";

/** @type {{value: Record<string, string>} | null} graph and node → how its run stands; watched by Vue */
let states = null;

/** @param {any} node a node just made */
export function addBadges(node) {
  if (!Array.isArray(node.badges) || !window.LGraphBadge) return;
  if (isPaid(node) || node.isSubgraphNode?.()) node.badges.push(changing(() => estimate(node), COST));
  if (states && isWaiting(node)) node.badges.push(changing(() => stateOf(node), STATE));
}

/** Prepares the badge of the state where the front-end needs one. */
export async function watchStates() {
  const vue = await importVue();
  if (!vue) return;
  states = vue.shallowRef({});
  on("progress_text", ({ nodeId, text }) => {
    setState(nodeId, text);
    setTimeout(() => hideFrozenText(nodeId)); // after ComfyUI has made it
  });
  on("executed", ({ node }) => setState(node, ""));
  const forget = () => states && (states.value = {});
  for (const end of ENDS) on(end, forget);
  onNewSocket(forget); // an end may have gone to the old one; a run that still goes tells again within a second
}

/** @returns {Promise<{shallowRef: (value: any) => any} | null>} */
async function importVue() {
  const maps = [...document.querySelectorAll("script[type=importmap]")];
  return maps.some((map) => map.textContent?.includes('"vue"')) ? import("vue") : null;
}

/** @param {string | number} id @param {string} text */
function setState(id, text) {
  if (states) states.value = { ...states.value, [keyOf(id)]: text };
}

/** Node 1 of another workflow is another. @param {string | number} id */
function keyOf(id) {
  return `${app.graph?.id}|${id}`;
}

/** @param {any} node */
function stateOf(node) {
  return (window.LiteGraph.vueNodesMode && node.graph === app.graph && states?.value[keyOf(node.id)]) || "";
}

/** In Nodes 2.0 of these front-ends the text stands still at its first words: the badge says it instead. */
function hideFrozenText(/** @type {string} */ id) {
  const node = window.LiteGraph.vueNodesMode ? app.graph.getNodeById(id) : null;
  const text = node?.widgets?.find((/** @type {any} */ widget) => widget.name === TEXT_WIDGET);
  if (!isWaiting(node) || !text || text.options.canvasOnly) return;
  text.options.canvasOnly = true;
  node.widgets = [...node.widgets]; // Vue watches the list, not the option
}

/** What a run of the node, or of all that is inside it, costs. @param {any} node */
function estimate(node) {
  const { credits, atLeast, single } = costOfNode(node);
  if (!credits) return "";
  if (single && atLeast) return t("badge.each", { n: credits });
  return t(atLeast ? "badge.at_least" : "badge.all", { n: credits });
}

/** A badge whose text is asked for whenever it is shown. @param {() => string} text @param {string} colour */
function changing(text, colour) {
  let badge = makeBadge("", colour);
  return () => {
    const now = text();
    if (now !== badge.text) badge = makeBadge(now, colour);
    return badge;
  };
}

/** @param {string} text @param {string} bgColor */
function makeBadge(text, bgColor) {
  return new window.LGraphBadge({ text, fgColor: "#ffffff", bgColor });
}
