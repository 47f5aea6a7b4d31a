/**
 * Small makers of elements, so that no text ever becomes markup.
 * @module
 */

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] `on…`: listeners; `class`, `aria-…`, `data-…`, `role`…: attributes; null and
 *   false leave an attribute out
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An icon that says nothing to a screen reader. @param {string} name of PrimeIcons, which ComfyUI brings */
export function icon(name) {
  return h("i", { class: `pi pi-${name}`, "aria-hidden": "true" });
}

/**
 * @param {string} symbol
 * @param {string} label its name, shown as a tooltip
 * @param {() => void} action
 * @param {Record<string, any>} [more]
 */
export function iconButton(symbol, label, action, more = {}) {
  return h(
    "button",
    { type: "button", class: "hunyuan-icon-button", title: label, "aria-label": label, onclick: action, ...more },
    icon(symbol),
  );
}

/**
 * @param {string} label
 * @param {() => void} action
 * @param {Record<string, any>} [more]
 */
export function button(label, action, more = {}) {
  return h("button", { type: "button", class: "hunyuan-button", onclick: action, ...more }, label);
}

const SHEETS = ["hunyuan", "gallery", "lightbox"];

/** Brings our style sheets in, once. */
export function addStyles() {
  for (const name of SHEETS) {
    const href = new URL(`./${name}.css`, import.meta.url).href;
    if (![...document.styleSheets].some((sheet) => sheet.href === href)) {
      document.head.append(h("link", { rel: "stylesheet", href }));
    }
  }
}
