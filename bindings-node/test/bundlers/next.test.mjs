// The recipe of docs/recipes/nextjs.md: `next build`, `next start`, and requests over HTTP.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { run } from '../packed/support.mjs';
import { json, setCookies } from '../support/server.mjs';
import { project, scriptOf, start } from './support.mjs';

const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };
const next = scriptOf('next/dist/bin/next');

let folder;
before(async (t) => {
  folder = await project(t, 'nextjs');
  // Neither the secret nor the store is known when the app is built.
  await run(process.execPath, [next, 'build'], { cwd: folder, env }).catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
});

test('Next.js: login, a route handler, a server component, refresh, logout', async (t) => {
  const call = await start(t, [next, 'start', '-p', '0', '-H', '127.0.0.1'], {
    cwd: folder,
    env: { ...env, SESSION_STORE: `file:${join(folder, 'sessions.db')}` },
    portOf: (line) => /http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1],
  });
  const post = (path, init) => call(path, { method: 'POST', ...init });
  const cookie = (cookies) => ({ headers: { cookie: Object.entries(cookies).map(([name, { value }]) => `${name}=${value}`).join('; ') } });
  const page = async (init) => /<p>(.*?)<\/p>/.exec(await (await call('/', init)).text())?.[1];

  assert.equal((await post('/auth/login', json({ name: 'ada', password: 'guess' }))).status, 401);
  const login = await post('/auth/login', json({ name: 'ada', password: 'correct horse' }));
  assert.deepEqual([login.status, login.headers.get('cache-control')], [200, 'no-store']);
  const { accessToken, refreshToken } = setCookies(login);
  assert.deepEqual([refreshToken.attributes.path, refreshToken.attributes.samesite, refreshToken.attributes.httponly], ['/', 'Strict', true]);

  const me = await call('/api/me', cookie({ accessToken }));
  assert.deepEqual([me.status, await me.json()], [200, { id: 'user-1' }]);
  const refused = await call('/api/me');
  assert.deepEqual([refused.status, (await refused.json()).error.code], [401, 'ERR_TOKEN_MISSING']);

  assert.equal(await page(), 'Signed out');
  const current = await call('/', cookie({ accessToken, refreshToken }));
  assert.match(await current.text(), /Signed in as user-1/);
  assert.deepEqual(current.headers.getSetCookie(), [], 'nothing to refresh');

  // The browser has dropped the expired access cookie. Pages that it loads at once are all signed in and set the same pair.
  const rendered = await Promise.all(Array.from({ length: 5 }, () => call('/', cookie({ refreshToken }))));
  for (const response of rendered) assert.match(await response.text(), /Signed in as user-1/);
  const pairs = rendered.map(setCookies);
  assert.equal(new Set(pairs.map((pair) => pair.refreshToken.value)).size, 1);
  const [first] = pairs;
  assert.notEqual(first.refreshToken.value, refreshToken.value);
  assert.deepEqual([first.refreshToken.attributes.path, first.refreshToken.attributes.httponly], ['/', true]);
  assert.equal((await call('/api/me', cookie({ accessToken: first.accessToken }))).status, 200);

  // Page after page, each with an access token that has expired: the session goes on with the cookies of the page before.
  let renewed = first;
  for (let times = 0; times < 5; times += 1) {
    const response = await call('/', cookie({ accessToken: { value: 'expired' }, refreshToken: renewed.refreshToken }));
    assert.match(await response.text(), /Signed in as user-1/);
    renewed = setCookies(response);
  }
  // Of several cookies of one name the core chooses, whatever their order.
  for (const junkFirst of [true, false]) {
    const values = ['refreshToken=junk', `refreshToken=${renewed.refreshToken.value}`];
    const value = (junkFirst ? values : values.reverse()).join('; ');
    assert.equal(await page({ headers: { cookie: value } }), 'Signed in as user-1');
  }
  for (const value of [`accessToken=junk; accessToken=${accessToken.value}`, `accessToken=${accessToken.value}; accessToken=junk`]) {
    assert.equal(await page({ headers: { cookie: value } }), 'Signed in as user-1');
  }
  const refreshed = await post('/auth/refresh', cookie({ refreshToken: renewed.refreshToken }));
  assert.equal(refreshed.status, 200);
  renewed = setCookies(refreshed);
  assert.equal((await call('/api/me', cookie({ accessToken: renewed.accessToken }))).status, 200);

  const left = await post('/auth/logout', cookie(renewed));
  assert.deepEqual([left.status, setCookies(left).refreshToken.value], [204, '']);
  const over = await call('/', cookie(renewed));
  assert.match(await over.text(), /Signed out/);
  assert.equal(setCookies(over).refreshToken.value, '', 'the cookie of a session that is over is removed');
  assert.equal((await call('/api/me', cookie(renewed))).status, 401);
});

test('Next.js: the addon is among the files that a route needs when deployed', async () => {
  const trace = JSON.parse(await readFile(join(folder, '.next/server/app/api/me/route.js.nft.json'), 'utf8'));
  assert.equal(trace.files.filter((file) => /\/regrant-[^/]+\/regrant\.[^/]+\.node$/.test(file)).length, 1);
});
