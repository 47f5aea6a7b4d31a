/**
 * The pack's door to the page: what ComfyUI is told of it. Everything else stands in a file of its own.
 * @module
 */
import { app } from "../../scripts/app.js";
import { tellPage } from "./api.js";
import { showSides } from "./custom_size.js";
import { addStyles, button } from "./dom.js";
import { watchDrops } from "./drag_to_canvas.js";
import { language, loadTexts, packText, t } from "./i18n.js";
import { lastSeedItems } from "./last_seed.js";
import { loadModels } from "./models.js";
import { addBadges, watchStates } from "./node_badges.js";
import { translateDefs, translateNode } from "./node_texts.js";
import { showPreviews } from "./previews.js";
import { watchFailures } from "./run_notice.js";
import { nameGraph, showRuns, watchRuns } from "./run_status.js";
import { keepSeed } from "./seed_control.js";
import { takeSeeds } from "./seed_of_picture.js";
import { openSettings } from "./settings_dialog.js";
import { registerSidebar, showSidebar } from "./sidebar.js";
import { labelSizes } from "./size_labels.js";
import { TaskStore } from "./task_store.js";
import { watchUndelivered } from "./undelivered.js";

const store = new TaskStore();

/** ComfyUI says when a workflow was changed, and to nobody that another one was opened. */
const tellGraph = () => tellPage("hunyuan.graph", {});

/** A text of a command or setting: the front-end 1.32 loses the packs' own (see node_texts.js). */
const named = (/** @type {string} */ key) => packText(language(), key) ?? packText("en", key) ?? key;

showPreviews();
for (const load of [loadTexts, loadModels]) {
  await load().catch((error) => console.error("hunyuan-image-3: texts or models could not be loaded", error));
}

app.registerExtension({
  name: "hunyuanimage3", // our DisplayName in plain letters, as the lint of comfy-test wants it: nobody else has it
  commands: [
    {
      id: "Hunyuan.SetKey",
      label: () => named("commands.Hunyuan_SetKey.label"),
      icon: "pi pi-key",
      function: () => openSettings(),
    },
    {
      id: "Hunyuan.ShowTasks",
      label: () => named("commands.Hunyuan_ShowTasks.label"),
      icon: "pi hunyuan-icon",
      function: () => showSidebar(),
    },
  ],
  menuCommands: [{ path: ["Extensions"], commands: ["Hunyuan.SetKey", "Hunyuan.ShowTasks"] }],
  settings: [
    {
      id: "Hunyuan.Settings",
      category: ["Hunyuan Image 3", t("settings.account")],
      name: named("settings.Hunyuan_Settings.name"),
      tooltip: named("settings.Hunyuan_Settings.tooltip"),
      type: () => button(t("settings.open"), () => void openSettings()),
      defaultValue: null,
    },
    {
      id: "Hunyuan.Limits",
      category: ["Hunyuan Image 3", t("settings.account"), "Limits"],
      name: named("settings.Hunyuan_Limits.name"),
      tooltip: named("settings.Hunyuan_Limits.tooltip"),
      type: () => button(t("settings.open_limits"), () => void openSettings({ section: "limits" })),
      defaultValue: null,
    },
    {
      id: "Hunyuan.Network",
      category: ["Hunyuan Image 3", t("settings.account"), "Network"],
      name: named("settings.Hunyuan_Network.name"),
      tooltip: named("settings.Hunyuan_Network.tooltip"),
      type: () => button(t("settings.open_network"), () => void openSettings({ section: "gateway" })),
      defaultValue: null,
    },
  ],
  async init() {
    await watchStates(); // before the first node is made
  },
  addCustomNodeDefs(/** @type {Record<string, any>} */ defs) {
    translateDefs(defs);
  },
  async setup() {
    addStyles();
    registerSidebar(store);
    watchUndelivered(store);
    watchFailures();
    watchRuns();
    watchDrops();
    store.start();
  },
  getNodeMenuItems(/** @type {any} */ node) {
    return lastSeedItems(node);
  },
  nodeCreated(/** @type {any} */ node) {
    nameGraph();
    tellGraph(); // a prompt's API file is put onto the canvas without a configured graph by the front-end 1.32
    translateNode(node);
    labelSizes(node);
    keepSeed(node);
    showSides(node);
    addBadges(node);
  },
  afterConfigureGraph() {
    tellGraph();
    takeSeeds();
    setTimeout(showRuns); // when the nodes are drawn
  },
});
