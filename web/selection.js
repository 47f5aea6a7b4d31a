/**
 * Which tasks of the gallery are chosen.
 * @module
 */

/** @typedef {import("./task_store.js").Task} Task */

/** Fires "change". */
export class Selection extends EventTarget {
  /** @type {Set<string>} */
  #ids = new Set();
  #anchor = "";

  get size() {
    return this.#ids.size;
  }

  /** @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /** The chosen of these, in their order. @param {Task[]} tasks */
  of(tasks) {
    return tasks.filter((task) => this.#ids.has(task.id));
  }

  /** @param {string} id */
  toggle(id) {
    if (!this.#ids.delete(id)) this.#ids.add(id);
    this.#anchor = id;
    this.#fire();
  }

  /** From the one chosen last to this one. @param {Task[]} order @param {string} id */
  extend(order, id) {
    const from = order.findIndex((task) => task.id === this.#anchor);
    const to = order.findIndex((task) => task.id === id);
    if (from < 0 || to < 0) return this.toggle(id);
    for (const task of order.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#ids.add(task.id);
    this.#fire();
  }

  /** @param {Task[]} tasks */
  all(tasks) {
    for (const task of tasks) this.#ids.add(task.id);
    this.#fire();
  }

  clear() {
    if (!this.#ids.size) return;
    this.#ids.clear();
    this.#fire();
  }

  /** Lets go of those that left the list. @param {Task[]} tasks */
  keep(tasks) {
    if (!this.#ids.size) return;
    const there = new Set(tasks.map((task) => task.id));
    const gone = [...this.#ids].filter((id) => !there.has(id));
    for (const id of gone) this.#ids.delete(id);
    if (gone.length) this.#fire();
  }

  #fire() {
    this.dispatchEvent(new Event("change"));
  }
}
