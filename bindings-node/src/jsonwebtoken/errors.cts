/**
 * The errors of npm `jsonwebtoken`, made the way it makes them.
 *
 * They are functions and not classes on purpose: `name` and `message` become own enumerable
 * properties, so that `JSON.stringify(error)` shows them, and code that calls
 * `JsonWebTokenError.call(this, …)` goes on working.
 */
import type * as api from '../../jsonwebtoken.cjs';

interface Unfinished {
  name: string;
  message: string;
  inner?: unknown;
  date?: unknown;
  expiredAt?: unknown;
}

function JsonWebTokenErrorFunction(this: Unfinished, message: string, error?: unknown): void {
  Error.captureStackTrace(this, this.constructor as () => void);
  this.name = 'JsonWebTokenError';
  this.message = message;
  if (error) this.inner = error;
}

function TokenExpiredErrorFunction(this: Unfinished, message: string, expiredAt: unknown): void {
  JsonWebTokenErrorFunction.call(this, message);
  this.name = 'TokenExpiredError';
  this.expiredAt = expiredAt;
}

function NotBeforeErrorFunction(this: Unfinished, message: string, date: unknown): void {
  JsonWebTokenErrorFunction.call(this, message);
  this.name = 'NotBeforeError';
  this.date = date;
}

/** Makes `constructor` inherit from `parent`, with `constructor` as enumerable as the real one. */
function inherit(constructor: { prototype: object }, parent: { prototype: object }, name: string): unknown {
  constructor.prototype = Object.create(parent.prototype) as object;
  (constructor.prototype as { constructor: unknown }).constructor = constructor;
  return Object.defineProperty(constructor, 'name', { value: name });
}

/** Whatever is wrong with a token, and the parent of the other two. */
export const JsonWebTokenError = inherit(
  JsonWebTokenErrorFunction,
  Error,
  'JsonWebTokenError',
) as typeof api.JsonWebTokenError;

/** `exp` or `maxAge` has passed. */
export const TokenExpiredError = inherit(
  TokenExpiredErrorFunction,
  JsonWebTokenErrorFunction,
  'TokenExpiredError',
) as typeof api.TokenExpiredError;

/** `nbf` has not come yet. */
export const NotBeforeError = inherit(
  NotBeforeErrorFunction,
  JsonWebTokenErrorFunction,
  'NotBeforeError',
) as typeof api.NotBeforeError;
