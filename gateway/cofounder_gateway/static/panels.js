// @ts-check
/** The panels of a live build. Each takes the parts of the template and returns its drawing of a state. */

import { clean } from './plain.js';
import { Stream, follow, make, mark, put, rows } from './paint.js';
import { STAGES, committed, exit, lasted, omission, place, runName, size, stageName, typed } from './words.js';

/** @typedef {Record<string, any>} Parts */
/** @typedef {{state: import('./state.js').State, now: number, picked: number, repository: string}} Sight */

const MARKS = { STATUS_PENDING: 'pending', STATUS_ACTIVE: 'active', STATUS_DONE: 'done', STATUS_FAILED: 'failed' };
const CHIPS = 8; // runs of one stage that have room

/** All six stages from the start, so that nothing moves when one begins. @param {Parts} at @param {(run: number) => void} pick */
export function railPanel(at, pick) {
  const stage = (/** @type {string} */ name) => {
    const time = make('span', { class: 'time' });
    const chips = make('span', { class: 'chips' });
    const node = make('li', {}, make('span', { class: 'name' }, stageName(name)), time, chips);
    return { node, update: (/** @type {any} */ { runs, now, shown }) => {
      const newest = runs.at(-1);
      const spent = (/** @type {any} */ run) => (run.finish || (run.voided ? run.start : now)) - run.start;
      const took = runs.reduce((/** @type {number} */ sum, /** @type {any} */ run) => sum + spent(run), 0);
      const again = newest?.needsWork || newest?.voided;
      mark(node, 'data-mark', !newest ? 'pending' : again ? 'again' : newest.finish ? 'done' : 'active');
      put(time, runs.length ? lasted(took) : '');
      rows(chips, runs.slice(-CHIPS).map((/** @type {any} */ run) => ({ ...run, shown: run.key === shown })), (run) => run.key, chip);
    } };
  };
  const chip = (/** @type {any} */ { key }) => {
    const node = make('button', { type: 'button' });
    node.addEventListener('click', () => pick(key));
    return { node, update: (/** @type {any} */ run) => {
      const result = run.voided ? 'lost' : !run.finish ? 'running' : run.needsWork ? 'needs work' : 'done';
      const label = `${stageName(run.stage)}, iteration ${run.iteration}: ${result}${run.summary && `. ${run.summary}`}`;
      put(node, String(run.iteration));
      mark(node, 'data-mark', result);
      mark(node, 'aria-pressed', String(run.shown));
      mark(node, 'aria-label', label);
      mark(node, 'title', label);
    } };
  };
  return (/** @type {Sight} */ { state, now, picked }) => {
    const items = STAGES.map((name) => ({ name, runs: state.runs.filter((run) => run.stage === name), now, shown: picked }));
    rows(at.rail, items, (item) => item.name, (item) => stage(item.name));
  };
}

/** @param {Parts} at */
export function planPanel(at) {
  const step = () => {
    const node = make('li', {}, '');
    return { node, update: (/** @type {any} */ item) => {
      const word = MARKS[/** @type {keyof typeof MARKS} */ (item.status)] ?? 'pending';
      mark(node, 'data-mark', word);
      put(node, item.description ?? '');
      mark(node, 'title', (item.paths ?? []).join(', ') || null);
      mark(node, 'aria-label', `${item.description ?? ''}: ${word}`);
    } };
  };
  return (/** @type {Sight} */ { state }) => {
    const steps = state.work.plan?.steps ?? [];
    const done = steps.filter((/** @type {any} */ each) => each.status === 'STATUS_DONE').length;
    put(at.planned, steps.length ? `${done} of ${steps.length}` : '');
    at.progress.max = Math.max(1, steps.length);
    at.progress.value = done;
    rows(at.steps, steps, (each) => each.index, step);
  };
}

/** Warnings, instructions, what fails and where the result lies. @param {Parts} at */
export function notesPanel(at) {
  const note = () => {
    const node = make('li');
    return { node, update: (/** @type {any} */ item) => { mark(node, 'data-tone', item.tone); put(node, item.text); } };
  };
  return (/** @type {Sight} */ { state, repository }) => {
    const { outcome, work: { tests, commits } } = state;
    const lines = [
      ...(repository ? [{ text: `Repository: ${place(repository)}`, tone: '' }] : []),
      ...(outcome?.failures ?? []).map((text) => ({ text, tone: 'warn' })),
      ...(tests?.failures ?? []).map((/** @type {any} */ each) => ({ text: `${each.name ?? ''}: ${each.message ?? ''}`, tone: 'warn' })),
      ...state.notes,
      ...commits.map((each) => ({ text: committed(each), tone: '' })),
    ].map((line, place) => ({ ...line, place }));
    rows(at.notes, lines, (line) => line.place, note);
  };
}

/** @param {Parts} at @param {(run: number) => void} pick */
export function wordsPanel(at, pick) {
  const { settle, stick } = follow(at.words);
  let moved = false;
  const call = () => {
    const thinking = make('div', { class: 'thinking' });
    const text = make('div', { class: 'text' });
    const gone = make('p', { class: 'gone' });
    const thoughts = new Stream(thinking);
    const words = new Stream(text);
    const node = make('div', { class: 'call' }, thinking, text, gone);
    return { node, update: (/** @type {any} */ item) => {
      const changed = [thoughts.show(item.thinking.text), words.show(item.text)].includes(true);
      moved ||= changed;
      mark(node, 'data-writing', item.writing ? '' : null);
      put(gone, item.voided ? `This call of the model broke (${item.voided}); its text is void.` : omission(item.omitted));
    } };
  };
  at.wordsFollow.addEventListener('click', () => { pick(0); stick(); });
  return (/** @type {Sight} */ { state, picked }) => {
    const all = state.work.generations;
    const run = state.runs.find((each) => each.key === picked) ?? state.runs.find((each) => each.key === all.at(-1)?.run);
    const calls = all.filter((each) => each.run === run?.key);
    const live = run && !run.finish && !run.voided;
    put(at.wordsTitle, run ? runName(run) : 'The agents’ words');
    const model = calls.at(-1)?.model ?? '';
    put(at.model, model && state.rehearsal ? `scripted as ${model}` : model);
    at.wordsFollow.hidden = run?.key !== picked;
    rows(at.words, calls.map((each, place) => ({ ...each, writing: live && place === calls.length - 1 })), (each) => each.id, call);
    if (moved) settle();
    moved = false;
  };
}

/**
 * The list fills as files are opened; the viewer follows the writing until the reader chooses a file.
 * @param {Parts} at
 * @param {(path: string, sequence: number) => Promise<any>} fetchFile
 * @param {() => void} draw
 */
export function filesPanel(at, fetchFile, draw) {
  const { settle, stick } = follow(at.code);
  const content = new Stream(at.content);
  /** Contents that the log did not carry, by path and sequence: null while asked for. @type {Map<string, string | null>} */
  const fetched = new Map();
  let pinned = '';
  let shown = '';

  const entry = (/** @type {any} */ { path }) => {
    const name = make('span', { class: 'name' }, path);
    const note = make('span', { class: 'when' });
    const button = make('button', { type: 'button', title: path }, name, note);
    button.addEventListener('click', () => { pinned = path; draw(); });
    return { node: make('li', {}, button), update: (/** @type {any} */ item) => {
      mark(button, 'data-mark', item.draft ? 'active' : 'done');
      mark(button, 'aria-current', item.path === shown ? 'true' : null);
      put(note, item.draft ? 'writing' : size(item.file.size));
    } };
  };
  const missing = (/** @type {any} */ file) => {
    const name = `${file.sequence} ${file.path}`;
    if (!fetched.has(name)) {
      if (fetched.size > 20) fetched.clear();
      fetched.set(name, null);
      const bytes = (/** @type {string} */ body) => Uint8Array.from(atob(body), (each) => each.charCodeAt(0));
      fetchFile(file.path, file.sequence)
        .then((found) => { fetched.set(name, clean(new TextDecoder().decode(bytes(found.content ?? '')))); draw(); })
        .catch(() => { /* Then what was streamed is shown, and the note says so. */ });
    }
    return fetched.get(name) ?? null;
  };
  at.filesFollow.addEventListener('click', () => { pinned = ''; stick(); draw(); });
  return (/** @type {Sight} */ { state: { work } }) => {
    const paths = [...new Set([...work.files.keys(), ...work.drafts.keys()])].sort();
    const before = shown;
    if (pinned && !paths.includes(pinned)) pinned = '';
    shown = pinned || [...work.drafts.keys()].at(-1) || (work.files.has(work.newest) ? work.newest : [...work.files.keys()].at(-1) ?? '');
    rows(at.files, paths.map((path) => ({ path, file: work.files.get(path), draft: work.drafts.get(path) })), (item) => item.path, entry);
    const draft = work.drafts.get(shown);
    const file = work.files.get(shown);
    const whole = !draft && file && !file.whole ? missing(file) : null;
    const omitted = (draft ?? file)?.omitted ?? 0;
    put(at.path, shown);
    put(at.fileNote, draft ? 'being written' : file && !file.whole && whole === null ? 'as it was streamed' : omission(omitted));
    at.filesFollow.hidden = !pinned;
    mark(at.content, 'data-writing', draft ? '' : null);
    const changed = content.show(whole ?? draft?.text ?? file?.text ?? '');
    if (shown !== before) { stick(); if (!draft) at.code.scrollTop = 0; }
    else if (changed && draft) settle();
  };
}

/** @param {Parts} at */
export function terminalPanel(at) {
  const { settle } = follow(at.terminal);
  let moved = false;
  const command = (/** @type {any} */ { argv }) => {
    const out = make('pre');
    const output = new Stream(out);
    const end = make('p', { class: 'end' });
    return { node: make('li', {}, make('p', { class: 'typed' }, `$ ${typed(argv)}`), out, end), update: (/** @type {any} */ item) => {
      const ok = item.finish?.code === 0 && item.finish.reason === 'EXITED';
      const before = end.textContent;
      put(end, [item.finish && exit(item.finish), omission(item.omitted)].filter(Boolean).join(' · '));
      mark(end, 'data-tone', item.finish ? (ok ? 'good' : 'bad') : null);
      const changed = output.show(item.output);
      moved ||= changed || before !== end.textContent;
    } };
  };
  return (/** @type {Sight} */ { state: { work } }) => {
    const isolation = work.commands.at(-1)?.isolation ?? '';
    put(at.isolation, isolation === 'none' ? 'not isolated: scripted project' : isolation ? `sandboxed: ${isolation}` : '');
    rows(at.commands, work.commands, (each) => each.id, command);
    if (moved) settle();
    moved = false;
  };
}
