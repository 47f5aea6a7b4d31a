/**
 * The picture of a row or a cell: whole, never cropped.
 * @module
 */
import { pictureUrl } from "./api.js";
import { h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { shortPrompt } from "./task_words.js";

/**
 * @param {import("./task_store.js").Task} task
 * @param {number} side of the thumbnail to fetch, in pixels
 */
export function thumbnail(task, side) {
  const symbol = task.state === "failed" ? "ban" : task.state === "unknown" ? "question-circle" : "image";
  const frame = h("div", { class: "hunyuan-thumbnail" }, icon(symbol));
  if (task.images) {
    const image = h("img", { src: pictureUrl(task, "thumbnail", 0, side), alt: "", decoding: "async", draggable: "false" });
    image.addEventListener("load", () => frame.replaceChildren(image));
    image.addEventListener("error", () => frame.classList.add("hunyuan-gone"));
  }
  return frame;
}

/** What lies on the picture: that no workflow has used it, and how many there are. @param {import("./task_store.js").Task} task */
export function marks(task) {
  const unused = task.state === "collected" && !task.delivered;
  return [
    unused && h("span", { class: "hunyuan-mark", title: t("list.undelivered_hint") }, t("list.undelivered")),
    task.images > 1 && h("span", { class: "hunyuan-mark hunyuan-mark-count" }, `×${task.images}`),
  ];
}

/** The box that chooses a task. @param {import("./task_store.js").Task} task @param {(event: MouseEvent) => void} choose */
export function checkbox(task, choose) {
  const label = t("select.one", { what: shortPrompt(task) });
  return h(
    "label",
    { class: "hunyuan-check", title: label },
    h("input", { type: "checkbox", tabindex: "-1", "aria-label": label, "data-action": "select", onclick: choose }),
  );
}
