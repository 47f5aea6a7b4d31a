/**
 * Why a node of ours stopped, seen at once: one notice with the reason, what it means for the credits, and the next step.
 * A key that is missing or wrong opens the dialog instead. Which step it is hangs on the failure's code alone.
 * @module
 */
import { on } from "./api.js";
import { button, h, icon, iconButton } from "./dom.js";
import { t } from "./i18n.js";
import { findNode, showNode } from "./node_places.js";
import { retryOf } from "./run_retry.js";
import { isShown } from "./run_status.js";
import { openSettings } from "./settings_dialog.js";
import { showTask } from "./sidebar.js";

/** @typedef {import("./run_status.js").Run} Run */

const KEY = ["missing_key", "authentication"]; // codes of hunyuan/errors.py
/** @type {Record<string, string>} code → the section of the dialog where it is mended */
const SECTION_OF = {
  credit_limit: "limits",
  settings: "gateway",
  dns: "gateway",
  refused: "gateway",
  connect_timeout: "gateway",
  proxy: "gateway",
  tls: "network",
  input_image: "upload",
  input_unreachable: "upload",
};
const UNPAID = ["not_spent", "refunded", "untouched"];
const INPUTS = ["invalid_request", "invalid_task_id", "moderation", "rejected", "input_image"]; // to be changed first

/** @type {{run: Run, element: HTMLElement} | null} the notice */
let shown = null;

export function watchFailures() {
  on("hunyuan.run", (/** @type {Run} */ run) => {
    if (!run.failure) return;
    const { code } = run.failure;
    if (KEY.includes(code)) void openSettings({ reason: code, run: isShown(run) });
    else notice(run);
  });
  on("execution_start", close);
  on("hunyuan.graph", () => shown && !isShown(shown.run) && close()); // its steps are about the canvas
}

/** @param {Run} run */
function notice(run) {
  const failure = /** @type {import("./run_status.js").Failure} */ (run.failure);
  const title = (isShown(run) && findNode(run.node)?.title) || "Hunyuan Image 3";
  close();
  const element = h(
    "aside",
    { class: "hunyuan-notice", role: "alert", "data-code": failure.code, popover: "manual" },
    h("header", {}, icon("exclamation-circle"), h("strong", {}, title), iconButton("times", t("dialog.close"), close)),
    h("p", {}, failure.headline),
    h("p", { class: "hunyuan-hint" }, t(`run.money.${failure.money}`)),
    h("div", {}, ...steps(run, failure)),
  );
  document.body.append(element);
  element.showPopover(); // over ComfyUI's own dialog of it, whose z-index grows with what it opens over
  shown = { run, element };
}

function close() {
  shown?.element.remove();
  shown = null;
}

/** The next steps, the likeliest first. @param {Run} run @param {import("./run_status.js").Failure} failure */
function steps(run, { code, money, task_id: task }) {
  const section = SECTION_OF[code];
  const found = [];
  if (section) found.push(step(`run.open_${section}`, () => void openSettings({ section })));
  if (task) found.push(step("run.open_task", () => showTask(task)));
  else if (!UNPAID.includes(money)) found.push(step("run.open_tasks", () => showTask("")));
  const node = isShown(run) ? findNode(run.node) : null;
  const retry = node && UNPAID.includes(money) && !INPUTS.includes(code) ? retryOf(run) : null;
  if (retry) found.push(step("run.retry", retry));
  else if (node && (INPUTS.includes(code) || !found.length)) found.push(step("run.show_node", () => showNode(run.node)));
  found[0]?.classList.add("hunyuan-primary");
  return found;
}

/** @param {string} key @param {() => void} action */
function step(key, action) {
  const act = () => {
    close();
    action();
  };
  return button(t(key), act, { "data-action": key.replace("run.", "") });
}
