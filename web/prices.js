/**
 * What a task costs, as the server says it.
 * @module
 */
import { get } from "./api.js";

let credits = 0;

/** Asks once, before the first node is made. */
export async function loadPrices() {
  credits = (await get("prices")).credits_per_task;
}

/** Credits of one image. */
export function creditsPerTask() {
  return credits;
}
