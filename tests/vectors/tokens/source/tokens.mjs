// Tokens made by hand: whatever header, whatever payload, whatever signature.
import { constants, createHmac, sign as signWith } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SECRET, pairOf, privateKey } from './keys.mjs';

/** The second at which the clocks stand unless a case says otherwise. */
export const NOW = 1_700_000_000;

export const b64 = (value) => Buffer.from(value).toString('base64url');
const json = (value) => (typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value));

export const HEADER = { alg: 'HS256', typ: 'at+jwt' };
export const CLAIMS = { iss: 'https://issuer.test', sub: 'user-7', aud: ['api'], iat: NOW, exp: NOW + 900 };

/** The claims of a good token with these changed; `undefined` takes one away. */
export const claims = (changes = {}) => ({ ...CLAIMS, ...changes });
/** JSON text of the claims of a good token, with this text put in before its end. */
export const claimsAnd = (text) => `${JSON.stringify(CLAIMS).slice(0, -1)},${text}}`;
/** The same without the claim `name`. */
export const claimsWith = (name, text) =>
  `${JSON.stringify(claims({ [name]: undefined })).slice(0, -1)},${JSON.stringify(name)}:${text}}`;

export const hmac = (alg, secret, input) =>
  createHmac(`sha${alg.slice(2)}`, secret).update(input).digest();

/** The signature that `alg` asks for, as bytes. */
export function signature(alg, input, key, { salt = constants.RSA_PSS_SALTLEN_DIGEST, hash = `sha${alg.slice(2)}` } = {}) {
  const message = Buffer.from(input);
  if (alg.startsWith('HS')) return hmac(alg, key ?? SECRET, message);
  const pair = key ?? privateKey(pairOf[alg]);
  if (alg === 'EdDSA') return signWith(null, message, pair);
  if (alg.startsWith('ES')) return signWith(hash, message, { key: pair, dsaEncoding: 'ieee-p1363' });
  if (alg.startsWith('RS')) return signWith(hash, message, pair);
  return signWith(hash, message, { key: pair, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt });
}

/** A token of segments that are encoded already. */
export const joined = (header, payload, signatureBytes) => `${header}.${payload}.${b64(signatureBytes)}`;
/** Signs segments that are encoded already. */
export const seal = (header, payload, alg = 'HS256', key = undefined) =>
  joined(header, payload, signature(alg, `${header}.${payload}`, key));
/** A token of this header and payload (objects, JSON text or bytes). */
export const token = (header = HEADER, payload = CLAIMS, alg = 'HS256', key = undefined) =>
  seal(b64(json(header)), b64(json(payload)), alg, key);
export const good = () => token();

/** The three segments of a token. */
export const segments = (text) => text.split('.');
/** `text` with other bytes as its signature. */
export const signedBy = (text, bytes) => joined(...segments(text).slice(0, 2), bytes);
export const signatureOf = (text) => Buffer.from(segments(text)[2], 'base64url');

const signed = JSON.parse(readFileSync(new URL('../../access/signatures.json', import.meta.url), 'utf8'));
export const SIGNED_PAYLOAD = signed.payload;
/** The committed token of an algorithm. Signatures by ECDSA and PSS are of chance, so that a new one with each
 *  run would change the files. */
export const signedToken = (alg) => signed.tokens.find((entry) => entry.alg === alg).token;
