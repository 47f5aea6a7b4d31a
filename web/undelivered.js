/**
 * Paid for, but never used: the number on the tab, and one toast after a start of the server.
 * @module
 */
import { app } from "../../scripts/app.js";
import { t } from "./i18n.js";
import { TAB_ID } from "./sidebar.js";
import { toast } from "./toast.js";

const TOLD = "hunyuan.told"; // the server's start that the user was told for, in this browser

/** @param {import("./task_store.js").TaskStore} store */
export function watchUndelivered(store) {
  let first = "";
  store.addEventListener("summary", () => {
    showBadge(store.summary.undelivered);
    if (store.summary.session === first) return;
    first = store.summary.session;
    if (store.summary.undelivered) tellOnce(store);
  });
  // An image of an earlier start that arrives now, with no node waiting for it.
  store.addEventListener("task", (event) => {
    const task = /** @type {CustomEvent} */ (event).detail;
    const earlier = store.summary && task.session !== store.summary.session;
    if (earlier && task.state === "collected" && !task.delivered) tellOnce(store, 1);
  });
}

/**
 * @param {import("./task_store.js").TaskStore} store
 * @param {number} [least] how many there are at least
 */
function tellOnce(store, least = 0) {
  if (localStorage.getItem(TOLD) === store.summary.session) return;
  localStorage.setItem(TOLD, store.summary.session);
  const n = Math.max(store.summary.undelivered, least);
  toast("info", t("toast.undelivered", { n }), t("toast.undelivered_hint"), 15000);
}

/** @param {number} count */
function showBadge(count) {
  const tab = app.extensionManager.getSidebarTabs().find((/** @type {any} */ one) => one.id === TAB_ID);
  if (tab) tab.iconBadge = count ? String(count) : "";
}
