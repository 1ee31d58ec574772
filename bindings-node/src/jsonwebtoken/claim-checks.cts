/** What `verify` asks of the claims of a token whose signature is good. */
import { JsonWebTokenError, NotBeforeError, TokenExpiredError } from './errors.cjs';
import { timespan } from './timespan.cjs';

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
