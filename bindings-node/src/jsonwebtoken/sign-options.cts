/** Validation of the options and payload of `sign`, and time spans. */
import ms = require('ms');

interface Validator {
  isValid: (value: unknown) => unknown;
  message: string;
}

const ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'none',
];

const isSpan = (value: unknown): unknown => Number.isInteger(value) || (isString(value) && value);
const span = (name: string): Validator => ({
  isValid: isSpan,
  message: `"${name}" should be a number of seconds or string representing a timespan`,
});
const text = (name: string): Validator => ({ isValid: isString, message: `"${name}" must be a string` });
const flag = (name: string): Validator => ({ isValid: isBoolean, message: `"${name}" must be a boolean` });
const seconds = (name: string): Validator => ({ isValid: isNumber, message: `"${name}" should be a number of seconds` });

const OPTIONS = schemaOf({
  expiresIn: span('expiresIn'),
  notBefore: span('notBefore'),
  audience: {
    isValid: (value) => isString(value) || Array.isArray(value),
    message: '"audience" must be a string or array',
  },
  algorithm: {
    isValid: (value) => ALGORITHMS.includes(value as string),
    message: '"algorithm" must be a valid string enum value',
  },
  header: { isValid: isPlainObject, message: '"header" must be an object' },
  encoding: text('encoding'),
  issuer: text('issuer'),
  subject: text('subject'),
  jwtid: text('jwtid'),
  noTimestamp: flag('noTimestamp'),
  keyid: text('keyid'),
  mutatePayload: flag('mutatePayload'),
  allowInsecureKeySizes: flag('allowInsecureKeySizes'),
  allowInvalidAsymmetricKeyTypes: flag('allowInvalidAsymmetricKeyTypes'),
});

const CLAIMS = schemaOf({ iat: seconds('iat'), exp: seconds('exp'), nbf: seconds('nbf') });

type Schema = ReadonlyMap<string, Validator>;

/**
 * Names such as `constructor` find what every object inherits, and are refused for it: as in npm
 * `jsonwebtoken`, which asks an object. A map says several times as fast that it has no such name.
 */
function schemaOf(validators: Record<string, Validator>): Schema {
  const inherited = Object.getOwnPropertyNames(Object.prototype);
  return new Map([...inherited, ...Object.keys(validators)].map((name) => [name, validators[name] as Validator]));
}

/** What is wrong with the options, in the order in which the caller wrote them. */
export function refusedOptions(options: unknown): unknown {
  return refused(OPTIONS, false, options, 'options');
}

/** What is wrong with a payload that is an object. */
export function refusedPayload(payload: unknown): unknown {
  return refused(CLAIMS, true, payload, 'payload');
}

function refused(schema: Schema, allowUnknown: boolean, object: any, name: string): unknown {
  try {
    if (!isPlainObject(object)) return new Error(`Expected "${name}" to be a plain object.`);
    for (const key of Object.keys(object)) {
      const validator = schema.get(key);
      if (validator) {
        if (!validator.isValid(object[key])) return new Error(validator.message);
      } else if (!allowUnknown) {
        return new Error(`"${key}" is not allowed in "${name}"`);
      }
    }
    return undefined;
  } catch (error) {
    return error;
  }
}

const tagOf = (value: unknown): string => Object.prototype.toString.call(value) as string;
const isBoxed = (value: unknown, tag: string): boolean => typeof value === 'object' && value !== null && tagOf(value) === tag;

export function isString(value: unknown): boolean {
  return typeof value === 'string' || (!Array.isArray(value) && isBoxed(value, '[object String]'));
}

/** NaN and the infinities are numbers. */
export function isNumber(value: unknown): boolean {
  return typeof value === 'number' || isBoxed(value, '[object Number]');
}

export function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean' || isBoxed(value, '[object Boolean]');
}

const objectSource = Function.prototype.toString.call(Object);

/** Made by `{}`, `Object` or `Object.create(null)`, in whatever realm: by its source, not its identity. */
export function isPlainObject(value: unknown): boolean {
  if (!isBoxed(value, '[object Object]')) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  // Nearly always: the source of a function is made anew whenever it is asked for.
  if (prototype === Object.prototype && prototype.constructor === Object) return true;
  const maker: unknown = Object.hasOwn(prototype, 'constructor') && prototype.constructor;
  return typeof maker === 'function' && Function.prototype.toString.call(maker) === objectSource;
}

/**
 * The instant `time` after `iat`, in seconds since 1970; after now where there is no `iat` or it
 * is 0. Undefined when `time` is no span.
 */
export function timespan(time: unknown, iat?: number): number | undefined {
  const timestamp = iat || Math.floor(Date.now() / 1000);
  if (typeof time === 'number') return timestamp + time;
  if (typeof time !== 'string') return undefined;
  const milliseconds = ms(time as ms.StringValue) as number | undefined;
  return milliseconds === undefined ? undefined : Math.floor(timestamp + milliseconds / 1000);
}
