// @ts-check
/** The page's root: one socket, the connection badge, and the way from the address to a view. */

import { openBuild } from './build.js';
import { openHome } from './home.js';
import { mark, put } from './paint.js';
import { SignedOut, Socket } from './socket.js';

const found = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const LABELS = { live: 'Live', reconnecting: 'Reconnecting', out: 'Signed out' };

/** A short-lived token of this machine's own user. Kept in memory only. @returns {Promise<import('./socket.js').Token>} */
async function fetchToken() {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch('/api/development/token', { method: 'POST', headers, body: '{}', cache: 'no-store' });
  if (response.ok) return response.json();
  if (response.status < 500 && response.status !== 429) throw new SignedOut('This deployment gives this page no development token.');
  throw new Error(`No token: HTTP ${response.status}`);
}

let ahead = 0; // ms that the server's clock is ahead of this one
let lived = false;

const socket = new Socket({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/socket`,
  fetchToken,
  tell: ({ state, reason }) => {
    lived ||= state === 'live';
    mark(found('badge'), 'data-state', state);
    put(found('badge'), state === 'reconnecting' && !lived ? 'Connecting' : LABELS[state]);
    put(found('why'), reason);
    found('again').hidden = state !== 'out';
  },
  clock: (serverTime) => { ahead = serverTime - Date.now(); },
});
found('again').addEventListener('click', () => socket.open());

/** @type {{root: HTMLElement, close: () => void} | null} */
let view = null;

function route() {
  const id = /^#build=([\w-]{1,64})$/.exec(location.hash)?.[1];
  const moved = view !== null;
  view?.close();
  const seams = { socket, now: () => Date.now() + ahead, say: (/** @type {string} */ text) => put(found('spoken'), text) };
  document.title = 'Cofounder';
  view = id ? openBuild(id, seams) : openHome(seams);
  found('page').replaceChildren(view.root);
  if (moved) /** @type {HTMLElement | null} */ (view.root.querySelector('h1'))?.focus();
}

addEventListener('hashchange', route);
route();
