/**
 * The settings the dialog shows, by section, and the control of each.
 * @module
 */
import { button, h } from "./dom.js";
import { t } from "./i18n.js";

/**
 * @typedef {{name: string, kind: "secret" | "text" | "number" | "choice" | "headers", values?: string[], scale?: number}} Field
 * @typedef {{id: string, test?: string, open?: boolean, fields: Field[]}} Section
 */

const ORDERS = [
  "remembered,s3,http,data",
  "remembered,http,s3,data",
  "remembered,s3,data",
  "remembered,http,data",
  "remembered,data",
  "remembered,s3",
  "remembered,http",
  "data",
];

/** @type {Section[]} */
export const SECTIONS = [
  { id: "key", test: "gateway", open: true, fields: [{ name: "api_key", kind: "secret" }] },
  {
    id: "gateway",
    test: "gateway",
    fields: [
      { name: "base_url", kind: "text" },
      { name: "proxy", kind: "text" },
      { name: "model", kind: "text" },
    ],
  },
  {
    id: "network",
    fields: [
      { name: "ca_file", kind: "text" },
      { name: "allowed_hosts", kind: "text" },
      { name: "allowed_origins", kind: "text" },
    ],
  },
  {
    id: "limits",
    fields: [
      { name: "credit_limit_per_day", kind: "number" },
      { name: "credit_limit_per_session", kind: "number" },
      { name: "max_in_flight", kind: "number" },
      { name: "results_max_bytes", kind: "number", scale: 1e6 },
    ],
  },
  {
    id: "upload",
    fields: [
      { name: "upload_order", kind: "choice", values: ORDERS },
      { name: "upload_format", kind: "choice", values: ["jpeg", "png", "webp"] },
      { name: "upload_matte", kind: "text" },
      { name: "upload_max_side", kind: "number" },
      { name: "upload_max_bytes", kind: "number", scale: 1e6 },
    ],
  },
  {
    id: "s3",
    test: "s3",
    fields: [
      { name: "s3_endpoint", kind: "text" },
      { name: "s3_region", kind: "text" },
      { name: "s3_bucket", kind: "text" },
      { name: "s3_prefix", kind: "text" },
      { name: "s3_access_key", kind: "secret" },
      { name: "s3_secret_key", kind: "secret" },
      { name: "s3_addressing", kind: "choice", values: ["auto", "path", "virtual"] },
      { name: "s3_link_seconds", kind: "number" },
    ],
  },
  {
    id: "http",
    test: "http",
    fields: [
      { name: "http_upload_url", kind: "text" },
      { name: "http_upload_method", kind: "choice", values: ["POST", "PUT"] },
      { name: "http_upload_field", kind: "text" },
      { name: "http_upload_headers", kind: "headers" },
      { name: "http_upload_json_path", kind: "text" },
    ],
  },
];

/** One setting's label, control, hint and error. `change` is undefined while the user has changed nothing. */
export class FieldView {
  /** @type {any} */
  #removed = false;

  /** @param {Field} field @param {any} state what the server shows of it */
  constructor(field, state) {
    this.field = field;
    this.state = state;
    this.fixed = state.origin === "environment";
    const id = `hunyuan-${field.name}`;
    this.control = /** @type {HTMLInputElement} */ (this.#control(id));
    this.start = this.control.value;
    this.error = h("p", { class: "hunyuan-error", id: `${id}-error`, role: "alert" });
    this.hint = h("p", { class: "hunyuan-hint", id: `${id}-hint` });
    this.control.setAttribute("aria-describedby", `${id}-hint ${id}-error`);
    this.element = h(
      "div",
      { class: "hunyuan-setting" },
      h("label", { for: id }, t(`fields.${field.name}.label`)),
      h("div", { class: "hunyuan-control" }, this.control, this.#remover()),
      this.hint,
      this.error,
    );
    this.#say();
    if (state.problem) this.fail(state.problem);
  }

  /** @returns {any} the new value; null takes the setting back to its default; undefined: unchanged */
  get change() {
    if (this.fixed) return undefined;
    if (this.#secret) return this.control.value.trim() || (this.#removed ? null : undefined);
    if (this.control.value === this.start) return undefined;
    const text = this.control.value.trim();
    if (text === "") return null;
    return this.field.kind === "number" ? Math.round(Number(text) * (this.field.scale ?? 1)) : text;
  }

  /** Says so if what was typed is no number: the browser gives it as empty, which would mean the default. */
  check() {
    if (!this.control.validity.badInput) return true;
    this.fail(t("errors.number"));
    return false;
  }

  /** @param {string} words */
  fail(words) {
    this.error.textContent = words;
    this.control.setAttribute("aria-invalid", "true");
  }

  clear() {
    this.error.textContent = "";
    this.control.removeAttribute("aria-invalid");
  }

  get #secret() {
    return this.field.kind === "secret" || this.field.kind === "headers";
  }

  #control(/** @type {string} */ id) {
    const { kind, values = [], scale = 1 } = this.field;
    const common = { id, class: "hunyuan-field", disabled: this.fixed };
    const value = this.state.value ?? "";
    if (kind === "choice") {
      const text = Array.isArray(value) ? value.join(",") : String(value);
      const known = values.includes(text) ? values : [text, ...values];
      const options = known.map((one) => h("option", { value: one, selected: one === text }, this.#choice(one)));
      return h("select", common, ...options);
    }
    if (kind === "number") return h("input", { ...common, type: "number", min: "0", step: "any", value: Number(value) / scale });
    if (kind === "headers") return h("textarea", { ...common, rows: "2", autocomplete: "off", spellcheck: "false" });
    if (kind === "secret") return h("input", { ...common, type: "password", autocomplete: "new-password", spellcheck: "false" });
    const text = Array.isArray(value) ? value.join(", ") : value;
    return h("input", { ...common, type: "text", autocomplete: "off", spellcheck: "false", value: text });
  }

  /** @param {string} value */
  #choice(value) {
    if (this.field.name === "upload_order") return value.split(",").map((way) => t(`ways.${way}`)).join(" → ");
    return value;
  }

  #remover() {
    if (!this.#secret || !this.state.set || this.fixed) return null;
    const remove = button(t("settings.remove"), () => {
      this.#removed = !this.#removed;
      remove.setAttribute("aria-pressed", String(this.#removed));
      this.#say();
    });
    remove.setAttribute("aria-label", `${t("settings.remove")}: ${t(`fields.${this.field.name}.label`)}`);
    return remove;
  }

  #say() {
    const parts = this.#secret ? [this.#removed ? t("settings.will_be_removed") : this.#secretState()] : [];
    if (this.fixed) parts.push(t("settings.from_environment", { variable: this.state.variable }));
    else parts.push(t(`fields.${this.field.name}.hint`));
    this.hint.textContent = parts.filter(Boolean).join(" ");
  }

  #secretState() {
    if (!this.state.set) return t("settings.not_set");
    const origin = t(`settings.origin_${this.state.origin}`);
    return this.state.ends_in
      ? t("settings.set_ends_in", { end: this.state.ends_in, origin })
      : t("settings.set", { origin });
  }
}
