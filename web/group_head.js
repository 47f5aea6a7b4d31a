/**
 * The heads of the gallery: a day, and a run that made several images, with what they cost.
 * @module
 */
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { costOf, dayName, timeOf } from "./task_words.js";

/** @param {import("./gallery_layout.js").Block} block @returns {HTMLElement} */
export function drawHead(block) {
  const sums = /** @type {import("./gallery_layout.js").Sums} */ (block.sums);
  const day = block.kind === "day";
  const name = day ? dayName(block.at) : t("groups.run", { time: timeOf(block.at) });
  const one = sums.tasks === 1 ? "groups.task" : "groups.tasks";
  const count = t(sums.complete ? one : "groups.tasks_at_least", { n: sums.tasks });
  return h(
    "div",
    { class: `hunyuan-head hunyuan-head-${block.kind}` },
    h(
      "div",
      { role: "heading", "aria-level": day ? "3" : "4" },
      h("span", { class: "hunyuan-head-name" }, name),
      h("span", { class: "hunyuan-head-sums" }, `${count} · ${costOf(sums)}`),
    ),
  );
}
