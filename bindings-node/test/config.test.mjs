// The configuration: what is wrong with it is found at construction and named.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { AuthError, createAuth, createVerifier } from 'regrant';
import { SECRET, testAuth } from './support/auth.mjs';

const wrong = [
  ['no secret', {}, 'secret'],
  ['a secret that is not set', { secret: undefined }, 'secret'],
  ['a short secret', { secret: 'short' }, 'secret'],
  ['a secret of another type', { secret: 42 }, 'secret'],
  ['an unknown field', { secret: SECRET, acess: {} }, 'acess', 'access'],
  ['an unknown inner field', { secret: SECRET, access: { tll: 5 } }, 'access.tll'],
  ['a lifetime that is none', { secret: SECRET, access: { ttl: 'soon' } }, 'access.ttl'],
  ['a negative lifetime', { secret: SECRET, refresh: { grace: -1 } }, 'refresh.grace'],
  ['a number that JSON cannot hold', { secret: SECRET, refresh: { idleTtl: Infinity } }, 'refresh.idleTtl'],
  ['a number that JSON would drop', { secret: SECRET, access: { maxTokenBytes: NaN } }, 'access.maxTokenBytes'],
  ['a function', { secret: SECRET, access: { ttl: () => 5 } }, 'access.ttl'],
  ['an object that is not plain', { secret: SECRET, access: { issuer: new Map() } }, 'access.issuer'],
  ['an unknown algorithm', { keys: [{ alg: 'none', secret: SECRET }] }, 'keys[0].alg'],
  ['a store of an unknown kind', { secret: SECRET, store: 'mongodb://127.0.0.1/' }, 'store'],
  ['a former store of an unknown kind', { secret: SECRET, previousStore: 'mongodb://127.0.0.1/' }, 'previousStore'],
  ['a former store in a file that does not exist', { secret: SECRET, previousStore: 'file:/nowhere/sessions.db' }, 'previousStore'],
  ['a language without texts', { secret: SECRET, language: 'fr' }, 'language'],
  ['a text for no code', { secret: SECRET, messages: { ERR_TYPO: 'x' } }, 'messages.ERR_TYPO'],
  ['a clock of another kind', { secret: SECRET, clock: { now: Date.now } }, 'clock'],
  ['an old app without a store', { secret: SECRET, migrate: {} }, 'migrate.store'],
  ['an old app with an unknown field', { secret: SECRET, migrate: { stroe: 'x' } }, 'migrate.stroe'],
  ['an old app that is none', { secret: SECRET, migrate: null }, 'migrate'],
  ['a resolver that is none', { secret: SECRET, migrate: { resolve: 'id' } }, 'migrate.resolve'],
  ['a misspelt listener', { secret: SECRET, onEvnt: () => {} }, 'onEvnt', 'onEvent'],
  ['a misspelt log', { secret: SECRET, onlog: () => {} }, 'onlog', 'onLog'],
  ['a misspelt language', { secret: SECRET, langauge: 'ko' }, 'langauge', 'language'],
  ['an option of a verifier', { secret: SECRET, fetch: () => {} }, 'fetch'],
  ['a listener that is none', { secret: SECRET, onEvent: 'log' }, 'onEvent'],
];

for (const [what, config, field, near] of wrong) {
  test(`${what}: refused, naming ${field}`, () => {
    assert.throws(() => createAuth(config), (error) => {
      assert.ok(error instanceof AuthError);
      assert.equal(error.code, 'ERR_CONFIG_INVALID');
      assert.equal(error.field, field);
      assert.ok(error.message.includes(field), error.message);
      if (near) assert.ok(error.message.includes(`: unknown option, did you mean ${near}? Known options: `), error.message);
      return true;
    });
  });
}

test('a misspelt option of a verifier is refused with the nearest known one', () => {
  for (const [name, near] of [['fetsh', 'fetch'], ['isuers', 'issuers'], ['onLogs', 'onLog']]) {
    const message = new RegExp(`unknown option, did you mean ${near}\\? Known options: `);
    assert.throws(() => createVerifier({ issuers: [], [name]: () => {} }), { code: 'ERR_CONFIG_INVALID', field: name, message });
  }
});

test('no configuration at all is refused too', () => {
  assert.throws(() => createAuth(), { code: 'ERR_CONFIG_INVALID' });
  assert.throws(() => createAuth(null), { code: 'ERR_CONFIG_INVALID' });
});

test('the message of a refused secret does not contain it', () => {
  assert.throws(() => createAuth({ secret: 'hunter2' }), (error) => !error.message.includes('hunter2'));
});

test('a short secret passes when the caller says so', () => {
  assert.doesNotThrow(() => createAuth({ secret: 'short', allowShortSecret: true, store: 'memory:' }));
});

test('bytes are a secret, the same as the text with these bytes', async () => {
  const text = testAuth();
  const bytes = testAuth({ secret: new TextEncoder().encode(SECRET) });
  const { accessToken } = await text.auth.login('user-1');
  assert.equal(bytes.auth.verify(accessToken).sub, 'user-1');
});

test('bytes that are not text are a secret; so is a part of a larger buffer', async () => {
  const pool = createHash('sha512').update('any bytes').digest();
  const part = pool.subarray(16, 48);
  const one = testAuth({ secret: part });
  const same = testAuth({ secret: Uint8Array.from(part) });
  const other = testAuth({ secret: pool.subarray(0, 32) });
  const { accessToken } = await one.auth.login('user-1');
  assert.equal(same.auth.verify(accessToken).sub, 'user-1');
  assert.throws(() => other.auth.verify(accessToken), { code: 'ERR_SIGNATURE_INVALID' });
});

test('PEM keys: one signs, another process verifies with the public half', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const signer = testAuth({ secret: undefined, refreshSecret: SECRET, keys: [{ alg: 'ES256', kid: 'a', privateKey }] });
  const { accessToken } = await signer.auth.login('user-1');
  const verifier = testAuth({ keys: [{ alg: 'ES256', kid: 'a', publicKey }] });
  assert.equal(verifier.auth.verify(accessToken).sub, 'user-1');
});
