/**
 * Asking again what failed: one answer that got lost must not be missing until the page is loaded anew.
 * @module
 */
import { ApiError } from "./api.js";

const FIRST_PAUSE = 1000; // milliseconds
const LONGEST_PAUSE = 30_000;

/**
 * Asks, with growing pauses, until there is an answer.
 * @template T
 * @param {() => Promise<T>} ask
 * @param {() => boolean} isWanted no more where somebody asked later
 * @param {(error: unknown) => void} onfailure told of each that is still wanted
 * @returns {Promise<T | undefined>} undefined: not wanted any more, or refused (4xx), which would not change
 */
export async function untilAnswered(ask, isWanted, onfailure) {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    try {
      const answer = await ask();
      return isWanted() ? answer : undefined;
    } catch (error) {
      if (!isWanted()) return undefined;
      onfailure(error);
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    if (!isWanted()) return undefined;
  }
}
