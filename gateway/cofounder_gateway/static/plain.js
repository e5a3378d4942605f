// @ts-check
/** Text of others made fit for a screen: no terminal escapes, no control or bidi characters, bounded. */

// The body of a string sequence ends at a newline or another introducer too: a sequence that is never
// closed hides the rest of its line at most, and the search stays linear.
const CSI = '(?:\\x1b\\[|\\x9b)[0-?]*[ -/]*';
const STRING = '(?:\\x1b[\\]PX^_]|[\\x90\\x98\\x9d-\\x9f])[^\\x07\\x1b\\x80-\\x9f\\n]*';
const SHORT = '\\x1b[ -/]*';
const ESCAPE = new RegExp(`${CSI}[@-~]|${STRING}(?:\\x07|\\x1b\\\\|\\x9c|(?=[\\n\\x1b\\x80-\\x9f])|$)|${SHORT}[0-~]`, 'g');
const UNFINISHED = new RegExp(`(?:${CSI}|${STRING}\\x1b?|${SHORT}|\\r)$`);
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]/g;
const HELD = 4096; // characters of an escape that may wait for its end

/**
 * A text that grows. `text` is clean; `held` is the start of an escape whose end has not come yet.
 * @typedef {{text: string, held: string, omitted: number}} Written
 */

/** @type {Written} */
export const NOTHING = Object.freeze({ text: '', held: '', omitted: 0 });

/**
 * @param {string} text
 * @returns {string} the visible part of it
 */
export function clean(text) {
  return text.replace(ESCAPE, '').replace(/\r\n?/g, '\n').replace(CONTROL, '');
}

/**
 * Adds the next piece. An escape cut in two by the stream is stripped as if it had come whole. The end
 * is kept: about `limit` characters, with what stood before counted in `omitted`.
 * @param {Written} written
 * @param {string} piece
 * @param {number} limit
 * @returns {Written}
 */
export function grow(written, piece, limit) {
  const raw = written.held + piece;
  const cut = raw.search(UNFINISHED);
  const waits = cut >= 0 && raw.length - cut <= HELD;
  const text = written.text + clean(waits ? raw.slice(0, cut) : raw);
  const held = waits ? raw.slice(cut) : '';
  if (text.length <= limit * 1.25) return { text, held, omitted: written.omitted };
  const start = text.length - limit;
  const low = text.charCodeAt(start) >>> 10 === 0x37; // never begin inside a code point
  const from = low ? start + 1 : start;
  return { text: text.slice(from), held, omitted: written.omitted + from };
}
