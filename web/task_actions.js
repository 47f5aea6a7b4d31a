/**
 * What can be done with a task of the list.
 * @module
 */
import { get, pictureUrl, post } from "./api.js";
import { addAgain, addLoadImage, addTaskWait, queueOnly } from "./canvas.js";
import { confirmDialog } from "./dialog.js";
import { t } from "./i18n.js";
import { OPEN_STATES } from "./task_store.js";
import { toast, toastError } from "./toast.js";

/** @typedef {import("./task_store.js").Task} Task */

/** @type {{name: string, icon: string, possible: (task: Task) => boolean, run: (task: Task) => Promise<void>}[]} */
export const ACTIONS = [
  { name: "open", icon: "external-link", possible: (task) => task.images > 0, run: tell(openImage) },
  { name: "wait", icon: "download", possible: (task) => canWait(task), run: tell(putTaskWait) },
  { name: "load", icon: "image", possible: (task) => task.images > 0, run: tell(putLoadImage) },
  { name: "again", icon: "replay", possible: (task) => task.type !== null, run: tell(runAgain) },
  { name: "link", icon: "link", possible: (task) => task.links > 0, run: tell(copyLink) },
  { name: "id", icon: "copy", possible: (task) => Boolean(task.task_id), run: tell(copyId) },
  { name: "forget", icon: "trash", possible: () => true, run: tell(forget) },
];

/** Every paid image that no graph has had yet, as one node on the canvas. */
export const collectAll = tell(async () => {
  const { tasks } = await get("tasks", { state: "undelivered", limit: 200 });
  const ids = tasks.map((/** @type {Task} */ task) => task.task_id).filter(Boolean);
  if (ids.length) {
    addTaskWait(ids);
    toast("info", t("toast.on_canvas"));
  }
});

/**
 * An action whose failure is shown.
 * @template {any[]} A
 * @param {(...given: A) => Promise<void>} work
 * @returns {(...given: A) => Promise<void>}
 */
function tell(work) {
  return async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      toastError(error);
    }
  };
}

/** @param {Task} task */
function canWait(task) {
  return Boolean(task.task_id) && !["failed", "unknown", "intended"].includes(task.state);
}

/** @param {Task} task */
async function openImage(task) {
  for (let number = 0; number < task.images; number++) window.open(pictureUrl(task, "image", number), "_blank", "noopener");
}

/** @param {Task} task */
async function putTaskWait(task) {
  addTaskWait([String(task.task_id)]);
  toast("info", t("toast.on_canvas"), "", 3000);
}

/** @param {Task} task */
async function putLoadImage(task) {
  for (let number = 0; number < task.images; number++) {
    const { name } = await post(`tasks/${task.id}/input`, { n: number });
    addLoadImage(name);
  }
  toast("info", t("toast.on_canvas"), "", 3000);
}

/** Costs: so it asks first, and puts on the canvas what it runs. @param {Task} task */
async function runAgain(task) {
  const { task: fresh, prompt, inputs } = await get(`tasks/${task.id}`);
  if (prompt === null) throw new Error(t("again.no_prompt"));
  if (inputs.includes(null)) throw new Error(t("again.no_input"));
  const text = t("again.text", { n: 25 });
  if (!(await confirmDialog({ title: t("actions.again"), text, yes: t("again.yes", { n: 25 }) }))) return;
  await queueOnly(addAgain({ ...fresh, prompt }, inputs));
}

/** @param {Task} task */
async function copyLink(task) {
  const { urls } = await get(`tasks/${task.id}`);
  await copy(urls.join("\n"));
  toast("success", t("toast.link_copied"), t("toast.link_life"), 4000);
}

/** @param {Task} task */
async function copyId(task) {
  await copy(String(task.task_id));
  toast("success", t("toast.id_copied"), "", 3000);
}

/** @param {Task} task */
async function forget(task) {
  const kind = OPEN_STATES.includes(task.state) || (task.state === "collected" && !task.delivered) ? "unused" : "plain";
  const text = t(`forget.${kind}`);
  if (await confirmDialog({ title: t("actions.forget"), text, yes: t("forget.yes") })) {
    await post(`tasks/${task.id}/forget`);
  }
}

/** The clipboard is closed to pages over plain http; then a selection is copied as Ctrl+C would. @param {string} text */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error(t("toast.not_copied"));
}
