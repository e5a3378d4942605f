// @ts-check
/** A build's wait in the queue in plain words: where it stands, why, when it is likely to start, and how well such estimates held. */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
const STEPS = [[10, 1], [MINUTE, 5], [5 * MINUTE, 15], [HOUR, MINUTE], [36 * HOUR, 600]]; // below so many seconds, to so many

const seconds = (/** @type {string | undefined} */ duration) => parseFloat(duration ?? '0');

/** @param {number} number */
function ordinal(number) {
  const teen = number % 100 > 10 && number % 100 < 14;
  return `${number}${(!teen && ['', 'st', 'nd', 'rd'][number % 10]) || 'th'}`;
}

/**
 * An expected length of time, no finer than it is known: to the nearest step of its size, or to the next one up.
 * @param {number} length seconds @param {(steps: number) => number} round
 */
export function roughly(length, round = Math.round) {
  const whole = STEPS.map(([below, step]) => [below, round(length / step) * step]).find(([below, each]) => each < below)?.[1];
  if (whole === undefined) return `${Math.ceil(length / DAY)} days`;
  const units = { h: Math.floor(whole / HOUR), min: Math.floor(whole / MINUTE) % 60, s: whole % 60 };
  return Object.entries(units).filter(([, number]) => number).map(([unit, number]) => `${number} ${unit}`).join(' ') || '1 s';
}

/** @param {any} queue */
function ahead({ aheadOwn = 0, aheadOthers = 0, aheadLater = 0 }) {
  const who = [aheadOwn && `${aheadOwn} of yours`, aheadOthers && `${aheadOthers} other${aheadOthers > 1 ? 's' : ''}`].filter(Boolean);
  // Of a plan with a head start, and accepted later.
  return who.length ? `${who.join(' and ')} ahead${aheadLater ? ` (${aheadLater} by a head start)` : ''}` : '';
}

/** @param {any} queue */
function reason({ reason: kind, limit = 0 }) {
  switch (kind) {
    case 'REASON_NEXT': return 'about to start';
    case 'REASON_USER_LIMIT': return limit > 1 ? `waits for one of your own ${limit} builds to end` : 'waits for your own build to end';
    case 'REASON_PROJECT_LIMIT': return `waits for ${limit > 1 ? `one of the project’s ${limit} builds` : 'the project’s other build'} to end`;
    case 'REASON_SYSTEM': return limit ? 'all workers are busy' : 'no worker is there just now';
    case 'REASON_DAY_LIMIT': return limit > 1 ? `the day’s ${limit} builds are spent` : 'the day’s build is spent';
    default: return '';
  }
}

/** @param {number} eta seconds from now @param {number} late seconds from now */
function start(eta, late) {
  if (late <= 0) return 'starts later than nine in ten such builds did';
  const within = roughly(late, Math.ceil);
  if (eta <= 0) return `starts any moment (nine in ten within ${within})`;
  return `starts in about ${roughly(eta)}${within === roughly(eta) ? '' : ` (nine in ten within ${within})`}`;
}

/** @param {any} queue @param {number} passed seconds since it was true */
function estimate({ eta, etaLate, reason: kind, pastForecasts = 0, pastKept = 0 }, passed) {
  if (!eta || !etaLate || kind === 'REASON_NEXT') return [];
  return [start(seconds(eta) - passed, seconds(etaLate) - passed), held(pastForecasts, pastKept)];
}

/** @param {number} forecasts @param {number} kept */
function held(forecasts, kept) {
  if (forecasts === 1) return `the last such estimate ${kept ? 'held' : 'did not hold'}`;
  return forecasts && `such estimates held ${kept} of the last ${forecasts} times`;
}

/** @param {string} time @param {number} now ms */
function moment(time, now) {
  const days = Math.floor(Date.parse(time) / 1000 / DAY) - Math.floor(now / 1000 / DAY);
  const options = /** @type {const} */ ({ day: 'numeric', month: 'long', timeZone: 'UTC' });
  const day = ['today', 'tomorrow'][days] ?? new Date(time).toLocaleDateString('en-GB', options);
  return `${day} ${new Date(time).toISOString().slice(11, 16)} UTC`;
}

/**
 * @param {any} view of a build that waits @param {number} now ms by the server's clock
 * @returns {{head: string, text: string}}
 */
export function waiting({ queue, readTime }, now) {
  if (queue.startAfterTime) return { head: `Scheduled for ${moment(queue.startAfterTime, now)}`, text: reason(queue) };
  const passed = readTime ? Math.max(0, now - Date.parse(readTime)) / 1000 : 0;
  const text = [ahead(queue), reason(queue), ...estimate(queue, passed)].filter(Boolean).join(' · ');
  return { head: `${ordinal(queue.position ?? 1)} in line`, text };
}
