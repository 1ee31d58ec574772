// Verified tokens are cached in the core and in JavaScript; each call returns a new object with the right content.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { claimsOf, testAuth, withCode } from './support/auth.mjs';

const NESTED = { roles: ['a', { b: [1] }], 'x y': null, deep: { deeper: { list: [[], {}] } } };

// Unusual names, strings and numbers.
const ODD = [
  { 2: 'b', 1: 'a', '': 'empty', 'with "quotes" \\ and \n': 1 },
  { constructor: 'a', hasOwnProperty: 1, toString: 'b' },
  { text: 'with "quotes", \\ and \n', empty: '', 'ünïcödé': 'naïve 😀' },
  { short: 'ÿ', latin: 'é' },
  { zero: 0, minus: -1, half: 1.5, largest: 4_294_967_295, larger: 4_294_967_296, huge: 9_007_199_254_740_991, ten: 9_999_999_999 },
  { yes: true, no: false, nothing: null, list: [1, 'a'], empty: [], object: {} },
  { long: 'x'.repeat(300), longer: 'y'.repeat(1600) },
  ...Array.from({ length: 80 }, (_, n) => ({ [`claim${n}`]: n, more: `text ${n}` })),
  { role: 'admin' },
  { role: 'admin', count: 7 },
];

test('claims equal the parsed payload', async () => {
  const { auth } = testAuth({ access: { cache: false } });
  for (let round = 0; round < 3; round += 1) {
    for (const claims of ODD) {
      const { accessToken, sessionId } = await auth.login('user-1', { claims });
      for (let use = 0; use < 2; use += 1) {
        const got = auth.verify(accessToken);
        assert.deepEqual(got, claimsOf(accessToken));
        assert.deepEqual(Object.keys(got), Object.keys(claimsOf(accessToken)));
        for (const access of [auth.verifyAccess(accessToken), auth.verifyBearer(`Bearer ${accessToken}`)]) {
          assert.deepEqual(access, { subject: 'user-1', sessionId, claims: claimsOf(accessToken) });
        }
      }
    }
  }
});

test('subject, session and claims of different lengths are not mixed up', async () => {
  const { auth } = testAuth({ access: { cache: false } });
  const texts = ['user-1', 'user-2', '', 'ü', 'with "quotes"', 'x'.repeat(40)];
  for (const role of texts) {
    for (const team of texts) {
      for (const user of ['user-1', 'user-2', 'üser', 'us"er\\ü']) {
        const { accessToken, sessionId } = await auth.login(user, { claims: { role, team, one: 1, list: [role] } });
        const expected = claimsOf(accessToken);
        assert.deepEqual(auth.verify(accessToken), expected);
        assert.deepEqual(auth.verifyAccess(accessToken), { subject: user, sessionId, claims: expected });
      }
    }
  }
});

test('a token with a non-ASCII character is malformed', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  auth.verify(accessToken);
  for (let place = 0; place < accessToken.length; place += 1) {
    // Has the same low byte as the original character.
    const other = String.fromCharCode(0x100 + accessToken.charCodeAt(place));
    const token = accessToken.slice(0, place) + other + accessToken.slice(place + 1);
    // In the payload, the signature check comes first.
    assert.throws(() => auth.verify(token), { code: /^ERR_(TOKEN_MALFORMED|SIGNATURE_INVALID)$/ });
    assert.throws(() => auth.verifyBearer(`Bearer ${token}`), withCode('ERR_TOKEN_MALFORMED'));
  }
});

for (const cache of [undefined, false, 1]) {
  test(`each call returns a new object, cache: ${cache}`, async () => {
    const { auth } = testAuth({ access: { cache } });
    for (const claims of [undefined, { role: 'admin' }, NESTED, JSON.parse('{"__proto__": {"admin": true}}')]) {
      const { accessToken, sessionId } = await auth.login('user-1', { claims });
      const expected = claimsOf(accessToken);
      for (let use = 0; use < 4; use += 1) {
        for (const got of [
          auth.verify(accessToken),
          auth.verifyAccess(accessToken).claims,
          auth.verifyBearer(`Bearer ${accessToken}`).claims,
        ]) {
          assert.deepEqual(got, expected);
          assert.deepEqual(Object.keys(got), Object.keys(expected));
          assert.equal(got.admin, undefined);
          assert.equal(Object.getPrototypeOf(got), Object.prototype);
          // Changes must not affect later calls.
          got.sub = 'somebody else';
          if (got.roles) got.roles[1].b.push('more');
          delete got.exp;
        }
        const access = auth.verifyAccess(accessToken);
        assert.deepEqual([access.subject, access.sessionId], ['user-1', sessionId]);
        access.subject = 'somebody else';
      }
    }
  });
}

test('more tokens than cache slots: each returns its own claims', async () => {
  const { auth } = testAuth({ access: { cache: 16 } });
  const tokens = [];
  for (let n = 0; n < 200; n += 1) tokens.push((await auth.login(`user-${n}`)).accessToken);
  for (let round = 0; round < 5; round += 1) {
    for (const n of tokens.keys()) {
      const user = (n * 7 + round) % 200;
      assert.equal(auth.verify(tokens[user]).sub, `user-${user}`);
      assert.equal(auth.verifyBearer(`Bearer ${tokens[n]}`).subject, `user-${n}`);
    }
  }
});

test('a cached token can expire and be revoked', async () => {
  const { auth, clock } = testAuth();
  const [one, two] = [await auth.login('user-1'), await auth.login('user-2')];
  for (let use = 0; use < 3; use += 1) {
    auth.verify(one.accessToken);
    auth.verifyBearer(`Bearer ${two.accessToken}`);
  }
  await auth.logout(one.refreshToken);
  assert.throws(() => auth.verify(one.accessToken), withCode('ERR_ACCESS_REVOKED'));
  clock.advance(15 * 60_000);
  assert.throws(() => auth.verifyBearer(`Bearer ${two.accessToken}`), withCode('ERR_TOKEN_EXPIRED'));
});

test('a value that is not a string is a missing token', () => {
  const { auth } = testAuth();
  for (const value of [undefined, null, 1, Symbol('x'), {}, [], new String('a.b.c'), () => 'a.b.c']) {
    assert.throws(() => auth.verify(value), withCode('ERR_TOKEN_MISSING'));
    assert.throws(() => auth.verifyAccess(value), withCode('ERR_TOKEN_MISSING'));
  }
  assert.throws(() => auth.verifyBearer(undefined), withCode('ERR_TOKEN_MISSING'));
});

for (const cache of [undefined, false]) {
  test(`the claims behave like a plain property, cache: ${cache}`, async () => {
    const { auth } = testAuth({ access: { cache } });
    const { accessToken, sessionId } = await auth.login('user-1', { claims: NESTED });
    const expected = { subject: 'user-1', sessionId, claims: claimsOf(accessToken) };
    for (let use = 0; use < 3; use += 1) {
      const access = () => auth.verifyBearer(`Bearer ${accessToken}`);
      assert.deepEqual(access(), expected);
      assert.deepEqual(Object.keys(access()), ['subject', 'sessionId', 'claims']);
      assert.deepEqual({ ...access() }, expected);
      assert.deepEqual(structuredClone(access()), expected);
      assert.deepEqual(JSON.parse(JSON.stringify(access())), expected);
      assert.equal(Object.getPrototypeOf(access()), Object.prototype);
      const one = access();
      assert.equal(one.claims, one.claims, 'parsed once');
      one.claims = { exp: 1 };
      assert.deepEqual(one.claims, { exp: 1 });
    }
  });
}

test('a rejected token is verified once', async () => {
  const { auth } = testAuth();
  const { accessToken, refreshToken } = await auth.login('user-1');
  await auth.logout(refreshToken);
  // The core counts each verification of a revoked token.
  const denials = () => auth.metricsSnapshot()
    .find(({ name }) => name === 'regrant_access_denied_total').values
    .reduce((sum, { value }) => sum + value, 0);
  for (const verify of [
    () => auth.verify(accessToken),
    () => auth.verifyAccess(accessToken),
    () => auth.verifyBearer(`Bearer ${accessToken}`),
  ]) {
    const before = denials();
    assert.throws(verify, withCode('ERR_ACCESS_REVOKED'));
    assert.equal(denials() - before, 1);
  }
});

test('a rejection has the details of the error', async () => {
  const { accessToken } = await testAuth().auth.login('user-1');
  const { auth } = testAuth({ access: { requiredClaims: ['role'] } });
  await assert.rejects(auth.login('user-1'), withCode('ERR_ARGUMENT_INVALID'));
  const messages = [() => auth.verify(accessToken), () => auth.verifyBearer(`Bearer ${accessToken}`)].map((verify) => {
    try {
      return verify();
    } catch (error) {
      assert.equal(error.code, 'ERR_CLAIM_MISSING');
      return error.message;
    }
  });
  for (const message of messages) assert.match(message, /: role$/);
});
