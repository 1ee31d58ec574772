// The recipes of docs/frameworks.md, with the real frameworks: one story, the same everywhere.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { testAuth } from '../support/auth.mjs';
import { KEEP_ALIVE, setCookies } from '../support/server.mjs';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const recipes = new URL('../../docs/recipes/', import.meta.url);

const callAt = (origin) => (path, init) => fetch(`${origin}${path}`, init);

async function listen(t, server) {
  server.keepAliveTimeout = KEEP_ALIVE;
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  });
  return callAt(`http://127.0.0.1:${server.address().port}`);
}

/** How each is started; answers with a `fetch` for its paths. `sessions`: whether the recipe has that route. */
const frameworks = {
  Express: {
    sessions: true,
    async start(t, auth) {
      const { expressApp } = await import(new URL('express.mjs', recipes));
      return listen(t, expressApp(auth).listen(0, '127.0.0.1'));
    },
  },
  Fastify: {
    sessions: true,
    async start(t, auth) {
      const { fastifyApp } = await import(new URL('fastify.mjs', recipes));
      const app = fastifyApp(auth);
      const origin = await app.listen({ port: 0, host: '127.0.0.1' });
      t.after(() => app.close());
      return callAt(origin);
    },
  },
  Koa: {
    async start(t, auth) {
      const { koaApp } = await import(new URL('koa.mjs', recipes));
      return listen(t, koaApp(auth).listen(0, '127.0.0.1'));
    },
  },
  Hono: {
    sessions: true,
    async start(t, auth) {
      const { honoApp } = await import(new URL('hono.mjs', recipes));
      const app = honoApp(auth);
      return (path, init) => app.request(`http://127.0.0.1${path}`, init);
    },
  },
  NestJS: {
    async start(t, auth) {
      const config = new URL('nest.tsconfig.json', import.meta.url).pathname;
      const tsc = require.resolve('typescript/package.json').replace('package.json', 'bin/tsc');
      await run(process.execPath, [tsc, '-p', config]).catch(({ stdout }) => assert.fail(stdout));
      require('reflect-metadata');
      const { NestFactory } = await import('@nestjs/core');
      const { default: nest } = await import('./out/nest.js');
      const app = await NestFactory.create(nest.AppModule.with(auth), { logger: false });
      nest.AppModule.mount(app, auth);
      await app.listen(0, '127.0.0.1');
      t.after(() => app.close());
      return callAt(await app.getUrl());
    },
  },
};

for (const [name, { start, sessions }] of Object.entries(frameworks)) {
  test(`${name}: login, a protected route, refresh, logout`, async (t) => {
    const { auth, clock } = testAuth();
    const call = await start(t, auth);
    const post = (path, headers = {}) => call(path, { method: 'POST', headers });
    const me = (token) => call('/me', token && { headers: { authorization: `Bearer ${token}` } });
    const cookieOf = (response) => `refreshToken=${setCookies(response).refreshToken.value}`;
    const refusal = async (response) => {
      assert.equal(response.headers.get('cache-control'), 'no-store');
      const { error } = await response.json();
      return [response.status, error.code, error.advice, response.headers.get('www-authenticate')?.split(' ')[0] ?? null];
    };

    const login = await post('/login');
    const { accessToken } = await login.json();
    const { attributes } = setCookies(login).refreshToken;
    assert.deepEqual([attributes.path, attributes.samesite, attributes.httponly, attributes.secure], ['/auth', 'Strict', true, true]);
    assert.equal(login.headers.get('cache-control'), 'no-store');

    const welcome = await me(accessToken);
    assert.deepEqual([welcome.status, await welcome.json()], [200, { id: 'user-1' }]);
    assert.deepEqual(await refusal(await me()), [401, 'ERR_TOKEN_MISSING', 'sign_in', 'Bearer']);
    assert.deepEqual(await refusal(await me('rubbish')), [401, 'ERR_TOKEN_MALFORMED', 'reject', 'Bearer']);
    clock.advance(901_000);
    assert.deepEqual(await refusal(await me(accessToken)), [401, 'ERR_TOKEN_EXPIRED', 'refresh', 'Bearer']);

    const foreign = await post('/auth/refresh', { cookie: cookieOf(login), 'sec-fetch-site': 'cross-site' });
    assert.deepEqual((await refusal(foreign)).slice(0, 3), [403, 'ERR_ORIGIN_NOT_ALLOWED', 'reject']);
    const refreshed = await post('/auth/refresh', { cookie: cookieOf(login) });
    assert.equal(refreshed.status, 200);
    assert.notEqual(cookieOf(refreshed), cookieOf(login));
    const renewed = await refreshed.json();
    assert.deepEqual([Object.keys(renewed), renewed.expiresIn], [['accessToken', 'expiresIn'], 900]);
    assert.equal((await me(renewed.accessToken)).status, 200);

    if (sessions) {
      const headers = { authorization: `Bearer ${renewed.accessToken}` };
      const listed = await (await call('/auth/sessions', { headers })).json();
      assert.deepEqual(listed.sessions.map(({ current, state }) => [current, state]), [[true, 'live']]);
      const other = await auth.login('user-1');
      const ended = await call('/auth/sessions/others', { method: 'DELETE', headers });
      assert.deepEqual(await ended.json(), { ended: 1 });
      const one = await call(`/auth/sessions/${other.sessionId}`, { method: 'DELETE', headers });
      assert.deepEqual(await one.json(), { ended: 0 });
      assert.equal((await call('/auth/sessions', { method: 'DELETE' })).status, 401);
    }

    const left = await post('/auth/logout', { cookie: cookieOf(refreshed) });
    assert.deepEqual([left.status, setCookies(left).refreshToken.value], [204, '']);
    assert.deepEqual((await refusal(await me(renewed.accessToken))).slice(0, 2), [401, 'ERR_ACCESS_REVOKED']);
    const over = await post('/auth/refresh', { cookie: cookieOf(refreshed) });
    assert.deepEqual((await refusal(over)).slice(0, 3), [401, 'ERR_SESSION_REVOKED', 'sign_in']);
  });
}

test('what docs/frameworks.md shows is what was run', async () => {
  const page = await readFile(new URL('../frameworks.md', recipes), 'utf8');
  const names = ['express.mjs', 'fastify.mjs', 'koa.mjs', 'hono.mjs', 'nest.ts'];
  const run = (await Promise.all(names.map((file) => readFile(new URL(file, recipes), 'utf8')))).map(unindented).join('\n');
  const shown = [...page.matchAll(/```(?:js|ts)\n([^]*?)```/g)].map(([, code]) => code);
  assert.equal(shown.length, names.length);
  for (const line of shown.flatMap((code) => unindented(code).split('\n'))) assert.ok(run.includes(line), line);
  const [, declaration] = /```ts express-auth\.d\.ts\n([^]*?)```/.exec(page);
  assert.equal(declaration, await readFile(new URL('express-auth.d.ts', recipes), 'utf8'));
});

/** Lines without what is before them, for a page shows the inside of functions. */
function unindented(text) {
  return text.replace(/^ +/gm, '');
}
