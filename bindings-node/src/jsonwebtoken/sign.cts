/** Signs tokens, with the checks of npm `jsonwebtoken` in the same order. */
import type { KeyObject } from 'node:crypto';
import { encodeDefaultHeader, encodeHeader, toText } from './compact.cjs';
import { keyMismatch, signingKeys } from './keys.cjs';
import { timespan, validateOptions, validatePayload } from './sign-options.cjs';
import { signCompact } from './signature.cjs';

const ONLY_FOR_OBJECTS = ['expiresIn', 'notBefore', 'noTimestamp', 'audience', 'issuer', 'subject', 'jwtid'];

/** The validated input of one signature. */
interface SigningInput {
  header: any;
  /** The payload object, or the unchanged input if `payloadText` appends the claims. */
  payload: any;
  payloadText: () => string;
  key: KeyObject;
  options: any;
}

/** A validation error: passed to the callback, or thrown without one. */
class ValidationFailure {
  constructor(readonly error: unknown) {}
}

const fail = (message: string): ValidationFailure => new ValidationFailure(new Error(message));

/** See `sign` in `jsonwebtoken.d.cts`. With a callback, it serializes header and payload in the next tick. */
export function sign(payload: any, secretOrPrivateKey: any, options?: any, callback?: any): any {
  if (typeof options === 'function') {
    callback = options;
    options = {};
  } else {
    options = options || {};
  }

  const input = prepare(payload, secretOrPrivateKey, options, typeof callback !== 'function');
  if (input instanceof ValidationFailure) {
    if (callback) return callback(input.error);
    throw input.error;
  }
  if (typeof callback !== 'function') return serialize(input);

  checkSerializable(input.payload);
  process.nextTick(() => {
    let token: string;
    try {
      token = serialize(input);
    } catch (error) {
      callback(error);
      return;
    }
    try {
      callback(null, token);
    } catch {
      // Ignored, as in npm `jsonwebtoken`: an app that depends on it must not start to crash.
    }
  });
  return undefined;
}

/**
 * Validates the input and adds the claims to the payload. Exceptions propagate out of `sign` even
 * with a callback. With `isSync` the caller cannot change the payload before it is serialized.
 */
function prepare(payload: any, keyInput: any, options: any, isSync: boolean): SigningInput | ValidationFailure {
  const isObject = typeof payload === 'object' && !Buffer.isBuffer(payload);
  const header: any = {
    alg: options.algorithm || 'HS256',
    typ: isObject ? 'JWT' : undefined,
    kid: options.keyid,
  };
  if (options.header !== undefined) Object.assign(header, options.header);

  const key = keyFor(header, keyInput, options);
  if (key instanceof ValidationFailure) return key;

  if (typeof payload === 'undefined') return fail('payload is required');
  if (isObject) {
    const problem = validatePayload(payload);
    if (problem) return new ValidationFailure(problem);
  } else {
    const unfit = ONLY_FOR_OBJECTS.filter((name) => typeof options[name] !== 'undefined');
    if (unfit.length > 0) return fail(`invalid ${unfit.join(',')} option for ${typeof payload} payload`);
  }
  if (typeof payload.exp !== 'undefined' && typeof options.expiresIn !== 'undefined') {
    return fail('Bad "options.expiresIn" option the payload already has an "exp" property.');
  }
  if (typeof payload.nbf !== 'undefined' && typeof options.notBefore !== 'undefined') {
    return fail('Bad "options.notBefore" option the payload already has an "nbf" property.');
  }

  const problem =
    validateOptions(options) ?? (options.allowInvalidAsymmetricKeyTypes ? undefined : keyMismatch(header.alg, key));
  if (problem) return new ValidationFailure(problem);

  const text = isObject && isSync ? appendClaims(payload, options) : undefined;
  if (text) return { header, payload, payloadText: text, key, options };
  const claims = isObject && !options.mutatePayload ? copyOf(payload) : payload;
  return addClaims(claims, isObject, options, isSync) ?? { header, payload: claims, payloadText: () => toText(claims), key, options };
}

/** Parses the signing key and checks that its type fits the algorithm. */
function keyFor(header: any, keyInput: any, options: any): KeyObject | ValidationFailure {
  if (!keyInput && options.algorithm !== 'none') return fail('secretOrPrivateKey must have a value');

  // With `none` the key may be missing; accessing its properties then throws, as in npm `jsonwebtoken`.
  const key = keyInput == null ? (keyInput as KeyObject) : signingKeys.of(keyInput);
  if (key === undefined && keyInput != null) return fail('secretOrPrivateKey is not valid key material');
  const present = key as KeyObject;

  if (header.alg.startsWith('HS')) {
    if (present.type === 'secret') return present;
    return fail(`secretOrPrivateKey must be a symmetric key when using ${header.alg}`);
  }
  if (/^(?:RS|PS|ES)/.test(header.alg)) {
    if (present.type !== 'private') {
      return fail(`secretOrPrivateKey must be an asymmetric key when using ${header.alg}`);
    }
    const bits = present.asymmetricKeyDetails?.modulusLength ?? Infinity;
    if (bits < 2048 && !options.allowInsecureKeySizes && !header.alg.startsWith('ES')) return keyTooSmall(header.alg);
  }
  return present;
}

const keyTooSmall = (algorithm: string): ValidationFailure =>
  fail(`secretOrPrivateKey has a minimum key size of 2048 bits for ${algorithm}`);

/** `Object.assign({}, payload)`, by object spread where the result is the same (five times faster). */
function copyOf(payload: any): any {
  return Object.hasOwn(payload, '__proto__') ? Object.assign({}, payload) : { ...payload };
}

/** Sets a claim of the caller's payload object. Has no effect on a frozen object. */
const setClaim = (payload: any, claim: string, value: unknown): unknown => Reflect.set(payload, claim, value);

/**
 * Adds the claims that the options define to the payload. The usual call without a callback is served by `appendClaims`,
 * so this one is short and not fast.
 */
function addClaims(payload: any, isObject: boolean, options: any, isSync: boolean): ValidationFailure | undefined {
  const { noTimestamp, mutatePayload, notBefore, expiresIn } = options;
  const timestamp: number = payload.iat || Math.floor(Date.now() / 1000);
  if (noTimestamp) {
    Reflect.deleteProperty(payload, 'iat');
  } else if (isObject) {
    if (mutatePayload) setClaim(payload, 'iat', timestamp);
    else payload.iat = timestamp;
  }

  try {
    if (typeof notBefore !== 'undefined') {
      const nbf = timespan(notBefore, timestamp);
      if (mutatePayload) setClaim(payload, 'nbf', nbf);
      else payload.nbf = nbf;
      if (typeof payload.nbf === 'undefined') return invalidTimespan('notBefore');
    }
    if (typeof expiresIn !== 'undefined') {
      const exp = timespan(expiresIn, timestamp);
      if (mutatePayload) setClaim(payload, 'exp', exp);
      else payload.exp = exp;
      if (typeof payload.exp === 'undefined') return invalidTimespan('expiresIn');
    }
  } catch (error) {
    return new ValidationFailure(error);
  }

  let problem: ValidationFailure | undefined;
  for (const [claim, option] of NAMED_CLAIMS) {
    if (typeof options[option] === 'undefined') continue;
    const failure = addNamedClaim(payload, claim, option, options);
    problem ??= failure;
    // With a callback, npm `jsonwebtoken` adds the other claims all the same: a caller who shares the payload sees them.
    if (problem !== undefined && isSync) return problem;
  }
  return problem;
}

const NAMED_CLAIMS = [['aud', 'audience'], ['iss', 'issuer'], ['sub', 'subject'], ['jti', 'jwtid']] as const;

function invalidTimespan(option: string): ValidationFailure {
  return fail(`"${option}" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60`);
}

function addNamedClaim(payload: any, claim: string, option: string, options: any): ValidationFailure | undefined {
  if (typeof payload[claim] !== 'undefined') {
    return fail(`Bad "options.${option}" option. The payload already has an "${claim}" property.`);
  }
  if (options.mutatePayload) setClaim(payload, claim, options[option]);
  else payload[claim] = options[option];
  return undefined;
}

/** @throws TypeError for a payload that npm `jsonwebtoken` accepts only without a callback. */
function checkSerializable(payload: any): void {
  if (payload && !payload.length && typeof payload !== 'object') {
    throw new TypeError('Unexpected data type (' + typeof payload + ')');
  }
}

/** Whether the header contains only `alg` and `typ: JWT`. Assumes that the algorithm is supported. */
function isDefaultHeader(header: any, options: any): boolean {
  const { alg, typ, kid } = header;
  return options.header === undefined && kid === undefined && typ === 'JWT' && typeof alg === 'string';
}

/** Serializes and signs. @throws errors of `JSON.stringify`, `Buffer.from` and `node:crypto`. */
function serialize({ header, payloadText, key, options }: SigningInput): string {
  const token = signCompact(
    header.alg,
    key,
    () => (isDefaultHeader(header, options) ? encodeDefaultHeader(header.alg) : encodeHeader(header)),
    payloadText,
    options.encoding || 'utf8',
  );
  // A short signature reveals a key that is not RSA, which `allowInvalidAsymmetricKeyTypes` lets pass.
  if (token.length < 256 && !options.allowInsecureKeySizes && /^(?:RS|PS)/.test(header.alg)) {
    throw keyTooSmall(header.alg).error;
  }
  return token;
}

/**
 * Returns a function that serializes a plain object payload and appends the claims of the options
 * to its JSON. Returns undefined if the result could differ from serializing a completed copy.
 */
export function appendClaims(payload: any, options: any): (() => string) | undefined {
  const { noTimestamp, mutatePayload, notBefore, expiresIn, audience, issuer, subject, jwtid } = options;
  if (noTimestamp || mutatePayload || hasCustomSerialization(payload) || 'iat' in payload) return undefined;

  const iat = Math.floor(Date.now() / 1000);
  let claims = `"iat":${iat}`;
  // Unrolled: a loop would take a fifth of the time of the whole call.
  if (notBefore !== undefined) {
    const nbf = timestampAfter(notBefore, iat);
    if (nbf === undefined || 'nbf' in payload) return undefined;
    claims += `,"nbf":${nbf}`;
  }
  if (expiresIn !== undefined) {
    const exp = timestampAfter(expiresIn, iat);
    if (exp === undefined || 'exp' in payload) return undefined;
    claims += `,"exp":${exp}`;
  }
  if (audience !== undefined) {
    if ('aud' in payload) return undefined;
    claims += `,"aud":${JSON.stringify(audience)}`;
  }
  if (issuer !== undefined) {
    if ('iss' in payload) return undefined;
    claims += `,"iss":${JSON.stringify(issuer)}`;
  }
  if (subject !== undefined) {
    if ('sub' in payload) return undefined;
    claims += `,"sub":${JSON.stringify(subject)}`;
  }
  if (jwtid !== undefined) {
    if ('jti' in payload) return undefined;
    claims += `,"jti":${JSON.stringify(jwtid)}`;
  }
  return () => {
    const text = JSON.stringify(payload);
    return text === '{}' ? `{${claims}}` : `${text.slice(0, -1)},${claims}}`;
  };
}

/** Whether the payload and its copy serialize differently. */
function hasCustomSerialization(payload: any): boolean {
  return payload.toJSON !== undefined || Object.hasOwn(payload, '__proto__');
}

/** Returns `from` plus `span` in seconds; undefined for an invalid timespan or a result that is not finite. */
function timestampAfter(span: any, from: number): number | undefined {
  try {
    const instant: unknown = timespan(span, from);
    return Number.isFinite(instant) ? (instant as number) : undefined;
  } catch {
    return undefined;
  }
}
