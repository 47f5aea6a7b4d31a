/**
 * Where everything of the gallery stands: days, runs and tasks, as a list or as a grid. Numbers only, no elements.
 * @module
 */

/** @typedef {import("./task_store.js").Task} Task */

/**
 * @typedef {object} Sums what a day or a run comes to
 * @property {number} tasks
 * @property {number} images
 * @property {number} spent credits
 * @property {number} maybe credits
 * @property {boolean} complete whether all of its tasks are loaded
 */

/**
 * @typedef {object} Block one thing that is drawn
 * @property {string} key
 * @property {"day" | "run" | "task"} kind
 * @property {number} top pixels, as the others
 * @property {number} left
 * @property {number} width
 * @property {number} height
 * @property {Task | null} task null for a task that is not loaded yet, and for heads
 * @property {number} place of a task in the order shown; -1 for heads
 * @property {boolean} inRun whether it belongs to a run of several tasks
 * @property {Sums | null} sums of heads
 * @property {number} at unix seconds, of heads
 */

/**
 * @typedef {object} Layout
 * @property {Block[]} blocks from top to bottom
 * @property {Block[]} tiles those of the tasks, by their places
 * @property {Task[]} order the tasks as they are shown
 * @property {number} height of everything, loaded or not
 * @property {number} columns
 * @property {(place: number) => Block} rest the block of a task that is not loaded
 * @property {(top: number, bottom: number) => [number, number]} restWithin the places of those that stand there, the
 *   second one not among them
 */

const NARROW = 360; // pixels: below it the facts of a row need a line more
const ROW = { wide: 128, narrow: 172 };
const DAY = 30;
const RUN = 26;
const GAP = 8;
const MARGIN = 12;
const SMALLEST_CELL = 104;
const CAPTION = 20;

/**
 * @param {Task[]} rows newest first
 * @param {{view: "list" | "grid", width: number, total: number, more: boolean}} how
 * @returns {Layout}
 */
export function layOut(rows, { view, width, total, more }) {
  const columns = view === "grid" ? Math.max(2, Math.floor((width - 2 * MARGIN + GAP) / (SMALLEST_CELL + GAP))) : 1;
  const cell = Math.floor((width - 2 * MARGIN - GAP * (columns - 1)) / columns);
  const unit = view === "grid" ? cell + CAPTION + GAP : width < NARROW ? ROW.narrow : ROW.wide;
  /** @type {Block[]} */
  const blocks = [];
  /** @type {Task[]} */
  const order = [];
  let top = 0;

  const head = (/** @type {"day" | "run"} */ kind, /** @type {Task[]} */ tasks, /** @type {boolean} */ complete) => {
    const height = kind === "day" ? DAY : RUN;
    const key = `${kind} ${kind === "day" ? dayOf(tasks[0]) : runOf(tasks[0])}`;
    const sums = sumUp(tasks, complete);
    blocks.push({ key, kind, top, left: 0, width, height, task: null, place: -1, inRun: false, sums, at: tasks[0].created_at });
    top += height;
  };
  const stand = (/** @type {number} */ column, /** @type {number} */ y) =>
    view === "grid"
      ? { top: y, left: MARGIN + column * (cell + GAP), width: cell, height: cell + CAPTION }
      : { top: y, left: 0, width, height: unit };
  const put = (/** @type {Task[]} */ tasks, /** @type {boolean} */ inRun) => {
    tasks.forEach((task, index) => {
      const box = stand(index % columns, top + Math.floor(index / columns) * unit);
      blocks.push({ key: task.id, kind: "task", ...box, task, place: order.length, inRun, sums: null, at: task.created_at });
      order.push(task);
    });
    top += Math.ceil(tasks.length / columns) * unit;
  };

  const days = grouped(rows, dayOf);
  days.forEach((day, number) => {
    const last = number === days.length - 1;
    head("day", day, !(last && more));
    const runs = grouped(day, runOf);
    // In a grid the single ones between two runs share their lines.
    for (const part of view === "grid" ? together(runs) : runs) {
      const several = part.length > 1 && runOf(part[0]) === runOf(part[1]);
      if (several) head("run", part, !(last && more && part.includes(day[day.length - 1])));
      put(part, several);
    }
  });
  const missing = Math.max(0, total - order.length);
  const bottom = top;
  const placeAt = (/** @type {number} */ y) => order.length + Math.floor(Math.max(0, y - bottom) / unit) * columns;
  return {
    blocks,
    tiles: blocks.filter((block) => block.kind === "task"),
    order,
    columns,
    height: bottom + Math.ceil(missing / columns) * unit,
    rest: (place) => {
      const after = place - order.length;
      const box = stand(after % columns, bottom + Math.floor(after / columns) * unit);
      return { key: `#${place}`, kind: "task", ...box, task: null, place, inRun: false, sums: null, at: 0 };
    },
    restWithin: (from, until) => {
      const end = order.length + missing;
      return until <= bottom ? [end, end] : [placeAt(from), Math.min(end, placeAt(until) + columns)];
    },
  };
}

/** The tasks by what `key` gives, each group where its newest task stands. @param {Task[]} tasks @param {(task: Task) => string} key */
function grouped(tasks, key) {
  /** @type {Map<string, Task[]>} */
  const groups = new Map();
  for (const task of tasks) {
    const name = key(task);
    const known = groups.get(name);
    if (known) known.push(task);
    else groups.set(name, [task]);
  }
  return [...groups.values()];
}

/** Runs of one task that follow each other, in one. @param {Task[][]} runs */
function together(runs) {
  /** @type {Task[][]} */
  const parts = [];
  let singles = false;
  for (const run of runs) {
    if (run.length === 1 && singles) parts[parts.length - 1] = [...parts[parts.length - 1], run[0]];
    else parts.push(run);
    singles = run.length === 1;
  }
  return parts;
}

/** @param {Task} task @returns {string} the day of this browser's time zone */
function dayOf(task) {
  return new Date(task.created_at * 1000).toDateString();
}

/** @param {Task} task */
function runOf(task) {
  return task.run || task.id;
}

/** @param {Task[]} tasks @param {boolean} complete @returns {Sums} */
function sumUp(tasks, complete) {
  const sum = (/** @type {string} */ kind) =>
    tasks.reduce((total, task) => total + (task.money === kind ? task.credits : 0), 0);
  const images = tasks.reduce((total, task) => total + task.images, 0);
  return { tasks: tasks.length, images, spent: sum("spent"), maybe: sum("maybe"), complete };
}
