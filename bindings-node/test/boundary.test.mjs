// The boundary to the native code: whatever JavaScript hands over, an error comes back and nothing
// crashes. Random and repeatable: REGRANT_SEED; REGRANT_BOUNDARY_CALLS for a longer run.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';

import { AuthError, TestClock, createAuth } from 'regrant';
import * as http from 'regrant/http';
import jwt from 'regrant/jsonwebtoken';

import { Random, seedOfRun } from './support/random.mjs';
import { SECRET, START, testAuth } from './support/auth.mjs';

const CALLS = Number(process.env.REGRANT_BOUNDARY_CALLS ?? 2000);

class Class {
  #hidden = 1;
  get token() {
    return this.#hidden;
  }
}

/** Thrown by getters, proxies and the like: the caller's own, which may come through. */
class Thrown extends Error {}

const fail = () => {
  throw new Thrown('by the value itself');
};

function detached() {
  const bytes = new Uint8Array(32);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

function circular() {
  const object = {};
  object.self = object;
  return object;
}

const deep = (depth) => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
const part = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const signed = (header, payload) => {
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
};

/** Values that nobody should hand over, made anew for each call. */
const VALUES = [
  () => undefined,
  () => null,
  () => true,
  () => 0,
  () => -0,
  () => NaN,
  () => Infinity,
  () => 2 ** 53,
  () => -1.5,
  () => 10n ** 30n,
  () => Symbol('token'),
  () => Symbol.iterator,
  () => '',
  () => '\0',
  () => '\ud800',
  () => 'é'.repeat(300),
  () => 'x'.repeat(1 << 20),
  () => '토'.repeat(1 << 18),
  () => 'eyJ'.repeat(30_000),
  () => `Bearer ${'a'.repeat(70_000)}`,
  () => '__proto__',
  () => ({}),
  () => ({ __proto__: null, toString: fail }),
  () => ({ toString: () => 'Bearer a.b.c', valueOf: fail, [Symbol.toPrimitive]: fail }),
  () => ({ get token() { return fail(); }, get subject() { return fail(); }, get claims() { return fail(); } }),
  () => ({ toJSON: fail }),
  () => ({ toJSON: () => 10n }),
  () => ({ then: (resolve) => resolve(7) }),
  () => JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"prototype":1}}'),
  () => [],
  () => [1, [2, [3n]]],
  () => new Array(1e6),
  () => deep(3000),
  () => circular(),
  () => new Class(),
  () => Class,
  () => fail,
  () => async () => fail(),
  () => new Proxy({}, { get: fail, has: fail, ownKeys: fail, getPrototypeOf: fail }),
  () => new Proxy(() => {}, { apply: fail, get: fail }),
  () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  () => new String('a.b.c'),
  () => new Number(1),
  () => new Date(NaN),
  () => new Map([['a', 1]]),
  () => new WeakRef({}),
  () => new Error('an error'),
  () => Promise.resolve('a.b.c'),
  () => /a/g,
  () => Buffer.from('a.b.c'),
  () => new Uint8Array(0),
  () => detached(),
  () => detached().buffer,
  () => new ArrayBuffer(1 << 16),
  () => new SharedArrayBuffer(8),
  () => new Float64Array(4),
  () => new DataView(new ArrayBuffer(8), 8),
  () => runInNewContext('({ a: 1 })'),
  () => runInNewContext('new Uint8Array(32)'),
  () => Object.freeze({ subject: 'x' }),
  () => globalThis,
  // Near to what is right.
  () => signed({ alg: 'HS256', typ: 'at+jwt' }, { sub: 'a', exp: START / 1000 + 60, ['__proto__']: { x: 1 } }),
  () => signed({ alg: 'HS256', typ: 'at+jwt' }, '{"sub":"a","exp":1e12,"__proto__":{"x":1},"constructor":{}}'),
  () => signed({ alg: 'HS256', typ: 'at+jwt' }, `{"sub":"a","exp":1e12,"d":${'['.repeat(30)}${']'.repeat(30)}}`),
  () => signed({ alg: 'none' }, {}),
  () => `${part({ alg: 'HS256' })}.${part({})}.AA`,
  () => 'Bearer a.b.c',
];

const METHODS = new Set([
  'verify', 'verifyAccess', 'verifyBearer', 'verifyAccessAsync', 'verifyChecked', 'withWeb', 'bearerToken', 'checkProof', 'error',
  'login', 'login with claims', 'refresh', 'refresh with options', 'refresh with claims', 'logout', 'revokeSession', 'updateSession',
  'logoutEverywhere', 'logoutEverywhere with options', 'sessions', 'sweepLegacyTokens',
]);

/** A callback is called later, and what it throws then is the caller's own affair. */
const noCallback = (value) => (typeof value === 'function' ? undefined : value);

/** What is called, with as many arguments as it takes. */
async function targets() {
  const { auth, clock } = testAuth();
  const pair = await auth.login('another user');
  const key = generateKeyPairSync('ed25519').publicKey;
  return [
    ['verify', 1, (a) => auth.verify(a)],
    ['verifyAccess', 1, (a) => auth.verifyAccess(a)],
    ['verifyBearer', 1, (a) => auth.verifyBearer(a)],
    ['verifyAccessAsync', 1, (a) => auth.verifyAccessAsync(a)],
    ['bearerToken', 1, (a) => auth.bearerToken(a)],
    ['login', 2, (a, b) => auth.login(a, b)],
    ['login with claims', 2, (a, b) => auth.login('user', { claims: a, device: b })],
    ['refresh', 2, (a, b) => auth.refresh(a, b)],
    ['refresh with options', 3, (a, b, c) => auth.refresh('a.b.c', { subject: a, rotate: b, address: c })],
    ['refresh with claims', 1, (a) => auth.refresh(pair.refreshToken, { rotate: false, claims: () => a })],
    ['verifyChecked', 3, (a, b, c) => auth.verifyChecked(a, b, c)],
    ['checkProof', 1, (a) => auth.checkProof(a)],
    ['error', 1, (a) => auth.error('ERR_TOKEN_MISSING', a)],
    ['logoutEverywhere with options', 3, (a, b, c) => auth.logoutEverywhere('user', { exceptSession: a, before: b, reason: c })],
    ['sweepLegacyTokens', 1, (a) => auth.sweepLegacyTokens(a)],
    ['logout', 1, (a) => auth.logout(a)],
    ['revokeSession', 3, (a, b, c) => auth.revokeSession(a, b, c)],
    ['updateSession', 3, (a, b, c) => auth.updateSession(a, b, c)],
    ['logoutEverywhere', 2, (a, b) => auth.logoutEverywhere(a, b)],
    ['sessions', 2, (a, b) => auth.sessions(a, b)],
    ['createAuth', 1, (a) => createAuth(a)],
    ['createAuth with fields', 3, (a, b, c) => createAuth({ secret: a, access: b, store: 'memory:', refresh: c })],
    ['TestClock', 1, (a) => new TestClock(a)],
    ['clock.set', 1, (a) => { clock.set(a); clock.set(START); }],
    ['AuthError', 2, (a, b) => new AuthError(a, b)],
    ['http.refresh', 2, (a, b) => http.refresh(auth, a, b)],
    ['http.refresh of headers', 3, (a, b, c) => http.refresh(auth, { method: 'POST', headers: { cookie: a, origin: b }, cookies: c })],
    ['withWeb', 1, (a) => auth.withWeb(a)],
    ['http.loginAnswer', 2, (a, b) => http.loginAnswer(auth, a, b)],
    ['http.sessions', 2, (a, b) => http.sessions(auth, a, b)],
    ['http.logout', 1, (a) => http.logout(auth, { headers: a })],
    ['http.authenticate', 2, (a, b) => http.authenticate(auth, { headers: { authorization: a, cookie: b } })],
    ['jwt.verify', 3, (a, b, c) => jwt.verify(a, b, noCallback(c))],
    ['jwt.verify with a key', 2, (a, b) => jwt.verify(a, key, noCallback(b))],
    ['jwt.sign', 3, (a, b, c) => jwt.sign(a, b, noCallback(c))],
    ['jwt.decode', 2, (a, b) => jwt.decode(a, b)],
  ];
}

test('whatever is handed over, an error comes back', async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`REGRANT_SEED=${seed} REGRANT_BOUNDARY_CALLS=${CALLS}`);
  const random = new Random(seed);
  const all = await targets();
  const answers = { granted: 0, refused: 0 };
  for (let call = 0; call < CALLS; call++) {
    const [name, count, target] = random.pick(all);
    const picked = Array.from({ length: count }, () => random.below(VALUES.length));
    try {
      await target(...picked.map((place) => VALUES[place]()));
      answers.granted++;
    } catch (thrown) {
      answers.refused++;
      const where = `${name} of ${picked.map((place) => VALUES[place])}`;
      // A value may throw something of its own, and a value that is an error or a text.
      assert.ok(thrown instanceof Error, `${where} threw ${typeof thrown}`);
      assert.ok(thrown.code !== 'ERR_INTERNAL', `${where}: ${thrown.message}`);
      // A method of the auth object words its errors itself, unless a value throws when it is looked at.
      const isItsOwn = thrown instanceof Thrown || /revoked/.test(thrown.message);
      assert.ok(!METHODS.has(name) || thrown instanceof AuthError || isItsOwn, `${where}: ${thrown.stack}`);
      assert.doesNotMatch(String(thrown.message), /panicked|unwrap|index out of bounds/, where);
    }
  }
  t.diagnostic(`${answers.granted} calls came back, ${answers.refused} were refused`);
  assert.ok(answers.refused > CALLS / 3);
  assert.equal({}.isAdmin, undefined);
  assert.equal({}.x, undefined);

  // And it works as it did.
  const { auth } = testAuth();
  const pair = await auth.login('user');
  assert.equal(auth.verify(pair.accessToken).sub, 'user');
});
