/** A signed token, made in the order in which npm `jsonwebtoken` makes it. */
import type { KeyObject } from 'node:crypto';
import { encodeHeader, encodeOrdinaryHeader, textOf } from './compact.cjs';
import { mismatch, signingKeys } from './keys.cjs';
import { refusedOptions, refusedPayload, timespan } from './sign-options.cjs';
import { signCompact } from './signature.cjs';

const ONLY_FOR_OBJECTS = ['expiresIn', 'notBefore', 'noTimestamp', 'audience', 'issuer', 'subject', 'jwtid'];

/** Everything that is needed to sign. */
interface Job {
  header: any;
  /** As it is to be written, if nothing was to be put into it. */
  payload: any;
  payloadText: () => string;
  key: KeyObject;
  options: any;
}

/** Why there is nothing to sign: handed to the callback, or thrown where there is none. */
class Refusal {
  constructor(readonly error: unknown) {}
}

const refuse = (message: string): Refusal => new Refusal(new Error(message));

/** See `sign` of the package. With a callback, the header and the payload are written at the next tick. */
export function sign(payload: any, secretOrPrivateKey: any, options?: any, callback?: any): any {
  if (typeof options === 'function') {
    callback = options;
    options = {};
  } else {
    options = options || {};
  }

  const job = prepare(payload, secretOrPrivateKey, options, typeof callback !== 'function');
  if (job instanceof Refusal) {
    if (callback) return callback(job.error);
    throw job.error;
  }
  if (typeof callback !== 'function') return write(job);

  refuseUnwritable(job.payload);
  process.nextTick(() => {
    let token: string;
    try {
      token = write(job);
    } catch (error) {
      callback(error);
      return;
    }
    try {
      callback(null, token);
    } catch {
      // Lost, as it is lost in npm `jsonwebtoken`: an app that lives with it must not crash by the change.
    }
  });
  return undefined;
}

/**
 * Checks everything and completes the payload. What throws here throws out of `sign`, callback or
 * not. `isAtOnce`: the payload is written before anybody can change it.
 */
function prepare(payload: any, given: any, options: any, isAtOnce: boolean): Job | Refusal {
  const isObject = typeof payload === 'object' && !Buffer.isBuffer(payload);
  const header: any = {
    alg: options.algorithm || 'HS256',
    typ: isObject ? 'JWT' : undefined,
    kid: options.keyid,
  };
  if (options.header !== undefined) Object.assign(header, options.header);

  const key = keyFor(header, given, options);
  if (key instanceof Refusal) return key;

  if (typeof payload === 'undefined') return refuse('payload is required');
  if (isObject) {
    const problem = refusedPayload(payload);
    if (problem) return new Refusal(problem);
  } else {
    const unfit = ONLY_FOR_OBJECTS.filter((name) => typeof options[name] !== 'undefined');
    if (unfit.length > 0) return refuse(`invalid ${unfit.join(',')} option for ${typeof payload} payload`);
  }
  if (typeof payload.exp !== 'undefined' && typeof options.expiresIn !== 'undefined') {
    return refuse('Bad "options.expiresIn" option the payload already has an "exp" property.');
  }
  if (typeof payload.nbf !== 'undefined' && typeof options.notBefore !== 'undefined') {
    return refuse('Bad "options.notBefore" option the payload already has an "nbf" property.');
  }

  const problem =
    refusedOptions(options) ?? (options.allowInvalidAsymmetricKeyTypes ? undefined : mismatch(header.alg, key));
  if (problem) return new Refusal(problem);

  const text = isObject && isAtOnce ? appended(payload, options) : undefined;
  if (text) return { header, payload, payloadText: text, key, options };
  const whole = isObject && !options.mutatePayload ? copyOf(payload) : payload;
  return complete(whole, isObject, options) ?? { header, payload: whole, payloadText: () => textOf(whole), key, options };
}

/** The key to sign with, if it is of the kind that the algorithm needs. */
function keyFor(header: any, given: any, options: any): KeyObject | Refusal {
  if (!given && options.algorithm !== 'none') return refuse('secretOrPrivateKey must have a value');

  // For `none` there may be no key: then every look at it throws, as it always did.
  const key = given == null ? (given as KeyObject) : signingKeys.of(given);
  if (key === undefined && given != null) return refuse('secretOrPrivateKey is not valid key material');
  const present = key as KeyObject;

  if (header.alg.startsWith('HS')) {
    if (present.type === 'secret') return present;
    return refuse(`secretOrPrivateKey must be a symmetric key when using ${header.alg}`);
  }
  if (/^(?:RS|PS|ES)/.test(header.alg)) {
    if (present.type !== 'private') {
      return refuse(`secretOrPrivateKey must be an asymmetric key when using ${header.alg}`);
    }
    const bits = present.asymmetricKeyDetails?.modulusLength ?? Infinity;
    if (bits < 2048 && !options.allowInsecureKeySizes && !header.alg.startsWith('ES')) return tooSmall(header.alg);
  }
  return present;
}

const tooSmall = (algorithm: string): Refusal =>
  refuse(`secretOrPrivateKey has a minimum key size of 2048 bits for ${algorithm}`);

/** As `Object.assign({}, payload)`, in a fifth of the time: where the two differ, that. */
function copyOf(payload: any): any {
  return Object.hasOwn(payload, '__proto__') ? Object.assign({}, payload) : { ...payload };
}

/** Sets a claim of a payload of the caller's, which stays as it is if it is frozen. */
const put = (payload: any, claim: string, value: unknown): unknown => Reflect.set(payload, claim, value);

/**
 * Puts the claims that come of the options into the payload. The names of properties are written
 * out: by a name that is computed it takes several times as long to ask for one or to set it.
 */
function complete(payload: any, isObject: boolean, options: any): Refusal | undefined {
  const { noTimestamp, mutatePayload, notBefore, expiresIn, audience, issuer, subject, jwtid } = options;
  const timestamp: number = payload.iat || Math.floor(Date.now() / 1000);
  if (noTimestamp) {
    Reflect.deleteProperty(payload, 'iat');
  } else if (isObject) {
    if (mutatePayload) put(payload, 'iat', timestamp);
    else payload.iat = timestamp;
  }

  try {
    if (typeof notBefore !== 'undefined') {
      const nbf = timespan(notBefore, timestamp);
      if (mutatePayload) put(payload, 'nbf', nbf);
      else payload.nbf = nbf;
      if (typeof payload.nbf === 'undefined') return noSpan('notBefore');
    }
    if (typeof expiresIn !== 'undefined') {
      const exp = timespan(expiresIn, timestamp);
      if (mutatePayload) put(payload, 'exp', exp);
      else payload.exp = exp;
      if (typeof payload.exp === 'undefined') return noSpan('expiresIn');
    }
  } catch (error) {
    return new Refusal(error);
  }

  return (
    (typeof audience === 'undefined' ? undefined : completeName(payload, 'aud', 'audience', options)) ??
    (typeof issuer === 'undefined' ? undefined : completeName(payload, 'iss', 'issuer', options)) ??
    (typeof subject === 'undefined' ? undefined : completeName(payload, 'sub', 'subject', options)) ??
    (typeof jwtid === 'undefined' ? undefined : completeName(payload, 'jti', 'jwtid', options))
  );
}

function noSpan(option: string): Refusal {
  return refuse(`"${option}" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60`);
}

function completeName(payload: any, claim: string, option: string, options: any): Refusal | undefined {
  if (typeof payload[claim] !== 'undefined') {
    return refuse(`Bad "options.${option}" option. The payload already has an "${claim}" property.`);
  }
  if (options.mutatePayload) put(payload, claim, options[option]);
  else payload[claim] = options[option];
  return undefined;
}

/** Payloads that can be written, but not with a callback. @throws TypeError */
function refuseUnwritable(payload: any): void {
  if (payload && !payload.length && typeof payload !== 'object') {
    throw new TypeError('Unexpected data type (' + typeof payload + ')');
  }
}

/** The header has no members but the two that nearly all have. The algorithm is one that exists. */
function isOrdinary(header: any, options: any): boolean {
  const { alg, typ, kid } = header;
  return options.header === undefined && kid === undefined && typ === 'JWT' && typeof alg === 'string';
}

/** @throws what JSON, `Buffer.from` and `node:crypto` throw. */
function write({ header, payloadText, key, options }: Job): string {
  const token = signCompact(
    header.alg,
    key,
    () => (isOrdinary(header, options) ? encodeOrdinaryHeader(header.alg) : encodeHeader(header)),
    payloadText,
    options.encoding || 'utf8',
  );
  // A key that is not RSA, let through by `allowInvalidAsymmetricKeyTypes`, shows by a short signature.
  if (token.length < 256 && !options.allowInsecureKeySizes && /^(?:RS|PS)/.test(header.alg)) {
    throw tooSmall(header.alg).error;
  }
  return token;
}

/**
 * What gives the JSON of a plain object as payload, with the claims of the options behind its own;
 * nothing where that may be another text, or an error, than by way of an object.
 */
export function appended(payload: any, options: any): (() => string) | undefined {
  const { noTimestamp, mutatePayload, notBefore, expiresIn, audience, issuer, subject, jwtid } = options;
  if (noTimestamp || mutatePayload || isSpecial(payload) || 'iat' in payload) return undefined;

  const iat = Math.floor(Date.now() / 1000);
  let claims = `"iat":${iat}`;
  // Written out: a loop over these takes a fifth of the whole call.
  if (notBefore !== undefined) {
    const nbf = instantOf(notBefore, iat);
    if (nbf === undefined || 'nbf' in payload) return undefined;
    claims += `,"nbf":${nbf}`;
  }
  if (expiresIn !== undefined) {
    const exp = instantOf(expiresIn, iat);
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

/** It would not be written as its copy is. */
function isSpecial(payload: any): boolean {
  return payload.toJSON !== undefined || Object.hasOwn(payload, '__proto__');
}

/** In seconds; nothing for what is no span of time, or none that JSON has a number for. */
function instantOf(span: any, from: number): number | undefined {
  try {
    const instant: unknown = timespan(span, from);
    return Number.isFinite(instant) ? (instant as number) : undefined;
  } catch {
    return undefined;
  }
}
