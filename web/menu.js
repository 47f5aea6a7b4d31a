/**
 * A menu at a button or at the pointer: arrow keys, Enter, Escape; the focus goes back where it came from.
 * @module
 */
import { wayBack } from "./dialog.js";
import { h, icon } from "./dom.js";

/**
 * @typedef {object} Item
 * @property {string} name
 * @property {string} icon
 * @property {string} label
 * @property {boolean | Promise<boolean>} possible what cannot be done is shown, but not offered: places do not move
 * @property {() => void} run
 * @property {boolean} [apart] begins a new part
 */

/**
 * @param {{label: string, items: Item[], at: {left: number, top: number, bottom: number}, back?: HTMLElement | null}} menu
 *   at: what it opens at, in pixels of the window; back: what gets the focus when it closes
 */
export function openMenu({ label, items, at, back = null }) {
  const buttons = items.map((item) => entry(item, () => close()));
  const element = h("div", { class: "hunyuan-menu", role: "menu", "aria-label": label, popover: "auto" }, ...buttons);
  const close = () => element.hidePopover();
  const goBack = wayBack(back);
  for (const kind of ["keydown", "keyup", "keypress"]) element.addEventListener(kind, (event) => event.stopPropagation());
  // The focus traps of dialogs listen for the focus leaving them.
  for (const kind of ["focusin", "focusout", "pointerdown", "mousedown"]) {
    element.addEventListener(kind, (event) => event.stopPropagation());
  }
  element.addEventListener("keydown", (event) => step(/** @type {KeyboardEvent} */ (event), buttons, close));
  element.addEventListener("toggle", (event) => {
    if (/** @type {any} */ (event).newState !== "closed") return;
    const inside = element.contains(document.activeElement) || document.activeElement === document.body;
    element.remove();
    if (inside && back?.isConnected) back.focus({ preventScroll: true });
    else if (inside) goBack(); // it was drawn anew meanwhile
  });
  // Inside the dialog that it belongs to, or it would be inert.
  (back?.closest("dialog") ?? document.body).append(element);
  element.showPopover();
  place(element, at);
  buttons.find((one) => one.getAttribute("aria-disabled") !== "true")?.focus({ preventScroll: true });
}

/** @param {Item} item @param {() => void} close */
function entry(item, close) {
  const act = () => {
    if (element.getAttribute("aria-disabled") === "true") return;
    close();
    item.run();
  };
  const kind = item.apart ? "hunyuan-menu-item hunyuan-apart" : "hunyuan-menu-item";
  const element = h(
    "button",
    { type: "button", role: "menuitem", tabindex: "-1", class: kind, "data-action": item.name, onclick: act },
    icon(item.icon),
    h("span", {}, item.label),
  );
  const allow = (/** @type {boolean} */ possible) => element.setAttribute("aria-disabled", String(!possible));
  allow(item.possible === true);
  if (item.possible instanceof Promise) void item.possible.then(allow);
  return element;
}

/** @param {KeyboardEvent} event @param {HTMLElement[]} buttons @param {() => void} close */
function step(event, buttons, close) {
  const at = buttons.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const last = buttons.length - 1;
  const goals = { ArrowDown: at >= last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, Home: 0, End: last };
  if (event.key === "Tab" || event.key === "Escape") close();
  else if (event.key in goals) buttons[goals[event.key]].focus();
  else return;
  event.preventDefault();
}

/** Below what it opens at, else above; never out of the window. @param {HTMLElement} element @param {{left: number, top: number, bottom: number}} at */
function place(element, at) {
  const { width, height } = element.getBoundingClientRect();
  const below = at.bottom + height <= window.innerHeight - 8;
  const top = below ? at.bottom : Math.max(8, at.top - height);
  element.style.left = `${Math.max(8, Math.min(at.left, window.innerWidth - width - 8))}px`;
  element.style.top = `${Math.max(8, Math.min(top, window.innerHeight - height - 8))}px`;
}
