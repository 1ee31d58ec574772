// The recipes of docs/cookies.md and docs/services.md, run; and what the pages show is what was run.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { TestClock } from 'regrant';
import { SECRET, testAuth } from '../support/auth.mjs';
import { serve, setCookies } from '../support/server.mjs';
import '../../docs/recipes/clock.test.mjs';

const docs = new URL('../../docs/', import.meta.url);
const recipe = (name) => import(new URL(`recipes/${name}`, docs));

test('cookies: no script sees a token, and no foreign page acts by one', async (t) => {
  const clock = new TestClock();
  const call = await serve(t, (await recipe('cookies.mjs')).cookieApp({ secret: SECRET, store: 'memory:', clock }));
  const login = await call.post('/login');
  const { '__Secure-refresh': refresh, '__Host-access': access } = setCookies(login);
  assert.deepEqual([access.attributes.path, access.attributes.httponly, access.attributes.secure, access.attributes.domain], ['/', true, true, undefined]);
  assert.deepEqual([refresh.attributes.path, refresh.attributes.samesite], ['/auth', 'Strict']);

  const cookie = `__Host-access=${access.value}`;
  const own = { 'sec-fetch-site': 'same-origin' };
  const front = { 'sec-fetch-site': 'same-site', origin: 'https://app.example' };
  const foreign = { 'sec-fetch-site': 'same-site', origin: 'https://evil.example' };
  const write = async (headers) => (await call.post('/notes', { headers: { cookie, ...headers } })).status;
  assert.deepEqual([await write(own), await write(front), await write(foreign)], [201, 201, 403]);
  assert.deepEqual(await (await call('/notes', { headers: { cookie, ...foreign } })).json(), ['a note of user-1']);

  clock.advance(901_000);
  assert.equal(await write(own), 401);
  const renew = (headers) => call.post('/auth/refresh', { headers: { cookie: `__Secure-refresh=${refresh.value}`, ...headers } });
  assert.equal((await renew(foreign)).status, 403);
  const renewed = setCookies(await renew(front))['__Host-access'];
  assert.equal((await call('/notes', { headers: { cookie: `__Host-access=${renewed.value}` } })).status, 200);
});

test('services: one issues, the others verify by its published keys', async (t) => {
  const { issuingService, service } = await recipe('services.mjs');
  const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const issuer = 'https://auth.example';
  const issuing = await serve(t, issuingService({ issuer, privateKey, refreshSecret: SECRET, store: 'memory:' }));
  const jwksUri = `${issuing.origin}/.well-known/jwks.json`;
  const { accessToken } = await (await issuing.post('/login')).json();
  const headers = { authorization: `Bearer ${accessToken}` };
  for (const name of ['orders', 'bills', 'letters']) {
    const response = await (await serve(t, service({ name, issuer, jwksUri })))('/', { headers });
    const body = await response.json();
    if (name === 'letters') assert.deepEqual([response.status, body.error.code], [401, 'ERR_AUDIENCE_MISMATCH']);
    else assert.deepEqual([response.status, body], [200, { service: name, role: 'buyer' }]);
  }
});

for (const [page, program] of [['cookies.md', 'cookies.mjs'], ['services.md', 'services.mjs'], ['testing.md', 'clock.test.mjs']]) {
  test(`what docs/${page} shows is what was run`, async () => {
    const [shown, run] = await Promise.all([page, `recipes/${program}`].map((path) => readFile(new URL(path, docs), 'utf8')));
    const blocks = [...shown.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);
    assert.ok(blocks.length > 0);
    const lines = new Set(run.split('\n').map((line) => line.trim()));
    for (const line of blocks.flatMap((code) => code.split('\n'))) assert.ok(lines.has(line.trim()), line);
  });
}
