// @ts-check
/** A live build: watches its log, folds it, and draws what has changed once a frame. */

import { fold } from './fold.js';
import { copy, mark, painter, put } from './paint.js';
import { filesPanel, notesPanel, planPanel, railPanel, terminalPanel, wordsPanel } from './panels.js';
import { clean } from './plain.js';
import { EMPTY } from './state.js';
import { activity, count, lasted, money, refusal, runName } from './words.js';

const SERVICE = 'cofounder.runner.v1.RunnerService';
const TICK = 200; // ms between two drawings of the elapsed times
const REHEARSAL = 'Rehearsal. No model was asked: the words are scripted, your idea was not read, and tokens and cost are counted '
  + 'as if they were a model’s. Everything else is real: files, commands, tests and commit.';
const SCENARIO = 'Rehearsal of a scenario. No model was asked and your idea was not read: what you see is played from a script.';

/** @param {string} buildId @param {import('./home.js').Seams} seams */
export function openBuild(buildId, { socket, now, say }) {
  const { root, at } = copy('build');
  let state = EMPTY;
  /** @type {any} */ let view = null;
  /** @type {{tone: string, head: string, text: string} | null} */ let fault = null;
  let repository = '';
  let said = '';
  const draw = painter(paint);
  const picked = { run: 0 }; // the run whose words the reader chose; 0 follows the newest
  const pick = (/** @type {number} */ run) => { picked.run = run; draw(); };
  const fetchFile = (/** @type {string} */ path, /** @type {number} */ atSequence) =>
    socket.call(`${SERVICE}/GetBuildFile`, { buildId, path, atSequence: String(atSequence) });
  const panels = [railPanel(at, pick), planPanel(at), notesPanel(at), wordsPanel(at, pick), filesPanel(at, fetchFile, draw), terminalPanel(at)];

  const stop = socket.watch({
    buildId,
    cursor: () => state.sequence,
    apply: (response) => {
      const before = state.outcome;
      for (const event of response.events ?? []) state = fold(state, event);
      view = response.view ?? view;
      fault = null;
      if (state.outcome && !before) ended();
      draw();
    },
    ended: (refused) => { if (refused) complain('Not shown', refused); },
  });
  const tick = setInterval(() => { if (!state.outcome) draw(); }, TICK);

  /** Where the result lies is a fact of the build, not of its log. */
  async function ended() {
    try {
      repository = (await socket.call(`${SERVICE}/GetBuild`, { buildId })).build?.repositoryUri ?? '';
      draw();
    } catch { /* The commit is shown without its place. */ }
  }

  function complain(/** @type {string} */ head, /** @type {any} */ refused) {
    fault = { tone: 'bad', head, text: refusal(refused) };
    draw();
  }

  async function cancel() {
    at.cancel.disabled = true;
    try {
      await socket.call(`${SERVICE}/CancelBuild`, { buildId });
    } catch (refused) {
      at.cancel.disabled = false;
      complain('Not cancelled', refused);
    }
  }

  function paint() {
    const doing = fault ?? activity(state, view, now());
    mark(root, 'data-tone', doing.tone);
    if (state.sequence || fault) { put(at.head, doing.head); put(at.text, doing.text); }
    if (state.sequence) chrome();
    else if (fault) put(at.goal, 'A build that cannot be shown');
    for (const panel of panels) panel({ state, now: now(), picked: picked.run, repository });
    speak(doing.head);
  }

  function chrome() {
    put(at.goal, state.goal);
    mark(at.goal, 'title', state.goal.slice(0, 500));
    put(at.rehearsal, state.scenario ? `${SCENARIO} (${state.scenario})` : REHEARSAL);
    at.rehearsal.hidden = !state.rehearsal && !state.scenario;
    at.cancel.hidden = !!state.outcome;
    at.cancel.disabled ||= state.stopping;
    facts();
  }

  function facts() {
    const { usage, work: { tests, commits } } = state;
    const commit = state.outcome?.commit || commits.at(-1)?.sha || '';
    put(at.elapsed, lasted((state.finishTime || now()) - state.acceptTime));
    put(at.cost, money(usage.cost) + (state.budget ? ` of ${money(state.budget)}` : ''));
    put(at.input, count(usage.input + usage.cacheRead + usage.cacheWrite));
    put(at.output, count(usage.output));
    const kinds = ['passed', 'failed', 'skipped'].filter((kind) => kind === 'passed' || tests?.[kind]);
    put(at.tests, tests ? kinds.map((kind) => `${tests[kind]} ${kind}`).join(', ') : '–');
    mark(at.tests, 'data-tone', tests ? (tests.failed ? 'bad' : 'good') : null);
    put(at.commit, commit ? commit.slice(0, 10) : '–');
    mark(at.commit, 'title', commit || null);
  }

  /** Stage changes only: who listens must not hear every token. */
  function speak(/** @type {string} */ head) {
    const run = state.runs.at(-1);
    const words = state.outcome || fault || !run ? head : runName(run);
    if (!state.sequence || words === said) return;
    said = words;
    say(words);
    document.title = clean(`${words} · ${state.goal.slice(0, 60)}`);
  }

  at.cancel.addEventListener('click', cancel);
  draw();
  return { root, close: () => { stop(); clearInterval(tick); } };
}
