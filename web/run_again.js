/**
 * "Run again": the same request as a new image, with a new seed or with the same one.
 * @module
 */
import { get } from "./api.js";
import { addAgain } from "./canvas.js";
import { openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { t } from "./i18n.js";
import { creditsPerTask } from "./prices.js";
import { runOnly } from "./run_only.js";

/** @typedef {import("./task_store.js").Task} Task */

const SEEDS = 2 ** 31; // the gateway takes those below

/**
 * Costs: so it asks first, and puts on the canvas what it runs.
 * @param {Task} task
 * @param {"new" | "same"} first which seed is offered first
 */
export async function runAgain(task, first) {
  const { task: fresh, prompt, inputs } = await get(`tasks/${task.id}`);
  if (prompt === null) throw new Error(t("again.no_prompt"));
  if (inputs.includes(null)) throw new Error(t("again.no_input"));
  const seed = await askSeed(fresh, first);
  if (seed === null) return;
  await runOnly(addAgain({ ...fresh, prompt }, inputs, seed));
}

/**
 * @param {Task} task
 * @param {"new" | "same"} first
 * @returns {Promise<number | null>} null: not wanted
 */
function askSeed(task, first) {
  const drawn = crypto.getRandomValues(new Uint32Array(1))[0] % SEEDS;
  const known = task.seed !== null && task.seed >= 0;
  const choice = known ? first : "new";
  const radio = (/** @type {string} */ name, /** @type {number | string} */ value, /** @type {string} */ text) =>
    h(
      "label",
      { class: "hunyuan-choice" },
      h("input", { type: "radio", name: "hunyuan-seed", value, checked: name === choice, autofocus: name === choice }),
      h("span", {}, text),
    );
  const form = h(
    "fieldset",
    { class: "hunyuan-choices" },
    h("legend", {}, t("again.which")),
    radio("new", drawn, t("again.new_seed", { n: drawn })),
    known ? radio("same", Number(task.seed), t("again.same_seed", { n: Number(task.seed) })) : null,
  );
  return new Promise((resolve) => {
    /** @type {number | null} */
    let answer = null;
    const agree = () => {
      const chosen = /** @type {HTMLInputElement | null} */ (form.querySelector("input:checked"));
      answer = chosen ? Number(chosen.value) : null;
      opened.close();
    };
    const opened = openDialog({
      title: t("again.title"),
      body: [h("p", { class: "hunyuan-asked" }, task.prompt), form, h("p", {}, t("again.text", { n: creditsPerTask() }))],
      buttons: [
        button(t("dialog.cancel"), () => opened.close()),
        button(t("again.yes", { n: creditsPerTask() }), agree, { class: "hunyuan-button hunyuan-primary" }),
      ],
      edits: false,
      onclose: () => resolve(answer),
    });
  });
}
