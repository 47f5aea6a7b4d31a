/**
 * Under the gallery: what can be done with the chosen ones, and the way back for what was taken off the list.
 * @module
 */
import { button, h, iconButton } from "./dom.js";
import { forgotten, undoForget } from "./forgetting.js";
import { t } from "./i18n.js";
import { download, forget, tell, useImages } from "./task_actions.js";

/** @typedef {import("./task_store.js").Task} Task */

const SMALL = { class: "hunyuan-button hunyuan-small" };
const undo = tell(undoForget);

export class SelectionBar {
  #ended = new AbortController();

  /**
   * @param {import("./selection.js").Selection} selection
   * @param {() => Task[]} order
   * @param {(one: Task, other: Task) => void} compare
   */
  constructor(selection, order, compare) {
    this.selection = selection;
    this.order = order;
    this.compare = compare;
    this.said = h("span", { role: "status" });
    this.buttons = h("div", { class: "hunyuan-bar-buttons" });
    this.element = h("div", { class: "hunyuan-bar" }, this.said, this.buttons);
    const { signal } = this.#ended;
    selection.addEventListener("change", () => this.#draw(), { signal });
    forgotten.addEventListener("change", () => this.#draw(), { signal });
    this.#draw();
  }

  destroy() {
    this.#ended.abort();
  }

  #draw() {
    const { size } = this.selection;
    const { tasks } = forgotten;
    const focused = /** @type {HTMLElement | null} */ (
      this.buttons.contains(document.activeElement) ? document.activeElement : null
    )?.dataset.action;
    this.element.hidden = !size && !tasks.length;
    if (size) {
      this.said.textContent = t("select.count", { n: size });
      this.buttons.replaceChildren(...this.#chosen());
    } else if (tasks.length) {
      this.said.textContent = t("forget.done", { n: tasks.length });
      this.buttons.replaceChildren(
        button(t("forget.undo"), () => void undo(), { ...SMALL, "data-action": "undo" }),
        iconButton("times", t("dialog.close"), () => forgotten.set([]), { "data-action": "close-undo" }),
      );
    }
    if (focused) /** @type {HTMLElement | null} */ (this.buttons.querySelector(`[data-action="${focused}"]`))?.focus();
  }

  #chosen() {
    const chosen = () => this.selection.of(this.order());
    const tasks = chosen();
    const none = !tasks.some((task) => task.images);
    const act = (/** @type {string} */ name, /** @type {() => void} */ run, /** @type {boolean} */ disabled) =>
      button(t(`buttons.${name}`), run, { ...SMALL, "data-action": `chosen-${name}`, disabled, title: t(`select.${name}`) });
    return [
      act("use", () => void useImages(chosen()), none),
      act("download", () => void download(chosen()), none),
      act("compare", () => this.compare(chosen()[0], chosen()[1]), tasks.length !== 2),
      act("forget", () => void forget(chosen()), false),
      iconButton("times", t("select.none"), () => this.selection.clear(), { "data-action": "chosen-none" }),
    ];
  }
}
