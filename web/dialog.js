/**
 * A modal dialog: the browser's own <dialog>, which brings the focus trap, Escape, and the way back of the focus: to the
 * control that opened it, or, where that was drawn anew meanwhile, to the one that stands for it.
 * @module
 */
import { button, h, iconButton } from "./dom.js";
import { t } from "./i18n.js";

let number = 0;

/**
 * @param {{title: string, body: Node[], buttons?: HTMLElement[], wide?: boolean, onclose?: () => void}} content
 * @returns {{element: HTMLDialogElement, close: () => void}}
 */
export function openDialog({ title, body, buttons = [], wide = false, onclose = () => {} }) {
  const id = `hunyuan-dialog-${++number}`;
  const close = () => element.close();
  const element = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { class: wide ? "hunyuan-dialog hunyuan-wide" : "hunyuan-dialog", "aria-labelledby": id },
      h("header", {}, h("h2", { id }, title), iconButton("times", t("dialog.close"), close)),
      h("div", { class: "hunyuan-dialog-body" }, ...body),
      h("footer", {}, ...buttons),
    )
  );
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
  return { element, close };
}

/** What takes the focus back into the task list if the control that has it now is gone by then. */
function wayBack() {
  const opener = /** @type {HTMLElement | null} */ (document.activeElement);
  const panel = opener?.closest(".hunyuan-panel");
  const task = /** @type {HTMLElement | null | undefined} */ (opener?.closest("[data-task]"))?.dataset.task;
  const row = task ? `[data-task="${CSS.escape(task)}"] ` : "";
  return () => {
    if (!panel || opener?.isConnected) return;
    const same = panel.querySelector(`${row}[data-action="${opener?.dataset.action}"]`);
    /** @type {HTMLElement | null} */ (same ?? panel.querySelector("button"))?.focus({ preventScroll: true });
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
      body: [h("p", {}, text)],
      buttons: [
        button(t("dialog.cancel"), () => opened.close()),
        button(yes, agree, { class: "hunyuan-button hunyuan-primary", autofocus: true }),
      ],
      onclose: () => resolve(answer),
    });
  });
}
