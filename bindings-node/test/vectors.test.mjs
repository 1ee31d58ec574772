// Runs the corpus of tests/vectors: the npm package gives the same results as the core.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { TestClock, createAuth, createVerifier } from 'regrant';
import { SECRET as REFRESH_SECRET } from './support/auth.mjs';

const read = (name) => JSON.parse(readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), 'utf8'));
const index = read('tokens/index');
const configured = read('tokens/verifiers');
const keyOf = ({ secret, ...key }) => (secret === undefined ? key : { ...key, secret: Buffer.from(secret, 'base64url') });

/** The options that verifiers and auth objects share, from the policy of a verifier. */
function policyOf({ legacyMaxLifetime, issuers, audiences, ...policy }) {
  const legacy = legacyMaxLifetime === undefined ? undefined : { maxLifetime: legacyMaxLifetime };
  return { ...policy, issuer: issuers, audience: audiences, legacy };
}

const clock = new TestClock(0);
const verifiers = Object.fromEntries(
  Object.entries(configured).map(([name, { keys, policy }]) => {
    const issuer = { ...policyOf(policy), keys: keys.map(keyOf) };
    return [name, createVerifier({ issuers: [issuer], clock })];
  }),
);
/** Auth objects for the verifiers with secrets: another path through the addon, with a token cache. */
const auths = Object.fromEntries(
  Object.entries(configured)
    .filter(([, { keys }]) => keys.some((key) => key.secret !== undefined))
    .map(([name, { keys, policy }]) => {
      const access = policyOf(policy);
      return [name, createAuth({ keys: keys.map(keyOf), refreshSecret: REFRESH_SECRET, access, store: 'memory:', clock })];
    }),
);

/** `[subject, claims]`, or the error code. */
function answer(verify, token) {
  try {
    const { subject, claims } = verify(token);
    return [subject, claims];
  } catch (error) {
    assert.equal(error.name, 'AuthError', error.stack);
    return error.code;
  }
}

const expected = ({ code, subject, payload }) => code ?? [subject, JSON.parse(payload)];

let run = 0;
for (const [file, count] of Object.entries(index.files)) {
  test(`tokens: ${file}`, () => {
    const { cases } = read(`tokens/${file}`);
    assert.equal(cases.length, count);
    for (const { name, why, verifier, now, token, expect } of cases) {
      clock.set(Math.round(now * 1000));
      const wanted = expected(expect);
      const about = `${name} (${why})`;
      // Skipped for `sessions`: verifiers give `sid`, `gen` and `brn` of other issuers no meaning.
      assert.deepEqual(answer((text) => verifiers[verifier].verifyAccess(text), token), wanted, about);
      const auth = auths[verifier];
      if (auth !== undefined) {
        // The second call may use the cache.
        for (const _ of [1, 2]) assert.deepEqual(answer((text) => auth.verifyAccess(text), token), wanted, about);
        if (Array.isArray(wanted)) assert.deepEqual(auth.verify(token), wanted[1], about);
      }
      run += 1;
    }
  });
}

test('every token of the corpus is tested', (t) => {
  assert.equal(run, index.cases);
  t.diagnostic(`${run} tokens of the corpus`);
});

test('createVerifier rejects every unfit key', (t) => {
  const { count, cases } = read('unfit-keys');
  for (const { name, key, field } of cases) {
    const make = () => createVerifier({ issuers: [{ issuer: 'https://issuer.test', keys: [keyOf(key)] }] });
    assert.throws(make, { code: 'ERR_CONFIG_INVALID', field: `issuers[0].keys[0].${field}` }, name);
  }
  assert.equal(cases.length, count);
  t.diagnostic(`${count} unfit keys`);
});

test('a JWK is used only as its use, key_ops and alg allow', (t) => {
  const { count, cases } = read('key-sets');
  for (const { name, why, now, jwks, token, expect } of cases) {
    clock.set(now * 1000);
    const verifier = createVerifier({ issuers: [{ issuer: 'https://issuer.test', audience: 'api', jwks }], clock });
    assert.deepEqual(answer((text) => verifier.verifyAccess(text), token), expected(expect), `${name} (${why})`);
  }
  assert.equal(cases.length, count);
  t.diagnostic(`${count} key sets`);
});

test('keys can be configured as JWK', (t) => {
  const { count, cases } = read('single-keys');
  for (const { name, why, now, alg, jwk, token, expect } of cases) {
    clock.set(now * 1000);
    for (const given of [jwk, JSON.parse(jwk)]) {
      const make = () => createVerifier({ issuers: [{ issuer: 'https://issuer.test', audience: 'api', keys: [{ alg, jwk: given }] }], clock });
      assert.deepEqual(answer((text) => make().verifyAccess(text), token), expected(expect), `${name} (${why})`);
    }
  }
  assert.equal(cases.length, count);
  t.diagnostic(`${count} single keys`);
});

test('invalid refresh tokens are rejected', async (t) => {
  const { count, cases } = read('refresh-tokens');
  const secret = Buffer.from(configured.HS256.keys[0].secret, 'base64url');
  const auth = createAuth({ secret, store: 'memory:', clock });
  for (const { name, why, now, token, expect } of cases) {
    clock.set(now * 1000);
    await assert.rejects(auth.refresh(token), expect, `${name} (${why})`);
    // A valid token of an expired or unknown session can still log out.
    if (!['ERR_SESSION_UNKNOWN', 'ERR_REFRESH_EXPIRED'].includes(expect.code)) {
      await assert.rejects(auth.logout(token), expect, `${name} (${why})`);
    }
  }
  assert.equal(cases.length, count);
  t.diagnostic(`${count} refresh tokens`);
});

test('claims do not pollute prototypes', () => {
  for (const { token, now } of read('tokens/prototype').cases) {
    clock.set(now * 1000);
    for (const verify of [(text) => verifiers.HS256.verifyAccess(text).claims, (text) => auths.HS256.verify(text)]) {
      const got = answer((text) => ({ subject: '', claims: verify(text) }), token);
      if (!Array.isArray(got)) continue;
      assert.equal(got[1].admin, undefined, token);
      assert.equal(Object.getPrototypeOf(got[1]), Object.prototype, token);
    }
  }
  assert.deepEqual([{}.admin, Object.prototype.admin, Object.keys(Object.prototype)], [undefined, undefined, []]);
});

test('tokens with unpaired surrogates are malformed', () => {
  clock.set(1_700_000_000_000);
  const { cases } = read('tokens/valid');
  const { token } = cases.find((one) => one.verifier === 'HS256');
  for (const odd of ['\ud800', '\udc00', '\udc00\ud800']) {
    for (const text of [`${token}${odd}`, `${odd}${token}`, token.replace('.', `${odd}.`), odd]) {
      assert.throws(() => auths.HS256.verify(text), { code: 'ERR_TOKEN_MALFORMED' });
      assert.throws(() => verifiers.HS256.verifyAccess(text), { code: 'ERR_TOKEN_MALFORMED' });
    }
  }
});
