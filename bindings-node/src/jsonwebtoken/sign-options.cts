/** Validates the options and payload of `sign`; parses timespans. */
import ms = require('ms');

interface Validator {
  isValid: (value: unknown) => unknown;
  message: string;
}

const ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'HS256', 'HS384', 'HS512', 'none',
];

const isTimespan = (value: unknown): unknown => Number.isInteger(value) || (isString(value) && value);
const timespanOption = (name: string): Validator => ({
  isValid: isTimespan,
  message: `"${name}" should be a number of seconds or string representing a timespan`,
});
const textOption = (name: string): Validator => ({ isValid: isString, message: `"${name}" must be a string` });
const booleanOption = (name: string): Validator => ({ isValid: isBoolean, message: `"${name}" must be a boolean` });
const secondsClaim = (name: string): Validator => ({ isValid: isNumber, message: `"${name}" should be a number of seconds` });

const OPTIONS = schemaOf({
  expiresIn: timespanOption('expiresIn'),
  notBefore: timespanOption('notBefore'),
  audience: {
    isValid: (value) => isString(value) || Array.isArray(value),
    message: '"audience" must be a string or array',
  },
  algorithm: {
    isValid: (value) => ALGORITHMS.includes(value as string),
    message: '"algorithm" must be a valid string enum value',
  },
  header: { isValid: isPlainObject, message: '"header" must be an object' },
  encoding: textOption('encoding'),
  issuer: textOption('issuer'),
  subject: textOption('subject'),
  jwtid: textOption('jwtid'),
  noTimestamp: booleanOption('noTimestamp'),
  keyid: textOption('keyid'),
  mutatePayload: booleanOption('mutatePayload'),
  allowInsecureKeySizes: booleanOption('allowInsecureKeySizes'),
  allowInvalidAsymmetricKeyTypes: booleanOption('allowInvalidAsymmetricKeyTypes'),
});

const CLAIMS = schemaOf({ iat: secondsClaim('iat'), exp: secondsClaim('exp'), nbf: secondsClaim('nbf') });

type Schema = ReadonlyMap<string, Validator>;

/**
 * npm `jsonwebtoken` looks names up in a plain object, so names such as `constructor` find an
 * inherited property and fail validation. The map reproduces that, with several times faster misses.
 */
function schemaOf(validators: Record<string, Validator>): Schema {
  const inherited = Object.getOwnPropertyNames(Object.prototype);
  return new Map([...inherited, ...Object.keys(validators)].map((name) => [name, validators[name] as Validator]));
}

/** Returns the first validation error of the options, in the caller's property order. */
export function validateOptions(options: unknown): unknown {
  return validate(OPTIONS, false, options, 'options');
}

/** Returns the first validation error of an object payload. */
export function validatePayload(payload: unknown): unknown {
  return validate(CLAIMS, true, payload, 'payload');
}

function validate(schema: Schema, allowUnknown: boolean, object: any, name: string): unknown {
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

/** Accepts NaN and the infinities. */
export function isNumber(value: unknown): boolean {
  return typeof value === 'number' || isBoxed(value, '[object Number]');
}

export function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean' || isBoxed(value, '[object Boolean]');
}

const objectSource = Function.prototype.toString.call(Object);

/** Whether `{}`, `Object` or `Object.create(null)` made the value, in any realm: compares the constructor's source. */
export function isPlainObject(value: unknown): boolean {
  if (!isBoxed(value, '[object Object]')) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  // Fast path for the common case: `toString` of a function builds its source on every call.
  if (prototype === Object.prototype && prototype.constructor === Object) return true;
  const ctor: unknown = Object.hasOwn(prototype, 'constructor') && prototype.constructor;
  return typeof ctor === 'function' && Function.prototype.toString.call(ctor) === objectSource;
}

/**
 * Returns `iat` plus `time` in seconds since 1970, with the current time in place of a missing or
 * zero `iat`; undefined if `time` is not a timespan.
 */
export function timespan(time: unknown, iat?: number): number | undefined {
  const timestamp = iat || Math.floor(Date.now() / 1000);
  if (typeof time === 'number') return timestamp + time;
  if (typeof time !== 'string') return undefined;
  const milliseconds = ms(time as ms.StringValue) as number | undefined;
  return milliseconds === undefined ? undefined : Math.floor(timestamp + milliseconds / 1000);
}
