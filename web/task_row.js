/**
 * One row of the task list.
 * @module
 */
import { pictureUrl } from "./api.js";
import { h, icon, iconButton } from "./dom.js";
import { has, t } from "./i18n.js";
import { ACTIONS } from "./task_actions.js";
import { OPEN_STATES } from "./task_store.js";

/**
 * @param {import("./task_store.js").Task} task
 * @returns {HTMLElement}
 */
export function drawTask(task) {
  const state = t(`states.${task.state}`);
  const prompt = shownPrompt(task);
  const error = why(task);
  const told = [prompt, state, facts(task).join(", "), error].filter(Boolean).join(". ");
  return h(
    "div",
    { class: "hunyuan-row", "data-task": task.id, "data-state": task.state, "aria-label": told },
    h("div", { class: "hunyuan-picture" }, picture(task), mark(task)),
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
      actions(task),
    ),
  );
}

/** Counts the seconds of those rows on whose task the gateway still works. @param {HTMLElement} list */
export function tickSeconds(list) {
  for (const clock of list.querySelectorAll("[data-since]")) {
    clock.textContent = seconds(Date.now() / 1000 - Number(/** @type {HTMLElement} */ (clock).dataset.since));
  }
}

/** @param {import("./task_store.js").Task} task */
function shownPrompt(task) {
  if (task.prompt.startsWith("sha256:")) return t("list.hashed");
  return task.prompt || t("list.foreign", { id: task.task_id ?? "" });
}

/** What went wrong, in a few words of the user's language; the server's own words are its tooltip. */
function why(/** @type {import("./task_store.js").Task} */ task) {
  const key = `why.${task.error_code}`;
  return task.error_code && has(key) ? t(key) : task.error_text;
}

/** @param {import("./task_store.js").Task} task */
function picture(task) {
  const symbol = { failed: "times-circle", unknown: "question-circle", collected: "image" }[task.state] ?? "clock";
  const frame = h("div", { class: "hunyuan-thumbnail" }, icon(symbol));
  if (task.images) {
    const image = h("img", { src: pictureUrl(task, "thumbnail"), alt: "", decoding: "async", draggable: "false" });
    image.addEventListener("load", () => frame.replaceChildren(image));
    image.addEventListener("error", () => frame.classList.add("hunyuan-gone"));
  }
  return frame;
}

/** @param {import("./task_store.js").Task} task */
function mark(task) {
  if (task.state === "collected" && !task.delivered) {
    return h("span", { class: "hunyuan-mark", title: t("list.undelivered_hint") }, t("list.undelivered"));
  }
  return null;
}

/** @param {import("./task_store.js").Task} task */
function numbers(task) {
  const open = OPEN_STATES.includes(task.state);
  const time = open
    ? h("span", { "data-since": task.created_at }, seconds(Date.now() / 1000 - task.created_at))
    : task.seconds === null
      ? null
      : h("span", {}, seconds(task.seconds));
  return [time, time && " · ", h("span", {}, money(task))];
}

/** @param {import("./task_store.js").Task} task */
function facts(task) {
  const took = task.seconds === null ? [] : [seconds(task.seconds)];
  return [...took, money(task), ...(task.delivered || task.state !== "collected" ? [] : [t("list.undelivered")])];
}

/** @param {import("./task_store.js").Task} task */
function money(task) {
  return t(`money.${task.money}`, { n: task.credits });
}

/** @param {number} value */
function seconds(value) {
  return t("list.seconds", { n: value < 10 ? Math.max(0, value).toFixed(1) : Math.round(value) });
}

/** @param {import("./task_store.js").Task} task */
function actions(task) {
  const possible = ACTIONS.filter((action) => action.possible(task));
  const buttons = possible.map((action) =>
    iconButton(action.icon, t(`actions.${action.name}`), () => action.run(task), { "data-action": action.name }),
  );
  return h("div", { class: "hunyuan-actions" }, ...buttons);
}
