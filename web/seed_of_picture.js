/**
 * A workflow opened from one of our pictures asks for the same picture: where a node says -1, it gets the seed that made
 * it, which nodes/png_info.py has written into the workflow.
 * @module
 */
import { putSeed } from "./canvas.js";
import { t } from "./i18n.js";
import { seedName } from "./models.js";
import { findNode, rootGraph } from "./node_places.js";
import { toast } from "./toast.js";
import { isLinked, widgetOf } from "./widgets.js";

const KEY = "hunyuan_image_3";

/** After a workflow was put onto the canvas. */
export function takeSeeds() {
  const extra = rootGraph()?.extra;
  const seeds = Object.entries(extra?.[KEY] ?? {});
  if (extra) delete extra[KEY]; // it is of this picture, not of what is made of the workflow next
  const taken = seeds.map(([id, seed]) => ({ node: findNode(id), seed })).filter(({ node, seed }) => takeSeed(node, seed));
  if (!taken.length) return;
  const same = taken.every(({ node }) => widgetOf(node, "reuse")?.value === true && !isLinked(node, "prompt"));
  toast("info", t("seed_of_picture.title"), t(same ? "seed_of_picture.detail" : "seed_of_picture.paid"), 10000);
}

/** @param {any} node @param {unknown} seed @returns {boolean} whether the node had none of its own */
function takeSeed(node, seed) {
  const name = seedName(node);
  if (widgetOf(node, name)?.value !== -1 || typeof seed !== "number") return false;
  putSeed(node, name, seed);
  return true;
}
