// @ts-check
/** What the page knows of a build: the shape of the fold, its beginning and its bounds. */

/** @typedef {import('./plain.js').Written} Written */
/**
 * A run of a stage, named by the sequence of its start. Times are ms since the epoch; 0 until they are known.
 * @typedef {{key: number, stage: string, iteration: number, start: number, finish: number, summary: string,
 *   needsWork: boolean, voided: boolean}} Run
 * @typedef {Written & {id: string, run: number, stage: string, model: string, thinking: Written, voided: string}} Generation
 * @typedef {Written & {path: string, generation: string, bytes: number}} Draft
 * `whole` is false where the log did not carry the very bytes that were written.
 * @typedef {{path: string, size: number, sha: string, text: string, omitted: number, whole: boolean, change: string,
 *   sequence: number}} File
 * @typedef {{id: string, argv: string[], isolation: string, out: Written, err: Written, output: string, omitted: number,
 *   finish: any}} Command
 * `own` is true of what the worker wrote, so that a new attempt can void it.
 * @typedef {{sequence: number, text: string, tone: string, own: boolean}} Note
 * @typedef {{kind: string, summary: string, commit: string, failures: string[], quote: number, error: any}} Outcome
 */
/**
 * What a lost attempt takes back with it.
 * @typedef {{plan: any, files: Map<string, File>, drafts: Map<string, Draft>, newest: string, commands: Command[], tests: any,
 *   generations: Generation[], commits: any[], questions: any[]}} Work
 */
/**
 * `marks` are the ends of stages, where a new attempt may begin.
 * @typedef {{sequence: number, time: number, goal: string, rehearsal: boolean, scenario: string, budget: number, phase: string,
 *   attempt: number, acceptTime: number, finishTime: number, runs: Run[], usage: Record<string, number>, notes: Note[],
 *   stopping: boolean, delay: any, outcome: Outcome | null, work: Work, marks: {sequence: number, work: Work}[]}} State
 */

export const LIMITS = Object.freeze({
  text: 48_000, file: 240_000, output: 64_000, // characters of one generation, file, command
  generations: 20, commands: 50, runs: 200, notes: 50, commits: 50, marks: 16, files: 1_000,
  content: 4_000_000, // characters of all files together; beyond, the oldest are let go and can be asked for
});

/** @type {Work} */
const NO_WORK = Object.freeze({
  plan: null, files: new Map(), drafts: new Map(), newest: '', commands: [], tests: null, generations: [], commits: [], questions: [],
});

/** @type {State} */
export const EMPTY = Object.freeze({
  sequence: 0, time: 0, goal: '', rehearsal: false, scenario: '', budget: 0, phase: 'QUEUED', attempt: 0, acceptTime: 0,
  finishTime: 0, runs: [], usage: { calls: 0, input: 0, output: 0, cacheRead: 0, cacheWrite: 0, cost: 0, borne: 0 }, notes: [],
  stopping: false, delay: null, outcome: null, work: NO_WORK, marks: [{ sequence: 0, work: NO_WORK }],
});
