// The keys of the corpus, by the crypto module of Node.js: an implementation that regrant does not use.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

const folder = new URL('../../keys/', import.meta.url);
export const pem = (name) => readFileSync(new URL(`test-only-${name}.pem`, folder), 'utf8');

/** The secret of `access/signatures.json`. */
export const SECRET = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
/** The secret that is in use beside it, under another `kid`. */
export const OTHER_SECRET = 'fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210';

export const privateKey = (name) => createPrivateKey(pem(`${name}.private`));
export const publicKey = (name) => createPublicKey(pem(`${name}.public`));
export const publicPem = (name) => pem(`${name}.public`);

/** A public key in PEM of a JWK. */
export const pemOfJwk = (jwk) => createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });

/** Which of the committed keys an algorithm signs with. */
export const pairOf = {
  RS256: 'rsa2048-a', RS384: 'rsa2048-a', RS512: 'rsa2048-a',
  PS256: 'rsa2048-a', PS384: 'rsa2048-a', PS512: 'rsa2048-a',
  ES256: 'p256-a', ES384: 'p384-a', EdDSA: 'ed25519-a',
};
