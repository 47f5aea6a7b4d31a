/**
 * "Run again": the same request as a new image, with a new seed or with the same one where the model has seeds.
 * @module
 */
import { get } from "./api.js";
import { addAgain } from "./canvas.js";
import { openDialog } from "./dialog.js";
import { button, h } from "./dom.js";
import { t } from "./i18n.js";
import { runOnly } from "./run_only.js";

/** @typedef {import("./task_store.js").Task} Task */

/** @type {Set<string>} tasks that are asked about */
const asking = new Set();
const NUMBERS = 2 ** 31; // the gateway takes seeds below, and nodes variations

/**
 * Costs: so it asks first, and puts on the canvas what it runs.
 * @param {Task} task
 * @param {"new" | "same"} first which seed is offered first
 */
export async function runAgain(task, first) {
  if (asking.has(task.id)) return; // pressed twice: a second dialog under the first would be a second image
  asking.add(task.id);
  try {
    await askAndRun(task, first);
  } finally {
    asking.delete(task.id);
  }
}

/** @param {Task} task @param {"new" | "same"} first */
async function askAndRun(task, first) {
  const { task: fresh, prompt, inputs, node } = await get(`tasks/${task.id}`);
  if (prompt === null) throw new Error(t("again.no_prompt"));
  if (inputs.includes(null)) throw new Error(t("again.no_input"));
  if (!node) throw new Error(t("again.no_model", { model: task.model }));
  const drawn = crypto.getRandomValues(new Uint32Array(1))[0] % NUMBERS;
  const changes = await ask({ ...fresh, prompt }, node, first, drawn);
  if (changes) await runOnly([addAgain({ ...node, inputs: { ...node.inputs, ...changes } }, fresh.size)]);
}

/**
 * @param {Task} task
 * @param {{seed: string, credits: number}} node
 * @param {"new" | "same"} first
 * @param {number} drawn
 * @returns {Promise<Record<string, any> | null>} the inputs that tell this run apart; null: not wanted
 */
function ask(task, { seed, credits }, first, drawn) {
  const form = seed ? seedChoice(task, first, drawn) : null;
  const chosen = () => {
    if (!form) return first === "new" ? { variation: drawn } : {};
    const radio = /** @type {HTMLInputElement | null} */ (form.querySelector("input:checked"));
    return radio && { [seed]: Number(radio.value) };
  };
  return new Promise((resolve) => {
    /** @type {Record<string, any> | null} */
    let answer = null;
    const agree = () => {
      answer = chosen();
      opened.close();
    };
    const opened = openDialog({
      title: t("again.title"),
      body: [h("p", { class: "hunyuan-asked" }, task.prompt), form, h("p", {}, t("again.text", { n: credits }))].filter(Boolean),
      buttons: [
        button(t("dialog.cancel"), () => opened.close()),
        button(t("again.yes", { n: credits }), agree, { class: "hunyuan-button hunyuan-primary" }),
      ],
      edits: false,
      onclose: () => resolve(answer),
    });
  });
}

/** @param {Task} task @param {"new" | "same"} first @param {number} drawn */
function seedChoice(task, first, drawn) {
  const known = task.seed !== null && task.seed >= 0;
  const choice = known ? first : "new";
  const radio = (/** @type {string} */ name, /** @type {number | string} */ value, /** @type {string} */ text) =>
    h(
      "label",
      { class: "hunyuan-choice" },
      h("input", { type: "radio", name: "hunyuan-seed", value, checked: name === choice, autofocus: name === choice }),
      h("span", {}, text),
    );
  return h(
    "fieldset",
    { class: "hunyuan-choices" },
    h("legend", {}, t("again.which")),
    radio("new", drawn, t("again.new_seed", { n: drawn })),
    known ? radio("same", Number(task.seed), t("again.same_seed", { n: Number(task.seed) })) : null,
  );
}
