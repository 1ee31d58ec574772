/** Verifies tokens, with the checks of npm `jsonwebtoken` in the same order. */
import type * as api from '../../jsonwebtoken.cjs';
import type { KeyObject } from 'node:crypto';
import { decodeToken, type Decoded } from './compact.cjs';
import { keyMismatch, verifyingKeys } from './keys.cjs';
import { timespan } from './sign-options.cjs';
import { verifyCompact } from './signature.cjs';

const HS = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EC = ['ES256', 'ES384', 'ES512'];

/** See `verify` in `jsonwebtoken.d.cts`. Calls the callback synchronously, unless the key function is asynchronous. */
export function verify(jwtString: any, secretOrPublicKey: any, options?: any, callback?: any): any {
  if (typeof options === 'function' && !callback) {
    callback = options;
    options = {};
  }
  // Copy: the caller may change the options during an asynchronous key lookup, and defaults are added below.
  options = Object.assign({}, options);

  const done =
    callback ||
    ((error: unknown, data: unknown) => {
      if (error) throw error;
      return data;
    });

  const invalidOption = checkOptions(options);
  if (invalidOption) return done(invalidOption);
  const now = options.clockTimestamp || Math.floor(Date.now() / 1000);

  if (!jwtString) return done(new JsonWebTokenError('jwt must be provided'));
  if (typeof jwtString !== 'string') return done(new JsonWebTokenError('jwt must be a string'));

  let decoded: Decoded | null;
  try {
    // A cached header must not reach the caller or the key function, which could change it.
    const sharedHeader = options.complete !== true && typeof secretOrPublicKey !== 'function';
    decoded = decodeToken(jwtString, { sharedHeader });
  } catch (error) {
    return done(error);
  }
  if (!decoded) {
    const three = jwtString.split('.').length === 3;
    return done(new JsonWebTokenError(three ? 'invalid token' : 'jwt malformed'));
  }
  const token = decoded;

  const withKey = (keyInput: any): any => {
    const problem = checkToken(jwtString, token, keyInput, options, now);
    if (problem) return done(problem);
    return done(null, options.complete === true ? token : token.payload);
  };

  if (typeof secretOrPublicKey !== 'function') return withKey(secretOrPublicKey);
  if (!callback) {
    return done(
      new JsonWebTokenError(
        'verify must be called asynchronous if secret or public key is provided as a callback',
      ),
    );
  }
  return secretOrPublicKey(token.header, (err: any, keyInput: any) => {
    if (err) return done(new JsonWebTokenError('error in secret or public key callback: ' + err.message));
    return withKey(keyInput);
  });
}

function checkOptions(options: any): Error | undefined {
  if (options.clockTimestamp && typeof options.clockTimestamp !== 'number') {
    return new JsonWebTokenError('clockTimestamp must be a number');
  }
  const { nonce, allowInvalidAsymmetricKeyTypes } = options;
  if (nonce !== undefined && (typeof nonce !== 'string' || nonce.trim() === '')) {
    return new JsonWebTokenError('nonce must be a non-empty string');
  }
  if (allowInvalidAsymmetricKeyTypes !== undefined && typeof allowInvalidAsymmetricKeyTypes !== 'boolean') {
    return new JsonWebTokenError('allowInvalidAsymmetricKeyTypes must be a boolean');
  }
  return undefined;
}

/** Returns the first error of the token: key, algorithm, signature, claims. */
function checkToken(jwtString: string, token: Decoded, keyInput: any, options: any, now: number): unknown {
  const hasSignature = token.signature !== '';
  if (!hasSignature && keyInput) return new JsonWebTokenError('jwt signature is required');
  if (hasSignature && !keyInput) return new JsonWebTokenError('secret or public key must be provided');
  if (!hasSignature && !options.algorithms) {
    return new JsonWebTokenError('please specify "none" in "algorithms" to verify unsigned tokens');
  }

  // Without a signature the key may be missing; accessing its properties then throws, as in npm `jsonwebtoken`.
  let key = keyInput as KeyObject;
  if (keyInput != null) {
    const parsedKey = verifyingKeys.of(keyInput);
    if (!parsedKey) return new JsonWebTokenError('secretOrPublicKey is not valid key material');
    key = parsedKey;
  }
  if (!options.algorithms) options.algorithms = defaultAlgorithms(key);

  const { header } = token;
  if (options.algorithms.indexOf(header.alg) === -1) return new JsonWebTokenError('invalid algorithm');
  if (header.alg.startsWith('HS') && key.type !== 'secret') {
    return new JsonWebTokenError(`secretOrPublicKey must be a symmetric key when using ${header.alg}`);
  }
  if (/^(?:RS|PS|ES)/.test(header.alg) && key.type !== 'public') {
    return new JsonWebTokenError(`secretOrPublicKey must be an asymmetric key when using ${header.alg}`);
  }

  try {
    const problem = options.allowInvalidAsymmetricKeyTypes ? undefined : keyMismatch(header.alg, key);
    if (problem) return problem;
    if (!verifyCompact(jwtString, header.alg, key)) return new JsonWebTokenError('invalid signature');
  } catch (error) {
    return error;
  }
  return checkClaims(token.payload, options, now);
}

function defaultAlgorithms(key: KeyObject): string[] {
  if (key.type === 'secret') return HS;
  return key.asymmetricKeyType === 'ec' ? EC : RSA;
}

/**
 * Returns the first claim error, in the order of npm `jsonwebtoken`.
 *
 * @param payload - Usually an object. Null throws, as in npm `jsonwebtoken`.
 * @param now - Seconds since 1970.
 */
export function checkClaims(payload: any, options: any, now: number): Error | undefined {
  return checkTimes(payload, options, now) ?? checkNames(payload, options) ?? checkMaxAge(payload, options, now);
}

function checkTimes(payload: any, options: any, now: number): Error | undefined {
  const tolerance = options.clockTolerance || 0;
  if (typeof payload.nbf !== 'undefined' && !options.ignoreNotBefore) {
    if (typeof payload.nbf !== 'number') return new JsonWebTokenError('invalid nbf value');
    if (payload.nbf > now + tolerance) return new NotBeforeError('jwt not active', new Date(payload.nbf * 1000));
  }
  if (typeof payload.exp !== 'undefined' && !options.ignoreExpiration) {
    if (typeof payload.exp !== 'number') return new JsonWebTokenError('invalid exp value');
    if (now >= payload.exp + tolerance) return new TokenExpiredError('jwt expired', new Date(payload.exp * 1000));
  }
  return undefined;
}

function checkNames(payload: any, options: any): Error | undefined {
  if (options.audience) {
    const audiences: any[] = Array.isArray(options.audience) ? options.audience : [options.audience];
    const targets: any[] = Array.isArray(payload.aud) ? payload.aud : [payload.aud];
    const fits = (target: any) => (audience: any) =>
      audience instanceof RegExp ? audience.test(target) : audience === target;
    if (!targets.some((target) => audiences.some(fits(target)))) {
      return new JsonWebTokenError('jwt audience invalid. expected: ' + audiences.join(' or '));
    }
  }
  const { issuer } = options;
  if (issuer) {
    // An issuer that is neither a string nor an array is not checked, as in npm `jsonwebtoken`.
    const isMismatch = typeof issuer === 'string' && payload.iss !== issuer;
    if (isMismatch || (Array.isArray(issuer) && issuer.indexOf(payload.iss) === -1)) {
      return new JsonWebTokenError('jwt issuer invalid. expected: ' + issuer);
    }
  }
  if (options.subject && payload.sub !== options.subject) {
    return new JsonWebTokenError('jwt subject invalid. expected: ' + options.subject);
  }
  if (options.jwtid && payload.jti !== options.jwtid) {
    return new JsonWebTokenError('jwt jwtid invalid. expected: ' + options.jwtid);
  }
  if (options.nonce && payload.nonce !== options.nonce) {
    return new JsonWebTokenError('jwt nonce invalid. expected: ' + options.nonce);
  }
  return undefined;
}

function checkMaxAge(payload: any, options: any, now: number): Error | undefined {
  if (!options.maxAge) return undefined;
  if (typeof payload.iat !== 'number') return new JsonWebTokenError('iat required when maxAge is specified');
  const end = timespan(options.maxAge, payload.iat);
  if (typeof end === 'undefined') {
    return new JsonWebTokenError(
      '"maxAge" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60',
    );
  }
  if (now >= end + (options.clockTolerance || 0)) {
    return new TokenExpiredError('maxAge exceeded', new Date(end * 1000));
  }
  return undefined;
}

interface ErrorFields {
  name: string;
  message: string;
  inner?: unknown;
  date?: unknown;
  expiredAt?: unknown;
}

function JsonWebTokenErrorFunction(this: ErrorFields, message: string, error?: unknown): void {
  Error.captureStackTrace(this, this.constructor as () => void);
  this.name = 'JsonWebTokenError';
  this.message = message;
  if (error) this.inner = error;
}

function TokenExpiredErrorFunction(this: ErrorFields, message: string, expiredAt: unknown): void {
  JsonWebTokenErrorFunction.call(this, message);
  this.name = 'TokenExpiredError';
  this.expiredAt = expiredAt;
}

function NotBeforeErrorFunction(this: ErrorFields, message: string, date: unknown): void {
  JsonWebTokenErrorFunction.call(this, message);
  this.name = 'NotBeforeError';
  this.date = date;
}

/** Makes `constructor` inherit from `parent`. `constructor` stays enumerable, as in npm `jsonwebtoken`. */
function inherit(constructor: { prototype: object }, parent: { prototype: object }, name: string): unknown {
  constructor.prototype = Object.create(parent.prototype) as object;
  (constructor.prototype as { constructor: unknown }).constructor = constructor;
  return Object.defineProperty(constructor, 'name', { value: name });
}

/** An invalid token; the base class of the other two errors. */
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

/** `nbf` is in the future. */
export const NotBeforeError = inherit(
  NotBeforeErrorFunction,
  JsonWebTokenErrorFunction,
  'NotBeforeError',
) as typeof api.NotBeforeError;
