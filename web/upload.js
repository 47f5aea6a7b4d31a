/**
 * An image of a task as a file of ComfyUI's input folder, through ComfyUI's own upload: what came in otherwise is
 * unknown to its assets system, and newer front-ends show a Load Image of it as broken.
 * @module
 */
import { pictureOf, post, uploadImage } from "./api.js";

/** @typedef {{name: string, ratio: number}} Uploaded what Load Image calls it, and its height by its width */

/**
 * The image counts as used from then on.
 * @param {import("./task_store.js").Task} task
 * @param {number} number which of its images
 * @returns {Promise<Uploaded>} the same content gives the same name
 */
async function toInput(task, number) {
  const { blob, name } = await pictureOf(task, number);
  const picture = await createImageBitmap(blob);
  const ratio = picture.height / picture.width;
  picture.close();
  const uploaded = await uploadImage(blob, `hunyuan_${name}`);
  await post(`tasks/${task.id}/used`);
  return { name: uploaded, ratio };
}

/** All images of these tasks. @param {import("./task_store.js").Task[]} tasks */
export async function allToInput(tasks) {
  const files = [];
  for (const task of tasks) {
    for (let number = 0; number < task.images; number++) files.push(await toInput(task, number));
  }
  return files;
}
