/**
 * Our nodes in the user's language on front-ends that lose it.
 *
 * The front-end of ComfyUI 0.3.75 (1.32) takes in the packs' texts first and its own of a language after them, which wipes
 * ours out.
 * There this puts them where they belong; where the front-end has done so itself, it finds nothing left in English.
 * @module
 */
import { language, packText } from "./i18n.js";
import { allFamilies } from "./models.js";

const FREE = ["HunyuanTaskWait", "HunyuanImageToURL", "HunyuanImageFromURL", "HunyuanPromptList"];

const ours = () => [...allFamilies().flatMap(({ nodes }) => nodes), ...FREE];

/** Names and tooltips in the definitions, before the nodes are registered. @param {Record<string, any>} defs */
export function translateDefs(defs) {
  if (language() === "en") return;
  for (const id of ours().filter((name) => name in defs)) {
    const def = defs[id];
    replace(def, "display_name", `nodeDefs.${id}.display_name`);
    replace(def, "description", `nodeDefs.${id}.description`);
    for (const inputs of Object.values(def.input ?? {})) {
      for (const [name, spec] of Object.entries(inputs ?? {})) {
        if (spec[1]) replace(spec[1], "tooltip", `nodeDefs.${id}.inputs.${name}.tooltip`);
      }
    }
    const tooltips = def.output_tooltips ?? [];
    for (const index of tooltips.keys()) replace(tooltips, index, `nodeDefs.${id}.outputs.${index}.tooltip`);
  }
}

/** The labels of a node just made. @param {any} node */
export function translateNode(node) {
  const id = node.comfyClass;
  if (language() === "en" || !ours().includes(id)) return;
  for (const input of node.inputs ?? []) replace(input, "localized_name", `nodeDefs.${id}.inputs.${input.name}.name`);
  for (const [index, output] of (node.outputs ?? []).entries()) {
    replace(output, "localized_name", `nodeDefs.${id}.outputs.${index}.name`);
  }
  for (const widget of node.widgets ?? []) {
    replace(widget, "label", `nodeDefs.${id}.inputs.${widget.name}.name`);
    if (widget.element?.placeholder === widget.name) widget.element.placeholder = widget.label;
  }
}

/**
 * @param {any} place
 * @param {string | number} name
 * @param {string} key
 */
function replace(place, name, key) {
  const english = packText("en", key);
  const ours = packText(language(), key);
  if (ours && (place[name] === english || place[name] === undefined)) place[name] = ours;
}
