// @ts-check
/** The one law of the page: (state, event) → state. Pure, total over the event kinds, and bounded. */

import { NOTHING, grow } from './plain.js';
import { LIMITS } from './state.js';

/** @typedef {import('./state.js').State} State */
/** @typedef {import('./state.js').Work} Work */
/** @typedef {import('./state.js').Generation} Generation */
/** @typedef {import('./state.js').File} File */
/** @typedef {import('./state.js').Command} Command */
/** @typedef {{sequence: number, time: number, attempt: number}} At */

const last = (/** @type {any[]} */ list, /** @type {number} */ most) => (list.length > most ? list.slice(-most) : list);
const number = (/** @type {any} */ value) => Number(value ?? 0);
const bare = (/** @type {any} */ value, /** @type {string} */ prefix) => String(value ?? '').replace(prefix, '');
const bytes = (/** @type {string} */ text) => new TextEncoder().encode(text).length;

/**
 * Applies the next event. Any other than the next changes nothing: a repeated one is old, and one after
 * a gap must wait until the gap is filled. An unknown kind draws nothing and advances.
 * @param {State} state
 * @param {any} event a BuildEvent as proto JSON
 * @returns {State}
 */
export function fold(state, event) {
  const at = { sequence: number(event.sequence), time: Date.parse(event.createTime) || state.time, attempt: number(event.attempt) };
  if (at.sequence !== state.sequence + 1) return state;
  const kind = Object.keys(event).find((key) => Object.hasOwn(KINDS, key));
  const next = kind ? KINDS[kind](state, event[kind], at) : state;
  return { ...next, sequence: at.sequence, time: at.time };
}

/** @returns {State} */
const worked = (/** @type {State} */ state, /** @type {Partial<Work>} */ change) => ({ ...state, work: { ...state.work, ...change } });
const noted = (/** @type {State} */ state, /** @type {At} */ at, /** @type {string} */ text, tone = '', own = true) =>
  ({ ...state, notes: last([...state.notes, { sequence: at.sequence, text, tone, own }], LIMITS.notes) });
const dollars = (/** @type {any} */ micro) => `$${(number(micro) / 1e6).toFixed(2)}`;

function attemptStarted(/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) {
  const kept = number(e.keptThroughSequence);
  const mark = state.marks.findLast((each) => each.sequence <= kept) ?? state.marks[0];
  const first = !e.reason || e.reason === 'ATTEMPT_REASON_UNSPECIFIED';
  const back = { ...state, attempt: at.attempt, phase: 'STARTING', delay: null, work: mark.work,
    marks: state.marks.filter((each) => each.sequence <= kept),
    runs: state.runs.map((run) => (run.key > kept || !run.finish ? { ...run, voided: true } : run)),
    notes: state.notes.filter((note) => !note.own || note.sequence <= kept) };
  if (first || e.reason === 'ATTEMPT_REASON_UNPARKED') return back;
  const what = e.reason === 'ATTEMPT_REASON_WORKER_LOST' ? 'was lost' : 'handed the build over';
  return noted(back, at, `The worker ${what}. Another took the build up after the last finished stage.`, '', false);
}

function stageStarted(/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) {
  const run = { key: at.sequence, stage: bare(e.stage, 'STAGE_'), iteration: number(e.iteration), start: at.time, finish: 0,
    summary: '', needsWork: false, voided: false };
  return { ...state, phase: 'RUNNING', delay: null, runs: last([...state.runs, run], LIMITS.runs) };
}

function stageFinished(/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) {
  const stage = bare(e.stage, 'STAGE_');
  const key = state.runs.findLast((run) => run.stage === stage && run.iteration === number(e.iteration) && !run.finish)?.key;
  const done = { finish: at.time, summary: e.summary ?? '', needsWork: e.outcome === 'OUTCOME_NEEDS_WORK' };
  return { ...state, delay: null, runs: state.runs.map((run) => (run.key === key ? { ...run, ...done } : run)),
    marks: last([...state.marks, { sequence: at.sequence, work: state.work }], LIMITS.marks) };
}

function generationStarted(/** @type {State} */ state, /** @type {any} */ e) {
  const run = state.runs.findLast((each) => !each.voided)?.key ?? 0;
  const begun = { ...NOTHING, id: e.generationId, run, stage: bare(e.stage, 'STAGE_'), model: e.model ?? '', thinking: NOTHING, voided: '' };
  return worked({ ...state, delay: null }, { generations: last([...state.work.generations, begun], LIMITS.generations) });
}

const generation = (/** @type {State} */ state, /** @type {string} */ id, /** @type {(g: Generation) => Generation} */ change) =>
  worked(state, { generations: state.work.generations.map((each) => (each.id === id ? change(each) : each)) });

function generationVoided(/** @type {State} */ state, /** @type {any} */ e) {
  const drafts = new Map([...state.work.drafts].filter(([, draft]) => draft.generation !== e.generationId));
  const emptied = { ...NOTHING, thinking: NOTHING, voided: e.reason || 'unknown' };
  return worked(generation(state, e.generationId, (each) => ({ ...each, ...emptied })), { drafts });
}

function fileOpened(/** @type {State} */ state, /** @type {any} */ e) {
  const drafts = new Map(state.work.drafts).set(e.path, { ...NOTHING, path: e.path, generation: e.generationId ?? '', bytes: 0 });
  return worked(state, { drafts, newest: e.path });
}

function fileDelta(/** @type {State} */ state, /** @type {any} */ e) {
  const draft = state.work.drafts.get(e.path);
  if (!draft) return state;
  const text = e.text ?? '';
  const grown = { ...draft, ...grow(draft, text, LIMITS.file), bytes: draft.bytes + bytes(text) };
  return worked(state, { drafts: new Map(state.work.drafts).set(e.path, grown) });
}

function fileWritten(/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) {
  const drafts = new Map(state.work.drafts);
  const draft = drafts.get(e.path);
  const former = state.work.files.get(e.path);
  const size = number(e.sizeBytes);
  const same = !draft && former?.sha === e.sha256 ? former : null;
  const content = draft ? { text: draft.text, omitted: draft.omitted, whole: draft.bytes === size && !draft.omitted }
    : { text: same?.text ?? '', omitted: same?.omitted ?? 0, whole: same?.whole ?? size === 0 };
  const files = new Map(state.work.files);
  drafts.delete(e.path);
  files.delete(e.path); // so that the map runs from the oldest write to the newest
  const change = bare(e.change, 'FILE_CHANGE_');
  files.set(e.path, { path: e.path, size, sha: e.sha256 ?? '', ...content, change, sequence: at.sequence });
  return worked(state, { drafts, files: bounded(files), newest: e.path });
}

/** Lets the oldest contents go when all files together are too long, and the oldest files when they are too many. */
function bounded(/** @type {Map<string, File>} */ files) {
  let excess = [...files.values()].reduce((sum, file) => sum + file.text.length, -LIMITS.content);
  for (const [path, file] of files) {
    if (files.size > LIMITS.files) files.delete(path);
    else if (excess > 0) files.set(path, { ...file, text: '', whole: false });
    else break;
    excess -= file.text.length;
  }
  return files;
}

function fileDeleted(/** @type {State} */ state, /** @type {any} */ e) {
  const files = new Map(state.work.files);
  const drafts = new Map(state.work.drafts);
  files.delete(e.path);
  drafts.delete(e.path);
  return worked(state, { files, drafts });
}

function commandStarted(/** @type {State} */ state, /** @type {any} */ e) {
  const begun = { id: e.commandId, argv: e.argv ?? [], isolation: e.isolation ?? '', out: NOTHING, err: NOTHING, output: '', omitted: 0,
    finish: null };
  return worked(state, { commands: last([...state.work.commands, begun], LIMITS.commands) });
}

const command = (/** @type {State} */ state, /** @type {string} */ id, /** @type {(c: Command) => Command} */ change) =>
  worked(state, { commands: state.work.commands.map((each) => (each.id === id ? change(each) : each)) });

function commandOutput(/** @type {State} */ state, /** @type {any} */ e) {
  const channel = e.channel === 'CHANNEL_STDERR' ? 'err' : 'out';
  return command(state, e.commandId, (each) => {
    // Each channel waits for the end of its own escape; what is clean goes into one text, as it came.
    const piece = grow({ text: '', held: each[channel].held, omitted: 0 }, e.text ?? '', Infinity);
    const all = grow({ text: each.output, held: '', omitted: each.omitted }, piece.text, LIMITS.output);
    return { ...each, [channel]: { ...NOTHING, held: piece.held }, output: all.text, omitted: all.omitted };
  });
}

function usageRecorded(/** @type {State} */ { usage, ...state }, /** @type {any} */ e) {
  const cost = number(e.costMicrodollars);
  const cacheWrite = number(e.cacheWrite5mTokens) + number(e.cacheWrite1hTokens);
  return { ...state, usage: { calls: usage.calls + 1, input: usage.input + number(e.inputTokens),
    output: usage.output + number(e.outputTokens), cacheRead: usage.cacheRead + number(e.cacheReadTokens),
    cacheWrite: usage.cacheWrite + cacheWrite,
    cost: usage.cost + (e.platformBorne ? 0 : cost), borne: usage.borne + (e.platformBorne ? cost : 0) } };
}

function planStepChanged(/** @type {State} */ state, /** @type {any} */ e) {
  const { plan } = state.work;
  const steps = plan?.steps.map((/** @type {any} */ step) => (step.index === e.index ? { ...step, status: e.status } : step));
  return plan ? worked(state, { plan: { ...plan, steps } }) : state;
}

function creditRecorded(/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) {
  const usage = { ...state.usage, cost: state.usage.cost - number(e.amountMicrodollars) };
  return noted({ ...state, usage }, at, `${dollars(e.amountMicrodollars)} given back: ${e.reason ?? ''}`, '', false);
}

function questionAnswered(/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) {
  const without = (/** @type {Work} */ work) => ({ ...work, questions: work.questions.filter((each) => each.questionId !== e.questionId) });
  // Wherever an attempt goes back to, the answer stands.
  const marks = state.marks.map((mark) => ({ ...mark, work: without(mark.work) }));
  return noted({ ...state, marks, work: without(state.work) }, at, `Answered: ${e.text ?? ''}`, '', false);
}

function over(/** @type {string} */ kind) {
  return (/** @type {State} */ state, /** @type {any} */ e, /** @type {At} */ at) => ({
    ...state, phase: kind, delay: null, finishTime: at.time,
    runs: state.runs.map((run) => (run.finish || run.voided ? run : { ...run, finish: at.time, needsWork: true })),
    outcome: { kind, summary: e.summary ?? '', commit: e.commitSha ?? '', failures: e.failures ?? [],
      quote: number(e.finishQuoteMicrodollars), error: e.error ?? null },
  });
}

/** @type {Record<string, (state: State, e: any, at: At) => State>} */
const KINDS = {
  buildAccepted: (state, e, at) => ({ ...state, goal: e.goal ?? '', rehearsal: !!e.rehearsal, scenario: e.scenario ?? '',
    budget: number(e.budgetMicrodollars), acceptTime: at.time, phase: e.startAfterTime ? 'SCHEDULED' : 'QUEUED' }),
  buildQueued: (state) => ({ ...state, phase: 'QUEUED' }),
  attemptStarted,
  attemptFinished: (state, e) => ({ ...state, phase: bare(e.nextState, 'BUILD_STATE_') || state.phase }),
  stageStarted, stageFinished, generationStarted, generationVoided,
  textDelta: (state, e) => generation(state, e.generationId, (each) => ({ ...each, ...grow(each, e.text ?? '', LIMITS.text) })),
  thinkingDelta: (state, e) =>
    generation(state, e.generationId, (each) => ({ ...each, thinking: grow(each.thinking, e.text ?? '', LIMITS.text) })),
  providerDelayed: (state, e, at) =>
    ({ ...state, delay: { reason: e.reason ?? '', until: at.time + parseFloat(e.retryDelay ?? '0') * 1000, retry: number(e.retry) } }),
  planProposed: (state, e) => worked(state, { plan: { title: e.title ?? '', steps: e.steps ?? [] } }),
  planStepChanged,
  fileOpened, fileDelta, fileWritten, fileDeleted, commandStarted, commandOutput,
  commandFinished: (state, e) => command(state, e.commandId, (each) =>
    ({ ...each, finish: { code: number(e.exitCode), reason: bare(e.reason, 'REASON_'), elapsed: parseFloat(e.elapsed ?? '0') } })),
  testReported: (state, e) =>
    worked(state, { tests: { passed: number(e.passed), failed: number(e.failed), skipped: number(e.skipped), failures: e.failures ?? [] } }),
  commitCreated: (state, e) => worked(state, { commits: last([...state.work.commits, e], LIMITS.commits) }),
  commitPushed: (state, e, at) => noted(state, at, `Pushed ${e.branch ?? ''} to ${e.remote ?? ''}.`),
  usageRecorded,
  creditRecorded,
  budgetWarned: (state, e, at) =>
    noted(state, at, `${dollars(e.spentMicrodollars)} of ${dollars(e.limitMicrodollars)} are spent (${e.limit ?? ''}).`, 'warn', false),
  questionAsked: (state, e) => worked(state, { questions: last([...state.work.questions, e], LIMITS.notes) }),
  questionAnswered,
  steerReceived: (state, e, at) => noted(state, at, `Instruction: ${e.text ?? ''}`, '', false),
  steerApplied: (state, e, at) =>
    noted(state, at, `The instruction was taken up by the ${bare(e.stage, 'STAGE_').toLowerCase().replace('_', ' ')}.`),
  buildPaused: (state, e, at) => noted(state, at, 'Paused: it stops at the next end of a stage.', '', false),
  buildResumed: (state, e, at) =>
    noted({ ...state, phase: state.phase === 'PAUSED' ? 'QUEUED' : state.phase }, at, 'Resumed.', '', false),
  cancelRequested: (state) => ({ ...state, stopping: true }),
  convergenceMeasured: (state, e, at) => (e.tripped ? noted(state, at, e.evidence ?? e.signal ?? '', 'warn') : state),
  warningRaised: (state, e, at) => noted(state, at, e.text || e.code || '', 'warn'),
  previewStarted: (state, e, at) => noted(state, at, 'A preview of the app is running.'),
  previewStopped: (state, e, at) => noted(state, at, `The preview is over. ${e.reason ?? ''}`),
  buildSucceeded: over('SUCCEEDED'),
  buildPartial: over('PARTIAL'),
  buildFailed: over('FAILED'),
  buildCancelled: over('CANCELLED'),
};
