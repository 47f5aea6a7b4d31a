/**
 * The sidebar tab "Hunyuan": credits, what is still to be used, and the tasks.
 * @module
 */
import { app } from "../../scripts/app.js";
import { button, h, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { Gallery } from "./gallery.js";
import { allFamilies, leastCredits } from "./models.js";
import { Press } from "./button_press.js";
import { RunCost } from "./run_cost.js";
import { openSettings } from "./settings_dialog.js";
import { collectAll } from "./task_actions.js";
import { FILTERS, OF_MODEL } from "./task_store.js";
import { wordsOf } from "./toast.js";

export const TAB_ID = "hunyuan";
const SEARCH_PAUSE = 250; // milliseconds after the last key

/** @type {Panel | null} the open one */
let panel = null;
/** @type {import("./task_store.js").TaskStore} */
let tasks;

/** @param {import("./task_store.js").TaskStore} store */
export function registerSidebar(store) {
  tasks = store;
  app.extensionManager.registerSidebarTab({
    id: TAB_ID,
    icon: "hunyuan-icon",
    title: "Hunyuan",
    tooltip: t("sidebar.title"),
    type: "custom",
    render: (/** @type {HTMLElement} */ container) => {
      if (panel?.element.isConnected && container.contains(panel.element)) return; // Vue calls at each of its updates
      panel?.destroy();
      panel = new Panel(store);
      container.classList.add("hunyuan-tab");
      container.replaceChildren(panel.element);
      panel.open();
    },
    destroy: () => {
      panel?.destroy();
      panel = null;
      search("all", ""); // or, days later, a new task is missing because of what showTask searched for
    },
  });
}

/** Opens the tab if it is not open. */
export function showSidebar() {
  const tabs = app.extensionManager.sidebarTab;
  if (tabs.activeSidebarTabId !== TAB_ID) tabs.toggleSidebarTab(TAB_ID);
}

/** Opens the tab with that task alone; without one, with all. @param {string} id the gateway's */
export function showTask(id) {
  if (panel) panel.find(id);
  else search("all", id);
  showSidebar();
}

/** What the next panel begins with. @param {string} filter @param {string} text */
function search(filter, text) {
  [tasks.filter, tasks.search] = [filter, text];
}

/** The tab's content, for as long as it is open. */
class Panel {
  #typing = 0;
  #ended = new AbortController();
  #said = ""; // by the notes

  /** @param {import("./task_store.js").TaskStore} store */
  constructor(store) {
    this.store = store;
    const isHeld = () => this.press.isHeld;
    this.gallery = new Gallery(store, isHeld);
    this.credits = h("dl", { class: "hunyuan-credits" });
    this.run = new RunCost(isHeld);
    this.notes = h("div", { class: "hunyuan-notes" });
    this.settings = iconButton("key", t("sidebar.settings"), () => openSettings(), action("settings"));
    this.note = h("div", { class: "hunyuan-empty", role: "status" });
    this.filter = /** @type {HTMLSelectElement} */ (this.#filter());
    this.search = /** @type {HTMLInputElement} */ (this.#search());
    this.element = h(
      "section",
      { class: "hunyuan-panel", "aria-label": t("sidebar.title") },
      h("header", {}, h("h2", {}, t("sidebar.title")), this.gallery.switch, this.settings),
      this.notes,
      this.run.element,
      this.credits,
      h("div", { class: "hunyuan-find" }, this.filter, this.search),
      this.note,
      this.gallery.element,
      this.gallery.bar.element,
    );
    this.press = new Press(this.element, () => this.#draw());
    // Typing must not reach ComfyUI's shortcuts.
    for (const field of [this.filter, this.search]) field.addEventListener("keydown", (event) => event.stopPropagation());
  }

  /** Loads the list and follows the store. */
  open() {
    this.store.addEventListener("change", () => this.#draw(), { signal: this.#ended.signal });
    this.gallery.start();
    this.run.start();
    this.#draw();
    void this.store.show(this.filter.value, this.search.value);
  }

  destroy() {
    this.#ended.abort();
    window.clearTimeout(this.#typing);
    this.press.destroy();
    this.run.destroy();
    this.gallery.destroy();
  }

  #filter() {
    const option = (/** @type {string} */ value, /** @type {string} */ text) =>
      h("option", { value, selected: value === this.store.filter }, text);
    const models = allFamilies().map(({ key, title }) => option(`${OF_MODEL}${key}`, title));
    const options = [
      ...FILTERS.map((name) => option(name, t(`filters.${name}`))),
      h("optgroup", { label: t("filters.model") }, ...models),
    ];
    const look = () => this.#show();
    return h("select", { class: "hunyuan-field", "aria-label": t("filters.name"), onchange: look }, ...options);
  }

  #search() {
    return h("input", {
      class: "hunyuan-field",
      type: "search",
      value: this.store.search,
      placeholder: t("list.search_short"),
      "aria-label": t("list.search"),
      oninput: () => {
        window.clearTimeout(this.#typing);
        this.#typing = window.setTimeout(() => this.#show(), SEARCH_PAUSE);
      },
    });
  }

  /** @param {string} text */
  find(text) {
    this.search.value = text;
    this.#choose("all");
  }

  /** @param {string} filter */
  #choose(filter) {
    this.filter.value = filter;
    this.#show();
  }

  #show() {
    this.gallery.reset();
    void this.store.show(this.filter.value, this.search.value);
  }

  #draw() {
    if (this.press.isHeld) return; // drawn when it is released
    const { summary, rows, more, error } = this.store;
    this.#drawNotes(summary);
    this.run.setSummary(summary);
    this.credits.replaceChildren(...this.#credits(summary));
    this.credits.hidden = !summary;
    this.note.hidden = Boolean(rows.length);
    this.#drawEmpty(error ? wordsOf(error) : more ? t("list.loading") : "");
    const lost = !rows.length && this.gallery.element.contains(document.activeElement); // the last task is gone
    this.gallery.element.hidden = !rows.length;
    if (lost) this.filter.focus({ preventScroll: true });
    this.gallery.update();
  }

  /** The focus stays on the same button, or goes to one that is always there. @param {any} summary */
  #drawNotes(summary) {
    const said = JSON.stringify([summary?.key_set, summary?.undelivered]);
    if (said === this.#said) return;
    this.#said = said;
    const focused = this.notes.contains(document.activeElement) && document.activeElement?.getAttribute("data-action");
    this.notes.replaceChildren(...this.#notes(summary));
    if (!focused) return;
    const same = /** @type {HTMLElement | null} */ (this.notes.querySelector(`[data-action="${focused}"]`));
    (same ?? this.settings).focus({ preventScroll: true });
  }

  /** Why there is nothing; a filter or a search that finds nothing leads back. @param {string} reason */
  #drawEmpty(reason) {
    const whole = this.store.filter === "all" && !this.store.search;
    const text = reason || t(whole ? "list.empty" : "list.none_found");
    if (this.note.firstChild?.textContent === text) return; // a button in it keeps the focus
    const back = () => {
      this.search.value = "";
      this.#choose("all");
      this.filter.focus();
    };
    this.note.replaceChildren(text);
    if (!reason && !whole) this.note.append(button(t("list.show_all"), back, action("all")));
  }

  /** @param {any} summary */
  #notes(summary) {
    const notes = [];
    if (summary && !summary.key_set) {
      notes.push(note("key", t("sidebar.no_key"), button(t("sidebar.set_key"), () => openSettings(), action("key", PRIMARY))));
    }
    if (summary?.undelivered) {
      notes.push(
        note(
          "inbox",
          t("sidebar.undelivered", { n: summary.undelivered }),
          button(t("sidebar.show_them"), () => this.#choose("undelivered"), action("show")),
          button(t("sidebar.collect_all"), () => void collectAll(), action("use", PRIMARY)),
        ),
      );
    }
    return notes;
  }

  /** @param {any} summary */
  #credits(summary) {
    if (!summary) return [];
    return ["today", "session"].flatMap((period) => {
      const { spent, maybe } = summary.credits[period];
      const limit = summary.limits[period];
      const text = limit ? t("credits.of", { n: spent + maybe, limit }) : t("credits.n", { n: spent + maybe });
      const left = limit ? h("small", {}, ` ${t("credits.left", { n: Math.max(0, limit - spent - maybe) })}`) : null;
      const doubt = maybe ? h("small", { title: t("credits.maybe_hint") }, ` ${t("credits.maybe", { n: maybe })}`) : null;
      const full = limit && spent + maybe + leastCredits() > limit;
      return [h("dt", {}, t(`credits.${period}`)), h("dd", { "data-full": String(Boolean(full)) }, text, left, doubt)];
    });
  }
}

const PRIMARY = { class: "hunyuan-button hunyuan-primary" };

/** Names a button, so that it is found again when drawn anew. @param {string} name @param {Record<string, any>} [more] */
const action = (name, more = {}) => ({ "data-action": name, ...more });

/** @param {string} symbol @param {string} text @param {...HTMLElement} buttons */
function note(symbol, text, ...buttons) {
  return h("div", { class: "hunyuan-note" }, h("p", {}, icon(symbol), " ", text), h("div", {}, ...buttons));
}
