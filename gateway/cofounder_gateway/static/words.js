// @ts-check
/** The page's own words: names of stages and states, figures, and what a fault means for its user. */

import { Refused } from './socket.js';
import { waiting } from './waiting.js';

/** @typedef {import('./state.js').State} State */

export const STAGES = ['ARCHITECT', 'CODER', 'EXECUTOR', 'DEBUGGER', 'REVIEWER', 'GIT_MANAGER'];
const NAMES = { ARCHITECT: 'Architect', CODER: 'Coder', EXECUTOR: 'Executor', DEBUGGER: 'Debugger', REVIEWER: 'Reviewer', GIT_MANAGER: 'Git' };
const DOES = {
  ARCHITECT: 'is drawing the plan', CODER: 'is writing code', EXECUTOR: 'is running the tests',
  DEBUGGER: 'is finding out what failed', REVIEWER: 'is judging the result', GIT_MANAGER: 'is committing',
};
const QUEUED = new Set(['QUEUED', 'SCHEDULED']);
const WAITS = {
  QUEUED: 'Waiting for a worker.', SCHEDULED: 'The builds of today are spent: it waits for another day.',
  STARTING: 'A worker is preparing the workspace.', RUNNING: 'Between two stages.', WAITING: 'It holds no worker while it waits.',
  PAUSED: 'Somebody paused it.',
};

const lookup = (/** @type {any} */ table, /** @type {string} */ key, /** @type {string} */ or) => (Object.hasOwn(table, key) ? table[key] : or);

export const stageName = (/** @type {string} */ stage) => lookup(NAMES, stage, 'Stage');

/** @param {{stage: string, iteration: number}} run */
export const runName = (run) => stageName(run.stage) + (run.iteration > 1 ? `, iteration ${run.iteration}` : '');

/** `RUNNING` or `BUILD_STATE_RUNNING` → `Running`. */
export const stateName = (/** @type {any} */ state) => {
  const word = String(state ?? '').replace('BUILD_STATE_', '').toLowerCase();
  return word ? word[0].toUpperCase() + word.slice(1) : 'Unknown';
};

export const count = (/** @type {number} */ value) => value.toLocaleString('en');

/** Cents while they matter, fractions of a cent while there is nothing else. */
export const money = (/** @type {number} */ micro) => `$${(micro / 1e6).toFixed(Math.abs(micro) > 0 && Math.abs(micro) < 1e6 ? 4 : 2)}`;

/** @param {number} ms @param {number} digits of a second */
export function lasted(ms, digits = 1) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${seconds.toFixed(digits)} s`;
  const whole = Math.floor(seconds);
  const minutes = `${Math.floor(whole / 60) % 60}:${String(whole % 60).padStart(2, '0')}`;
  return whole < 3600 ? `${minutes} min` : `${Math.floor(whole / 3600)}:${minutes.padStart(5, '0')} h`;
}

/** @param {number} ms */
export function ago(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 1440) return `${Math.floor(minutes / 60)} h ago`;
  return new Date(Date.now() - ms).toLocaleDateString('en', { day: 'numeric', month: 'short', year: 'numeric' });
}

/** As the terminal client writes it. */
export const size = (/** @type {number} */ bytes) => (bytes < 1000 ? `${bytes} B` : bytes < 999_500 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

/** The path that a `file:` URI names; any other URI as it is. @param {string} uri */
export function place(uri) {
  if (!uri.startsWith('file:///')) return uri;
  try { return decodeURIComponent(uri.slice('file://'.length)); } catch { return uri; }
}

/** A command as one would type it. @param {string[]} argv */
export const typed = (argv) => argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');

/** How a command ended. @param {{code: number, reason: string, elapsed: number}} finish */
export const exit = ({ code, reason, elapsed }) =>
  `${reason === 'EXITED' ? `exit ${code}` : `ended: ${reason.toLowerCase().replace('_', ' ')}`} · ${lasted(elapsed * 1000)}`;

export const omission = (/** @type {number} */ omitted) => (omitted ? `${count(omitted)} characters before these were left out` : '');

/** @param {any} commit */
export const committed = ({ sha = '', message = '', filesChanged = 0, insertions = 0, deletions = 0 }) =>
  `Commit ${sha.slice(0, 10)}: ${message.split('\n', 1)[0]} (${filesChanged} files, +${insertions} −${deletions})`;

/** What a refusal means and what to do next. @param {any} refused */
export function refusal(refused) {
  const soon = refused.code === 14 ? ' Nothing was changed. Try again in a moment.' : '';
  const next = refused.retryDelay ? ` Try again in ${lasted(refused.retryDelay, 0)}.` : soon;
  return refused.message + next + (refused.debugId ? ` For support: ${refused.debugId}.` : '');
}

/** The terminal event of a failed build carries what an RPC's refusal does. @param {any} status */
const failure = (status) => {
  const { message, reason, retryDelay, debugId } = new Refused(status);
  const next = retryDelay && `A new try may help in ${lasted(retryDelay, 0)}.`;
  return [message, next, reason && `(${reason})`, debugId && `For support: ${debugId}.`].filter(Boolean).join(' ');
};

/**
 * One line: what goes on now, or how it ended.
 * @param {State} state @param {any} view @param {number} now
 * @returns {{tone: string, head: string, text: string}}
 */
export function activity(state, view, now) {
  const { outcome, delay, work } = state;
  const run = state.runs.findLast((each) => !each.voided && !each.finish);
  if (outcome) return ending(outcome);
  if (state.stopping) return { tone: 'busy', head: 'Stopping', text: 'The build was asked to stop and will end in a moment.' };
  if (work.questions.length) return { tone: 'wait', head: 'A question for you', text: work.questions[0].text ?? '' };
  const next = delay && `${delay.reason || 'delayed'}; next try in ${lasted(delay.until - now, 0)}.`;
  if (delay) return { tone: 'wait', head: 'Waiting for the model', text: next };
  if (run && state.phase === 'RUNNING') return { tone: 'busy', head: stageName(run.stage), text: doing(run.stage, work) };
  // A view that was read before a worker took the build says nothing any more.
  if (view?.queue && QUEUED.has(state.phase)) return { tone: 'queue', ...waiting(view, now) };
  return { tone: 'wait', head: stateName(state.phase), text: lookup(WAITS, state.phase, '') };
}

const doing = (/** @type {string} */ stage, /** @type {State['work']} */ work) => {
  const command = work.commands.findLast((each) => !each.finish);
  if (command) return `is running ${typed(command.argv)}`;
  return work.drafts.size ? `is writing ${[...work.drafts.keys()].at(-1)}` : lookup(DOES, stage, 'is at work');
};

const ending = (/** @type {import('./state.js').Outcome} */ outcome) => {
  const quote = outcome.quote ? ` Finishing it is expected to cost ${money(outcome.quote)}.` : '';
  if (outcome.kind === 'SUCCEEDED') return { tone: 'good', head: 'Succeeded', text: outcome.summary };
  if (outcome.kind === 'PARTIAL') return { tone: 'bad', head: 'Partly done', text: `${outcome.summary}${quote}` };
  const stopped = 'It was stopped on request. What was written until then stands below.';
  if (outcome.kind === 'CANCELLED') return { tone: 'bad', head: 'Cancelled', text: stopped };
  return { tone: 'bad', head: 'Failed', text: failure(outcome.error) };
};
