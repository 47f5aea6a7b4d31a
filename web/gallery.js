/**
 * The tasks as a gallery: a list or a grid, chosen ones, the bar of what can be done with them.
 * @module
 */
import { h, iconButton } from "./dom.js";
import { makeDraggable } from "./drag_to_canvas.js";
import { drawCell } from "./gallery_grid.js";
import { drawHead } from "./group_head.js";
import { t } from "./i18n.js";
import { openLightbox } from "./lightbox.js";
import { openMenu } from "./menu.js";
import { Selection } from "./selection.js";
import { SelectionBar } from "./selection_bar.js";
import { forget, MENU } from "./task_actions.js";
import { VirtualList } from "./task_list.js";
import { drawTask, tickSeconds } from "./task_row.js";
import { shortPrompt } from "./task_words.js";

/** @typedef {import("./task_store.js").Task} Task */

const VIEW = "hunyuan.view"; // in this browser
const VIEWS = /** @type {const} */ (["list", "grid"]);
const SYMBOLS = { list: "list", grid: "th-large" };

export class Gallery {
  #ended = new AbortController();
  #clock = 0;
  #midnight = 0;

  /** @param {import("./task_store.js").TaskStore} store @param {() => boolean} isHeld whether nothing may move now */
  constructor(store, isHeld) {
    this.store = store;
    this.view = localStorage.getItem(VIEW) === "grid" ? "grid" : "list";
    this.selection = new Selection();
    this.list = new VirtualList(store, {
      view: () => /** @type {"list" | "grid"} */ (this.view),
      draw: (block) => this.#drawBlock(block),
      isHeld,
      drawn: () => this.#mark(),
      onkey: (event, task) => this.#key(event, task),
    });
    this.element = this.list.element;
    this.element.addEventListener("contextmenu", (event) => this.#contextMenu(event));
    this.element.addEventListener("click", (event) => this.#click(event));
    this.bar = new SelectionBar(this.selection, () => this.list.order, (one, other) => this.open(one, other));
    this.switch = h(
      "div",
      { class: "hunyuan-views", role: "group", "aria-label": t("views.name") },
      ...VIEWS.map((name) =>
        iconButton(SYMBOLS[name], t(`views.${name}`), () => this.#show(name), {
          "data-action": `view-${name}`,
          "aria-pressed": String(name === this.view),
        }),
      ),
    );
  }

  open(/** @type {Task} */ task, /** @type {Task | null} */ beside = null) {
    const source = {
      order: () => this.list.order,
      store: this.store,
      more: () => this.store.ensure(this.store.rows.length),
      onclose: (/** @type {Task} */ last) => this.list.focusTask(last.id),
    };
    openLightbox(source, task, beside);
  }

  start() {
    const { signal } = this.#ended;
    this.selection.addEventListener("change", () => this.#mark(), { signal });
    this.#clock = window.setInterval(() => tickSeconds(this.element), 1000);
    this.#awaitMidnight();
  }

  /** Then the sums of today begin anew, and yesterday has another name. */
  #awaitMidnight() {
    const now = new Date();
    const next = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1, 0, 0, 1);
    this.#midnight = window.setTimeout(() => {
      void this.store.refresh();
      this.list.reset();
      this.#awaitMidnight();
    }, next.getTime() - now.getTime());
  }

  destroy() {
    this.#ended.abort();
    window.clearInterval(this.#clock);
    window.clearTimeout(this.#midnight);
    this.bar.destroy();
    this.list.destroy();
  }

  /** Draws what changed. */
  update() {
    if (!this.store.more) this.selection.keep(this.store.rows);
    this.list.update();
  }

  /** Another filter: nothing is chosen any more. */
  reset() {
    this.selection.clear();
    this.list.reset();
  }

  /** @param {"list" | "grid"} name */
  #show(name) {
    this.view = name;
    localStorage.setItem(VIEW, name);
    for (const one of this.switch.children) {
      one.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (one).dataset.action === `view-${name}`));
    }
    this.list.reset();
  }

  /** @param {import("./gallery_layout.js").Block} block */
  #drawBlock(block) {
    if (!block.task) return drawHead(block);
    const element = (this.view === "grid" ? drawCell : drawTask)(block.task, this.#hands);
    element.classList.toggle("hunyuan-in-run", block.inRun);
    return element;
  }

  /** @type {import("./task_row.js").Hands} */
  #hands = {
    open: (task, event) => {
      if (!this.#chose(task, event)) this.open(task);
    },
    choose: (task, event) => (event.shiftKey ? this.selection.extend(this.list.order, task.id) : this.selection.toggle(task.id)),
    menu: (task, at) => this.#menu(task, at.getBoundingClientRect(), at),
    carry: (element, task) => makeDraggable(element, () => this.#carried(task)),
  };

  /** Dragging one of the chosen carries all of them. @param {Task} task */
  #carried(task) {
    return this.selection.has(task.id) ? this.selection.of(this.list.order) : [task];
  }

  /** Ctrl and Shift choose, as in every file list. @param {Task} task @param {MouseEvent} event */
  #chose(task, event) {
    if (event.shiftKey) this.selection.extend(this.list.order, task.id);
    else if (event.ctrlKey || event.metaKey) this.selection.toggle(task.id);
    else return false;
    return true;
  }

  /** @param {Event} event @returns {{task: Task, element: HTMLElement} | null} */
  #taskOf(event) {
    const element = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-task]"));
    const task = this.list.order.find((one) => one.id === element?.dataset.task);
    return task && element ? { task, element } : null;
  }

  /** @param {MouseEvent} event */
  #click(event) {
    if (/** @type {Element} */ (event.target).closest("button, label, [data-press]")) return;
    const found = this.#taskOf(event);
    if (found) this.#chose(found.task, event);
  }

  /** @param {MouseEvent} event */
  #contextMenu(event) {
    const found = this.#taskOf(event);
    if (!found) return;
    event.preventDefault();
    event.stopPropagation();
    const box = found.element.getBoundingClientRect();
    const byKey = event.button !== 2;
    const at = byKey ? { left: box.left + 20, top: box.top + 20, bottom: box.top + 20 } : pointOf(event);
    this.#menu(found.task, at, found.element);
  }

  /** @param {Task} task @param {{left: number, top: number, bottom: number}} at @param {HTMLElement} back */
  #menu(task, at, back) {
    const open = { name: "open", icon: "search-plus", possible: true, run: () => this.open(task), label: t("actions.open") };
    const items = MENU.map((action) => ({
      name: action.name,
      icon: action.icon,
      label: t(`actions.${action.name}`),
      possible: action.possible(task),
      apart: action.apart,
      run: () => void action.run(task),
    }));
    openMenu({ label: t("actions.of", { action: t("actions.more"), what: shortPrompt(task) }), items: [open, ...items], at, back });
  }

  /** @param {KeyboardEvent} event @param {Task | null} task */
  #key(event, task) {
    if (event.key === "Escape" && this.selection.size) this.selection.clear();
    else if (!task) return false;
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) this.open(task);
    else if (event.key === " ") this.#hands.choose(task, /** @type {any} */ (event));
    else if (event.key.toLowerCase() === "a" && (event.ctrlKey || event.metaKey)) this.selection.all(this.list.order);
    else if (event.key === "Delete") void forget(this.#carried(task));
    else return false;
    return true;
  }

  /** Shows which are chosen. */
  #mark() {
    this.element.classList.toggle("hunyuan-choosing", this.selection.size > 0);
    for (const element of this.list.elements) {
      const chosen = this.selection.has(String(element.dataset.task));
      element.classList.toggle("hunyuan-chosen", chosen);
      const box = /** @type {HTMLInputElement | null} */ (element.querySelector(".hunyuan-check input"));
      if (box) box.checked = chosen;
    }
  }
}

/** @param {MouseEvent} event */
function pointOf(event) {
  return { left: event.clientX, top: event.clientY, bottom: event.clientY };
}
