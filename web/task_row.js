/**
 * One row of the list view.
 * @module
 */
import { button, h, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { firstAction, SECOND_ACTION } from "./task_actions.js";
import {
  isOpen,
  money,
  seconds,
  seedOf,
  shortPrompt,
  shownPrompt,
  sizeOf,
  stateOf,
  when,
  whenExactly,
  why,
} from "./task_words.js";
import { checkbox, marks, thumbnail } from "./thumbnail.js";

/** @typedef {import("./task_store.js").Task} Task */

/**
 * @typedef {object} Hands what rows and cells hand on to the gallery
 * @property {(task: Task, event: MouseEvent) => void} open what a click on the picture does
 * @property {(task: Task, event: MouseEvent) => void} choose
 * @property {(task: Task, at: HTMLElement) => void} menu
 * @property {(element: HTMLElement, task: Task) => void} carry lets the task's picture be dragged by this element
 */

/**
 * @param {Task} task
 * @param {Hands} hands
 * @returns {HTMLElement}
 */
export function drawTask(task, hands) {
  const state = stateOf(task);
  const prompt = shownPrompt(task);
  const error = why(task);
  return h(
    "div",
    { class: "hunyuan-row", "data-task": task.id, "data-state": task.state, "aria-label": told(task) },
    picture(task, hands),
    h(
      "div",
      { class: "hunyuan-row-text" },
      h("div", { class: error ? "hunyuan-prompt hunyuan-one-line" : "hunyuan-prompt", title: prompt }, prompt),
      error ? h("div", { class: "hunyuan-why", title: task.error_text || error }, error) : null,
      h(
        "div",
        { class: "hunyuan-facts" },
        h("span", { class: "hunyuan-state", "data-state": task.state }, state),
        h("span", { class: "hunyuan-numbers" }, ...numbers(task)),
      ),
      facts(task),
      actions(task, hands),
    ),
  );
}

/** Counts the seconds of those rows on whose task the gateway still works. @param {HTMLElement} list */
export function tickSeconds(list) {
  for (const clock of list.querySelectorAll("[data-since]")) {
    clock.textContent = seconds(Date.now() / 1000 - Number(/** @type {HTMLElement} */ (clock).dataset.since));
  }
}

/** What a row or cell says to those who do not see it. @param {Task} task */
export function told(task) {
  const took = task.seconds === null ? "" : seconds(task.seconds);
  const unused = task.delivered || task.state !== "collected" ? "" : t("list.undelivered");
  const facts = [took, money(task), unused, when(task.created_at), sizeOf(task), seedOf(task)].filter(Boolean);
  return [shownPrompt(task), stateOf(task), facts.join(", "), why(task)].filter(Boolean).join(". ");
}

/** @param {Task} task @param {Hands} hands */
function picture(task, hands) {
  const look = h("div", { class: "hunyuan-look", "data-press": true, title: t("actions.open") }, thumbnail(task, 192));
  look.addEventListener("click", (event) => hands.open(task, event));
  hands.carry(look, task);
  return h("div", { class: "hunyuan-picture" }, look, ...marks(task), checkbox(task, (event) => hands.choose(task, event)));
}

/** @param {Task} task */
function numbers(task) {
  const time = isOpen(task)
    ? h("span", { "data-since": task.created_at }, seconds(Date.now() / 1000 - task.created_at))
    : task.seconds === null
      ? null
      : h("span", {}, seconds(task.seconds));
  return [time, time && " · ", h("span", {}, money(task))];
}

/** @param {Task} task */
function facts(task) {
  const parts = [when(task.created_at), sizeOf(task), seedOf(task)].filter(Boolean);
  return h(
    "div",
    { class: "hunyuan-more", title: [whenExactly(task.created_at), ...parts.slice(1)].join(" · ") },
    ...parts.map((part) => h("span", {}, part)),
  );
}

/** What the state wants, each at its place whatever the state is. @param {Task} task @param {Hands} hands */
function actions(task, hands) {
  const what = shortPrompt(task);
  const labelled = [firstAction(task), SECOND_ACTION].map((action) => {
    const label = t(`buttons.${action.name}`);
    return button(label, () => void action.run(task), {
      class: "hunyuan-button hunyuan-small",
      "data-action": action.name,
      tabindex: "-1",
      disabled: !action.possible(task),
      title: t(`actions.${action.name}`),
      "aria-label": t("actions.of", { action: label, what }),
    });
  });
  const more = iconButton("ellipsis-h", t("actions.of", { action: t("actions.more"), what }), () => hands.menu(task, more), {
    "data-action": "more",
    tabindex: "-1",
    "aria-haspopup": "menu",
  });
  return h("div", { class: "hunyuan-actions" }, ...labelled, more);
}
