/** Checks of what the app passes to a method. Messages name the argument and never contain its value. */
import { types } from 'node:util';
import { unknownOptionProblem } from '../native.cjs';
import { AuthError, type Catalog } from './catalog.cjs';
import type { RequestProof, SubjectId } from './session.cjs';

/** What an argument must be, and the words for it. */
export interface Check {
  readonly accepts: (value: unknown) => boolean;
  readonly expected: string;
}

/** The check of each option of `T`. */
export type Checks<T> = { readonly [Name in keyof Required<T>]: Check };

export const isText: Check = { accepts: (value) => typeof value === 'string', expected: 'a string' };
export const isFlag: Check = { accepts: (value) => typeof value === 'boolean', expected: 'true or false' };
export const isFunction: Check = { accepts: (value) => typeof value === 'function', expected: 'a function' };
export const isAnything: Check = { accepts: () => true, expected: 'a value' };
export const isDate: Check = {
  accepts: (value) => types.isDate(value) && !Number.isNaN(value.getTime()),
  expected: 'a valid date',
};
export const isProof: Check = {
  accepts: (value) => {
    if (!isObject(value)) return false;
    const { proof, method, path } = value as unknown as RequestProof;
    return [proof, method, path].every(isText.accepts);
  },
  expected: 'an object with the strings proof, method and path',
};

/** The options of the methods `error`. */
export const errorOptions: Checks<{ detail?: string; cause?: unknown }> = { detail: isText, cause: isAnything };

/** @throws AuthError `ERR_ARGUMENT_INVALID` */
export function checkArgument(name: string, value: unknown, check: Check, catalog: Catalog): void {
  if (!check.accepts(value)) throw catalog.argumentInvalid(name, `expected ${check.expected}`);
}

/**
 * Checks the options of a method. An option that is `undefined` is absent.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for what is no object, for an unknown option, with the nearest known one,
 * and for an unfit value.
 */
export function checkOptions<T extends object>(options: T, checks: Checks<T>, catalog: Catalog): void {
  if (!isObject(options)) throw catalog.argumentInvalid('options', 'expected an object');
  const known = Object.keys(checks);
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) throw catalog.argumentInvalid(name, unknownOptionProblem(name, known));
    if (value !== undefined) checkArgument(name, value, checks[name as keyof T], catalog);
  }
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

export const isSubject: Check = {
  accepts: (value) => typeof value === 'string' || Number.isSafeInteger(value),
  expected: 'a string or a whole number',
};

/**
 * The app's claims as JSON text.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` for what is no plain object, and for content that JSON cannot hold: it would
 * be dropped or changed without a word.
 */
export function encodeClaims(claims: unknown, catalog: Catalog): string {
  if (!isPlain(claims)) throw catalog.argumentInvalid('claims', 'expected a plain object');
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
    return value === null || Array.isArray(value) || isPlain(value) ? undefined : describe(value);
  }
  const isFit = value === undefined || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value);
  return isFit ? undefined : describe(value);
}

/** Whether the content of `value` is in its properties, unlike that of a `Map` or a `Date`. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** The kind of a value that JSON cannot hold, without the value. */
export function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an object of class ${value.constructor?.name}`;
  return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
