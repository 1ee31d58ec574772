// The programs of docs/recipes/*.md, run with the real packages; and the pages show what was run.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, readdir } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { SpanStatusCode, context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import WebSocket from 'ws';
import { testAuth, withCode } from '../support/auth.mjs';
import { json, serve, setCookies } from '../support/server.mjs';

const recipes = new URL('../../docs/recipes/', import.meta.url);
const recipe = (name) => import(new URL(name, recipes));
const EXPIRED = 901_000;
const CHECK_EVERY = 20; // ms

/** A server without routes on a free port. */
async function bareServer(t) {
  const server = createServer();
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  // A server waits for upgraded connections before it closes.
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  const { origin } = await serve(t, server);
  return { server, origin };
}

test('ws: a token is needed to connect, and to stay connected', async (t) => {
  const { auth, clock } = testAuth({ web: { accessCookie: true } });
  const { server, origin } = await bareServer(t);
  const { webSockets } = await recipe('websocket.mjs');
  webSockets(server, auth, CHECK_EVERY).on('connection', (ws, access) => ws.send(access.subject));
  const connect = (headers) => new WebSocket(origin.replace('http', 'ws'), { headers });
  const welcome = async (ws) => String((await once(ws, 'message'))[0]);
  const refusal = async (headers) => (await once(connect(headers), 'unexpected-response'))[1].statusCode;
  const { accessToken, sessionId } = await auth.login('user-1');
  const cookie = `accessToken=${accessToken}`;

  assert.equal(await refusal({}), 401);
  assert.equal(await refusal({ cookie, origin: 'https://evil.example' }), 403);
  const [one, other] = [connect({ cookie, origin }), connect({ authorization: `Bearer ${accessToken}` })];
  assert.deepEqual(await Promise.all([one, other].map(welcome)), ['user-1', 'user-1']);

  const closed = Promise.all([one, other].map((ws) => once(ws, 'close')));
  await auth.revokeSession('user-1', sessionId);
  for (const [code, reason] of await closed) {
    assert.deepEqual([code, String(reason)], [4401, 'ERR_ACCESS_REVOKED']);
  }
  const next = connect({ authorization: `Bearer ${(await auth.login('user-1')).accessToken}` });
  assert.equal(await welcome(next), 'user-1');
  clock.advance(EXPIRED);
  assert.equal(String((await once(next, 'close'))[1]), 'ERR_TOKEN_EXPIRED');
});

test('socket.io: a client whose token expires refreshes it and connects again', async (t) => {
  const { auth, clock } = testAuth();
  const { server, origin } = await bareServer(t);
  const [{ socketServer }, { connect }] = await Promise.all([recipe('socket-io.mjs'), recipe('socket-io-client.mjs')]);
  const io = socketServer(server, auth);
  t.after(() => io.close());
  io.on('connection', (socket) => socket.emit('welcome', socket.data.access.subject));
  let refreshes = 0;
  let pair = await auth.login('user-1');
  clock.advance(EXPIRED);
  const refresh = async () => {
    refreshes += 1;
    pair = await auth.refresh(pair.refreshToken);
    return pair.accessToken;
  };
  const client = connect(origin, { accessToken: pair.accessToken, refresh });
  t.after(() => client.close());
  const next = (event) => new Promise((resolve) => { client.once(event, resolve); });
  assert.deepEqual([await next('welcome'), refreshes], ['user-1', 1]);

  const stranger = connect(origin, { refresh });
  t.after(() => stranger.close());
  const { data } = await new Promise((resolve) => { stranger.once('connect_error', resolve); });
  assert.deepEqual([data.advice, refreshes], ['sign_in', 1]);

  // The refresh fails: the app is told, once, and the process has no unhandled rejection.
  clock.advance(EXPIRED);
  const signedOut = new Error('signed out');
  const failed = await new Promise((resolve) => {
    const over = connect(origin, { accessToken: pair.accessToken, refresh: () => Promise.reject(signedOut), onError: resolve });
    t.after(() => over.close());
  });
  assert.equal(failed, signedOut);
});

test('socket.io: a client whose session is revoked is disconnected', async (t) => {
  const { auth } = testAuth();
  const { server, origin } = await bareServer(t);
  const io = (await recipe('socket-io.mjs')).socketServer(server, auth, CHECK_EVERY);
  t.after(() => io.close());
  const { accessToken, sessionId } = await auth.login('user-1');
  const { io: connect } = await import('socket.io-client');
  const client = connect(origin, { auth: { token: accessToken } });
  t.after(() => client.close());
  await new Promise((resolve) => { client.once('connect', resolve); });
  const gone = new Promise((resolve) => { client.once('disconnect', resolve); });
  await auth.revokeSession('user-1', sessionId);
  assert.equal(await gone, 'io server disconnect');
});

test('GraphQL: public fields, a field behind a token, a bad token', async () => {
  const { auth, clock } = testAuth();
  const server = (await recipe('graphql.mjs')).graphQlServer(auth);
  const ask = async (query, authorization) => {
    const { headers, body } = json({ query });
    const response = await server.fetch('http://127.0.0.1/graphql', {
      method: 'POST', headers: { ...headers, ...(authorization && { authorization }) }, body,
    });
    const { data, errors } = await response.json();
    return [response.status, data ?? null, errors?.[0].extensions.code];
  };
  const { accessToken } = await auth.login('user-1');
  assert.deepEqual(await ask('{ version }'), [200, { version: '1' }, undefined]);
  assert.deepEqual(await ask('{ me }', `Bearer ${accessToken}`), [200, { me: 'user-1' }, undefined]);
  assert.deepEqual(await ask('{ me }'), [401, null, 'ERR_TOKEN_MISSING']);
  clock.advance(EXPIRED);
  assert.deepEqual(await ask('{ version }', `Bearer ${accessToken}`), [401, null, 'ERR_TOKEN_EXPIRED']);
});

test('roles: in the access token, and as they are now after a refresh', async (t) => {
  const { auth } = testAuth();
  let roles = ['auditor'];
  const call = await serve(t, (await recipe('roles.mjs')).rolesApp(auth, async () => roles));
  const status = async ({ accessToken }) => (await call('/reports', { headers: { authorization: `Bearer ${accessToken}` } })).status;
  const login = await call.post('/login');
  assert.equal(await status(await login.json()), 200);
  roles = ['reader'];
  const refreshed = await call.post('/auth/refresh', { headers: { cookie: `refreshToken=${setCookies(login).refreshToken.value}` } });
  assert.equal(await status(await refreshed.json()), 403);
  assert.equal(await status(await auth.login('user-1')), 403);
});

test('tenants: a token of one tenant does not count on the host of another', async (t) => {
  const { auth } = testAuth();
  const { origin } = await serve(t, (await recipe('tenants.mjs')).tenantsApp(auth));
  // `fetch` does not send another `Host`.
  const call = async (method, path, headers) => {
    const [response] = await once(httpRequest(`${origin}${path}`, { method, headers }).end(), 'response');
    return [response.statusCode, JSON.parse(await new Response(response).text())];
  };
  const [, { accessToken }] = await call('POST', '/login', { host: 'acme.example' });
  const authorization = `Bearer ${accessToken}`;
  assert.deepEqual(await call('GET', '/me', { host: 'acme.example', authorization }), [200, { tenant: 'acme', user: '42' }]);
  assert.equal((await call('GET', '/me', { host: 'evil.example', authorization }))[0], 403);
  assert.deepEqual([(await auth.sessions('acme/42')).length, (await auth.sessions('evil/42')).length], [1, 0]);
});

test('OpenTelemetry: spans of flows, the session on the span of a request, metrics', async (t) => {
  const spans = new InMemorySpanExporter();
  const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: points });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  t.after(() => reader.shutdown());
  const { traced, identify, observe } = await recipe('opentelemetry.mjs');
  const { auth } = testAuth();
  observe(auth);

  const { accessToken, sessionId } = await traced('login', () => auth.login('user-1'));
  await assert.rejects(traced('refresh', () => auth.refresh('rubbish')), withCode('ERR_TOKEN_MALFORMED'));
  await traced('GET /me', async () => identify({ auth: auth.verifyAccess(accessToken) }, {}, () => {}));
  const told = Object.fromEntries(spans.getFinishedSpans().map((span) => [span.name, span]));
  assert.equal(told.login.status.code, SpanStatusCode.UNSET);
  assert.deepEqual([told.refresh.status.code, told.refresh.attributes], [SpanStatusCode.ERROR, { 'error.type': 'ERR_TOKEN_MALFORMED' }]);
  assert.deepEqual(told['GET /me'].attributes, { 'user.id': 'user-1', 'session.id': sessionId });

  await reader.forceFlush();
  const reported = points.getMetrics()[0].scopeMetrics[0].metrics;
  const logins = reported.find(({ descriptor }) => descriptor.name === 'regrant_logins_total');
  assert.equal(logins.dataPoints.some(({ attributes, value }) => attributes.outcome === 'issued' && value >= 1), true);
});

test('the pages show what was run', async () => {
  const pages = (await readdir(recipes)).filter((name) => name.endsWith('.md'));
  const shown = [];
  for (const page of pages) {
    const text = await readFile(new URL(page, recipes), 'utf8');
    for (const [, file, code] of text.matchAll(/```js (\S+)\n([^]*?)```/g)) {
      assert.equal(code, await readFile(new URL(file, recipes), 'utf8'), `${page}: ${file}`);
      shown.push(file);
    }
  }
  const programs = ['websocket', 'socket-io', 'socket-io-client', 'graphql', 'roles', 'tenants', 'opentelemetry'];
  for (const program of programs) assert.ok(shown.includes(`${program}.mjs`), program);
});
