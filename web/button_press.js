/**
 * Whether a button, or what acts like one, is being pressed or dragged. The browser sends no click where the button was
 * replaced or moved between down and up, and no end of a drag: what would do that waits until it is up.
 * @module
 */

const ENDS = ["pointerup", "pointercancel", "keyup", "contextmenu"];

export class Press {
  isHeld = false;
  #isDragged = false;
  #ended = new AbortController();

  /**
   * @param {HTMLElement} element whose buttons are meant
   * @param {() => void} released called after the click
   */
  constructor(element, released) {
    this.released = released;
    const { signal } = this.#ended;
    element.addEventListener("pointerdown", (event) => this.#down(event, event.button === 0), { signal });
    element.addEventListener("keydown", (event) => this.#down(event, event.key === " "), { signal }); // Enter clicks at once
    element.addEventListener("dragstart", (event) => this.#drag(event), { signal });
    window.addEventListener("dragend", () => this.#drop(), { signal, capture: true });
    // It moves again: a drag whose end no event told of is over.
    window.addEventListener("pointermove", (event) => void (event.buttons || this.#drop()), { signal, capture: true });
    for (const end of ENDS) window.addEventListener(end, () => this.#up(), { signal, capture: true });
    window.addEventListener("blur", () => this.#up(), { signal }); // released where no event tells of it
  }

  /** Stops watching. */
  destroy() {
    this.#ended.abort();
  }

  /** @param {Event} event @param {boolean} presses whether it is one that a click may follow */
  #down(event, presses) {
    if (presses && /** @type {Element} */ (event.target).closest("button, input, [data-press]")) this.isHeld = true;
  }

  /** After it the pointer is canceled, though its button is still down. @param {DragEvent} event */
  #drag(event) {
    this.#isDragged = this.isHeld && !event.defaultPrevented;
  }

  #drop() {
    if (!this.#isDragged) return;
    this.#isDragged = false;
    this.#up();
  }

  #up() {
    if (!this.isHeld || this.#isDragged) return;
    setTimeout(() => {
      this.isHeld = false;
      if (!this.#ended.signal.aborted) this.released();
    });
  }
}
