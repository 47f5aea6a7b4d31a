/**
 * What can be done with a task of the gallery.
 * @module
 */
import { get, pictureUrl } from "./api.js";
import { addLoadImages, addTaskWait } from "./canvas.js";
import { copyPicture, copyText } from "./clipboard.js";
import { downloadImages } from "./download.js";
import { forgetTasks } from "./forgetting.js";
import { t } from "./i18n.js";
import { openWorkflow, hasWorkflow } from "./open_workflow.js";
import { runAgain } from "./run_again.js";
import { toast, toastError } from "./toast.js";
import { useFiles } from "./upload.js";

/** @typedef {import("./task_store.js").Task} Task */
/**
 * @typedef {object} Action
 * @property {string} name
 * @property {string} icon
 * @property {(task: Task) => boolean | Promise<boolean>} possible
 * @property {(task: Task) => Promise<void>} run
 * @property {boolean} [apart] begins a new part of the menu
 */

const hasImage = (/** @type {Task} */ task) => task.images > 0;
const isKnown = (/** @type {Task} */ task) => task.type !== null || Boolean(task.model);

/** @type {Action} */
const USE = { name: "use", icon: "image", possible: hasImage, run: (task) => useImages([task]) };
/** @type {Action} */
const COLLECT = { name: "collect", icon: "inbox", possible: canWait, run: tell(putTaskWait) };
/** @type {Action} */
const RETRY = { name: "retry", icon: "replay", possible: isKnown, run: tell((task) => runAgain(task, "same")) };

/** The second labelled button of a row: the first one is what its state wants. @type {Action} */
export const SECOND_ACTION = {
  name: "variation",
  icon: "sparkles",
  possible: isKnown,
  run: tell((task) => runAgain(task, "new")),
};

/** What a task's state wants. @param {Task} task @returns {Action} */
export function firstAction(task) {
  if (hasImage(task)) return USE;
  return ["failed", "unknown"].includes(task.state) ? RETRY : COLLECT;
}

/** The menu: the same entries in the same order for every task. @type {Action[]} */
export const MENU = [
  USE,
  { ...COLLECT, name: "wait" },
  { ...SECOND_ACTION, name: "again", icon: "replay" },
  { name: "download", icon: "download", possible: hasImage, run: (task) => download([task]), apart: true },
  { name: "tab", icon: "external-link", possible: hasImage, run: tell(openInTab) },
  { name: "picture", icon: "clone", possible: hasImage, run: tell(copyImage) },
  { name: "prompt", icon: "align-left", possible: isKnown, run: tell(copyPrompt), apart: true },
  { name: "id", icon: "copy", possible: (task) => Boolean(task.task_id), run: tell(copyId) },
  { name: "link", icon: "link", possible: (task) => task.links > 0, run: tell(copyLink) },
  { name: "workflow", icon: "sitemap", possible: hasWorkflow, run: tell(openWorkflow) },
  { name: "forget", icon: "trash", possible: () => true, run: (task) => forget([task]), apart: true },
];

/** Every paid image that no graph has had yet, as one node on the canvas. */
export const collectAll = tell(async () => {
  const { tasks } = await get("tasks", { state: "undelivered", limit: 200 });
  const ids = tasks.map(idOf);
  if (ids.length) {
    addTaskWait(ids);
    toast("info", t("toast.on_canvas"));
  }
});

/** A Load Image for each image of these tasks. */
export const useImages = tell(async (/** @type {Task[]} */ tasks) => {
  await useFiles(tasks, (files) => {
    addLoadImages(files);
    toast("info", t("toast.on_canvas"), "", 3000);
  });
});

export const download = tell(downloadImages);

export const forget = tell(forgetTasks);

/**
 * An action whose failure is shown.
 * @template {any[]} A
 * @param {(...given: A) => Promise<void>} work
 * @returns {(...given: A) => Promise<void>}
 */
export function tell(work) {
  return async (...given) => {
    try {
      await work(...given);
    } catch (error) {
      toastError(error);
    }
  };
}

/** What a Task Wait node knows it by; an image inside a create's answer has only our own id. @param {Task} task */
function idOf(task) {
  return task.task_id || task.id;
}

/** @param {Task} task */
function canWait(task) {
  return !task.lost && !["failed", "unknown", "intended"].includes(task.state);
}

/** @param {Task} task */
async function openInTab(task) {
  for (let number = 0; number < task.images; number++) window.open(pictureUrl(task, "image", number), "_blank", "noopener");
}

/** @param {Task} task */
async function putTaskWait(task) {
  addTaskWait([idOf(task)]);
  toast("info", t("toast.on_canvas"), "", 3000);
}

/** @param {Task} task */
async function copyImage(task) {
  await copyPicture(pictureUrl(task, "image"));
  toast("success", t("toast.picture_copied"), "", 3000);
}

/** @param {Task} task */
async function copyPrompt(task) {
  const { prompt } = await get(`tasks/${task.id}`);
  if (prompt === null) throw new Error(t("again.no_prompt"));
  await copyText(prompt);
  toast("success", t("toast.prompt_copied"), "", 3000);
}

/** @param {Task} task */
async function copyLink(task) {
  const { urls } = await get(`tasks/${task.id}`);
  await copyText(urls.join("\n"));
  toast("success", t("toast.link_copied"), t("toast.link_life"), 4000);
}

/** @param {Task} task */
async function copyId(task) {
  await copyText(String(task.task_id));
  toast("success", t("toast.id_copied"), "", 3000);
}
