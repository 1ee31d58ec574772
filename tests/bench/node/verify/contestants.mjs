// The contestants: each is a function that checks signature, `exp`, `iss` and `aud` of a token and
// returns its claims or throws.
import { createRequire } from 'node:module';
import { createVerifier } from 'fast-jwt';
import { jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import * as dropIn from '../../../../bindings-node/jsonwebtoken.mjs';
import { AUDIENCE, ISSUER, authWith } from './tokens.mjs';

/**
 * `@node-rs/jsonwebtoken` by its addon, which is all that it is: the package around it wants those
 * of all platforms to be there.
 */
function loadNodeRs() {
  try {
    return createRequire(import.meta.url)('@node-rs/jsonwebtoken-linux-x64-gnu');
  } catch (error) {
    console.error(`@node-rs/jsonwebtoken is left out: ${error.message}`);
    return undefined;
  }
}

const nodeRs = loadNodeRs();

/** More tokens than any case has. */
const CACHE = 20_000;

export function contestants(algorithm, keys) {
  const rules = { algorithms: [algorithm], issuer: ISSUER, audience: AUDIENCE };
  const fast = (cache) =>
    createVerifier({ key: keys.text, algorithms: [algorithm], allowedIss: ISSUER, allowedAud: AUDIENCE, cache });
  const [fastJwt, fastJwtCache] = [fast(false), fast(CACHE)];
  const [plain, keeping] = [authWith(keys, false), authWith(keys, CACHE)];
  const nodeRsRules = { algorithms: [nodeRs?.Algorithm[algorithm]], iss: [ISSUER], aud: [AUDIENCE], leeway: 0 };
  const all = [
    ['jsonwebtoken', (token) => jsonwebtoken.verify(token, keys.text, rules)],
    ['jsonwebtoken, KeyObject', (token) => jsonwebtoken.verify(token, keys.verifying, rules)],
    ['jose', (token) => jwtVerify(token, keys.verifying, rules), { waits: true }],
    ['@node-rs/jsonwebtoken', (token) => nodeRs.verifySync(token, keys.text, nodeRsRules)],
    ['fast-jwt', fastJwt],
    ['fast-jwt, cache', fastJwtCache, { caches: true }],
    ['regrant/jsonwebtoken', (token) => dropIn.verify(token, keys.text, rules)],
    ['regrant', (token) => plain.verify(token)],
    ['regrant, cache', (token) => keeping.verify(token), { caches: true }],
  ];
  return all
    .filter(([name]) => nodeRs !== undefined || name !== '@node-rs/jsonwebtoken')
    .filter(([name]) => algorithm !== 'EdDSA' || !name.includes('jsonwebtoken') || name === '@node-rs/jsonwebtoken')
    .map(([name, verify, traits]) => ({ name, verify, waits: false, caches: false, ...traits }));
}

/** As above, for signing the same claims. */
export function signers(keys, createSigner) {
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'user-1', role: 'admin' };
  const fast = createSigner({ key: keys.signing, algorithm: 'HS256', expiresIn: 900_000 });
  const all = [
    ['jsonwebtoken', () => jsonwebtoken.sign(claims, keys.text, { expiresIn: 900 })],
    ['jsonwebtoken, KeyObject', () => jsonwebtoken.sign(claims, keys.verifying, { expiresIn: 900 })],
    ['@node-rs/jsonwebtoken', () => nodeRs.signSync({ ...claims, iat: now(), exp: now() + 900 }, keys.text)],
    ['fast-jwt', () => fast(claims)],
    ['regrant/jsonwebtoken', () => dropIn.sign(claims, keys.text, { expiresIn: 900 })],
  ];
  return all
    .filter(([name]) => nodeRs !== undefined || name !== '@node-rs/jsonwebtoken')
    .map(([name, verify]) => ({ name, verify, waits: false, caches: false }));
}

const now = () => Math.floor(Date.now() / 1000);
