/**
 * "Use the seed of the last run" in a node's menu: the next run is then the same picture, which is paid for already.
 * @module
 */
import { setSeed } from "./canvas.js";
import { t } from "./i18n.js";
import { seedName } from "./models.js";
import { runOf } from "./run_status.js";
import { isLinked } from "./widgets.js";

/** What the menu of this node has beside ComfyUI's own entries. @param {any} node */
export function lastSeedItems(node) {
  const name = seedName(node);
  const seed = name ? runOf(node)?.seed : null;
  if (typeof seed !== "number" || isLinked(node, name)) return [];
  return [{ content: t("seed.use_last", { n: seed }), callback: () => setSeed(node, name, seed) }];
}
