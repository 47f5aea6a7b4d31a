/**
 * Whether a button, or what acts like one, is being pressed. The browser sends no click where the button was replaced or
 * moved between down and up: what would do that waits until it is up.
 * @module
 */

const ENDS = ["pointerup", "pointercancel", "keyup", "contextmenu"];

export class Press {
  isHeld = false;
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

  #up() {
    if (!this.isHeld) return;
    setTimeout(() => {
      this.isHeld = false;
      if (!this.#ended.signal.aborted) this.released();
    });
  }
}
