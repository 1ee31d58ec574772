/** Keys: parsed once into a `KeyObject`, checked against the algorithm, and prepared for the native core. */
import { KeyObject, createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { types } from 'node:util';
import { JwsKey } from '../../native.cjs';
import { Lru } from './compact.cjs';

/** Keys that are remembered by their content: this many, at most twice as many. */
const REMEMBERED = 64;

/** Longer ones are read anew each time. A private RSA key of 8192 bits takes 6,400 characters. */
const LONGEST = 8192;

/** Every PEM file has it. Looking for it saves asking OpenSSL whether a secret is a key. */
const PEM = '-----BEGIN ';

type Reader = typeof createPrivateKey | typeof createPublicKey;

/** Reads keys for one purpose: to sign or to verify. */
class KeyMaterial {
  readonly #read: Reader;
  readonly #texts = new Lru<KeyObject>(REMEMBERED);
  readonly #bytes = new Lru<KeyObject>(REMEMBERED);
  readonly #protected = new Lru<KeyObject>(REMEMBERED);

  constructor(read: Reader) {
    this.#read = read;
  }

  /** The key: asymmetric if `read` can make one of it, else a secret; undefined if it is neither. */
  of(input: unknown): KeyObject | undefined {
    if (input instanceof KeyObject) return input;
    if (typeof input === 'string') return this.#remembered(this.#texts, input, input);
    if (types.isUint8Array(input)) {
      const text = Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1');
      return this.#remembered(this.#bytes, text, input);
    }
    const name = nameOfProtected(input);
    return name === undefined ? this.#parse(input, true) : this.#remembered(this.#protected, name, input);
  }

  #remembered(cache: Lru<KeyObject>, name: string, input: unknown): KeyObject | undefined {
    let key = cache.get(name);
    if (key === undefined) {
      key = this.#parse(input, name.includes(PEM));
      if (key !== undefined && name.length <= LONGEST) cache.set(name, key);
    }
    return key;
  }

  #parse(input: unknown, mayBePem: boolean): KeyObject | undefined {
    if (mayBePem) {
      const key = attempt(() => this.#read(input as string));
      if (key !== undefined) return key;
    }
    return attempt(() => createSecretKey(typeof input === 'string' ? Buffer.from(input) : (input as Buffer)));
  }
}

/** A name for the content of a plain `{ key, passphrase }`, of which decrypting takes milliseconds. */
function nameOfProtected(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || Object.getPrototypeOf(input) !== Object.prototype) return undefined;
  const { key, passphrase, ...others } = input as { key?: unknown; passphrase?: unknown };
  if (typeof key !== 'string' || typeof passphrase !== 'string' || Object.keys(others).length > 0) return undefined;
  return `${passphrase.length}:${passphrase}${key}`;
}

function attempt<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}

/** Keys to sign with. */
export const signingKeys = new KeyMaterial(createPrivateKey);

/** Keys to verify with. Of a private key or a certificate it takes the public key. */
export const verifyingKeys = new KeyMaterial(createPublicKey);

const algorithmsOf: Record<string, string[]> = {
  ec: ['ES256', 'ES384', 'ES512'],
  rsa: ['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512'],
  'rsa-pss': ['PS256', 'PS384', 'PS512'],
};

const curveOf: Record<string, string> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };

/** What is wrong with `key` for `algorithm`. Secrets, and no key at all, fit every algorithm here. */
export function mismatch(algorithm: string, key: KeyObject | null | undefined): Error | undefined {
  const keyType = algorithm && key ? key.asymmetricKeyType : undefined;
  if (!keyType) return undefined;

  const allowed = algorithmsOf[keyType];
  if (!allowed) return new Error(`Unknown key type "${keyType}".`);
  if (!allowed.includes(algorithm)) {
    return new Error(`"alg" parameter for "${keyType}" key type must be one of: ${allowed.join(', ')}.`);
  }
  const details = key?.asymmetricKeyDetails ?? {};
  if (keyType === 'ec' && details.namedCurve !== curveOf[algorithm]) {
    return new Error(`"alg" parameter "${algorithm}" requires curve "${curveOf[algorithm]}".`);
  }
  if (keyType !== 'rsa-pss') return undefined;

  const bits = parseInt(algorithm.slice(-3), 10);
  const { hashAlgorithm, mgf1HashAlgorithm, saltLength } = details;
  if (hashAlgorithm !== `sha${bits}` || mgf1HashAlgorithm !== hashAlgorithm) {
    return new Error(
      `Invalid key for this operation, its RSA-PSS parameters do not meet the requirements of "alg" ${algorithm}.`,
    );
  }
  if (saltLength !== undefined && saltLength > bits >> 3) {
    return new Error(
      `Invalid key for this operation, its RSA-PSS parameter saltLength does not meet the requirements of "alg" ${algorithm}.`,
    );
  }
  return undefined;
}

/** A key for one algorithm. What it cannot do it answers with `undefined`. */
class NativeKey {
  /** Whether this key signed the token. */
  readonly verify: (token: string) => boolean | undefined;
  readonly #key: JwsKey;
  /** By the encoded header. Of an app's tokens there are few. */
  readonly #signers = new Lru<(payload: string) => string | undefined>(16);

  constructor(key: JwsKey) {
    this.#key = key;
    this.verify = key.verifier();
  }

  /** The token of an encoded header and a payload as text. */
  sign(header: string, payload: string): string | undefined {
    let sign = this.#signers.get(header);
    if (sign === undefined) {
      sign = this.#key.signer(header);
      this.#signers.set(header, sign);
    }
    return sign(payload);
  }
}

const prepared = new WeakMap<KeyObject, Map<string, NativeKey | null>>();

/** The native key, or null where `node:crypto` is to do the work. */
export function nativeKey(algorithm: string, key: KeyObject): NativeKey | null {
  let keys = prepared.get(key);
  if (keys === undefined) {
    keys = new Map();
    prepared.set(key, keys);
  }
  let native = keys.get(algorithm);
  if (native === undefined) {
    const jws = prepare(algorithm, key);
    native = jws && new NativeKey(jws);
    keys.set(algorithm, native);
  }
  return native;
}

function prepare(algorithm: string, key: KeyObject): JwsKey | null {
  if (key.type === 'secret') {
    const secret = key.export();
    try {
      return JwsKey.hmac(algorithm, secret);
    } finally {
      secret.fill(0);
    }
  }
  if (key.type !== 'public' || !isOrdinary(key)) return null;
  return JwsKey.public(algorithm, key.export({ format: 'der', type: 'spki' }));
}

/** Whether both libraries are sure to judge signatures by this key alike. */
function isOrdinary(key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'ec') return true;
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  return key.asymmetricKeyType === 'rsa' && publicExponent === 65537n && modulusLength >= 2048 && modulusLength <= 8192;
}
