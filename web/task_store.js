/**
 * The page's knowledge of the tasks: a list loaded as far as it was looked at, and the totals. Kept fresh by events.
 * @module
 */
import { clientId, get, on, onNewSocket, post } from "./api.js";
import { familyOf } from "./models.js";
import { untilAnswered } from "./persist.js";

/**
 * @typedef {object} Task one row of the list, as nodes/routes/views.py gives it
 * @property {string} id
 * @property {string | null} task_id
 * @property {string} state intended submitted running succeeded collected failed unknown
 * @property {string | null} type
 * @property {string} prompt
 * @property {string | null} size
 * @property {number | null} seed
 * @property {string} model empty where nobody knows
 * @property {number} credits
 * @property {string} money spent maybe refunded none
 * @property {number} created_at unix seconds
 * @property {number | null} seconds
 * @property {boolean} delivered or about to be: a node is at it
 * @property {boolean} lost
 * @property {string} error_code
 * @property {string} error_text
 * @property {number} images how many originals are on the server's disk
 * @property {number} links
 * @property {string} version
 * @property {string} session
 * @property {string} run the prompt id of the run it was made in
 * @property {boolean} hidden
 * @property {boolean} [restored] news only: it is back on the list
 */

const PAGE = 200; // rows of a request
const LARGEST_PAGE = 1000;
export const OPEN_STATES = ["intended", "submitted", "running", "succeeded"];
export const FILTERS = ["all", "open", "done", "undelivered", "failed", "unknown"];
export const OF_MODEL = "model:"; // before a family's key: a filter too
/** @type {Record<string, (task: Task) => boolean>} */
const MATCHES = {
  all: () => true,
  open: (task) => OPEN_STATES.includes(task.state),
  done: (task) => task.state === "collected",
  undelivered: (task) => task.state === "collected" && !task.delivered,
  failed: (task) => task.state === "failed",
  unknown: (task) => task.state === "unknown",
};

/** Fires "change" (rows, total, error) and "summary" (totals). */
export class TaskStore extends EventTarget {
  /** @type {Task[]} the first rows, without a gap */
  rows = [];
  /** Whether there are rows after those. */
  more = true;
  filter = "all";
  search = "";
  /** @type {any} counts, credits, limits, undelivered, left_behind, key_set, session, as_of */
  summary = null;
  /** @type {unknown} why the list could not be had */
  error = null;
  #asked = 0;
  #generation = 0;
  /** @type {Promise<void> | null} */
  #loading = null;
  /** @type {Task[]} what came while a page was on its way: the page may have been read before it */
  #news = [];
  #opened = false;
  /** @type {Set<string>} what was taken off the list: older news of it may still be on their way */
  #forgotten = new Set();

  /** Listens to the server, and asks for the totals. */
  start() {
    on("hunyuan.task", (task) => this.#take(task));
    on("hunyuan.credits", (summary) => this.#setSummary(summary));
    onNewSocket(() => void this.refresh());
    on("hunyuan.saved", () => void this.refresh());
    void this.refresh();
  }

  /**
   * Asks anew for the totals and the news, and for the list if it was ever looked at; until it has them, or a later
   * call takes over. The list comes after the totals, with which the news begin, so that no change falls between them.
   */
  async refresh() {
    const asked = ++this.#asked;
    let failures = 0;
    const summary = await untilAnswered(
      async () => post("summary", { client: await clientId() }),
      () => asked === this.#asked,
      () => failures++ || this.#reloadSeen(), // which may be had though the totals may not
    );
    if (!summary) return;
    this.#setSummary(summary);
    this.#reloadSeen();
  }

  #reloadSeen() {
    if (this.#opened) void this.reload();
  }

  /** How many rows the list has, loaded or not. */
  get total() {
    if (!this.more) return this.rows.length;
    if (this.search || !this.summary) return this.rows.length + 1;
    const { counts, undelivered, total } = this.summary;
    const sums = {
      all: total,
      open: OPEN_STATES.reduce((sum, state) => sum + (counts[state] ?? 0), 0),
      done: counts.collected,
      undelivered,
      failed: counts.failed,
      unknown: counts.unknown,
    };
    return Math.max(sums[this.filter] ?? 0, this.rows.length + 1);
  }

  /** @param {string} filter @param {string} search */
  async show(filter, search) {
    this.filter = filter;
    this.search = search.trim();
    await this.reload();
  }

  /** Forgets the rows and loads the first page; ends when that is there, however often it must be asked for. */
  async reload() {
    this.#opened = true;
    this.#generation++;
    this.more = true;
    this.error = null;
    this.#loading = this.#load(PAGE, true);
    await this.#loading;
  }

  /** Loads on until row `index` is there, or the list ends. @param {number} index */
  async ensure(index) {
    while (this.more && index >= this.rows.length && !this.error) {
      this.#loading ??= this.#load(Math.min(Math.max(index - this.rows.length + PAGE, PAGE), LARGEST_PAGE), false);
      await this.#loading;
    }
  }

  /** @param {number} limit @param {boolean} anew */
  async #load(limit, anew) {
    const generation = this.#generation;
    const model = this.#model;
    const query = { ...(model ? { model } : { state: this.filter }), search: this.search, limit };
    const ask = () => {
      const last = anew ? null : this.rows.at(-1);
      this.#news = [];
      return get("tasks", last ? { ...query, before: last.id } : query);
    };
    const isWanted = () => generation === this.#generation;
    const page = await untilAnswered(ask, isWanted, (error) => this.#miss(error, anew));
    if (!isWanted()) return;
    if (page) this.#add(page, anew);
    this.#loading = null;
    this.#fire("change");
  }

  /** @param {{tasks: Task[], more: boolean}} page @param {boolean} anew */
  #add(page, anew) {
    const known = anew ? [] : this.rows;
    const ids = new Set(known.map((task) => task.id));
    this.rows = [...known, ...page.tasks.filter((task) => !ids.has(task.id))];
    this.more = page.more;
    this.error = null;
    for (const task of this.#news) this.#put(task);
  }

  /** @param {unknown} error @param {boolean} anew */
  #miss(error, anew) {
    this.error = error;
    if (anew) this.rows = [];
    this.#fire("change");
  }

  /** One task changed, came, or was forgotten. @param {Task} task */
  #take(task) {
    if (this.#loading) this.#news.push(task);
    this.#put(task);
    this.#fire("change");
  }

  /** @param {Task} task */
  #put(task) {
    const index = this.rows.findIndex((row) => row.id === task.id);
    if (task.hidden) this.#forgotten.add(task.id);
    if (task.restored) this.#forgotten.delete(task.id);
    const wanted = !this.#forgotten.has(task.id) && this.#isMatch(task) && this.#isFound(task);
    if (index >= 0 && wanted) this.#replace(index, task);
    else if (index >= 0) this.rows.splice(index, 1);
    else if (wanted && this.#opened) this.#insert(task);
  }

  /** What tells nothing new changes nothing: the row is not drawn anew. @param {number} index @param {Task} task */
  #replace(index, task) {
    if (JSON.stringify(this.rows[index]) !== JSON.stringify(task)) this.rows[index] = task;
  }

  /** @param {Task} task */
  #insert(task) {
    const place = this.rows.findIndex((row) => row.created_at <= task.created_at);
    if (place >= 0) this.rows.splice(place, 0, task);
    else if (!this.more) this.rows.push(task);
  }

  /** The family of which tasks are shown; empty: of all. */
  get #model() {
    return this.filter.startsWith(OF_MODEL) ? this.filter.slice(OF_MODEL.length) : "";
  }

  /** @param {Task} task */
  #isMatch(task) {
    return this.#model ? familyOf(task)?.key === this.#model : MATCHES[this.filter](task);
  }

  /** @param {Task} task */
  #isFound(task) {
    const text = `${task.prompt} ${task.task_id ?? ""}`.toLowerCase();
    return this.search.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }

  /** An answer may arrive after news that is younger than it. @param {any} summary */
  #setSummary(summary) {
    const known = this.summary;
    if (known && summary.session === known.session && summary.as_of < known.as_of) return;
    this.summary = summary;
    this.#fire("summary");
    this.#fire("change");
  }

  /** @param {string} name */
  #fire(name) {
    this.dispatchEvent(new Event(name));
  }
}
