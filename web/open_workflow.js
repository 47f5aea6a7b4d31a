/**
 * The workflow that a task was made with, where ComfyUI still has it: its history lives until the server ends.
 * @module
 */
import { app } from "../../scripts/app.js";
import { pastRun } from "./api.js";
import { t } from "./i18n.js";

/** @typedef {import("./task_store.js").Task} Task */

/** @param {Task} task @returns {boolean | Promise<boolean>} */
export function hasWorkflow(task) {
  return task.run ? pastRun(task.run).then((past) => Boolean(past?.workflow ?? past?.prompt)) : false;
}

/** In a tab of its own; what stands on the canvas stays in its tab. @param {Task} task */
export async function openWorkflow(task) {
  const past = await pastRun(task.run);
  if (past?.workflow) await app.loadGraphData(past.workflow, true, true, null);
  else if (past?.prompt) await app.loadApiJson(past.prompt, t("list.workflow_name")); // a client without a canvas sent it
  else throw new Error(t("toast.no_workflow"));
}
