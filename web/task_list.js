/**
 * A list that only draws what is seen, so that ten thousand tasks scroll as smoothly as ten. It is one stop of Tab:
 * inside, the arrow keys go from task to task, and to the right into a task's own buttons.
 * @module
 */
import { h } from "./dom.js";
import { layOut } from "./gallery_layout.js";
import { t } from "./i18n.js";

/** @typedef {import("./task_store.js").Task} Task */
/** @typedef {import("./gallery_layout.js").Block} Block */

const BEYOND = 500; // pixels drawn above and below what is seen

export class VirtualList {
  /** @type {Map<string, {element: HTMLElement, block: Block}>} what is drawn, by the block's key */
  #drawn = new Map();
  #wanted = 0;
  /** @type {import("./gallery_layout.js").Layout | null} */
  #layout = null;
  #width = 0;
  /** The task whose element Tab leads to. */
  #current = "";

  /**
   * @param {{rows: Task[], total: number, more: boolean, ensure: (index: number) => Promise<void>}} source
   * @param {object} how
   * @param {() => "list" | "grid"} how.view
   * @param {(block: Block) => HTMLElement} how.draw
   * @param {() => boolean} how.isHeld whether nothing may move now; who says so calls `update` when it is over
   * @param {() => void} how.drawn called when what is seen was drawn
   * @param {(event: KeyboardEvent, task: Task | null) => boolean} how.onkey the keys that do not walk; true: it was one
   */
  constructor(source, how) {
    this.source = source;
    this.how = how;
    this.space = h("div", { class: "hunyuan-list-space", role: "list", "aria-label": t("list.name") });
    this.element = h("div", { class: "hunyuan-list", tabindex: "-1" }, this.space);
    this.element.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusin", (event) => this.#remember(event));
    this.observer = new ResizeObserver(() => this.#soon());
    this.observer.observe(this.element);
  }

  /** The tasks as they are shown. */
  get order() {
    return this.#laidOut().order;
  }

  /** Draws anew in the next frame what changed. */
  update() {
    this.#layout = null;
    this.#soon();
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

  /** Leads the keyboard to a task, and shows it. @param {string} id */
  focusTask(id) {
    const tile = this.#laidOut().tiles.find((one) => one.key === id);
    if (tile) this.#focus(tile.place);
  }

  /** The elements of the tasks that are drawn. @returns {HTMLElement[]} */
  get elements() {
    return [...this.#drawn.values()].filter(({ block }) => block.task).map(({ element }) => element);
  }

  #soon() {
    cancelAnimationFrame(this.#wanted);
    this.#wanted = requestAnimationFrame(() => this.#update());
  }

  #laidOut() {
    const width = this.element.clientWidth;
    if (!this.#layout || width !== this.#width) {
      const { rows, total, more } = this.source;
      this.#layout = layOut(rows, { view: this.how.view(), width, total, more });
      this.#width = width;
    }
    return this.#layout;
  }

  #update() {
    if (this.how.isHeld()) return;
    const layout = this.#laidOut();
    this.space.style.height = `${layout.height}px`;
    const from = this.element.scrollTop - BEYOND;
    const until = this.element.scrollTop + this.element.clientHeight + BEYOND;
    const blocks = layout.blocks.filter((block) => block.top + block.height >= from && block.top <= until);
    const [first, end] = layout.restWithin(from, until);
    for (let place = first; place < end; place++) blocks.push(layout.rest(place));

    const kept = new Set(blocks.map((block) => block.key));
    let before = null;
    for (const block of blocks) {
      const element = this.#place(block);
      const next = before ? before.nextElementSibling : this.space.firstElementChild;
      if (element !== next && !element.contains(document.activeElement)) this.space.insertBefore(element, next);
      before = element;
    }
    for (const [key, { element, block }] of this.#drawn) {
      if (kept.has(key)) continue;
      const focused = element.contains(document.activeElement);
      if (focused && layout.order.some((task) => task.id === key)) continue; // scrolled away, the keyboard is still there
      this.#drop(key, element);
      if (focused) this.#focus(Math.min(block.place, this.source.total - 1));
    }
    this.#letTabIn(blocks);
    this.how.drawn();
    if (first < end) void this.source.ensure(end - 1);
  }

  /** @param {Block} block */
  #place(block) {
    let known = this.#drawn.get(block.key);
    if (!known || !isSame(known.block, block)) {
      const element = block.task || block.sums ? this.how.draw(block) : h("div", { class: "hunyuan-row-empty" });
      element.setAttribute("role", "listitem");
      if (block.kind === "task") element.tabIndex = -1;
      if (known) this.#swap(known.element, element);
      else this.space.append(element);
      known = { element, block };
      this.#drawn.set(block.key, known);
    }
    known.block = block;
    const { element } = known;
    element.style.cssText = `transform: translate(${block.left}px, ${block.top}px); width: ${block.width}px; height: ${block.height}px`;
    if (block.kind === "task") {
      element.dataset.index = String(block.place);
      element.setAttribute("aria-posinset", String(block.place + 1));
      element.setAttribute("aria-setsize", String(this.source.total));
    }
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

  /** One element is the list's stop: the task that had the focus last, else the first that is seen. @param {Block[]} blocks */
  #letTabIn(blocks) {
    const tiles = blocks.filter((block) => block.kind === "task");
    const seen = tiles.find((tile) => tile.top >= this.element.scrollTop) ?? tiles[0];
    const stop = this.#drawn.has(this.#current) ? this.#current : seen?.key;
    for (const [key, { element, block }] of this.#drawn) {
      if (block.kind === "task") element.tabIndex = key === stop ? 0 : -1;
    }
  }

  /** @param {FocusEvent} event */
  #remember(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("[data-index]");
    const known = row && [...this.#drawn].find(([, { element }]) => element === row);
    if (!known || known[0] === this.#current) return;
    this.#current = known[0];
    for (const [key, { element, block }] of this.#drawn) {
      if (block.kind === "task") element.tabIndex = key === this.#current ? 0 : -1;
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    const row = /** @type {HTMLElement | null} */ (target.closest("[data-index]"));
    if (event.key === "Delete" || event.key === "Backspace") event.stopPropagation(); // or the canvas loses its nodes
    const at = row ? Number(row.dataset.index) : -1;
    const isOnTask = target === row;
    const walked = (row && this.#walkInside(event, row, target)) || this.#walk(event, at);
    const done = walked || (isOnTask && this.how.onkey(event, this.#laidOut().order[at] ?? null));
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** In a list the arrows to the sides go through a task's own controls. */
  #walkInside(/** @type {KeyboardEvent} */ event, /** @type {HTMLElement} */ row, /** @type {HTMLElement} */ target) {
    if (this.how.view() === "grid" || !["ArrowLeft", "ArrowRight"].includes(event.key)) return false;
    const stops = [row, .../** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll("input, button:not(:disabled)"))];
    const next = stops.indexOf(target) + (event.key === "ArrowRight" ? 1 : -1);
    stops[Math.min(Math.max(next, 0), stops.length - 1)].focus({ preventScroll: true });
    return true;
  }

  /** @param {KeyboardEvent} event @param {number} at the place of the task that has the focus, -1: none */
  #walk(event, at) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const last = this.source.total - 1;
    const goal = this.#goal(event.key, at, last);
    if (goal === null) return false;
    this.#focus(Math.min(Math.max(goal, 0), last));
    return true;
  }

  /** @param {string} key @param {number} at @param {number} last @returns {number | null} a place */
  #goal(key, at, last) {
    const grid = this.how.view() === "grid";
    const page = this.element.clientHeight;
    if (key === "Home") return 0;
    if (key === "End") return last;
    if (key === "ArrowDown") return grid ? this.#across(at, 1, 1) : at + 1;
    if (key === "ArrowUp") return grid ? this.#across(at, -1, 1) : at - 1;
    if (key === "PageDown") return this.#across(at, 1, page);
    if (key === "PageUp") return this.#across(at, -1, page);
    if (grid && key === "ArrowRight") return at + 1;
    if (grid && key === "ArrowLeft") return at - 1;
    return null;
  }

  /** The task that stands about so many pixels further down (or up), as near as can be to the same column. */
  #across(/** @type {number} */ at, /** @type {1 | -1} */ direction, /** @type {number} */ pixels) {
    if (at < 0) return 0;
    const here = this.#tile(at);
    const { total } = this.source;
    /** @type {Block | null} */
    let best = null;
    for (let place = at + direction; place >= 0 && place < total; place += direction) {
      const tile = this.#tile(place);
      if (Math.abs(tile.top - here.top) < pixels) continue;
      if (best && tile.top !== best.top) break;
      if (!best || Math.abs(tile.left - here.left) < Math.abs(best.left - here.left)) best = tile;
    }
    if (best) return best.place;
    if (pixels === 1) return at;
    return direction > 0 ? total - 1 : 0;
  }

  /** @param {number} place */
  #tile(place) {
    const layout = this.#laidOut();
    return layout.tiles[place] ?? layout.rest(place);
  }

  /** @param {number} place */
  #focus(place) {
    if (place < 0) return;
    const { top, height } = this.#tile(place);
    const { scrollTop, clientHeight } = this.element;
    if (place === 0) this.element.scrollTop = 0; // its day stands above it
    else if (top < scrollTop) this.element.scrollTop = top;
    else if (top + height > scrollTop + clientHeight) this.element.scrollTop = top + height - clientHeight;
    this.#update();
    /** @type {HTMLElement | null} */ (this.space.querySelector(`[data-index="${place}"]`))?.focus({ preventScroll: true });
  }
}

/** Whether the element that was drawn for the one is right for the other. @param {Block} one @param {Block} other */
function isSame(one, other) {
  return one.task === other.task && one.inRun === other.inRun && JSON.stringify(one.sums) === JSON.stringify(other.sums);
}
