/**
 * A task in words of the user's language: for rows, cells, the lightbox and labels.
 * @module
 */
import { has, language, t } from "./i18n.js";
import { OPEN_STATES } from "./task_store.js";

/** @typedef {import("./task_store.js").Task} Task */

const SHORT = 60; // characters of a prompt in a label
const SET_ASIDE = ["ended_process", "given_up"]; // open tasks that are only asked for when the user wants it

/** @param {Task} task */
export function shownPrompt(task) {
  if (task.prompt.startsWith("sha256:")) return t("list.hashed");
  return task.prompt || t("list.foreign", { id: task.task_id ?? "" });
}

/** Which image, in a few words. @param {Task} task */
export function shortPrompt(task) {
  const prompt = shownPrompt(task);
  return prompt.length > SHORT ? `${prompt.slice(0, SHORT)}…` : prompt;
}

/** What went wrong, in a few words of the user's language; the server's own words are its tooltip. @param {Task} task */
export function why(task) {
  const key = `why.${task.error_code}`;
  return task.error_code && has(key) ? t(key) : task.error_text;
}

/** Where it stands, in a word or two. @param {Task} task */
export function stateOf(task) {
  return t(isOpen(task) && SET_ASIDE.includes(task.error_code) ? "states.set_aside" : `states.${task.state}`);
}

/** @param {Task} task */
export function money(task) {
  return t(`money.${task.money}`, { n: task.credits });
}

/** @param {number} value */
export function seconds(value) {
  return t("list.seconds", { n: value < 10 ? Math.max(0, value).toFixed(1) : Math.round(value) });
}

/** @param {Task} task */
export function isOpen(task) {
  return OPEN_STATES.includes(task.state);
}

/** @param {Task} task @returns {string} "1024×1024", empty where it is not known */
export function sizeOf(task) {
  return task.size ? task.size.replace("*", "×") : "";
}

/** @param {Task} task @returns {string} empty where it is not known */
export function seedOf(task) {
  if (task.seed === null) return "";
  return task.seed < 0 ? t("list.seed_random") : t("list.seed", { n: task.seed });
}

/** "Nov 27, 14:05". @param {number} at unix seconds */
export function when(at) {
  return format(at, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** "14:05". @param {number} at unix seconds */
export function timeOf(at) {
  return format(at, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
}

/** Date and time whole. @param {number} at unix seconds */
export function whenExactly(at) {
  return format(at, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
}

/** "Today", "Yesterday", or the date. @param {number} at unix seconds */
export function dayName(at) {
  const day = new Date(at * 1000);
  const now = new Date();
  if (day.toDateString() === now.toDateString()) return t("groups.today");
  const before = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  if (day.toDateString() === before.toDateString()) return t("groups.yesterday");
  const year = day.getFullYear() === now.getFullYear() ? {} : { year: /** @type {"numeric"} */ ("numeric") };
  return format(at, { weekday: "short", month: "short", day: "numeric", ...year });
}

/** What a day or a run has cost. @param {import("./gallery_layout.js").Sums} sums */
export function costOf({ spent, maybe, complete }) {
  const kind = complete ? (maybe ? "groups.cost_maybe" : "groups.cost") : "groups.cost_at_least";
  return t(kind, { n: spent, maybe });
}

/** @param {number} at @param {Intl.DateTimeFormatOptions} how */
function format(at, how) {
  return new Intl.DateTimeFormat(language() === "zh" ? "zh-CN" : "en", how).format(new Date(at * 1000));
}
