// @ts-check
/** What the tests ask of a page from within: served beside it, since the page's policy allows no other script. */

const plain = (key, value) => (value instanceof Map ? [...value] : value);
const text = (state) => JSON.stringify(state, plain);

function freeze(value) {
  if (value && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    (value instanceof Map ? [...value.values()] : Object.values(value)).forEach(freeze);
  }
  return value;
}

/** The state after each sequence in `cuts`, and after the last event. Without cuts, no event may change its argument. */
export async function folded([events, cuts]) {
  const [{ fold }, { EMPTY }] = await Promise.all([import('/fold.js'), import('/state.js')]);
  const states = [];
  let state = freeze(EMPTY);
  for (const event of events) {
    const before = cuts ? '' : text(state);
    const next = freeze(fold(state, event));
    if (!cuts && text(state) !== before) throw new Error(`the fold of ${event.sequence} changed its argument`);
    state = next;
    if (cuts?.includes(Number(event.sequence))) states.push(state);
  }
  return JSON.parse(JSON.stringify([...states, state], plain));
}

/** What is left of a text: whole, cut in two at every place, and character by character. */
export async function cleaned(raw) {
  const { NOTHING, clean, grow } = await import('/plain.js');
  const cut = (at) => grow(grow(NOTHING, raw.slice(0, at), 1e6), raw.slice(at), 1e6).text;
  const single = [...raw].reduce((written, character) => grow(written, character, 1e6), NOTHING).text;
  return [clean(raw), single, ...Array.from(raw, (_, at) => cut(at))];
}

/** What is seen after four escapes of 300,000 characters that never end, and how long that took in ms. */
export async function endless() {
  const { NOTHING, grow } = await import('/plain.js');
  const start = performance.now();
  const raws = ['\x1b]' + 'x'.repeat(300_000), '\x9d'.repeat(300_000), '\x1b'.repeat(300_000), '\x1b[' + '1;'.repeat(150_000)];
  const written = raws.reduce((so, raw) => grow(so, raw, 1e7), NOTHING);
  return [grow(written, '\nvisible', 1e7).text, performance.now() - start];
}

/** How much a fold holds of a build that writes without end, beside its bounds. */
export async function bounds() {
  const [{ fold }, { EMPTY, LIMITS }] = await Promise.all([import('/fold.js'), import('/state.js')]);
  let state = EMPTY;
  const feed = (kind) => { state = fold(state, { sequence: String(state.sequence + 1), createTime: '2026-01-01T00:00:00Z', ...kind }); };
  const long = (at) => '😀'.repeat(5000) + 'x'.repeat(at % 2);
  feed({ stageStarted: { stage: 'STAGE_CODER', iteration: 1 } });
  feed({ fileOpened: { path: 'f' } });
  feed({ commandStarted: { commandId: 'c' } });
  feed({ generationStarted: { generationId: 'g' } });
  for (let at = 0; at < 100; at++) {
    feed({ fileDelta: { path: 'f', text: long(at) } });
    feed({ commandOutput: { commandId: 'c', text: long(at) } });
    feed({ textDelta: { generationId: 'g', text: long(at) } });
  }
  const [call] = state.work.generations;
  const [command] = state.work.commands;
  const draft = state.work.drafts.get('f');
  const wellFormed = [call.text, draft.text, command.output].every((each) => each.isWellFormed());
  for (let at = 0; at < 1500; at++) {
    feed({ stageStarted: { stage: 'STAGE_CODER', iteration: at } });
    feed({ generationStarted: { generationId: `h${at}` } });
    feed({ commandStarted: { commandId: `d${at}` } });
    feed({ warningRaised: { text: 'w' } });
    feed({ fileOpened: { path: `p${at}` } });
    feed({ fileDelta: { path: `p${at}`, text: 'x'.repeat(9000) } });
    feed({ fileWritten: { path: `p${at}`, sizeBytes: '9000' } });
    feed({ stageFinished: { stage: 'STAGE_CODER', iteration: at } });
  }
  const files = [...state.work.files.values()];
  const held = {
    text: call.text.length, file: draft.text.length, output: command.output.length, files: files.length,
    runs: state.runs.length, marks: state.marks.length, notes: state.notes.length, commands: state.work.commands.length,
    generations: state.work.generations.length, content: files.reduce((sum, file) => sum + file.text.length, 0),
  };
  return { held, limits: LIMITS, wellFormed, seen: call.text.length + call.omitted, newest: files.at(-1).whole, oldest: files[0].whole };
}

/** The waits in ms that a socket chooses, with chance and clock in our hands. */
export async function waits() {
  const { Socket } = await import('/socket.js');
  let now = 1e12;
  let chance = 1;
  let wait, tick, live;
  Date.now = () => now;
  Math.random = () => chance;
  window.setTimeout = (act, ms) => { wait = { act, ms }; };
  window.setInterval = (act) => { tick = act; };
  window.WebSocket = class { static OPEN = 1; constructor() { live = this; } send() {} close() {} };
  const turn = () => new Promise((done) => { const channel = new MessageChannel(); channel.port1.onmessage = done; channel.port2.postMessage(0); });
  const fetchToken = async () => ({ token: 't', expireTime: '2200-01-01T00:00:00Z' });
  new Socket({ url: 'ws://x', fetchToken, tell: () => {}, clock: () => {} });
  const fail = async () => {
    await turn();
    live.onclose({ code: 1006 });
    const { ms, act } = wait;
    act();
    return ms;
  };
  const hold = async (ms) => {
    await turn();
    live.onmessage({ data: '{"ready":{}}' });
    for (const end = now + ms; now < end;) { now += 1000; live.onmessage({ data: '{"heartbeat":{}}' }); tick(); }
  };
  const doubling = [];
  for (let at = 0; at < 8; at++) doubling.push(await fail());
  await hold(30_000);
  const short = await fail();
  await hold(62_000);
  const stable = await fail();
  chance = 0.5;
  return { doubling, short, stable, half: await fail() };
}

/** All that streams, as one text. */
export function streamed() {
  const panels = '.words .text, .words .thinking, .files [data-at=content], .terminal, .steps, .list';
  return [...document.querySelectorAll(panels)].map((node) => node.textContent).join('|');
}

/** Whether a script of others ran, how many elements could run one, and whether a control character is anywhere. */
export function owned() {
  const attributes = [...document.querySelectorAll('main *')].flatMap((node) => [...node.attributes].map((each) => each.value));
  const live = 'main script, main img, main svg, main a[href^="javascript"], main [onerror], main [onload]';
  const control = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;
  const dirty = [document.title, document.body.textContent, ...attributes].some((each) => control.test(each));
  return [!!window.owned || Object.prototype.text !== undefined, document.querySelectorAll(live).length, dirty];
}

/** Where each part of a build stands on the page. */
export function places() {
  return [...document.querySelectorAll('.build > :not([hidden])')].map((node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return [node.className, x, y + scrollY, width, height];
  });
}

/** The name of what has the focus, and whether that is to be seen. */
export function focused() {
  const node = document.activeElement;
  const name = node === document.body ? '' : node.getAttribute('aria-label') || node.textContent;
  return [name, getComputedStyle(node).outlineStyle !== 'none'];
}

/** The lowest contrast of a text on its background, and whose it is. */
export function contrast() {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = rgb(getComputedStyle(node).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255];
  };
  const ratio = (node) => {
    const [high, low] = [light(rgb(getComputedStyle(node).color)), light(behind(node))].sort((a, b) => b - a);
    return [(high + 0.05) / (low + 0.05), node.className || node.tagName];
  };
  const said = (node) => node.checkVisibility() && [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.querySelectorAll('body *')].filter(said).map(ratio).sort((a, b) => a[0] - b[0])[0];
}

/** What a view says of a wait, at a time. */
export async function told([view, time]) {
  const { waiting } = await import('/waiting.js');
  return waiting(view, Date.parse(time));
}
