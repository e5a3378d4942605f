// @ts-check
/** The first view: one field, and the builds so far. */

import { copy, make, mark, put, rows } from './paint.js';
import { ago, money, refusal, stateName } from './words.js';

const LOOK = 3000; // ms between two looks at the list while it is on screen
const SERVICE = 'cofounder.runner.v1.RunnerService';

/** @typedef {{socket: import('./socket.js').Socket, now: () => number, say: (text: string) => void}} Seams */

/** A UUID; `randomUUID` is missing where the page is not on a secure origin. */
function uuid() {
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte, at) =>
    (at === 6 ? (byte & 15) | 64 : at === 8 ? (byte & 63) | 128 : byte).toString(16).padStart(2, '0')).join('');
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** @param {Seams} seams */
export function openHome({ socket, now }) {
  const { root, at } = copy('home');
  /**
   * One intent, one request id: a double click and a new try after a fault name the same build.
   * @type {{goal: string, requestId: string} | null}
   */
  let intent = null;
  let busy = false;
  let open = true;

  async function start() {
    const goal = at.goal.value.trim();
    if (busy || !goal) return;
    if (intent?.goal !== goal) intent = { goal, requestId: uuid() };
    busy = at.start.disabled = true;
    put(at.refusal, '');
    try {
      const { build } = await socket.call(`${SERVICE}/StartBuild`, intent);
      intent = null;
      if (open) location.hash = `#build=${build.buildId}`;
    } catch (refused) { put(at.refusal, refusal(refused)); }
    busy = at.start.disabled = false;
  }

  async function look() {
    try {
      if (!document.hidden) show((await socket.call(`${SERVICE}/ListBuilds`, { pageSize: 30 })).builds ?? []);
    } catch (refused) { put(at.empty, refusal(refused)); at.empty.hidden = false; }
    if (open) setTimeout(look, LOOK);
  }

  function show(/** @type {any[]} */ builds) {
    at.empty.hidden = builds.length > 0;
    put(at.empty, 'None yet. The first one stands here from the moment you start it.');
    rows(at.builds, builds, (build) => build.buildId, row);
  }

  function row(/** @type {any} */ build) {
    const state = make('span', { class: 'pill' });
    const when = make('span', { class: 'when' });
    const goal = make('span', { class: 'goal' }, build.goal ?? '');
    const link = make('a', { href: `#build=${encodeURIComponent(build.buildId)}` }, goal, state, when);
    return { node: make('li', {}, link), update: (/** @type {any} */ newer) => {
      mark(state, 'data-state', newer.state ?? '');
      put(state, stateName(newer.state));
      const cost = Number(newer.costMicrodollars ?? 0);
      const facts = [newer.createTime && ago(now() - Date.parse(newer.createTime)), cost && money(cost), newer.rehearsal && 'rehearsal'];
      put(when, facts.filter(Boolean).join(' · '));
    } };
  }

  at.form.addEventListener('submit', (/** @type {Event} */ event) => { event.preventDefault(); start(); });
  at.goal.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); start(); }
  });
  look();
  return { root, close: () => { open = false; } };
}
