/**
 * What the next run of the canvas costs, in the sidebar, kept fresh while that is open.
 * @module
 */
import { app } from "../../scripts/app.js";
import { on } from "./api.js";
import { h, icon } from "./dom.js";
import { costOfCanvas } from "./graph_cost.js";
import { t } from "./i18n.js";

/** @typedef {import("./graph_cost.js").Cost & {tasks: number}} Cost */

const PAUSE = 400; // milliseconds after the last change
const CHANGES = ["graphChanged", "hunyuan.graph", "hunyuan.run", "hunyuan.saved", "execution_success"];

export class RunCost {
  /** @type {Cost | null} */
  #cost = null;
  #asked = 0;
  #timer = 0;
  #ended = new AbortController();
  /** @type {any} */
  #summary = null;

  /** @param {() => boolean} isHeld whether nothing may move now; who says so calls `setSummary` when it is over */
  constructor(isHeld) {
    this.isHeld = isHeld;
    this.element = h("p", { class: "hunyuan-run-cost", role: "status", hidden: true });
  }

  start() {
    for (const change of CHANGES) on(change, () => this.#soon(), this.#ended.signal);
    const leave = queueSettings()?.$subscribe?.(() => this.#draw());
    if (leave) this.#ended.signal.addEventListener("abort", leave);
    this.#soon();
  }

  destroy() {
    this.#ended.abort();
    window.clearTimeout(this.#timer);
  }

  /** The limits may have changed, or what is left of them. @param {any} summary */
  setSummary(summary) {
    this.#summary = summary;
    this.#draw();
  }

  #soon() {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => void this.#ask(), PAUSE);
  }

  async #ask() {
    const asked = ++this.#asked;
    const cost = await costOfCanvas().catch(() => null); // the list below says what keeps the server from answering
    if (asked !== this.#asked || this.#ended.signal.aborted) return;
    this.#cost = cost;
    this.#draw();
  }

  #draw() {
    if (this.isHeld()) return;
    const cost = this.#cost;
    this.element.hidden = !cost?.tasks;
    if (!cost?.tasks) return;
    const left = leastLeft(this.#summary);
    const over = left !== null && cost.credits > left;
    const words = [runWords(cost), over ? t("cost.over", { n: left }) : ""].filter(Boolean).join(" ");
    if (this.element.textContent?.trim() === words) return;
    this.element.dataset.over = String(over);
    this.element.replaceChildren(icon("play"), " ", words);
  }
}

/** ComfyUI's own: how often Run runs. */
function queueSettings() {
  return app.extensionManager.queueSettings;
}

/** @param {Cost} cost */
function runWords({ credits, at_least: atLeast, reused, tasks }) {
  if (!credits && !atLeast) return t("cost.paid");
  const several = queueSettings()?.batchCount > 1; // ComfyUI runs it so often; a seed that is drawn costs each time
  const price = t(atLeast || several ? "cost.at_least" : "cost.run", { n: credits });
  return reused ? `${price} ${t("cost.reused", { n: reused, all: tasks })}` : price;
}

/** What the tightest limit leaves; null without one. @param {any} summary @returns {number | null} */
function leastLeft(summary) {
  const left = ["today", "session"]
    .filter((period) => summary?.limits[period])
    .map((period) => summary.limits[period] - summary.credits[period].spent - summary.credits[period].maybe);
  return left.length ? Math.max(0, Math.min(...left)) : null;
}
