/** Checks of what the app passes to a method. Messages name the argument and never contain its value. */
import { types } from 'node:util';
import { unknownOptionProblem } from '../native.cjs';
import { AuthError, type AuthErrorOptions, type Catalog } from './catalog.cjs';
import type { ClientDetails, RequestProof, SubjectId } from './session.cjs';

/** What an argument must be, and the words for it. */
export interface Check {
  readonly accepts: (value: unknown) => boolean;
  readonly expected: string;
}

/** The check of each option of `T`. */
export type Checks<T> = { readonly [Name in keyof Required<T>]: Check };

export const isText: Check = { accepts: (value) => typeof value === 'string', expected: 'a string' };
/** For ids: the core reads UTF-8, in which all lone surrogates would be the same character. */
export const isWellFormedText: Check = {
  accepts: (value) => typeof value === 'string' && value.isWellFormed(),
  expected: 'a string without lone surrogates',
};
/** `null` too, as `Headers.get` returns it. */
export const isTextOrNull: Check = {
  accepts: (value) => value === null || isWellFormedText.accepts(value),
  expected: isWellFormedText.expected,
};
export const isFlag: Check = { accepts: (value) => typeof value === 'boolean', expected: 'true or false' };
export const isFunction: Check = { accepts: (value) => typeof value === 'function', expected: 'a function' };
export const isAnything: Check = { accepts: () => true, expected: 'a value' };
export const isDate: Check = {
  accepts: (value) => types.isDate(value) && !Number.isNaN(value.getTime()),
  expected: 'a valid date',
};
export const isObject: Check = {
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  expected: 'an object',
};
export const isProof: Check = {
  accepts: (value) => {
    if (!isObject.accepts(value)) return false;
    const { proof, method, path } = value as unknown as RequestProof;
    return [proof, method, path].every(isText.accepts);
  },
  expected: 'an object with the strings proof, method and path',
};

/** The options of the methods `error`. */
export const errorOptions: Checks<{ detail?: string; cause?: unknown }> = { detail: isText, cause: isAnything };
/** The options of `new AuthError`. */
export const authErrorOptions: Checks<AuthErrorOptions> = {
  ...errorOptions,
  text: isText,
  field: isText,
  reason: isText,
  nonce: isText,
  retryAfter: { accepts: Number.isFinite, expected: 'a number of seconds' },
  wwwAuthenticate: isText,
};

/** @throws AuthError `ERR_ARGUMENT_INVALID` */
export function checkArgument(name: string, value: unknown, check: Check, catalog: Catalog): void {
  if (!check.accepts(value)) throw catalog.argumentInvalid(name, `expected ${check.expected}`);
}

/**
 * Checks the options of a method. An option that is `undefined` is absent.
 *
 * @param parent - The option that contains these; by default they are the argument `options`.
 * @throws AuthError `ERR_ARGUMENT_INVALID` for what is no plain object, for an unknown option, with the nearest known
 * one, and for an unfit value.
 */
export function checkOptions<T extends object>(options: T, checks: Checks<T>, catalog: Catalog, parent?: string): void {
  if (!isPlain(options)) throw catalog.argumentInvalid(parent ?? 'options', 'expected a plain object');
  const known = Object.keys(checks);
  const unknownProblem = (name: string) => (known.length === 0 ? 'there are no options here' : unknownOptionProblem(name, known));
  const pathOf = (name: string) => (parent === undefined ? name : `${parent}.${name}`);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw catalog.argumentInvalid(pathOf(name), unknownProblem(name));
  }
  // By the known names, because an option that is not enumerable is read too.
  for (const name of known) {
    const value = options[name];
    if (value !== undefined) checkArgument(pathOf(name), value, checks[name as keyof T], catalog);
  }
}

/**
 * Refuses options where a method takes none: they would be ignored.
 *
 * @param options - The argument after the last one.
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function refuseOptions(options: unknown, catalog: Catalog): void {
  if (options !== undefined) checkOptions(options as object, {}, catalog);
}

/**
 * A user's id as text. Accepts strings and whole numbers only: `String(undefined)` would be a valid id.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID`
 */
export function subjectText(subject: unknown, catalog: Catalog): string {
  checkArgument('subject', subject, isSubject, catalog);
  return String(subject as SubjectId);
}

export const isLifetime: Check = {
  accepts: (value) => isWellFormedText.accepts(value) || (typeof value === 'number' && Number.isFinite(value)),
  expected: "a number of seconds, or a text such as '14d'",
};

export const isSubject: Check = {
  accepts: (value) => isWellFormedText.accepts(value) || Number.isSafeInteger(value),
  expected: 'a string without lone surrogates, or a whole number',
};

/**
 * The app's claims as JSON text.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for what is no plain object, and for content that JSON cannot hold: it would
 * be dropped or changed without a word.
 */
export function encodeClaims(claims: unknown, catalog: Catalog): string {
  if (!isRecord(claims)) throw catalog.argumentInvalid('claims', 'expected a plain object');
  const refuse = (name: string, value: unknown): unknown => {
    const what = unfit(value);
    if (what !== undefined) throw catalog.argumentInvalid('claims', `${name || 'the object'} cannot be ${what}`);
    return value;
  };
  try {
    const text = JSON.stringify(claims, refuse);
    if (text.startsWith('{')) return text;
  } catch (thrown) {
    // A cycle, or what a getter of the app throws.
    if (thrown instanceof AuthError) throw thrown;
    throw catalog.argumentInvalid('claims', 'cannot be written as JSON', thrown);
  }
  throw catalog.argumentInvalid('claims', 'expected a plain object');
}

/** The words for a value that JSON cannot hold. */
function unfit(value: unknown): string | undefined {
  if (typeof value === 'object') {
    return value === null || Array.isArray(value) || isRecord(value) ? undefined : describe(value);
  }
  const isFit = value === undefined || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
  return isFit ? undefined : describe(value);
}

/** Whether the content of `value` is in its properties, unlike that of a `Map` or a `Date`. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/**
 * Whether `value` is an object that inherits from nothing but the `Object.prototype` of any realm. What it inherited
 * otherwise would be read and not be checked, or be dropped.
 */
export function isPlain<T>(value: T): value is T & Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/** The kind of a value that JSON cannot hold, without the value. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) {
    const { constructor } = (Object.getPrototypeOf(value) ?? {}) as { constructor?: unknown };
    const isClass = typeof constructor === 'function' && constructor.name !== 'Object';
    return isClass ? `an object of class ${constructor.name}` : 'an object that inherits properties';
  }
  return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
}

/** The details of a client for the core, which takes no `null`. */
export function detailsOf({ address, userAgent }: ClientDetails): { address: string | undefined; userAgent: string | undefined } {
  return { address: address ?? undefined, userAgent: userAgent ?? undefined };
}
