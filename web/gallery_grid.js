/**
 * One cell of the grid view: the picture as large as there is room, whole, and when it was made.
 * @module
 */
import { h, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { told } from "./task_row.js";
import { shortPrompt, shownPrompt, sizeOf, stateOf, timeOf, why } from "./task_words.js";
import { checkbox, marks, thumbnail } from "./thumbnail.js";

/**
 * @param {import("./task_store.js").Task} task
 * @param {import("./task_row.js").Hands} hands
 * @returns {HTMLElement}
 */
export function drawCell(task, hands) {
  const look = h("div", { class: "hunyuan-look", "data-press": true, title: shownPrompt(task) }, thumbnail(task, 512));
  look.addEventListener("click", (event) => hands.open(task, event));
  hands.carry(look, task);
  const said = why(task) || (task.state === "collected" ? "" : stateOf(task));
  const label = t("actions.of", { action: t("actions.more"), what: shortPrompt(task) });
  const more = iconButton("ellipsis-h", label, () => hands.menu(task, more), {
    "data-action": "more",
    tabindex: "-1",
    "aria-haspopup": "menu",
  });
  return h(
    "div",
    { class: "hunyuan-cell", "data-task": task.id, "data-state": task.state, "aria-label": told(task) },
    h(
      "div",
      { class: "hunyuan-picture" },
      look,
      said ? h("span", { class: "hunyuan-said hunyuan-state", "data-state": task.state, title: said }, said) : null,
      ...marks(task),
      checkbox(task, (event) => hands.choose(task, event)),
      more,
    ),
    h("div", { class: "hunyuan-caption" }, h("span", {}, timeOf(task.created_at)), h("span", {}, sizeOf(task))),
  );
}
