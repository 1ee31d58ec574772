/**
 * Keys of the native core, prepared once per `KeyObject` and algorithm.
 *
 * It takes the ordinary ones: HMAC secrets, and public keys on P-256 and P-384 or RSA of usual
 * size. For the others, and for private keys, which stay inside OpenSSL, there is `node:crypto`.
 */
import type { KeyObject } from 'node:crypto';
import { JwsKey } from '../../native.cjs';
import { Lru } from './lru.cjs';

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
