/**
 * What is known of a picture, beside it, and what can be done with it.
 * @module
 */
import { get, pictureUrl } from "./api.js";
import { copyPicture, copyText } from "./clipboard.js";
import { button, h, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { download, firstAction, MENU, SECOND_ACTION, tell } from "./task_actions.js";
import { openMenu } from "./menu.js";
import { familyOf } from "./models.js";
import { money, seconds, shortPrompt, shownPrompt, sizeOf, stateOf, whenExactly, why } from "./task_words.js";
import { toast } from "./toast.js";

/** @typedef {import("./task_store.js").Task} Task */
/** @typedef {import("./lightbox.js").Shot} Shot */

/** @param {Shot} shot @returns {HTMLElement[]} */
export function drawFacts({ task }) {
  const error = why(task);
  const facts = h(
    "dl",
    { class: "hunyuan-fact-list" },
    fact("state", stateOf(task), { "data-state": task.state, class: "hunyuan-state" }),
    fact("seed", task.seed === null ? "" : task.seed < 0 ? t("list.seed_random") : String(task.seed), {}, task.seed ?? ""),
    fact("model", familyOf(task)?.title ?? task.model),
    fact("size", sizeOf(task)),
    fact("date", whenExactly(task.created_at)),
    fact("took", task.seconds === null ? "" : seconds(task.seconds)),
    fact("credits", money(task)),
    fact("task_id", task.task_id ?? "", {}, task.task_id ?? ""),
  );
  return [
    drawPrompt(task),
    ...(error ? [h("p", { class: "hunyuan-sheet-why" }, h("strong", {}, error), error === task.error_text ? "" : ` ${task.error_text}`)] : []),
    facts,
  ];
}

/** The prompt, whole as soon as it is there: the list has its beginning only. @param {Task} task */
function drawPrompt(task) {
  const text = h("p", {}, shownPrompt(task));
  const state = { prompt: shownPrompt(task) };
  void get(`tasks/${task.id}`)
    .then(({ prompt }) => prompt && (text.textContent = state.prompt = prompt))
    .catch(() => {}); // its beginning stands there
  return h(
    "div",
    { class: "hunyuan-sheet-prompt" },
    h("h3", {}, t("lightbox.prompt"), copier("prompt", () => state.prompt)),
    text,
  );
}

/**
 * @param {string} name
 * @param {string} text nothing is shown where it is empty
 * @param {Record<string, any>} [more]
 * @param {string | number} [copied] what its button copies
 */
function fact(name, text, more = {}, copied = "") {
  if (!text) return null;
  const value = h("dd", {}, h("span", more, text), copied === "" ? null : copier(name, () => String(copied)));
  return h("div", { "data-fact": name }, h("dt", {}, t(`lightbox.${name}`)), value);
}

/** @param {string} name @param {() => string} text */
function copier(name, text) {
  const copy = tell(async () => {
    await copyText(text());
    toast("success", t("toast.copied"), "", 2000);
  });
  const label = t("lightbox.copy", { what: t(`lightbox.${name}`) });
  return iconButton("copy", label, () => void copy(), { "data-action": `copy-${name}` });
}

/**
 * @param {Shot} shot
 * @param {() => void} close for what is looked at on the canvas or asks in a dialog of its own
 */
export function drawButtons({ task, number }, close) {
  const act = (/** @type {import("./task_actions.js").Action} */ action, /** @type {boolean} */ first) =>
    button(t(`buttons.${action.name}`), () => (close(), void action.run(task)), {
      class: first ? "hunyuan-button hunyuan-primary" : "hunyuan-button",
      "data-action": action.name,
      disabled: !action.possible(task),
      title: t(`actions.${action.name}`),
    });
  const copy = tell(async () => {
    await copyPicture(pictureUrl(task, "image", number));
    toast("success", t("toast.picture_copied"), "", 2000);
  });
  const none = !task.images;
  const more = button(t("actions.more"), () => showMenu(task, more, close), { "data-action": "more", "aria-haspopup": "menu" });
  return h(
    "div",
    { class: "hunyuan-sheet-buttons" },
    act(firstAction(task), true),
    act(SECOND_ACTION, false),
    button(t("buttons.download"), () => void download([task]), { "data-action": "download", disabled: none }),
    button(t("buttons.copy"), () => void copy(), { "data-action": "copy-picture", disabled: none }),
    more,
  );
}

/** What stays in the lightbox: it only copies, or opens something elsewhere. */
const STAYS = ["download", "tab", "picture", "prompt", "id", "link"];

/** @param {Task} task @param {HTMLElement} at @param {() => void} close */
function showMenu(task, at, close) {
  const items = MENU.map((action) => ({
    name: action.name,
    icon: action.icon,
    label: t(`actions.${action.name}`),
    possible: action.possible(task),
    apart: action.apart,
    run: () => {
      if (!STAYS.includes(action.name)) close();
      void action.run(task);
    },
  }));
  openMenu({ label: t("actions.of", { action: t("actions.more"), what: shortPrompt(task) }), items, at: at.getBoundingClientRect(), back: at });
}
