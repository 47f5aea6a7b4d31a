/**
 * Taking tasks off the list, and putting them back.
 * @module
 */
import { post } from "./api.js";
import { confirmDialog } from "./dialog.js";
import { t } from "./i18n.js";
import { isOpen } from "./task_words.js";

/** @typedef {import("./task_store.js").Task} Task */

/** Fires "change" when something can be undone, or no longer. */
class Forgotten extends EventTarget {
  /** @type {Task[]} what was taken off last */
  tasks = [];

  /** @param {Task[]} tasks */
  set(tasks) {
    this.tasks = tasks;
    this.dispatchEvent(new Event("change"));
  }
}

export const forgotten = new Forgotten();

/** Asks, says that the files stay, and takes them off. @param {Task[]} tasks */
export async function forgetTasks(tasks) {
  if (!tasks.length) return;
  const unused = tasks.filter((task) => isOpen(task) || (task.state === "collected" && !task.delivered)).length;
  const lines = [
    t(tasks.length === 1 ? "forget.one" : "forget.several", { n: tasks.length }),
    unused ? t("forget.unused", { n: unused }) : "",
    t(tasks.some((task) => task.images) ? "forget.files" : "forget.no_files"),
  ];
  const title = tasks.length === 1 ? t("forget.title_one") : t("forget.title_several", { n: tasks.length });
  if (!(await confirmDialog({ title, text: lines.filter(Boolean).join("\n"), yes: t("forget.yes") }))) return;
  const [gone, failure] = await each(tasks, "forget");
  forgotten.set(gone);
  if (failure) throw failure.reason;
}

/**
 * Does that with each of these, also after one that failed.
 * @param {Task[]} tasks @param {"forget" | "restore"} what
 * @returns {Promise<[Task[], PromiseRejectedResult | undefined]>} those it was done with, and the first failure
 */
async function each(tasks, what) {
  const ended = await Promise.allSettled(tasks.map((task) => post(`tasks/${task.id}/${what}`)));
  const failures = ended.filter((end) => end.status === "rejected");
  return [tasks.filter((_, place) => ended[place].status === "fulfilled"), failures[0]];
}

/** Puts back what was taken off last. */
export async function undoForget() {
  const { tasks } = forgotten;
  const [back, failure] = await each(tasks, "restore");
  forgotten.set(tasks.filter((task) => !back.includes(task)));
  if (failure) throw failure.reason;
}
