/** Parses keys into `KeyObject`s, checks them against the algorithm, and creates native keys from them. */
import { KeyObject, createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { types } from 'node:util';
import { JwsKey } from '../../native.cjs';
import { Lru } from './compact.cjs';

/** The size of each key cache. A cache holds at most twice as many entries. */
const CACHE_SIZE = 64;

/** Longer inputs are not cached. A private RSA key of 8192 bits takes 6,400 characters. */
const MAX_CACHED_LENGTH = 8192;

/** Present in every PEM file. Without it a secret is not passed to the OpenSSL parser. */
const PEM = '-----BEGIN ';

type Reader = typeof createPrivateKey | typeof createPublicKey;

/** Parses and caches keys for one purpose: signing or verifying. */
class KeyMaterial {
  readonly #read: Reader;
  readonly #texts = new Lru<KeyObject>(CACHE_SIZE);
  readonly #bytes = new Lru<KeyObject>(CACHE_SIZE);
  readonly #encrypted = new Lru<KeyObject>(CACHE_SIZE);

  constructor(read: Reader) {
    this.#read = read;
  }

  /** Returns an asymmetric key if `read` accepts the input, else a secret key, else undefined. */
  of(input: unknown): KeyObject | undefined {
    if (input instanceof KeyObject) return input;
    if (typeof input === 'string') return this.#cached(this.#texts, input, input);
    if (types.isUint8Array(input)) {
      const text = Buffer.from(input.buffer, input.byteOffset, input.byteLength).toString('latin1');
      return this.#cached(this.#bytes, text, input);
    }
    const cacheKey = encryptedCacheKey(input);
    return cacheKey === undefined ? this.#parse(input, true) : this.#cached(this.#encrypted, cacheKey, input);
  }

  #cached(cache: Lru<KeyObject>, cacheKey: string, input: unknown): KeyObject | undefined {
    let key = cache.get(cacheKey);
    if (key === undefined) {
      key = this.#parse(input, cacheKey.includes(PEM));
      if (key !== undefined && cacheKey.length <= MAX_CACHED_LENGTH) cache.set(cacheKey, key);
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

/** The cache key of a plain `{ key, passphrase }`. Cached because decryption takes milliseconds. */
function encryptedCacheKey(input: unknown): string | undefined {
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

/** Signing keys. */
export const signingKeys = new KeyMaterial(createPrivateKey);

/** Verification keys. A private key or a certificate yields its public key. */
export const verifyingKeys = new KeyMaterial(createPublicKey);

const algorithmsOf: Record<string, string[]> = {
  ec: ['ES256', 'ES384', 'ES512'],
  rsa: ['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512'],
  'rsa-pss': ['PS256', 'PS384', 'PS512'],
};

const curveOf: Record<string, string> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };

/** Returns an error if `key` does not fit `algorithm`. Does not check secrets or a missing key. */
export function keyMismatch(algorithm: string, key: KeyObject | null | undefined): Error | undefined {
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

/** A native key for one algorithm. Operations that it does not support return `undefined`. */
class NativeKey {
  /** Verifies the signature of a token. */
  readonly verify: (token: string) => boolean | undefined;
  readonly #key: JwsKey;
  /** Signers by encoded header. An app uses few different headers. */
  readonly #signers = new Lru<(payload: string) => string | undefined>(16);

  constructor(key: JwsKey) {
    this.#key = key;
    this.verify = key.verifier();
  }

  /** Signs an encoded header and a payload text; returns the token. */
  sign(header: string, payload: string): string | undefined {
    let sign = this.#signers.get(header);
    if (sign === undefined) {
      sign = this.#key.signer(header);
      this.#signers.set(header, sign);
    }
    return sign(payload);
  }
}

const nativeKeys = new WeakMap<KeyObject, Map<string, NativeKey | null>>();

/** Returns the native key, or null if `node:crypto` must handle this key. */
export function nativeKey(algorithm: string, key: KeyObject): NativeKey | null {
  let keys = nativeKeys.get(key);
  if (keys === undefined) {
    keys = new Map();
    nativeKeys.set(key, keys);
  }
  let native = keys.get(algorithm);
  if (native === undefined) {
    const jws = createJwsKey(algorithm, key);
    native = jws && new NativeKey(jws);
    keys.set(algorithm, native);
  }
  return native;
}

function createJwsKey(algorithm: string, key: KeyObject): JwsKey | null {
  if (key.type === 'secret') {
    const secret = key.export();
    try {
      return JwsKey.hmac(algorithm, secret);
    } finally {
      secret.fill(0);
    }
  }
  if (key.type !== 'public' || !agreesWithOpenSsl(key)) return null;
  return JwsKey.public(algorithm, key.export({ format: 'der', type: 'spki' }));
}

/** Whether the native core and OpenSSL accept the same signatures for this key. */
function agreesWithOpenSsl(key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'ec') return true;
  const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {};
  return key.asymmetricKeyType === 'rsa' && publicExponent === 65537n && modulusLength >= 2048 && modulusLength <= 8192;
}
