// What a call does, as data that can be compared.
import { types } from 'node:util';

/** Messages about random numbers: what the DER of an ECDSA signature happened to be. */
const RANDOM_MESSAGE = /^(Could not find expected "(seq|int)|"(seq|r|s)" specified length|Expected to consume)/;

/**
 * Calls `api[method](...args)` and waits until it has answered, or will not. Gives what it did: of
 * each call, where there are several with the same arguments, which each may change.
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
  const given = args.map((arg) => (typeof arg === 'function' && arg.inWorld ? arg.inWorld(world) : arg));
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
    // Runs after whatever the call itself has put off.
    process.nextTick(() => (record.phase = 'later'));
    // Twice: a callback may come of something that was put off.
    do await new Promise(setImmediate);
    while (pending > 0);
    await new Promise(setImmediate);
    outcomes.push({ ...outcome, callbacks: record.callbacks, after: given.map((arg) => picture(arg)) });
  }
  return outcomes;
}

/** A callback that records how it was called, and then returns or throws what it is told. */
export function callback({ returns, throws } = {}) {
  const placeholder = () => undefined;
  placeholder.inWorld = ({ record }) =>
    function callback(...args) {
      record.callbacks.push({ phase: record.phase, args: args.map((arg) => picture(arg)) });
      if (throws) throw throws;
      return returns;
    };
  return placeholder;
}

/** A function for the key of `verify`: answers with `answers`, at once or later, and returns `returns`. */
export function getKey({ answers, late, returns, throws, before }) {
  const placeholder = () => undefined;
  placeholder.inWorld = ({ record, later }) =>
    function getKey(header, done) {
      record.callbacks.push({ phase: record.phase, header: picture(header) });
      before?.(header);
      if (throws) throw throws;
      const answer = () => {
        try {
          return done(...answers);
        } catch (error) {
          // Later there is nobody who could catch it; at once it goes its way.
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

/** A value as data: with the order of its properties, its kind and, for an error, how it looks. */
export function picture(value, seen = []) {
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value !== 'object' || value === null) return value;
  if (seen.includes(value)) return 'seen above';
  const path = [...seen, value];
  if (Buffer.isBuffer(value) || types.isUint8Array(value)) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (types.isKeyObject(value)) return `key of type ${value.type}`;
  const properties = Object.entries(value).map(([name, inner]) => [name, picture(inner, path)]);
  const kind = Object.prototype.toString.call(value);
  if (value instanceof Error) return { error: ancestors(value), kind, ...looks(value), properties };
  if (value instanceof Date) return { kind, time: value.getTime(), properties };
  if (value instanceof RegExp) return { kind, text: String(value), lastIndex: value.lastIndex, properties };
  return { kind, ancestors: ancestors(value), frozen: Object.isFrozen(value), properties };
}

function looks(error) {
  const message = RANDOM_MESSAGE.test(error.message) ? 'about a signature' : error.message;
  const names = Object.getOwnPropertyNames(error).sort();
  return { name: error.name, message, names, stackIsText: typeof error.stack === 'string', code: error.code };
}

function ancestors(value) {
  const names = [];
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) names.push(at.constructor?.name);
  return names;
}
