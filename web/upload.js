/**
 * An image of a task as a file of ComfyUI's input folder, through ComfyUI's own upload: what came in otherwise is
 * unknown to its assets system, and newer front-ends show a Load Image of it as broken.
 * @module
 */
import { pictureOf, post, uploadImage } from "./api.js";

/** @typedef {{name: string, ratio: number}} Uploaded what Load Image calls it, and its height by its width */

/**
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
  return { name: uploaded, ratio };
}

/**
 * Gives the images of these tasks to nodes; a task counts as used once all of its images have one.
 * @param {import("./task_store.js").Task[]} tasks
 * @param {(files: Uploaded[]) => void} place puts what came on the canvas
 */
export async function useFiles(tasks, place) {
  const files = [];
  const used = [];
  const failures = [];
  for (const task of tasks) {
    try {
      files.push(...(await filesOf(task)));
      used.push(task);
    } catch (error) {
      failures.push(error);
    }
  }
  if (files.length) place(files);
  await Promise.all(used.map((task) => post(`tasks/${task.id}/used`)));
  if (failures.length) throw failures[0];
}

/** @param {import("./task_store.js").Task} task */
async function filesOf(task) {
  const files = [];
  for (let number = 0; number < task.images; number++) files.push(await toInput(task, number));
  return files;
}
