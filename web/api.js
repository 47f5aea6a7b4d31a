/**
 * The only place that fetches: our own routes under /hunyuan/, through ComfyUI's api object (its base path, its user).
 * @module
 */
import { api } from "../../scripts/api.js";

/** What went wrong with a route: its words, its code, and the setting it is about (if any). */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{status?: number, code?: string, field?: string}} [about]
   */
  constructor(message, { status = 0, code = "", field = "" } = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

/**
 * @param {string} path below /hunyuan/
 * @param {RequestInit} [options]
 * @returns {Promise<any>} the answer's JSON; throws ApiError for everything else
 */
async function call(path, options = {}) {
  let response;
  try {
    response = await api.fetchApi(`/hunyuan/${path}`, options);
  } catch (cause) {
    throw new ApiError(String(cause?.message ?? cause), { code: "offline" });
  }
  const body = await response.json().catch(() => null);
  if (!response.ok || body === null) {
    const error = body?.error ?? {};
    throw new ApiError(error.message ?? `${response.status} ${response.statusText}`, { ...error, status: response.status });
  }
  return body;
}

/**
 * @param {string} path
 * @param {Record<string, string | number>} [query]
 */
export function get(path, query = {}) {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
  return call(text ? `${path}?${text}` : path);
}

/**
 * @param {string} path
 * @param {object} body
 */
export function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", "X-Hunyuan": "1" };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/**
 * The address of a task's picture.
 * @param {{id: string, version: string}} task
 * @param {"thumbnail" | "image"} kind
 * @param {number} [number] which of its images
 */
export function pictureUrl(task, kind, number = 0) {
  return api.apiURL(`/hunyuan/tasks/${encodeURIComponent(task.id)}/${kind}?n=${number}&v=${task.version}`);
}

/**
 * Listen to an event of the server's, ours or ComfyUI's.
 * @param {string} name
 * @param {(detail: any) => void} listener
 */
export function on(name, listener) {
  api.addEventListener(name, (event) => listener(event.detail));
}

/**
 * Calls when the page has another websocket than before: who asked for news over the old one hears none any more. Some
 * front-ends replace it without an event of their own, so the first message over a new one says it too.
 * @param {() => void} listener
 */
export function onNewSocket(listener) {
  let known = api.socket;
  const tell = () => {
    known = api.socket;
    listener();
  };
  api.addEventListener("reconnected", tell);
  api.addEventListener("status", () => {
    if (api.socket !== known && api.socket?.readyState === WebSocket.OPEN) tell();
  });
}

/** This page's id at the server, once the websocket has one. @returns {Promise<string>} */
export function clientId() {
  if (api.clientId) return Promise.resolve(api.clientId);
  return new Promise((resolve) => {
    const look = () => {
      if (!api.clientId) return;
      api.removeEventListener("status", look);
      resolve(api.clientId);
    };
    api.addEventListener("status", look);
  });
}

/** All texts that the packs bring, by language, as ComfyUI serves them from their locales/ folders. */
export async function packTexts() {
  const response = await api.fetchApi("/i18n");
  if (!response.ok) throw new ApiError(`${response.status} ${response.statusText}`, { status: response.status });
  return response.json();
}
