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
 * @param {number} [side] of a thumbnail, in pixels: 192 or 512
 */
export function pictureUrl(task, kind, number = 0, side = 192) {
  const size = kind === "thumbnail" && side !== 192 ? `&side=${side}` : "";
  return api.apiURL(`/hunyuan/tasks/${encodeURIComponent(task.id)}/${kind}?n=${number}${size}&v=${task.version}`);
}

/**
 * The picture behind an address that `pictureUrl` gave; an ApiError of code `gone` where it is no more.
 * @param {string} url
 * @returns {Promise<Blob>}
 */
export async function pictureAt(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new ApiError(`${answer.status} ${answer.statusText}`, { status: answer.status, code: "gone" });
  return answer.blob();
}

/**
 * An original, and what its file is called.
 * @param {{id: string, version: string}} task
 * @param {number} number which of its images
 * @returns {Promise<{blob: Blob, name: string}>}
 */
export async function pictureOf(task, number) {
  const path = `tasks/${encodeURIComponent(task.id)}/image?n=${number}&v=${task.version}`;
  const response = await api.fetchApi(`/hunyuan/${path}`);
  if (!response.ok) throw new ApiError(`${response.status} ${response.statusText}`, { status: response.status, code: "gone" });
  const told = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "");
  return { blob: await response.blob(), name: told ? told[1] : `${task.id}_${number}.png` };
}

/**
 * A file for ComfyUI's input folder, through its own route.
 * @param {Blob} blob
 * @param {string} name
 * @returns {Promise<string>} the name it was given there
 */
export async function uploadImage(blob, name) {
  const body = new FormData();
  body.append("image", blob, name);
  const response = await api.fetchApi("/upload/image", { method: "POST", body });
  if (!response.ok) throw new ApiError(`${response.status} ${response.statusText}`, { status: response.status });
  const told = await response.json();
  return told.subfolder ? `${told.subfolder}/${told.name}` : told.name;
}

/**
 * The workflow that a run was made with, as ComfyUI's own history has it until the server ends.
 * @param {string} run a prompt id
 * @returns {Promise<{workflow: any, prompt: any} | null>} null where ComfyUI no longer has it
 */
export async function pastRun(run) {
  const response = await api.fetchApi(`/history/${encodeURIComponent(run)}`).catch(() => null);
  if (!response?.ok) return null;
  const told = (await response.json())[run]?.prompt;
  return told ? { prompt: told[2] ?? null, workflow: told[3]?.extra_pnginfo?.workflow ?? null } : null;
}

/**
 * Listen to an event of the server's, ours or ComfyUI's.
 * @param {string} name
 * @param {(detail: any) => void} listener
 * @param {AbortSignal} [signal] ends the listening
 */
export function on(name, listener, signal) {
  api.addEventListener(name, (event) => listener(event.detail), { signal });
}

/**
 * An event told within the page: to our own files, or one of the server's again, so that ComfyUI's page does once more
 * what it does with it.
 * @param {string} name
 * @param {object} detail
 */
export function tellPage(name, detail) {
  api.dispatchEvent(new CustomEvent(name, { detail }));
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
