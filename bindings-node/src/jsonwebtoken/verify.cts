/** Signature and claims of a token, in the order in which npm `jsonwebtoken` looks at them. */
import type { KeyObject } from 'node:crypto';
import { refusedClaim } from './claim-checks.cjs';
import type { Decoded } from './compact.cjs';
import { decodeToken } from './decode.cjs';
import { JsonWebTokenError } from './errors.cjs';
import { mismatch } from './key-check.cjs';
import { verifyingKeys } from './key-material.cjs';
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
