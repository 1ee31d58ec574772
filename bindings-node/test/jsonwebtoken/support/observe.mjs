// Records the effects of a call as comparable data.
import { types } from 'node:util';

/** Messages that depend on the random bytes of an ECDSA signature in DER. */
const RANDOM_MESSAGE = /^(Could not find expected "(seq|int)|"(seq|r|s)" specified length|Expected to consume)/;

/**
 * Calls `api[method](...args)` and waits for its callbacks. Returns one record per call; with
 * `times` it repeats the call with the same arguments, which each call may change.
 *
 * `args` may hold functions made by `callback` and `getKey` below.
 */
export async function observe(api, { method, args, times = 1 }) {
  const record = { callbacks: [], phase: 'at once' };
  let pending = 0;
  const world = {
    record,
    later: (run) => {
      pending += 1;
      setImmediate(() => {
        pending -= 1;
        record.phase = 'later';
        run();
      });
    },
  };
  const given = args.map((arg) => (typeof arg === 'function' && arg.bind ? arg.bind(world) : arg));
  const outcomes = [];
  while (outcomes.length < times) {
    Object.assign(record, { callbacks: [], phase: 'at once' });
    let outcome;
    try {
      outcome = { returned: picture(api[method](...given)) };
    } catch (error) {
      outcome = { thrown: picture(error) };
    }
    record.phase = 'next tick';
    // Runs after the ticks that the call itself has scheduled.
    process.nextTick(() => (record.phase = 'later'));
    // Twice: scheduled work may schedule a callback.
    do await new Promise(setImmediate);
    while (pending > 0);
    await new Promise(setImmediate);
    outcomes.push({ ...outcome, callbacks: record.callbacks, after: given.map((arg) => picture(arg)) });
  }
  return outcomes;
}

/** A callback that records its calls, and then returns `returns` or throws `throws`. */
export function callback({ returns, throws } = {}) {
  const placeholder = () => undefined;
  placeholder.bind = ({ record }) =>
    function callback(...args) {
      record.callbacks.push({ phase: record.phase, args: args.map((arg) => picture(arg)) });
      if (throws) throw throws;
      return returns;
    };
  return placeholder;
}

/** A key function for `verify`: calls back with `answers`, now or later, and returns `returns`. */
export function getKey({ answers, late, returns, throws, before }) {
  const placeholder = () => undefined;
  placeholder.bind = ({ record, later }) =>
    function getKey(header, done) {
      record.callbacks.push({ phase: record.phase, header: picture(header) });
      before?.(header);
      if (throws) throw throws;
      const answer = () => {
        try {
          return done(...answers);
        } catch (error) {
          // A late exception would be uncaught, so it is recorded; a synchronous one propagates.
          if (!late) throw error;
          return record.callbacks.push({ thrownLate: picture(error) });
        }
      };
      if (late) later(answer);
      else if (returns === 'the answer') return answer();
      else answer();
      return returns;
    };
  return placeholder;
}

/** A value as comparable data: property order, type and, for an error, its own fields. */
export function picture(value, seen = []) {
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value !== 'object' || value === null) return value;
  if (seen.includes(value)) return 'seen above';
  const path = [...seen, value];
  if (Buffer.isBuffer(value) || types.isUint8Array(value)) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (types.isKeyObject(value)) return `key of type ${value.type}`;
  const properties = Object.entries(value).map(([name, inner]) => [name, picture(inner, path)]);
  const kind = Object.prototype.toString.call(value);
  if (value instanceof Error) return { error: ancestors(value), kind, ...errorFields(value), properties };
  if (value instanceof Date) return { kind, time: value.getTime(), properties };
  if (value instanceof RegExp) return { kind, text: String(value), lastIndex: value.lastIndex, properties };
  return { kind, ancestors: ancestors(value), frozen: Object.isFrozen(value), properties };
}

function errorFields(error) {
  const message = RANDOM_MESSAGE.test(error.message) ? 'about a signature' : error.message;
  const names = Object.getOwnPropertyNames(error).sort();
  return { name: error.name, message, names, stackIsText: typeof error.stack === 'string', code: error.code };
}

function ancestors(value) {
  const names = [];
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) names.push(at.constructor?.name);
  return names;
}
