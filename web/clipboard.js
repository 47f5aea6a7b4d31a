/**
 * Copying texts and pictures.
 * @module
 */
import { pictureAt } from "./api.js";
import { t } from "./i18n.js";

/** The clipboard is closed to pages over plain http; then a selection is copied as Ctrl+C would. @param {string} text */
export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  // In an open dialog everything outside is inert.
  (document.activeElement?.closest("dialog") ?? document.body).append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (!copied) throw new Error(t("toast.not_copied"));
}

/** A picture as PNG, which is what clipboards take. @param {string} url */
export async function copyPicture(url) {
  if (!navigator.clipboard?.write || !window.ClipboardItem) throw new Error(t("toast.not_copied"));
  // The promise inside keeps the permission of the click, which some browsers withdraw after a pause.
  await navigator.clipboard.write([new ClipboardItem({ "image/png": asPng(url) })]);
}

/** @param {string} url @returns {Promise<Blob>} */
async function asPng(url) {
  const blob = await pictureAt(url);
  if (blob.type === "image/png") return blob;
  const picture = await createImageBitmap(blob);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d")?.drawImage(picture, 0, 0);
  return new Promise((resolve, reject) =>
    canvas.toBlob((png) => (png ? resolve(png) : reject(new Error(t("toast.not_copied")))), "image/png"),
  );
}
