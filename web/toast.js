/**
 * Short messages, in ComfyUI's own way.
 * @module
 */
import { app } from "../../scripts/app.js";
import { ApiError } from "./api.js";
import { h } from "./dom.js";
import { has, t } from "./i18n.js";

/**
 * @param {"success" | "info" | "warn" | "error"} severity
 * @param {string} summary
 * @param {string} [detail]
 * @param {number} [life] milliseconds
 */
export function toast(severity, summary, detail = "", life = 6000) {
  const within = document.querySelector("dialog[open] .hunyuan-toasts");
  if (within) return showWithin(within, severity, summary, detail, life); // ComfyUI's own lie under a dialog
  app.extensionManager.toast.add({ severity, summary, detail: detail || undefined, life });
}

/** @param {Element} place @param {string} severity @param {string} summary @param {string} detail @param {number} life */
function showWithin(place, severity, summary, detail, life) {
  const note = h("div", { "data-severity": severity }, h("strong", {}, summary), detail && ` ${detail}`);
  place.replaceChildren(note);
  setTimeout(() => note.remove(), life);
}

/** Tells of a failure. @param {unknown} error */
export function toastError(error) {
  toast("error", t("toast.failed"), wordsOf(error), 10000);
}

/** An error as the server says it in the user's language; in our own words where we have them. @param {unknown} error */
export function wordsOf(error) {
  if (!(error instanceof ApiError)) return String(error?.message ?? error);
  const key = `errors.${error.code}`;
  return has(key) ? t(key, { detail: error.message }) : error.message;
}
