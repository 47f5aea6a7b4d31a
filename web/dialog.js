/**
 * A modal dialog: the browser's own <dialog>, which brings the focus trap, Escape, and the way back of the focus: to the
 * control that opened it, or, where that was drawn anew meanwhile, to the one that stands for it.
 * @module
 */
import { button, h, iconButton } from "./dom.js";
import { t } from "./i18n.js";

let number = 0;

/**
 * @param {object} content
 * @param {string} content.title
 * @param {Node[]} content.body
 * @param {HTMLElement[]} [content.buttons]
 * @param {boolean} [content.wide]
 * @param {boolean} [content.edits] whether Escape and the cross ask before what was entered is lost
 * @param {() => void} [content.onclose]
 * @returns {{element: HTMLDialogElement, close: () => void}}
 */
export function openDialog({ title, body, buttons = [], wide = false, edits = true, onclose = () => {} }) {
  const id = `hunyuan-dialog-${++number}`;
  const close = () => element.close();
  const leave = async () => {
    if (!edits || entered(element) === before || (await confirmLoss())) close();
  };
  const element = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { class: wide ? "hunyuan-dialog hunyuan-wide" : "hunyuan-dialog", "aria-labelledby": id },
      h("header", {}, h("h2", { id }, title), iconButton("times", t("dialog.close"), () => void leave())),
      h("div", { class: "hunyuan-dialog-body" }, ...body),
      h("footer", {}, ...buttons),
    )
  );
  const before = entered(element);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault(); // the browser's own closing cannot be held back a second time
    void leave();
  });
  openModal(element, onclose);
  return { element, close };
}

/**
 * Shows a dialog element over everything, and takes it away when it is closed.
 * @param {HTMLDialogElement} element
 * @param {() => void} onclose
 */
export function openModal(element, onclose) {
  // ComfyUI's shortcuts (r, w, Delete, Ctrl+Enter …) must not act on the canvas behind.
  for (const kind of ["keydown", "keyup", "keypress", "paste", "copy", "cut"]) {
    element.addEventListener(kind, (event) => event.stopPropagation());
  }
  // The focus traps of ComfyUI's own dialogs listen for the focus leaving them.
  for (const kind of ["focusin", "focusout", "pointerdown", "mousedown"]) {
    element.addEventListener(kind, (event) => event.stopPropagation());
  }
  const goBack = wayBack();
  element.addEventListener("close", () => {
    element.remove();
    goBack();
    onclose();
  });
  document.body.append(element);
  element.showModal();
}

/** What stands in a dialog's fields, and which of its switches are on. @param {HTMLElement} element */
function entered(element) {
  const fields = /** @type {NodeListOf<HTMLInputElement>} */ (element.querySelectorAll("input, textarea, select"));
  const switches = element.querySelectorAll("[aria-pressed]");
  return JSON.stringify([
    [...fields].map((field) => [field.value, field.checked]),
    [...switches].map((one) => one.getAttribute("aria-pressed")),
  ]);
}

function confirmLoss() {
  return confirmDialog({ title: t("dialog.unsaved"), text: t("dialog.unsaved_text"), yes: t("dialog.discard") });
}

/**
 * What takes the focus back into the task list if the control that opened something is gone by then.
 * @param {HTMLElement | null} [opener] else the one that has the focus now
 */
export function wayBack(opener = /** @type {HTMLElement | null} */ (document.activeElement)) {
  const panel = opener?.closest(".hunyuan-panel");
  const task = /** @type {HTMLElement | null | undefined} */ (opener?.closest("[data-task]"))?.dataset.task;
  const row = task ? `[data-task="${CSS.escape(task)}"]` : "";
  return () => {
    if (!panel || opener?.isConnected) return;
    const same = panel.querySelector(opener?.dataset.action ? `${row} [data-action="${opener.dataset.action}"]` : row || "button");
    /** @type {HTMLElement | null} */ (same ?? panel.querySelector('[data-action="settings"]'))?.focus({ preventScroll: true });
  };
}

/**
 * Asks before something that cannot be taken back, or that costs.
 * @param {{title: string, text: string, yes: string}} question
 * @returns {Promise<boolean>}
 */
export function confirmDialog({ title, text, yes }) {
  return new Promise((resolve) => {
    let answer = false;
    const agree = () => {
      answer = true;
      opened.close();
    };
    const opened = openDialog({
      title,
      body: text.split("\n").map((line) => h("p", {}, line)),
      edits: false,
      buttons: [
        button(t("dialog.cancel"), () => opened.close()),
        button(yes, agree, { class: "hunyuan-button hunyuan-primary", autofocus: true }),
      ],
      onclose: () => resolve(answer),
    });
  });
}
