// The endpoints of OAuth 2.0: token, revocation and introspection, as a standard client uses them.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import fastify from 'fastify';
import { createAuth } from 'regrant';
import * as forExpress from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import * as forFetch from 'regrant/http';
import { testAuth } from './support/auth.mjs';
import { expressVersions, serve } from './support/server.mjs';

const authorize = (request) => {
  const { headers } = request;
  return (typeof headers.get === 'function' ? headers.get('x-service') : headers['x-service']) === 'yes';
};

/** Each serves `/oauth/token`, `/oauth/revoke` and `/oauth/introspect`. */
const surfaces = {
  ...Object.fromEntries(expressVersions.flatMap(({ name, express }) => ['', 'urlencoded', 'json'].map((parser) => [
    `${name}${parser && ` with express.${parser}()`}`,
    async (t, auth, options) => {
      const app = express();
      if (parser) app.use(express[parser]({ extended: true }));
      app.use('/oauth', forExpress.oauthRouter(auth, { authorize, ...options }));
      return serve(t, app);
    },
  ]))),
  fastify: async (t, auth, options) => {
    const app = fastify();
    app.register(forFastify.oauthRoutes, { auth, prefix: '/oauth', authorize, ...options });
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    t.after(() => app.close());
    return (path, init) => fetch(origin + path, init);
  },
  fetch: async (_t, auth, options) => async (path, init) => {
    const request = new Request(`http://app.example${path}`, init);
    if (path.endsWith('/token')) return forFetch.toResponse(await forFetch.token(auth, request, options));
    if (path.endsWith('/revoke')) return forFetch.toResponse(await forFetch.revoke(auth, request));
    return forFetch.toResponse(await forFetch.introspect(auth, request, { authorize }));
  },
};

for (const [name, start] of Object.entries(surfaces)) {
  const world = async (t, options) => {
    const { auth, clock } = testAuth();
    const call = await start(t, auth, options);
    const post = async (path, form, headers = {}) => {
      const reply = await call(`/oauth${path}`, { method: 'POST', body: new URLSearchParams(form), headers });
      const text = await reply.text();
      return { status: reply.status, headers: reply.headers, body: text === '' ? undefined : JSON.parse(text) };
    };
    const refresh = (token) => post('/token', { grant_type: 'refresh_token', refresh_token: token });
    return { auth, clock, call, post, refresh };
  };

  test(`${name}: a standard client refreshes`, async (t) => {
    const { auth, clock, refresh } = await world(t);
    const { refreshToken } = await auth.login('user-1', { claims: { scope: 'read' } });
    const first = await refresh(refreshToken);
    assert.equal(first.status, 200);
    assert.equal(first.headers.get('cache-control'), 'no-store');
    assert.deepEqual(first.headers.getSetCookie(), []);
    const { access_token: access, refresh_token: next, ...others } = first.body;
    assert.deepEqual(others, { token_type: 'Bearer', expires_in: 900 });
    assert.equal(auth.verify(access).scope, 'read');
    clock.advance(3_600_000);
    assert.equal((await refresh(next)).status, 200);
    clock.advance(3_600_000);
    const reused = await refresh(refreshToken);
    assert.deepEqual([reused.status, reused.body.error], [400, 'invalid_grant']);
    for (const token of ['junk', access]) {
      const { status, body } = await refresh(token);
      assert.deepEqual([status, body.error], [400, 'invalid_grant'], token);
    }
  });

  test(`${name}: requests that are none`, async (t) => {
    const { auth, call, post } = await world(t);
    const { refreshToken } = await auth.login('user-1');
    for (const [form, error] of [
      [{}, 'invalid_request'],
      [{ grant_type: 'refresh_token' }, 'invalid_request'],
      [{ grant_type: 'refresh_token', refresh_token: '' }, 'invalid_request'],
      [{ grant_type: 'password', username: 'a', password: 'b' }, 'unsupported_grant_type'],
      [[['grant_type', 'refresh_token'], ['refresh_token', refreshToken], ['refresh_token', refreshToken]], 'invalid_request'],
    ]) {
      const { status, body } = await post('/token', form);
      assert.deepEqual([status, body.error], [400, error], JSON.stringify(form));
    }
    for (const path of ['/revoke', '/introspect']) {
      const { status, body } = await post(path, {}, { 'x-service': 'yes' });
      assert.deepEqual([status, body.error], [400, 'invalid_request']);
    }
    const got = await call('/oauth/token', { method: 'GET' });
    assert.ok([404, 405].includes(got.status));
    assert.equal((await auth.refresh(refreshToken)).renewal, 'issued', 'nothing of it changed the session');
  });

  test(`${name}: a token is revoked, and with it its session`, async (t) => {
    const { auth, post, refresh } = await world(t);
    for (const kind of ['refreshToken', 'accessToken']) {
      const pair = await auth.login('user-1');
      for (let repeated = 0; repeated < 2; repeated++) {
        const { status, body } = await post('/revoke', { token: pair[kind], token_type_hint: 'access_token' });
        assert.deepEqual([status, body], [200, undefined], kind);
      }
      assert.throws(() => auth.verify(pair.accessToken), { code: 'ERR_ACCESS_REVOKED' });
      assert.equal((await refresh(pair.refreshToken)).body.error, 'invalid_grant');
    }
    assert.equal((await post('/revoke', { token: 'junk' })).status, 200);
  });

  test(`${name}: a token is introspected by those who may`, async (t) => {
    const { auth, clock, post } = await world(t);
    const pair = await auth.login('user-1', { claims: { scope: 'read' } });
    const ask = async (token) => (await post('/introspect', { token }, { 'x-service': 'yes' })).body;
    const { active, sub, sid, scope, token_type: type } = await ask(pair.accessToken);
    assert.deepEqual([active, sub, sid, scope, type], [true, 'user-1', pair.sessionId, 'read', 'Bearer']);
    const refresh = await ask(pair.refreshToken);
    assert.deepEqual([refresh.active, refresh.sub, refresh.token_type], [true, 'user-1', 'refresh_token']);
    for (const token of ['junk', `${pair.accessToken}x`]) assert.deepEqual(await ask(token), { active: false });
    const stranger = await post('/introspect', { token: pair.accessToken });
    assert.deepEqual([stranger.status, stranger.body], [401, { error: 'invalid_client' }]);
    await auth.logout(pair.refreshToken);
    for (const token of [pair.accessToken, pair.refreshToken]) assert.deepEqual(await ask(token), { active: false });
    const later = await auth.login('user-1');
    clock.advance(16 * 60_000);
    assert.deepEqual(await ask(later.accessToken), { active: false });
  });

  test(`${name}: claims are looked up for the token endpoint too`, async (t) => {
    const claims = (user, session) => ({ ...session.claims, user });
    const { auth, refresh } = await world(t, { claims });
    const { refreshToken } = await auth.login('user-1', { claims: { role: 'editor' } });
    const { user, role } = auth.verify((await refresh(refreshToken)).body.access_token);
    assert.deepEqual([user, role], ['user-1', 'editor']);
    assert.equal((await refresh('junk')).body.error, 'invalid_grant');
  });
}

test('access tokens by a key pair are introspected and revoked', async (t) => {
  const privateKey = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const auth = createAuth({ keys: [{ alg: 'EdDSA', privateKey }], refreshSecret: 'a refresh secret of 32 bytes or more', store: 'memory:' });
  const call = await surfaces.fastify(t, auth);
  const post = (path, token) =>
    call(`/oauth${path}`, { method: 'POST', body: new URLSearchParams({ token }), headers: { 'x-service': 'yes' } });
  const { accessToken, refreshToken } = await auth.login('user-1');
  assert.equal((await (await post('/introspect', accessToken)).json()).active, true);
  assert.equal((await post('/revoke', accessToken)).status, 200);
  assert.deepEqual(await (await post('/introspect', accessToken)).json(), { active: false });
  await assert.rejects(auth.refresh(refreshToken), { code: 'ERR_SESSION_REVOKED' });
  // A token without a session cannot be revoked by itself.
  const refused = await post('/revoke', auth.issueAccessToken('billing').accessToken);
  assert.deepEqual([refused.status, (await refused.json()).error], [400, 'unsupported_token_type']);
});

test('a form that is too long is refused without being read to its end', async (t) => {
  const { auth } = testAuth();
  const call = await surfaces[Object.keys(surfaces)[0]](t, auth);
  const reply = await call('/oauth/token', { method: 'POST', body: `refresh_token=${'x'.repeat(200_000)}` });
  assert.equal(reply.status, 413);
});

/** As loggers do. A request whose stream was destroyed has no socket, and reading its address throws. */
test('after a form that is too long or is given up, a listener can read the address of the client', async (t) => {
  const { auth } = testAuth();
  const addresses = [];
  const failures = [];
  const app = expressVersions[0].express();
  app.use((req, res, next) => {
    res.on('close', () => addresses.push(req.ip));
    next();
  });
  app.use('/oauth', forExpress.oauthRouter(auth));
  app.use((error, _req, res, _next) => {
    failures.push(error);
    res.status(500).end();
  });
  const server = app.listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address();
  for (const path of ['token', 'revoke']) {
    const reply = await fetch(`http://127.0.0.1:${port}/oauth/${path}`, { method: 'POST', body: `token=${'x'.repeat(200_000)}` });
    assert.equal(reply.status, 413);
  }
  const socket = connect(port, '127.0.0.1');
  socket.write('POST /oauth/token HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc');
  await new Promise((resolve) => socket.write('d', resolve));
  while (!(await new Promise((resolve) => server.getConnections((_, count) => resolve(count > 0))))) continue;
  socket.destroy();
  while (addresses.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(failures, []);
  for (const address of addresses.slice(0, 2)) assert.match(address, /127\.0\.0\.1$/);
});

test('a method that no endpoint has is answered alike', async (t) => {
  for (const [name, surface] of Object.entries(surfaces)) {
    const call = await surface(t, testAuth().auth);
    for (const method of ['GET', 'PUT', 'OPTIONS']) {
      const reply = await call('/oauth/token', { method });
      assert.deepEqual([reply.status, reply.headers.get('allow')], [405, 'POST'], `${name} ${method}`);
    }
  }
});

test('introspection needs authorize', () => {
  const { auth } = testAuth();
  for (const options of [{ authorize: undefined }, { authorize: 'yes' }]) {
    assert.throws(() => forExpress.oauthRouter(auth, options), { code: 'ERR_ARGUMENT_INVALID', field: 'authorize' });
  }
  assert.throws(() => forExpress.oauthRouter(auth, { autorize }), { code: 'ERR_ARGUMENT_INVALID', field: 'autorize' });
});

const autorize = () => true;
