// The verifiers that the cases name: keys and policy, in the words of regrant's configuration.
import { OTHER_SECRET, SECRET, pairOf, pemOfJwk, publicPem } from './keys.mjs';
import { rfcKeys } from './rfc.mjs';

const policy = { issuers: ['https://issuer.test'], audiences: ['api'] };
const secret = (alg = 'HS256', bytes = SECRET, kid = undefined) =>
  ({ alg, secret: Buffer.from(bytes).toString('base64url'), kid });
const pair = (alg, name = pairOf[alg], kid = undefined) => ({ alg, publicKey: publicPem(name), kid });
const hs256 = (changes) => ({ keys: [secret()], policy: { ...policy, ...changes } });

export const verifiers = {
  ...Object.fromEntries(['HS256', 'HS384', 'HS512'].map((alg) => [alg, { keys: [secret(alg)], policy }])),
  ...Object.fromEntries(Object.keys(pairOf).map((alg) => [alg, { keys: [pair(alg)], policy }])),
  // One ring with keys of several algorithms, without and with names.
  mixed: { keys: [secret(), pair('RS256'), pair('ES256'), pair('EdDSA')], policy },
  named: {
    keys: [secret('HS256', SECRET, 'mac'), secret('HS256', OTHER_SECRET, 'mac-2'), pair('RS256', undefined, 'rsa')],
    policy,
  },
  rotated: { keys: [pair('EdDSA', 'ed25519-b', 'new'), pair('EdDSA', 'ed25519-a', 'old')], policy },
  legacy: hs256({ legacyMaxLifetime: 86_400 }),
  'legacy-user-id': hs256({ legacyMaxLifetime: 86_400, subjectClaim: 'userId' }),
  'user-id': hs256({ subjectClaim: 'userId' }),
  leeway: hs256({ leeway: 60 }),
  'max-age': hs256({ maxAge: 600 }),
  role: hs256({ requiredClaims: ['role'] }),
  'no-audience': hs256({ audiences: [] }),
  small: hs256({ maxTokenBytes: 256 }),
  ...Object.fromEntries(Object.entries(rfcKeys).map(([name, { alg, jwk, issuer }]) => {
    const key = jwk.kty === 'oct' ? { alg, secret: jwk.k } : { alg, publicKey: pemOfJwk(jwk) };
    return [name, { keys: [key], policy: { issuers: [issuer], audiences: [], legacyMaxLifetime: 86_400 } }];
  })),
};
