/**
 * Keys of the native core, prepared once per `KeyObject` and algorithm.
 *
 * It takes the ordinary ones: HMAC secrets, and public keys on P-256 and P-384 or RSA of usual
 * size. For the others, and for private keys, which stay inside OpenSSL, there is `node:crypto`.
 */
import type { KeyObject } from 'node:crypto';
import { JwsKey } from '../../native.cjs';

const prepared = new WeakMap<KeyObject, Map<string, JwsKey | null>>();

/** The native key, or null where `node:crypto` is to do the work. */
export function nativeKey(algorithm: string, key: KeyObject): JwsKey | null {
  let keys = prepared.get(key);
  if (keys === undefined) {
    keys = new Map();
    prepared.set(key, keys);
  }
  let native = keys.get(algorithm);
  if (native === undefined) {
    native = prepare(algorithm, key);
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
