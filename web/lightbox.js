/**
 * A task's picture as large as the window, with everything that is known of it; arrow keys go through the gallery, and
 * two can be looked at side by side.
 * @module
 */
import { pictureUrl } from "./api.js";
import { Press } from "./button_press.js";
import { openModal } from "./dialog.js";
import { button, h, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { drawButtons, drawFacts } from "./lightbox_facts.js";
import { money, seedOf, shortPrompt, sizeOf, stateOf, when, why } from "./task_words.js";

/** @typedef {import("./task_store.js").Task} Task */
/** @typedef {{task: Task, number: number}} Shot one picture of a task */

/**
 * @typedef {object} Source where the pictures are from
 * @property {() => Task[]} order
 * @property {EventTarget} store tells of changes
 * @property {() => Promise<void>} more asks for further tasks
 * @property {(task: Task) => void} onclose told of the last one looked at
 */

/**
 * @param {Source} source
 * @param {Task} task
 * @param {Task | null} [beside] to be compared with
 */
export function openLightbox(source, task, beside = null) {
  new Lightbox(source, task, beside);
}

class Lightbox {
  /** @type {Shot[]} one, or two side by side */
  #shown;
  /** Which of the two the arrow keys change. */
  #active = 0;
  #ended = new AbortController();

  /** @param {Source} source @param {Task} task @param {Task | null} beside */
  constructor(source, task, beside) {
    this.source = source;
    this.#shown = [task, beside].filter((one) => one !== null).map((one) => ({ task: one, number: 0 }));
    this.#active = this.#shown.length - 1;
    this.count = h("span", { class: "hunyuan-count", role: "status" });
    this.compare = button(t("lightbox.compare"), () => this.#toggleCompare(), {
      "data-action": "compare",
      class: "hunyuan-button",
    });
    this.stage = h("div", { class: "hunyuan-stage" });
    this.facts = h("aside", { class: "hunyuan-sheet", "aria-label": t("lightbox.facts") });
    this.element = /** @type {HTMLDialogElement} */ (
      h(
        "dialog",
        { class: "hunyuan-lightbox", "aria-label": t("lightbox.title") },
        h("header", {}, this.count, this.compare, iconButton("times", t("dialog.close"), () => this.element.close())),
        this.stage,
        this.facts,
        h("div", { class: "hunyuan-toasts", role: "status" }),
      )
    );
    this.element.addEventListener("keydown", (event) => this.#key(event));
    const { signal } = this.#ended;
    source.store.addEventListener("change", () => this.#follow(), { signal });
    this.press = new Press(this.element, () => this.#follow());
    openModal(this.element, () => {
      this.#ended.abort();
      this.press.destroy();
      source.onclose(this.#shown[this.#active].task);
    });
    this.#draw();
    this.stage.focus();
  }

  /** Every picture of the gallery; a task without one is a picture too. @returns {Shot[]} */
  #shots() {
    return this.source
      .order()
      .flatMap((task) => Array.from({ length: Math.max(1, task.images) }, (_, number) => ({ task, number })));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 };
    if (event.key in steps) void this.#step(steps[event.key]);
    else if (event.key === "Home" || event.key === "End") void this.#step(event.key === "Home" ? -Infinity : Infinity);
    else if (event.key.toLowerCase() === "c" && event.target === this.stage) this.#toggleCompare();
    else return;
    event.preventDefault();
  }

  /** @param {number} by */
  async #step(by) {
    const at = this.#place(this.#shown[this.#active]);
    if (at + by >= this.#shots().length) await this.source.more();
    const shots = this.#shots();
    if (!shots.length) return;
    this.#shown[this.#active] = shots[Math.min(Math.max(at + by, 0), shots.length - 1)];
    this.#draw();
  }

  /** @param {Shot} shot @returns {number} -1: no longer in the gallery */
  #place({ task, number }) {
    return this.#shots().findIndex((one) => one.task.id === task.id && one.number === number);
  }

  #toggleCompare() {
    if (this.#shown.length === 2) {
      this.#shown = [this.#shown[this.#active]];
      this.#active = 0;
    } else {
      const shots = this.#shots();
      const at = this.#place(this.#shown[0]);
      this.#shown = [this.#shown[0], shots[at + 1] ?? shots[at - 1] ?? this.#shown[0]];
      this.#active = 1;
    }
    this.#draw();
  }

  /** News came: the facts may be others, the task may be gone. */
  #follow() {
    if (this.press.isHeld) return; // followed when it is released
    const order = this.source.order();
    let changed = false;
    for (const shot of this.#shown) {
      const now = order.find((task) => task.id === shot.task.id);
      if (now && now !== shot.task) [shot.task, changed] = [now, true];
    }
    if (changed) this.#draw();
  }

  #draw() {
    const two = this.#shown.length === 2;
    const shot = this.#shown[this.#active];
    const shots = this.#shots();
    this.element.classList.toggle("hunyuan-two", two);
    this.count.textContent = t("lightbox.of", { n: this.#place(shot) + 1, total: shots.length });
    this.compare.textContent = t(two ? "lightbox.single" : "lightbox.compare");
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.action;
    this.stage.tabIndex = -1;
    this.stage.replaceChildren(
      iconButton("chevron-left", t("lightbox.previous"), () => void this.#step(-1), { "data-action": "previous" }),
      ...this.#shown.map((one, side) => this.#figure(one, side)),
      iconButton("chevron-right", t("lightbox.next"), () => void this.#step(1), { "data-action": "next" }),
    );
    this.facts.hidden = two;
    if (!two) this.facts.replaceChildren(...drawFacts(shot), drawButtons(shot, () => this.element.close()));
    if (focused) /** @type {HTMLElement | null} */ (this.element.querySelector(`[data-action="${focused}"]`))?.focus();
    else if (!this.element.contains(document.activeElement)) this.stage.focus();
    this.#loadNext(shots);
  }

  /** @param {Shot} shot @param {number} side */
  #figure({ task, number }, side) {
    const two = this.#shown.length === 2;
    const frame = h("div", { class: "hunyuan-frame" });
    if (task.images) {
      const image = h("img", { src: pictureUrl(task, "image", number), alt: shortPrompt(task), draggable: "false" });
      image.style.backgroundImage = `url("${pictureUrl(task, "thumbnail", number, 512)}")`; // until the original is there
      image.addEventListener("load", () => (image.style.backgroundImage = ""));
      image.addEventListener("error", () => frame.replaceChildren(nothing("image", t("errors.gone"))));
      frame.append(image);
    } else {
      frame.append(nothing(task.state === "failed" ? "ban" : "hourglass", why(task) || stateOf(task)));
    }
    const caption = [seedOf(task), sizeOf(task), when(task.created_at), money(task)].filter(Boolean).join(" · ");
    const choose = () => {
      this.#active = side;
      this.#draw();
    };
    return h(
      "figure",
      { class: "hunyuan-figure", "data-task": task.id, "data-active": String(two && side === this.#active), onclick: two ? choose : null },
      frame,
      two
        ? h(
            "figcaption",
            {},
            h(
              "button",
              { type: "button", "data-action": `side-${side}`, "aria-pressed": String(side === this.#active), onclick: choose },
              h("strong", {}, shortPrompt(task)),
              h("span", {}, caption),
            ),
          )
        : null,
    );
  }

  /** The browser fetches what comes next while this one is looked at. @param {Shot[]} shots */
  #loadNext(shots) {
    const next = shots[this.#place(this.#shown[this.#active]) + 1];
    if (next?.task.images) new Image().src = pictureUrl(next.task, "thumbnail", next.number, 512);
  }
}

/** @param {string} symbol @param {string} text */
function nothing(symbol, text) {
  return h("div", { class: "hunyuan-nothing" }, icon(symbol), h("p", {}, text));
}
