/**
 * A list that only draws what is seen, so that ten thousand tasks scroll as smoothly as ten.
 * @module
 */
import { h } from "./dom.js";
import { t } from "./i18n.js";

export const ROW_HEIGHT = 116; // pixels, as in hunyuan.css
const BEYOND = 5; // rows drawn above and below what is seen

/**
 * @template {{id: string}} Row
 */
export class VirtualList {
  /** @type {Map<string, {element: HTMLElement, row: Row | null}>} what is drawn, by the row's id or its place */
  #drawn = new Map();
  #wanted = 0;

  /**
   * @param {{rows: Row[], total: number, ensure: (index: number) => Promise<void>}} source
   * @param {(row: Row) => HTMLElement} draw
   * @param {() => boolean} isHeld whether nothing may move now; who says so calls `update` when it is over
   */
  constructor(source, draw, isHeld) {
    this.source = source;
    this.draw = draw;
    this.isHeld = isHeld;
    this.space = h("div", { class: "hunyuan-list-space", role: "list", "aria-label": t("list.name") });
    this.element = h("div", { class: "hunyuan-list", tabindex: "-1" }, this.space);
    this.element.addEventListener("scroll", () => this.update(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.observer = new ResizeObserver(() => this.update());
    this.observer.observe(this.element);
  }

  /** Draws anew in the next frame. */
  update() {
    cancelAnimationFrame(this.#wanted);
    this.#wanted = requestAnimationFrame(() => this.#update());
  }

  /** Everything is drawn anew, the list stands at its top. */
  reset() {
    this.element.scrollTop = 0;
    for (const [key, { element }] of this.#drawn) this.#drop(key, element);
    this.update();
  }

  /** Stops watching. */
  destroy() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#wanted);
  }

  #update() {
    if (this.isHeld()) return;
    const { rows, total } = this.source;
    this.space.style.height = `${total * ROW_HEIGHT}px`;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - BEYOND);
    const seen = Math.ceil(this.element.clientHeight / ROW_HEIGHT) + 2 * BEYOND;
    const end = Math.min(total, first + seen);
    const kept = new Set();
    let before = null;
    for (let index = first; index < end; index++) {
      const row = rows[index] ?? null;
      const key = row ? row.id : `#${index}`;
      kept.add(key);
      const element = this.#place(key, row, index, total);
      const next = before ? before.nextElementSibling : this.space.firstElementChild;
      if (element !== next && !element.contains(document.activeElement)) {
        this.space.insertBefore(element, next); // the order of the elements is the order of Tab
      }
      before = element;
    }
    for (const [key, { element }] of this.#drawn) {
      if (kept.has(key)) continue;
      const focused = element.contains(document.activeElement);
      if (focused && rows.some((row) => row.id === key)) continue; // scrolled away, but the keyboard is still there
      this.#drop(key, element);
      if (focused) this.#focus(Math.min(Number(element.dataset.index), total - 1));
    }
    if (end > rows.length) void this.source.ensure(end - 1);
  }

  /**
   * @param {string} key
   * @param {Row | null} row
   * @param {number} index
   * @param {number} total
   */
  #place(key, row, index, total) {
    let known = this.#drawn.get(key);
    if (!known || known.row !== row) {
      const element = row ? this.draw(row) : h("div", { class: "hunyuan-row hunyuan-row-empty" });
      element.setAttribute("role", "listitem");
      element.tabIndex = -1;
      if (known) this.#swap(known.element, element);
      else this.space.append(element);
      known = { element, row };
      this.#drawn.set(key, known);
    }
    const { element } = known;
    element.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
    element.dataset.index = String(index);
    element.setAttribute("aria-posinset", String(index + 1));
    element.setAttribute("aria-setsize", String(total));
    return element;
  }

  /** Puts the new element in the old one's place; the focus stays on the same control. */
  #swap(/** @type {HTMLElement} */ old, /** @type {HTMLElement} */ fresh) {
    const focused = old.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    const action = focused?.dataset.action;
    old.replaceWith(fresh);
    if (!focused) return;
    const same = /** @type {HTMLElement | null} */ (action ? fresh.querySelector(`[data-action="${action}"]`) : fresh);
    (same ?? fresh).focus({ preventScroll: true });
  }

  /** @param {string} key @param {HTMLElement} element */
  #drop(key, element) {
    element.remove();
    this.#drawn.delete(key);
  }

  /** Arrow keys go from row to row; Home and End to the ends. @param {KeyboardEvent} event */
  #key(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-index]");
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_HEIGHT));
    const at = row ? Number(/** @type {HTMLElement} */ (row).dataset.index) : -1;
    const last = this.source.total - 1;
    const goals = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: last };
    if (event.key === "Delete" || event.key === "Backspace") event.stopPropagation(); // or the canvas loses its nodes
    if (!(event.key in goals)) return;
    event.preventDefault();
    event.stopPropagation();
    this.#focus(Math.min(Math.max(goals[event.key], 0), last));
  }

  /** @param {number} index */
  #focus(index) {
    const top = index * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight) this.element.scrollTop = top + ROW_HEIGHT - clientHeight;
    this.#update();
    /** @type {HTMLElement | null} */ (this.space.querySelector(`[data-index="${index}"]`))?.focus({ preventScroll: true });
  }
}
