/**
 * Runs chosen output nodes and what they need, nothing else of the canvas: or nothing at all.
 *
 * ComfyUI's queue takes the nodes to run beside the whole canvas. Other packs put functions of their own around it, and
 * several of them pass on less than they were given: then the whole canvas would run, and cost. So what leaves the page
 * is looked at, at the last place where it can be held back.
 * @module
 */
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { t } from "./i18n.js";

const LATE = 5000; // milliseconds after which a request that was to be sent at once is given up

/** @param {any[]} nodes output nodes of the root graph */
export async function runOnly(nodes) {
  const ids = nodes.map(({ id }) => String(id));
  const guard = new Guard(ids);
  try {
    await app.queuePrompt(0, 1, ids);
    await guard.seen(LATE);
  } finally {
    guard.end();
    if (!guard.passed) takeBack(ids);
  }
  if (!guard.passed) throw new Error(t(guard.refused ? "again.not_alone" : "again.not_sent"));
}

/** What waits in the page behind requests of others is not sent later, when it was said not to be. @param {string[]} ids */
function takeBack(ids) {
  const waiting = Array.isArray(app.queueItems) ? app.queueItems : [];
  const place = waiting.findIndex((/** @type {any} */ item) => isSame(item.queueNodeIds, ids));
  if (place >= 0) waiting.splice(place, 1);
}

/** @param {unknown} one @param {string[]} ids */
function isSame(one, ids) {
  return Array.isArray(one) && one.length === ids.length && one.every((id) => ids.includes(String(id)));
}

/** Lets one request pass that runs these nodes alone, and refuses every other one with it. */
class Guard {
  passed = 0;
  refused = 0;
  #tell = () => {};
  #heard = new Promise((resolve) => (this.#tell = () => resolve(undefined)));

  /** @param {string[]} ids */
  constructor(ids) {
    this.ids = ids;
    this.fetchApi = api.fetchApi;
    this.own = (/** @type {string} */ route, /** @type {RequestInit | undefined} */ options) =>
      this.#isRefused(route, options) ? refusal() : this.fetchApi.call(api, route, options);
    api.fetchApi = this.own;
  }

  /** Until a request with one of the nodes came by, or so many milliseconds. @param {number} longest */
  async seen(longest) {
    await Promise.race([this.#heard, new Promise((resolve) => setTimeout(resolve, longest))]);
  }

  end() {
    if (api.fetchApi === this.own) api.fetchApi = this.fetchApi;
    this.#isRefused = () => false; // where somebody else has put a function around it meanwhile
  }

  /** @type {(route: string, options: RequestInit | undefined) => boolean} */
  #isRefused = (route, options) => {
    if (route !== "/prompt" || options?.method !== "POST" || typeof options.body !== "string") return false;
    const { prompt, partial_execution_targets: targets } = JSON.parse(options.body);
    if (!prompt || !this.ids.some((id) => id in prompt)) return false; // somebody else's, who may run what they like
    const passes = isSame(targets, this.ids) && !this.passed;
    if (passes) this.passed++;
    else this.refused++;
    this.#tell();
    return !passes;
  };
}

/** What ComfyUI itself answers to a workflow that it does not take. */
function refusal() {
  const error = { type: "hunyuan_not_alone", message: t("again.not_alone"), details: "", extra_info: {} };
  return Promise.resolve(Response.json({ error, node_errors: {} }, { status: 400 }));
}
