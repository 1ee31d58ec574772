// The errors match the vector file that all languages share.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { AuthError, createAuth, errorCodes } from 'regrant';
import { SECRET, START, testAuth } from './support/auth.mjs';

const read = async (path) => readFile(new URL(path, import.meta.url), 'utf8');
const vectors = JSON.parse(await read('../../tests/vectors/errors.json'));

/** The members of a union of string literals in the declarations of error-codes. */
async function literals(name) {
  const declarations = await read('../dist/error-codes.d.cts');
  const [, union] = declarations.match(new RegExp(`type ${name} = ([^;]+);`));
  return union.split('|').map((literal) => literal.trim().slice(1, -1));
}

test('the table of codes is the vector file, entry for entry', () => {
  assert.ok(vectors.length > 20);
  const table = errorCodes.map(({ wwwAuthenticate = null, ...entry }) => ({ ...entry, wwwAuthenticate }));
  const expected = vectors.map(({ wwwAuthenticate = null, ...entry }) => ({ ...entry, wwwAuthenticate }));
  assert.deepEqual(table, expected);
});

/** Every object of data that can be reached from `value`, itself included. A namespace of functions is none. */
function* reachable(value) {
  if (typeof value !== 'object' || value === null) return;
  if (Object.values(value).some((member) => typeof member === 'function')) return;
  yield value;
  for (const member of Object.values(value)) yield* reachable(member);
}

test('an app cannot change the data that the package exports', async () => {
  let checked = 0;
  for (const entry of ['regrant', 'regrant/http', 'regrant/express', 'regrant/fastify']) {
    for (const [name, exported] of Object.entries(await import(entry))) {
      if (name === 'default') continue;
      for (const object of reachable(exported)) {
        assert.ok(Object.isFrozen(object), `${entry}: ${name}`);
        checked += 1;
      }
    }
  }
  assert.ok(checked > vectors.length, 'errorCodes is among them');
});

// The native verifier returns indexes into the table.
test('an app that tries to reorder the table still gets the right errors', () => {
  assert.throws(() => errorCodes.reverse(), TypeError);
  assert.throws(() => errorCodes.push(errorCodes[0]), TypeError);
  assert.throws(() => {
    errorCodes[0].messages.en = 'changed';
  }, TypeError);
  const { auth } = testAuth();
  assert.throws(() => auth.verify('no token'), { code: 'ERR_TOKEN_MALFORMED' });
  assert.equal(new AuthError(errorCodes[0].code).message, vectors[0].messages.en);
});

test('the literal types are the codes, the advice and the languages of the vector file', async () => {
  const sorted = (list) => [...new Set(list)].sort();
  assert.deepEqual((await literals('ErrorCode')).sort(), sorted(vectors.map(({ code }) => code)));
  assert.deepEqual((await literals('Advice')).sort(), sorted(vectors.map(({ advice }) => advice)));
  assert.deepEqual((await literals('Language')).sort(), sorted(vectors.flatMap(({ messages }) => Object.keys(messages))));
});

test('an AuthError has what the table says about its code', () => {
  for (const { code, advice, status, wwwAuthenticate, messages } of vectors) {
    const error = new AuthError(code);
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'AuthError');
    assert.deepEqual([error.code, error.advice, error.status], [code, advice, status]);
    assert.equal(error.message, messages.en);
    assert.deepEqual(error.headers, wwwAuthenticate ? { 'WWW-Authenticate': wwwAuthenticate } : {});
  }
});

test('detail is for developers: in the message, not in what a client sees', () => {
  const error = new AuthError('ERR_INTERNAL', { detail: 'the record is damaged' });
  assert.match(error.message, /the record is damaged/);
  assert.deepEqual(JSON.parse(JSON.stringify(error)), { code: 'ERR_INTERNAL', advice: 'fix', message: error.text });
  assert.doesNotMatch(error.text, /damaged/);
});

test('the reason of a revocation is for clients', () => {
  const error = new AuthError('ERR_SESSION_REVOKED', { reason: 'logout_everywhere' });
  assert.equal(error.toJSON().reason, 'logout_everywhere');
});

/** What each error of the vector file is caused by. */
const causes = {
  ERR_TOKEN_EXPIRED: async ({ auth, clock }) => {
    const { accessToken } = await auth.login('user-1');
    clock.advance(24 * 60 * 60 * 1000);
    auth.verify(accessToken);
  },
  ERR_CLAIM_MISSING: ({ auth }) => auth.verify(signed({ exp: START / 1000 + 60 })),
  ERR_CLAIM_INVALID: ({ auth }) => auth.verify(signed({ sub: 'user-1', exp: 'soon' })),
  ERR_SESSION_REVOKED: async ({ auth }) => {
    const { sessionId, refreshToken } = await auth.login('user-1');
    await auth.revokeSession('user-1', sessionId, 'administrative');
    await auth.refresh(refreshToken);
  },
  ERR_DPOP_PROOF_INVALID: ({ auth }) => auth.checkProof({ proof: 'a.b.c', method: 'GET', path: '' }),
  ERR_TOO_MANY_ATTEMPTS: async ({ auth }) => {
    for (let i = 0; i < 30; i++) {
      await assert.rejects(auth.refresh('no token', { address: '192.0.2.1' }), { code: 'ERR_TOKEN_MALFORMED' });
    }
    await auth.refresh('no token', { address: '192.0.2.1' });
  },
  ERR_ARGUMENT_INVALID: ({ auth }) => auth.login('user-1', { claims: { sub: 'user-2' } }),
  ERR_CONFIG_INVALID: () => createAuth({ secret: SECRET, refresh: { limiter: { windows: '5m' } } }),
};

function signed(payload) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part({ alg: 'HS256', typ: 'at+jwt' })}.${part(payload)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

test('the details of an error are those of the vector file', async () => {
  const details = JSON.parse(await read('../../tests/vectors/error-details.json'));
  assert.deepEqual(details.map(({ code }) => code).sort(), Object.keys(causes).sort());
  for (const { code, detail, ...expected } of details) {
    const thrown = await (async () => causes[code](testAuth({ dpop: { origin: 'https://api.example' } })))().catch((error) => error);
    assert.ok(thrown instanceof AuthError, `${code}: ${thrown}`);
    const { field, reason, retryAfter, message, text } = thrown;
    assert.equal(thrown.code, code);
    assert.deepEqual(JSON.parse(JSON.stringify({ field, reason, retryAfter })), expected, code);
    assert.equal(message, detail === undefined ? text : `${text}: ${detail}`);
    assert.equal(thrown.headers['Retry-After'], retryAfter === undefined ? undefined : String(retryAfter));
  }
});

test('the challenge may be another than that of the code', () => {
  const wwwAuthenticate = 'Bearer error="insufficient_scope", scope="orders:read"';
  const error = new AuthError('ERR_INSUFFICIENT_SCOPE', { wwwAuthenticate });
  assert.deepEqual([error.status, error.headers], [403, { 'WWW-Authenticate': wwwAuthenticate }]);
});
