/** Verifies the signature and claims of a token, in the order of npm `jsonwebtoken`. */
import type * as api from '../../jsonwebtoken.cjs';
import type { KeyObject } from 'node:crypto';
import { decodeToken, type Decoded } from './compact.cjs';
import { mismatch, verifyingKeys } from './keys.cjs';
import { timespan } from './sign-options.cjs';
import { verifyCompact } from './signature.cjs';

const HS = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const EC = ['ES256', 'ES384', 'ES512'];

/** See `verify` of the package. A callback is called before this returns, unless the key comes later. */
export function verify(jwtString: any, secretOrPublicKey: any, options?: any, callback?: any): any {
  if (typeof options === 'function' && !callback) {
    callback = options;
    options = {};
  }
  // A copy: the caller may change his while the key is on its way, and defaults are put into it.
  options = Object.assign({}, options);

  const done =
    callback ||
    ((error: unknown, data: unknown) => {
      if (error) throw error;
      return data;
    });

  const refused = refusedOptions(options);
  if (refused) return done(refused);
  const now = options.clockTimestamp || Math.floor(Date.now() / 1000);

  if (!jwtString) return done(new JsonWebTokenError('jwt must be provided'));
  if (typeof jwtString !== 'string') return done(new JsonWebTokenError('jwt must be a string'));

  let decoded: Decoded | null;
  try {
    // The header goes to nobody unless it is asked for.
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

  const withKey = (given: any): any => {
    const problem = refusedToken(jwtString, token, given, options, now);
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
  return secretOrPublicKey(token.header, (err: any, given: any) => {
    if (err) return done(new JsonWebTokenError('error in secret or public key callback: ' + err.message));
    return withKey(given);
  });
}

function refusedOptions(options: any): Error | undefined {
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

/** What is wrong with the token under the key that was `given`. */
function refusedToken(jwtString: string, token: Decoded, given: any, options: any, now: number): unknown {
  const hasSignature = token.signature !== '';
  if (!hasSignature && given) return new JsonWebTokenError('jwt signature is required');
  if (hasSignature && !given) return new JsonWebTokenError('secret or public key must be provided');
  if (!hasSignature && !options.algorithms) {
    return new JsonWebTokenError('please specify "none" in "algorithms" to verify unsigned tokens');
  }

  // Without a signature there may be no key: then every look at it throws, as it always did.
  let key = given as KeyObject;
  if (given != null) {
    const made = verifyingKeys.of(given);
    if (!made) return new JsonWebTokenError('secretOrPublicKey is not valid key material');
    key = made;
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
    const unfit = options.allowInvalidAsymmetricKeyTypes ? undefined : mismatch(header.alg, key);
    if (unfit) return unfit;
    if (!verifyCompact(jwtString, header.alg, key)) return new JsonWebTokenError('invalid signature');
  } catch (error) {
    return error;
  }
  return refusedClaim(token.payload, options, now);
}

function defaultAlgorithms(key: KeyObject): string[] {
  if (key.type === 'secret') return HS;
  return key.asymmetricKeyType === 'ec' ? EC : RSA;
}

/**
 * The first thing that is wrong, in the order in which npm `jsonwebtoken` looks.
 *
 * @param payload - Mostly an object. Null makes it throw, as it does there.
 * @param now - Seconds since 1970.
 */
export function refusedClaim(payload: any, options: any, now: number): Error | undefined {
  return refusedTime(payload, options, now) ?? refusedNames(payload, options) ?? refusedAge(payload, options, now);
}

function refusedTime(payload: any, options: any, now: number): Error | undefined {
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

function refusedNames(payload: any, options: any): Error | undefined {
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
    // Anything that is neither text nor an array checks nothing.
    const other = typeof issuer === 'string' && payload.iss !== issuer;
    if (other || (Array.isArray(issuer) && issuer.indexOf(payload.iss) === -1)) {
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

function refusedAge(payload: any, options: any, now: number): Error | undefined {
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
