// The tokens to verify: as regrant issues them, and readable by every contestant.
import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { TestClock, createAuth } from '../../../../bindings-node/index.mjs';

export const ISSUER = 'https://app.example';
export const AUDIENCE = 'api';
export const SECRET = '0123456789abcdef0123456789abcdef';

/** Keys by algorithm, in the forms that the contestants want. */
export function keysFor(algorithm) {
  if (algorithm === 'HS256') {
    return { text: SECRET, verifying: createSecretKey(Buffer.from(SECRET)), signing: SECRET, config: { secret: SECRET } };
  }
  const { privateKey, publicKey } = generateKeyPairSync(...KINDS[algorithm]);
  const pem = (key, type) => key.export({ type, format: 'pem' });
  const secret = pem(privateKey, 'pkcs8');
  return {
    text: pem(publicKey, 'spki'),
    verifying: publicKey,
    signing: secret,
    config: { refreshSecret: SECRET, keys: [{ alg: algorithm, privateKey: secret }] },
  };
}

const KINDS = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

/** An auth object on the memory store; `cache`: how many verified tokens it keeps, or `false`. */
export function authWith(keys, cache, clock) {
  const access = { issuer: ISSUER, audience: AUDIENCE, cache };
  return createAuth({ ...keys.config, access, store: 'memory:', clock });
}

/** This many tokens, each of another user. `past`: they have expired. */
export async function issue(keys, count, past = false) {
  const auth = authWith(keys, false, past ? new TestClock(Date.now() - 3_600_000) : undefined);
  const tokens = [];
  for (let user = 0; user < count; user += 1) tokens.push((await auth.login(`user-${user}`)).accessToken);
  return tokens;
}

/** The tokens with another character early in their signatures. */
export function forged(tokens) {
  return tokens.map((token) => {
    const place = token.lastIndexOf('.') + 5;
    return token.slice(0, place) + (token[place] === 'A' ? 'B' : 'A') + token.slice(place + 1);
  });
}
