/**
 * The picture on the node. The server names its files apart from `images`, because clients without a page take whatever
 * stands there for a result; here, before the front-end's own listener, they become what it shows.
 * @module
 */
import { on } from "./api.js";

/** Call it while the extensions load: the front-end listens only after that. */
export function showPreviews() {
  on("executed", (detail) => {
    const names = detail?.output?.hunyuan_previews;
    if (!Array.isArray(names)) return;
    detail.output.images = names.map((filename) => ({ filename, subfolder: "", type: "temp" }));
  });
}
