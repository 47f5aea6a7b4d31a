/**
 * A node that stopped for want of a key opens the dialog where it is entered.
 * @module
 */
import { on } from "./api.js";
import { openSettings } from "./settings_dialog.js";

const SAID = "No API key is set"; // hunyuan/gateway/client.py says so

export function watchMissingKey() {
  on("execution_error", (error) => {
    if (String(error?.exception_message ?? "").includes(SAID)) void openSettings({ reason: "missing_key" });
  });
}
