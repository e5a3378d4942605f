// @ts-check
/**
 * One socket to the gateway: calls and watches that survive it. Every call is idempotent by contract, so
 * what was not answered is asked again on the next socket; a watch resumes after what was applied.
 */

const CONNECT = 10_000; // ms from the first byte asked to `ready`
const SILENCE = 45_000; // ms without any frame until `ready` says what the gateway promises
const STABLE = 60_000; // ms a socket must live before the backoff forgets former failures
const FIRST_WAIT = 500; // ms, doubled with each failure
const LONGEST_WAIT = 30_000; // ms
const LONGEST_FRAME = 64 * 1024; // bytes the gateway accepts
const TRANSIENT = new Set([1, 2, 4, 8, 10, 13, 14]); // gRPC codes of a watch that is worth another try

/** @typedef {{state: 'live' | 'reconnecting' | 'out', reason: string}} Link */
/** @typedef {{token: string, expireTime: string}} Token */
/** @typedef {{buildId: string, cursor: () => number, apply: (response: any) => void, ended: (refused: Refused | null) => void}} Watch */
/** @typedef {{callId: number, method: string, request: string}} CallFrame */
/** @typedef {{frame: CallFrame, parts: any[], resolve: (response: any) => void, reject: (refused: Refused) => void}} Call */

/** What an RPC answered instead of a response: a google.rpc.Status. */
export class Refused extends Error {
  /** @param {any} status */
  constructor(status) {
    super(status?.message || 'No reason was given.');
    const details = status?.details ?? [];
    const info = details.find((/** @type {any} */ each) => String(each['@type']).endsWith('ErrorInfo'));
    const retry = details.find((/** @type {any} */ each) => String(each['@type']).endsWith('RetryInfo'));
    this.code = Number(status?.code ?? 2);
    this.reason = String(info?.reason ?? '');
    this.debugId = String(info?.metadata?.debugId ?? '');
    this.retryDelay = parseFloat(retry?.retryDelay ?? '0') * 1000; // ms
  }
}

/** No token is to be had: the user must act. */
export class SignedOut extends Error {}

const encode = (/** @type {any} */ message) =>
  btoa(Array.from(new TextEncoder().encode(JSON.stringify(message)), (byte) => String.fromCharCode(byte)).join(''));
const decode = (/** @type {string} */ text) =>
  JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(text), (character) => character.charCodeAt(0))) || '{}');

export class Socket {
  #url; #fetchToken; #tell; #clock;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Token | null} */ #token = null;
  /** @type {Map<number, Call>} */ #calls = new Map();
  /** @type {Map<number, Watch & {again: (delay: number) => void}>} */ #watches = new Map();
  /** @type {any} */ #leave = null;
  #ids = 0; #failures = 0; #heard = 0; #silence = SILENCE; #readyAt = 0; #renewAt = Infinity;
  #opening = false; #out = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #wait;

  /**
   * @param {object} seams
   * @param {string} seams.url
   * @param {() => Promise<Token>} seams.fetchToken throws SignedOut where no other try will help
   * @param {(link: Link) => void} seams.tell hears of every change of the connection
   * @param {(serverTime: number) => void} seams.clock hears the server's time, in ms
   */
  constructor({ url, fetchToken, tell, clock }) {
    this.#url = url; this.#fetchToken = fetchToken; this.#tell = tell; this.#clock = clock;
    setInterval(() => this.#check(), 1000);
    addEventListener('online', () => { if (!this.#socket && !this.#out) this.open(); });
    this.open();
  }

  /**
   * Calls a unary RPC: proto JSON in and out. Waits for a connection; rejects with Refused.
   * @param {string} method @param {any} request @returns {Promise<any>}
   */
  call(method, request) {
    const frame = { callId: ++this.#ids, method, request: encode(request) };
    const tooLong = { code: 3, message: 'This is too long for one message: shorten it and try again.' };
    if (JSON.stringify({ call: frame }).length > LONGEST_FRAME) return Promise.reject(new Refused(tooLong));
    return new Promise((resolve, reject) => {
      this.#calls.set(frame.callId, { frame, parts: [], resolve, reject });
      if (this.#readyAt) this.#send({ call: frame });
    });
  }

  /** Follows a build until `stop` is called or the watch ends. @param {Watch} watch @returns {() => void} stop */
  watch(watch) {
    let id = 0;
    const begin = () => { id = ++this.#ids; this.#watches.set(id, { ...watch, again }); if (this.#readyAt) this.#follow(id); };
    const again = (/** @type {number} */ delay) => { stop(); timer = setTimeout(begin, delay); };
    const stop = () => { clearTimeout(timer); if (this.#watches.delete(id) && this.#readyAt) this.#send({ unwatch: { watchId: id } }); };
    /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
    begin();
    return stop;
  }

  /** Connects now: at the start, when the network is back, and when a signed-out user asks for it. */
  async open() {
    clearTimeout(this.#wait);
    if (this.#socket || this.#opening) return;
    this.#opening = true; this.#out = false;
    try {
      if (!this.#token || Date.now() > this.#renewAt) this.#keep(await this.#fetchToken());
      this.#connect();
    } catch (error) {
      if (error instanceof SignedOut) this.#stop(error.message);
      else this.#later(0, 'The gateway cannot be reached.');
    } finally { this.#opening = false; }
  }

  #connect() {
    const socket = new WebSocket(this.#url, 'cofounder.v1.json');
    const mine = (/** @type {(event: any) => void} */ act) => (/** @type {any} */ event) => { if (socket === this.#socket) act(event); };
    this.#socket = socket; this.#heard = Date.now(); this.#silence = CONNECT; this.#leave = null;
    socket.onopen = mine(() => this.#send({ hello: { token: this.#token?.token } }));
    socket.onmessage = mine((event) => { this.#heard = Date.now(); this.#hear(JSON.parse(event.data)); });
    socket.onclose = mine((event) => this.#left(event.code));
  }

  /** @param {any} frame */
  #hear(frame) {
    if (frame.ready) this.#ready(frame.ready);
    else if (frame.batch) this.#batch(frame.batch);
    else if (frame.ended) this.#ended(frame.ended);
    else if (frame.callPart) this.#calls.get(frame.callPart.callId)?.parts.push(decode(frame.callPart.response ?? ''));
    else if (frame.callEnd) this.#answered(frame.callEnd);
    else if (frame.leave) this.#leave = frame.leave;
    else if (frame.heartbeat?.sendTime) this.#clock(Date.parse(frame.heartbeat.sendTime));
  }

  /** @param {any} ready */
  #ready(ready) {
    const again = this.#readyAt > 0;
    const interval = parseFloat(ready.heartbeatInterval ?? '0') * 1000;
    this.#silence = interval > 0 ? Math.min(SILENCE, interval * 3) : SILENCE;
    if (again) return;
    this.#readyAt = Date.now();
    this.#tell({ state: 'live', reason: '' });
    for (const id of this.#watches.keys()) this.#follow(id);
    for (const call of this.#calls.values()) { call.parts = []; this.#send({ call: call.frame }); }
  }

  /** @param {any} batch */
  #batch({ watchId, response }) {
    const watch = this.#watches.get(watchId);
    if (!watch || !response) return;
    watch.apply(response);
    // Promised never to happen; if it does, the log is asked again rather than a hole shown.
    if (Number(response.throughSequence ?? 0) > watch.cursor()) watch.again(FIRST_WAIT);
  }

  /** @param {any} ended */
  #ended({ watchId, status }) {
    const watch = this.#watches.get(watchId);
    if (!watch) return;
    const refused = status?.code ? new Refused(status) : null;
    this.#watches.delete(watchId);
    if (refused && TRANSIENT.has(refused.code)) watch.again(refused.retryDelay + FIRST_WAIT + Math.random() * FIRST_WAIT);
    else watch.ended(refused);
  }

  /** @param {any} end */
  #answered({ callId, status }) {
    const call = this.#calls.get(callId);
    this.#calls.delete(callId);
    if (status?.code) call?.reject(new Refused(status));
    else call?.resolve(call.parts[0] ?? {});
  }

  /** @param {number} id */
  #follow(id) {
    const watch = /** @type {Watch} */ (this.#watches.get(id));
    this.#send({ watch: { watchId: id, request: { buildId: watch.buildId, afterSequence: String(watch.cursor()) }, minIntervalMs: 16 } });
  }

  /** @param {any} frame */
  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** The socket is gone: the close code and a `Leave` before it say what to do. @param {number} code */
  #left(code) {
    const leave = this.#leave;
    this.#drop();
    if (code === 4401) this.#token = null;
    if (code === 4504) this.#stop('The gateway refused a message of this page. Reload it.');
    else if (code >= 4500 || leave?.action === 'ACTION_STOP') this.#stop('The gateway ended this session. Connect again to go on.');
    else this.#later(parseFloat(leave?.retryDelay ?? '0') * 1000, 'The connection was lost.');
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null; this.#readyAt = 0;
    socket?.close();
  }

  /**
   * Full jitter: any time up to a bound that doubles, so that a crowd does not come back as one.
   * @param {number} atLeast ms @param {string} reason
   */
  #later(atLeast, reason) {
    const bound = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    this.#tell({ state: 'reconnecting', reason: `${reason} Trying again by itself.` });
    clearTimeout(this.#wait);
    this.#wait = setTimeout(() => this.open(), atLeast + Math.random() * bound);
  }

  /** @param {string} reason */
  #stop(reason) {
    this.#out = true;
    this.#token = null;
    this.#tell({ state: 'out', reason });
  }

  /** Once a second: silence, a stable minute, a token that is due. Timers of a sleeping tab come late, and it stays right. */
  #check() {
    const now = Date.now();
    if (this.#socket && now - this.#heard > this.#silence) { this.#drop(); this.#later(0, 'Nothing was heard for too long.'); }
    if (this.#readyAt && now - this.#readyAt > STABLE) this.#failures = 0;
    if (this.#readyAt && now > this.#renewAt) this.#renew();
  }

  async #renew() {
    this.#renewAt = Date.now() + SILENCE; // the next try, if this one fails
    try {
      this.#keep(await this.#fetchToken());
      this.#send({ renew: { token: this.#token?.token } });
    } catch { /* The old token still holds; when it ends the gateway closes with 4401 and a new one is asked for. */ }
  }

  /** @param {Token} token */
  #keep(token) {
    const left = Date.parse(token.expireTime) - Date.now();
    this.#token = token;
    this.#renewAt = left > 0 ? Date.now() + left * 0.7 : Infinity; // a clock that is wrong here: the gateway says when
  }
}
