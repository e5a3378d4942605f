// @ts-check
/** Drawing: at most once a frame, text only, and what did not change is not touched, so that focus and selection live. */

import { clean } from './plain.js';

const BLOCK = 8192; // characters of a stream in one element, so that growth lays out the last one only

/** @param {() => void} draw @returns {() => void} asks for one drawing on the next frame, however often it is called */
export function painter(draw) {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; draw(); });
  };
}

/** @param {string} tag @param {Record<string, string>} attributes @param {(Node | string)[]} children @returns {HTMLElement} */
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) mark(node, name, value);
  node.append(...children.map((child) => (typeof child === 'string' ? clean(child) : child)));
  return node;
}

/** Sets the text, without escapes and control characters. @param {Element} node @param {string} text */
export function put(node, text) {
  const safe = clean(text);
  if (node.textContent !== safe) node.textContent = safe;
}

/** Sets an attribute; null takes it away. @param {Element} node @param {string} name @param {string | null} value */
export function mark(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== clean(value)) node.setAttribute(name, clean(value));
}

/** The parts of a copied template, by their `data-at`. @param {string} id @returns {{root: HTMLElement, at: Record<string, any>}} */
export function copy(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  const root = /** @type {HTMLElement} */ (document.importNode(template.content, true).firstElementChild);
  const at = Object.fromEntries([...root.querySelectorAll('[data-at]')].map((node) => [node.getAttribute('data-at'), node]));
  return { root, at };
}

/** @typedef {{node: HTMLElement, update: (item: any) => void}} Row */
/** @type {WeakMap<Element, Map<any, Row>>} */
const ROWS = new WeakMap();

/**
 * Keeps the children of `parent` in step with `items`; a row keeps its node as long as its key is there.
 * @param {Element} parent @param {any[]} items @param {(item: any) => any} key @param {(item: any) => Row} create
 */
export function rows(parent, items, key, create) {
  const former = ROWS.get(parent) ?? new Map();
  const next = new Map(items.map((item) => [key(item), former.get(key(item)) ?? create(item)]));
  for (const [id, row] of former) if (!next.has(id)) row.node.remove();
  ROWS.set(parent, next);
  let place = parent.firstElementChild;
  for (const item of items) {
    const { node, update } = next.get(key(item));
    if (place && node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
    update(item);
  }
}

/** A long text that grows at its end. */
export class Stream {
  #text = '';
  /** @type {Text | null} */ #end = null;

  /** @param {Element} node */
  constructor(node) { this.node = node; }

  /** @param {string} text already clean @returns {boolean} whether it changed */
  show(text) {
    if (text === this.#text) return false;
    const grown = text.startsWith(this.#text);
    if (!grown) { this.node.replaceChildren(); this.#end = null; }
    this.#add(grown ? text.slice(this.#text.length) : text);
    this.#text = text;
    return true;
  }

  /** @param {string} text */
  #add(text) {
    for (let rest = text; rest;) {
      if (!this.#end) {
        this.#end = document.createTextNode('');
        this.node.append(make('div', {}, this.#end));
      }
      const room = BLOCK - this.#end.length;
      const cut = room < rest.length ? rest.indexOf('\n', Math.max(0, room)) + 1 : 0;
      this.#end.appendData(cut ? rest.slice(0, cut) : rest);
      rest = cut ? rest.slice(cut) : '';
      if (cut) this.#end = null;
    }
  }
}

/** Keeps a scroller at its end while its reader is there. @param {Element} scroller @returns {{settle: () => void, stick: () => void}} */
export function follow(scroller) {
  let stuck = true;
  const look = () => { stuck = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 32; };
  scroller.addEventListener('scroll', look, { passive: true });
  const settle = () => { if (stuck) scroller.scrollTop = scroller.scrollHeight; };
  return { settle, stick: () => { stuck = true; settle(); } };
}
