/**
 * Our texts in the language of ComfyUI's own setting. They stand in locales/<language>/main.json under "hunyuan"; the
 * rest of locales/ (nodes, commands, settings) is for the front-end itself, which finds it there by its own rules.
 * @module
 */
import { app } from "../../scripts/app.js";
import { packTexts } from "./api.js";

/** @type {Record<string, any>} what the packs bring, by language */
let packs = {};
/** @type {Record<string, any>} our own texts, by language */
let tables = {};

/** Fetches the texts; before that every text is its key. */
export async function loadTexts() {
  packs = await packTexts();
  tables = Object.fromEntries(Object.entries(packs).map(([name, texts]) => [name, texts?.hunyuan ?? {}]));
}

/** @returns {string} the language in use: as set, its first part, else English */
export function language() {
  const wanted = String(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  return [wanted, wanted.split("-")[0]].find((name) => tables[name] && Object.keys(tables[name]).length) ?? "en";
}

/**
 * @param {string} key such as "list.open"
 * @param {Record<string, string | number>} [values] for the {placeholders}
 * @returns {string}
 */
export function t(key, values = {}) {
  const text = look(tables[language()], key) ?? look(tables.en, key) ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/**
 * A text for the front-end itself, such as "commands.Hunyuan_SetKey.label".
 * @param {string} name of the language
 * @param {string} key
 */
export function packText(name, key) {
  return look(packs[name], key);
}

/** Whether there is a text of that key. @param {string} key */
export function has(key) {
  return look(tables.en, key) !== undefined;
}

/**
 * @param {any} table
 * @param {string} key
 * @returns {string | undefined}
 */
function look(table, key) {
  const found = key.split(".").reduce((node, part) => node?.[part], table);
  return typeof found === "string" ? found : undefined;
}
