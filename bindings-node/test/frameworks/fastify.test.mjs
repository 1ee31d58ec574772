// The options of the Fastify half; the story with its routes is in story.test.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fastify from 'fastify';
import { authOf, authRoutes, authenticate, loginReply } from 'regrant/fastify';
import { testAuth } from '../support/auth.mjs';

const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** An app with one protected route that shows what the hook left. */
async function protectedApp(t, options, config) {
  const { auth, clock } = testAuth(config);
  const app = fastify();
  t.after(() => app.close());
  app.get('/me', { onRequest: authenticate(auth, options) }, async (request) => ({
    subject: request.auth?.subject ?? null,
    user: request.user ?? null,
  }));
  const ask = (headers = {}) => app.inject({ url: '/me', headers });
  return { app, auth, clock, ask, pair: await auth.login('user-1', { claims: { role: 'admin' } }) };
}

test('header, cookie and optional', async (t) => {
  const { ask, pair } = await protectedApp(t, { optional: true }, { web: { accessHeader: 'X-Token', accessCookie: 'at' } });
  assert.equal((await ask({ 'x-token': `Bearer ${pair.accessToken}` })).json().subject, 'user-1');
  assert.equal((await ask({ cookie: `at=${pair.accessToken}` })).json().subject, 'user-1');
  assert.deepEqual((await ask(bearer(pair.accessToken))).json(), { subject: null, user: null });
  assert.equal((await ask({ cookie: 'at=rubbish' })).statusCode, 401);
});

test('loadUser gets the request of Fastify; its user is request.user; none is 401; what it throws is the app\'s', async (t) => {
  let found = (subject, claims, request) => `${subject} ${claims.role} ${request.routeOptions.url}`;
  const { app, ask, pair } = await protectedApp(t, { loadUser: (...args) => found(...args) });
  app.setErrorHandler((error, request, reply) => reply.code(555).send({ own: error.message }));
  assert.equal((await ask(bearer(pair.accessToken))).json().user, 'user-1 admin /me');
  found = () => undefined;
  const refused = await ask(bearer(pair.accessToken));
  assert.deepEqual([refused.statusCode, refused.json().error.code], [401, 'ERR_SESSION_UNKNOWN']);
  found = () => Promise.reject(new Error('no database'));
  const failed = await ask(bearer(pair.accessToken));
  assert.deepEqual([failed.statusCode, failed.json()], [555, { own: 'no database' }]);
});

test('onError answers in the app\'s way, or leaves it to the error handler', async (t) => {
  const own = await protectedApp(t, { onError: (error, request, reply) => reply.code(418).send({ own: error.code }) });
  const response = await own.ask();
  assert.deepEqual([response.statusCode, response.json(), response.headers['cache-control']], [418, { own: 'ERR_TOKEN_MISSING' }, 'no-store']);
  const left = await protectedApp(t, { onError: (error) => { throw error; } });
  left.app.setErrorHandler((error, request, reply) => reply.code(555).send({ handed: error.code }));
  assert.deepEqual((await left.ask()).json(), { handed: 'ERR_TOKEN_MISSING' });
});

test('onError may return the body', async (t) => {
  const { ask } = await protectedApp(t, { onError: (error, request, reply) => { reply.code(418); return { own: error.code }; } });
  const response = await ask();
  assert.deepEqual([response.statusCode, response.json()], [418, { own: 'ERR_TOKEN_MISSING' }]);
});

test('a refused request never reaches its handler, also if its client is gone before the response', async (t) => {
  const { auth } = testAuth();
  const app = fastify();
  t.after(() => app.close());
  let handled = 0;
  let arrived;
  const sending = new Promise((resolve) => (arrived = resolve));
  let goOn;
  const gone = new Promise((resolve) => (goOn = resolve));
  app.addHook('onSend', async () => {
    arrived();
    await gone;
  });
  app.get('/me', { onRequest: authenticate(auth) }, async () => {
    handled++;
    return {};
  });
  const closed = new Promise((resolve) => app.server.on('connection', (socket) => socket.once('close', resolve)));
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const abort = new AbortController();
  const asked = fetch(`${address}/me`, { signal: abort.signal }).catch(() => {});
  await sending;
  abort.abort();
  await asked;
  await closed;
  goOn();
  assert.equal((await fetch(`${address}/me`)).status, 401);
  assert.equal(handled, 0);
});

test('a user that is refused leaves nothing on the request', async (t) => {
  const { ask, pair } = await protectedApp(t, { loadUser: () => null, onError: (error, request, reply) => reply.send({ auth: request.auth ?? null }) });
  assert.deepEqual((await ask(bearer(pair.accessToken))).json(), { auth: null });
});

test('an empty session id ends no session, whatever the router makes of it', async (t) => {
  const { auth } = testAuth();
  const app = fastify({ routerOptions: { ignoreTrailingSlash: true } });
  t.after(() => app.close());
  app.register(authRoutes, { prefix: '/auth', auth });
  const pair = await auth.login('user-1');
  const response = await app.inject({ method: 'DELETE', url: '/auth/sessions/', headers: bearer(pair.accessToken) });
  assert.equal(response.statusCode, 404);
  assert.equal((await auth.sessions('user-1'))[0].state, 'live');
});

test('whenStale asks the store', async (t) => {
  const { ask, pair } = await protectedApp(t, { whenStale: 'ask' });
  assert.equal((await ask(bearer(pair.accessToken))).statusCode, 200);
  assert.equal((await ask()).statusCode, 401);
});

test('authOf names the defect of a route without authenticate', async (t) => {
  const app = fastify();
  t.after(() => app.close());
  app.get('/me', async (request) => authOf(request));
  assert.match((await app.inject('/me')).json().message, /authenticate\(\)/);
});

test('the routes with tokens in bodies, other claims, and a status of the app\'s own', async (t) => {
  const { auth } = testAuth({ web: { refreshCookie: false, accessHeader: 'x-token' } });
  const app = fastify();
  t.after(() => app.close());
  app.post('/login', async (request, reply) => loginReply(auth, reply.code(201), await auth.login('user-1')));
  app.register(authRoutes, { auth, prefix: '/session', claims: (subject) => ({ of: subject }) });
  const login = await app.inject({ method: 'POST', url: '/login' });
  assert.deepEqual([login.statusCode, login.headers['set-cookie']], [201, undefined]);
  const { refreshToken } = login.json();
  const renewed = (await app.inject({ method: 'POST', url: '/session/refresh', payload: { refreshToken } })).json();
  assert.equal(auth.verify(renewed.accessToken).of, 'user-1');
  const headers = { 'x-token': `Bearer ${renewed.accessToken}` };
  assert.equal((await app.inject({ url: '/session/sessions', headers })).json().sessions.length, 1);
  assert.equal((await app.inject({ url: '/session/sessions' })).statusCode, 401);
  const left = await app.inject({ method: 'POST', url: '/session/logout', payload: { refreshToken: renewed.refreshToken } });
  assert.equal(left.statusCode, 204);
  assert.equal((await app.inject({ url: '/session/sessions', headers })).json().error.code, 'ERR_ACCESS_REVOKED');
});

test('several cookies go beside each other and beside the app\'s', async (t) => {
  const { auth } = testAuth({ web: { accessCookie: true } });
  const app = fastify();
  t.after(() => app.close());
  app.post('/login', async (request, reply) => {
    reply.header('set-cookie', 'own=1');
    return loginReply(auth, reply, await auth.login('user-1'));
  });
  const cookies = (await app.inject({ method: 'POST', url: '/login' })).headers['set-cookie'];
  assert.deepEqual(cookies.map((cookie) => cookie.split('=')[0]), ['own', 'refreshToken', 'accessToken']);
});

test('what a function for claims throws goes to the error handler', async (t) => {
  const { auth } = testAuth({ web: { refreshCookie: false } });
  const app = fastify();
  t.after(() => app.close());
  app.setErrorHandler((error, request, reply) => reply.code(555).send(error.message));
  app.register(authRoutes, { auth, claims: () => Promise.reject(new Error('no database')) });
  const { refreshToken } = await auth.login('user-1');
  assert.equal((await app.inject({ method: 'POST', url: '/refresh', payload: { refreshToken } })).statusCode, 555);
});
