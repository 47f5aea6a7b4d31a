/**
 * The pack's door to the page: what ComfyUI is told of it. Everything else stands in a file of its own.
 * @module
 */
import { app } from "../../scripts/app.js";
import { addStyles, button } from "./dom.js";
import { loadTexts, t } from "./i18n.js";
import { watchMissingKey } from "./missing_key.js";
import { addEstimate } from "./node_badges.js";
import { openSettings } from "./settings_dialog.js";
import { registerSidebar, showSidebar } from "./sidebar.js";
import { TaskStore } from "./task_store.js";
import { watchUndelivered } from "./undelivered.js";

const store = new TaskStore();

app.registerExtension({
  name: "hunyuan-image-3",
  commands: [
    { id: "Hunyuan.SetKey", label: "Hunyuan: set the API key", icon: "pi pi-key", function: () => openSettings() },
    { id: "Hunyuan.ShowTasks", label: "Hunyuan: show the tasks", icon: "pi pi-images", function: () => showSidebar() },
  ],
  menuCommands: [{ path: ["Extensions"], commands: ["Hunyuan.SetKey", "Hunyuan.ShowTasks"] }],
  settings: [
    {
      id: "Hunyuan.Settings",
      category: ["Hunyuan Image 3", "Account"],
      name: "API key, gateway, limits and uploads",
      tooltip: "Kept in a file on the server that no page can read, never in ComfyUI's settings or a workflow.",
      type: () => button(t("settings.open"), () => void openSettings()),
      defaultValue: null,
    },
  ],
  async setup() {
    addStyles();
    await loadTexts();
    registerSidebar(store);
    watchUndelivered(store);
    watchMissingKey();
    void store.start(); // the first answer may take a moment: the page does not wait for it
  },
  nodeCreated(/** @type {any} */ node) {
    addEstimate(node);
  },
});
