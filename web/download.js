/**
 * The originals as files for the user's own disk.
 * @module
 */
import { pictureUrl } from "./api.js";
import { h } from "./dom.js";

const PAUSE = 250; // milliseconds: browsers drop downloads that begin at the same moment

/** The server names the files. @param {import("./task_store.js").Task[]} tasks */
export async function downloadImages(tasks) {
  let first = true;
  for (const task of tasks) {
    for (let number = 0; number < task.images; number++) {
      if (!first) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      first = false;
      h("a", { href: pictureUrl(task, "image", number), download: "" }).click();
    }
  }
}
