/** From whatever a caller has for a key to Node's `KeyObject`, once per key and not per call. */
import { KeyObject, createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { types } from 'node:util';
import { Lru } from './lru.cjs';

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
