/**
 * How the last run of each node ended, on the node: it stays there after the run, and comes back after a reload.
 *
 * The server says it in the event `hunyuan.run`, and again to a page that was away. ComfyUI's page shows it, as it shows
 * the progress of a run: some front-ends take that away when the run has ended, and all of them when the page is loaded.
 * @module
 */
import { app } from "../../scripts/app.js";
import { get, on, onNewSocket, tellPage } from "./api.js";
import { findNode, rootGraph } from "./node_places.js";
import { keepPromptHeight } from "./prompt_height.js";
import { untilAnswered } from "./persist.js";

/**
 * @typedef {{code: string, money: string, headline: string, task_id: string | null, stops: boolean}} Failure
 * @typedef {object} Run as nodes/status/run_events.py gives it
 * @property {string} prompt_id
 * @property {string} node
 * @property {string} workflow
 * @property {number} at unix seconds
 * @property {string} text
 * @property {string} outcome
 * @property {number} credits of this run
 * @property {number | null} seed of its first task
 * @property {string[]} task_ids
 * @property {Failure | null} failure
 */

const ENDS = ["execution_success", "execution_error", "execution_interrupted"];
const KEPT = 200; // runs, in this browser
const STORE = "hunyuan.runs";
const NAMELESS = "00000000-0000-0000-0000-000000000000"; // LiteGraph's id of a graph that has none

/** @type {Map<string, Run>} workflow and node → how its last run ended */
const runs = new Map();

export function watchRuns() {
  for (const run of saved()) keep(run);
  on("hunyuan.run", (run) => {
    keep(run);
    save();
    show(run);
  });
  for (const end of ENDS) on(end, () => setTimeout(showRuns)); // after ComfyUI has taken its own lines away
  keepPromptHeight();
  onNewSocket(() => void catchUp());
  void catchUp();
}

/** Gives the canvas an id where it has none, as from a prompt's API file: node 1 of the next such file is another one. */
export function nameGraph() {
  const graph = rootGraph();
  if (graph?.id === NAMELESS) graph.id = window.LiteGraph.uuidv4();
}

/** Puts the lines onto the nodes of the canvas as it is now. */
export function showRuns() {
  for (const run of runs.values()) show(run);
}

/** Whether it was a run of the workflow on the canvas. @param {Run} run */
export function isShown(run) {
  return Boolean(run.workflow) && run.workflow === workflowId();
}

/** Of a node within a subgraph nothing is known: the server knows it by another id. @param {any} node @returns {Run | null} */
export function runOf(node) {
  if (node.graph && node.graph !== rootGraph()) return null;
  return runs.get(keyOf(workflowId(), String(node.id))) ?? null;
}

/** What was said while this page was away. */
async function catchUp() {
  const told = await untilAnswered(
    () => get("runs"),
    () => true,
    () => {},
  );
  for (const run of told?.runs ?? []) keep(run);
  save();
  showRuns();
}

/** @param {Run} run */
function keep(run) {
  const key = keyOf(run.workflow, run.node);
  const known = runs.get(key);
  if (known && known.at > run.at) return;
  runs.delete(key); // the newest come last
  runs.set(key, run);
}

/** @param {Run} run */
function show(run) {
  const elsewhere = findNode(run.node)?.graph !== app.canvas.graph; // within a subgraph another node has this id
  if (isShown(run) && run.text && !elsewhere) {
    tellPage("progress_text", { nodeId: run.node, text: run.text });
  }
}

/** @param {string} workflow @param {string} node */
function keyOf(workflow, node) {
  return `${workflow}|${node}`;
}

function workflowId() {
  return String(rootGraph()?.id ?? "");
}

/** @returns {Run[]} */
function saved() {
  try {
    const told = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    return Array.isArray(told) ? told : [];
  } catch {
    return []; // written by somebody else
  }
}

function save() {
  const newest = [...runs.values()].slice(-KEPT).map(({ failure, ...rest }) => ({ ...rest, failure: null }));
  try {
    localStorage.setItem(STORE, JSON.stringify(newest));
  } catch (error) {
    console.warn("hunyuan-image-3: how the runs ended could not be kept in this browser", error);
  }
}
