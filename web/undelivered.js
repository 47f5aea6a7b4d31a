/**
 * Paid for, but never used: the number on the tab, and one toast after a start of the server.
 * @module
 */
import { app } from "../../scripts/app.js";
import { t } from "./i18n.js";
import { TAB_ID } from "./sidebar.js";
import { toast } from "./toast.js";

const TOLD = "hunyuan.told"; // the server's start that the user was told for, in this browser

/**
 * What a summary says decides, never in which order events come: images of an earlier start are told of whenever there
 * are any, those of this one only if they were there before the page (of later ones the number on the tab says enough).
 * @param {EventTarget & {summary: any}} store
 */
export function watchUndelivered(store) {
  let seen = "";
  store.addEventListener("summary", () => {
    const { session, undelivered, left_behind } = store.summary;
    const first = session !== seen;
    seen = session;
    showBadge(undelivered);
    if (first ? undelivered : left_behind) tellOnce(session, undelivered);
  });
}

/** @param {string} session @param {number} n */
function tellOnce(session, n) {
  if (localStorage.getItem(TOLD) === session) return;
  localStorage.setItem(TOLD, session);
  toast("info", t("toast.undelivered", { n }), t("toast.undelivered_hint"), 15000);
}

/** @param {number} count */
function showBadge(count) {
  const tab = app.extensionManager.getSidebarTabs().find((/** @type {any} */ one) => one.id === TAB_ID);
  if (tab) tab.iconBadge = count ? String(count) : "";
}
