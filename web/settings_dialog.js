/**
 * The dialog for the key, the gateway, the limits and the ways of upload, with "test" for each.
 * @module
 */
import { app } from "../../scripts/app.js";
import { get, post, tellPage } from "./api.js";
import { openDialog } from "./dialog.js";
import { button, h, icon } from "./dom.js";
import { has, t } from "./i18n.js";
import { FieldView, SECTIONS } from "./settings_fields.js";
import { toast, toastError, wordsOf } from "./toast.js";

/** @typedef {{reason: string, section: string, run: boolean, account: string}} Why */

const TROUBLES = new Set(["journal", "setup"]); // codes of hunyuan/errors.py

/** @type {SettingsForm | null} */
let open = null;

/**
 * Opens the dialog, or brings the open one to the front.
 * @param {object} [why]
 * @param {string} [why.reason] `missing_key`, `authentication`: what a node stopped for
 * @param {string} [why.section] which section is to be open
 * @param {boolean} [why.run] whether a run waits for what is entered
 */
export async function openSettings({ reason = "", section = "", run = false } = {}) {
  if (open) return;
  try {
    const { fields, account_url: account } = await get("settings");
    if (!open) open = new SettingsForm(fields, { reason, section, run, account }, () => (open = null));
  } catch (error) {
    toastError(error);
  }
}

class SettingsForm {
  /** @type {Map<string, FieldView>} */
  #views = new Map();
  /** @type {Map<string, number>} how often each test was pressed: only the last answer is shown */
  #presses = new Map();

  /** @param {Record<string, any>} fields @param {Why} why @param {() => void} onclose */
  constructor(fields, why, onclose) {
    const { reason, section } = why;
    this.why = why;
    this.status = h("p", { class: "hunyuan-status", role: "status" });
    this.trouble = h("p", { class: "hunyuan-reason hunyuan-trouble", role: "status", hidden: true });
    this.save = button(t(why.run ? "settings.save_and_run" : "settings.save"), () => void this.#save(), {
      class: "hunyuan-button hunyuan-primary",
    });
    const form = h(
      "form",
      { class: "hunyuan-form", onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), void this.#save()) },
      reason ? h("p", { class: "hunyuan-reason" }, icon("key"), " ", t(`settings.reason_${reason}`)) : null,
      this.trouble,
      ...SECTIONS.map((one) => this.#section(one, fields)),
      h("button", { type: "submit", hidden: true }),
    );
    const cancel = button(t("dialog.cancel"), () => this.dialog.close());
    this.dialog = openDialog({
      title: t("settings.title"),
      body: [form],
      buttons: [this.status, cancel, this.save],
      wide: true,
      onclose,
    });
    const key = this.#views.get("api_key");
    const wanted = SECTIONS.find((one) => one.id === section)?.fields[0].name;
    if (wanted) this.#show(/** @type {FieldView} */ (this.#views.get(wanted)));
    else if (key && !key.fixed) key.control.focus();
    void this.#tellTrouble();
  }

  /** What keeps the pack from working whatever is set here: the journal, the user folder, a missing package. */
  async #tellTrouble() {
    try {
      await get("summary");
    } catch (error) {
      if (!TROUBLES.has(error?.code)) return; // a setting's own problem stands beside it
      this.trouble.textContent = wordsOf(error);
      this.trouble.removeAttribute("hidden");
    }
  }

  /** @param {import("./settings_fields.js").Section} section @param {Record<string, any>} fields */
  #section(section, fields) {
    const views = section.fields.map((field) => new FieldView(field, fields[field.name]));
    for (const view of views) this.#views.set(view.field.name, view);
    const result = h("p", { class: "hunyuan-result", role: "status" });
    const what = section.test;
    const label = t(section.id === "key" ? "settings.test_key" : "settings.test");
    const name = `${label}: ${t(`sections.${section.id}`)}`;
    const test = what && button(label, () => void this.#test(what, section.id, result, test), { "aria-label": name });
    const problem = views.some((view) => view.state.problem);
    return h(
      "details",
      { class: "hunyuan-section", "data-section": section.id, open: Boolean(section.open || problem) },
      h("summary", {}, t(`sections.${section.id}`)),
      h("p", { class: "hunyuan-hint" }, t(`sections.${section.id}_hint`)),
      ...views.map((view) => view.element),
      test ? h("div", { class: "hunyuan-test" }, test, section.id === "key" && this.#account(), result) : null,
    );
  }

  /** Where a key is got. */
  #account() {
    const href = this.why.account;
    return href && h("a", { href, target: "_blank", rel: "noopener noreferrer" }, t("settings.get_key"));
  }

  /** Whether everything was typed so that it can be sent; the first that was not gets the focus. */
  #check() {
    const wrong = [...this.#views.values()].filter((view) => !view.check());
    if (wrong.length) this.#show(wrong[0]);
    return !wrong.length;
  }

  #changes() {
    const changed = [...this.#views].map(([name, view]) => [name, view.change]).filter(([, value]) => value !== undefined);
    return Object.fromEntries(changed);
  }

  /** @param {string} what @param {string} section @param {HTMLElement} result @param {HTMLElement | undefined | ""} pressed */
  async #test(what, section, result, pressed) {
    const press = (this.#presses.get(what) ?? 0) + 1;
    this.#presses.set(what, press);
    const isLast = () => this.#presses.get(what) === press;
    this.#clear();
    result.removeAttribute("data-ok");
    const key = this.#views.get("api_key");
    if (section === "key" && key && !key.state.set && !key.change) {
      result.textContent = t("settings.no_key_typed");
      key.control.focus();
      return;
    }
    result.textContent = t("settings.testing");
    if (pressed) pressed.setAttribute("aria-busy", "true");
    try {
      const { ok, fault, message, said, place } = await post("test", { what, changes: this.#changes() });
      if (!isLast()) return;
      const key = ok ? "tests.ok" : `tests.${fault}`;
      result.dataset.ok = String(ok);
      result.replaceChildren(h("strong", {}, has(key) ? t(key) : t("tests.failed")), " ", inWords(said, place, message));
    } catch (error) {
      if (!isLast()) return;
      result.dataset.ok = "false";
      result.textContent = "";
      this.#fail(error, result);
    } finally {
      if (pressed && isLast()) pressed.removeAttribute("aria-busy");
    }
  }

  async #save() {
    if (this.save.hasAttribute("disabled")) return; // Enter a second time, while the first is on its way
    this.#clear();
    if (!this.#check()) return;
    const changes = this.#changes();
    if (!Object.keys(changes).length) {
      this.dialog.close();
      this.#runNow();
      return;
    }
    this.save.setAttribute("disabled", "");
    try {
      await post("settings", { changes });
      this.dialog.close();
      tellPage("hunyuan.saved", {});
      toast("success", t("settings.saved"), "", 3000);
      this.#runNow();
    } catch (error) {
      this.#fail(error, this.status);
    } finally {
      this.save.removeAttribute("disabled");
    }
  }

  /** The run that waited for this. */
  #runNow() {
    if (this.why.run) void app.queuePrompt(0, 1);
  }

  #clear() {
    this.status.textContent = "";
    for (const view of this.#views.values()) view.clear();
  }

  /** Says what is wrong at the setting it is about, else at `place`. @param {any} error @param {HTMLElement} place */
  #fail(error, place) {
    const view = this.#views.get(error?.field);
    if (!view) {
      place.textContent = wordsOf(error);
      return;
    }
    view.fail(wordsOf(error));
    this.#show(view);
  }

  /** @param {FieldView} view */
  #show(view) {
    const section = view.element.closest("details");
    if (section) section.open = true;
    view.control.focus();
  }
}

/** A test's outcome in the user's language where we have its sentence. @param {string} said @param {string} place @param {string} message */
function inWords(said, place, message) {
  const key = `tests.said.${said}`;
  return has(key) ? t(key, { place, detail: message }) : message;
}
