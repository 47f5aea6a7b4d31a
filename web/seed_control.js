/**
 * A fresh node tells the truth on its seed: -1 stays -1, and the server draws one for each run. Front-ends would set the
 * control after generate to "randomize", which writes a number into the node after the run that made no image.
 * @module
 */
import { isPaid } from "./models.js";
import { widgetOf } from "./widgets.js";

/** Before a workflow's own values are set. @param {any} node a node just made */
export function keepSeed(node) {
  if (!isPaid(node)) return;
  const seed = widgetOf(node, "seed");
  const control = seed?.linkedWidgets?.[0];
  if (control?.options?.values?.includes("fixed")) control.value = "fixed";
}
