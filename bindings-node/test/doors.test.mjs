// Every route that takes a token, against tokens of another app, tokens without their key, and requests that leave out
// what rotates: each refuses them, and the session goes on.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fastify from 'fastify';
import { TestClock, createAuth } from 'regrant';
import * as forExpress from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import * as forFetch from 'regrant/http';
import jsonwebtoken from 'regrant/jsonwebtoken';
import { SECRET, START, withCode } from './support/auth.mjs';
import { expressVersions, json, serve } from './support/server.mjs';

const ORIGIN = 'https://api.example';
const authorize = () => true;

/** Serves all routes: `/auth` with cookies, `/json` with tokens in bodies, `/oauth`, `/me`, and the preset in Express. */
const surfaces = {
  ...Object.fromEntries(expressVersions.map(({ name, express }) => [name, async (t, auth) => {
    const app = express();
    app.use(express.json(), express.urlencoded({ extended: false }));
    app.use('/auth', forExpress.authRouter(auth));
    app.use('/json', forExpress.authRouter(auth.withWeb({ refreshCookie: false })));
    app.use('/oauth', forExpress.oauthRouter(auth, { authorize }));
    app.get('/me', forExpress.authenticate(auth), (req, res) => res.json({}));
    const old = forExpress.presets.rtVerify({ language: 'en' });
    app.get('/old/me', old.authenticate(auth), (req, res) => res.json({}));
    app.get('/old/rtVerify', old.rtVerify(auth));
    app.use((err, req, res, _next) => res.status(err.status ?? 500).json({}));
    return serve(t, app);
  }])),
  fastify: async (t, auth) => {
    const app = fastify();
    app.register(forFastify.authRoutes, { auth, prefix: '/auth' });
    app.register(forFastify.authRoutes, { auth: auth.withWeb({ refreshCookie: false }), prefix: '/json' });
    app.register(forFastify.oauthRoutes, { auth, prefix: '/oauth', authorize });
    app.get('/me', { onRequest: forFastify.authenticate(auth) }, async () => ({}));
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    t.after(() => app.close());
    return (path, init) => fetch(origin + path, init);
  },
  fetch: async (t, auth) => async (path, init = {}) => {
    const json = auth.withWeb({ refreshCookie: false });
    const answer = async () => {
      const url = `http://app.example${path}`;
      const request = new Request(url, init);
      const [, mount, route, sessionId] = path.split('/');
      if (mount === 'oauth') return forFetch[{ token: 'token', revoke: 'revoke', introspect: 'introspect' }[route]](auth, request, ...(route === 'introspect' ? [{ authorize }] : []));
      const parsed = mount === 'json' && init.body ? { method: init.method, url, headers: request.headers, body: JSON.parse(init.body) } : request;
      if (route === 'refresh' || route === 'logout') return forFetch[route](mount === 'json' ? json : auth, parsed);
      const decision = await forFetch.authenticate(auth, request);
      if (!decision.ok) return decision.answer;
      return route === 'sessions' ? forFetch.sessions(auth, decision.auth, { method: init.method, sessionId }) : { status: 200, headers: {}, cookies: [], body: {} };
    };
    return forFetch.toResponse(await answer());
  },
};

const form = (fields) => ({ method: 'POST', body: new URLSearchParams(fields) });
const body = (fields) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) });

/**
 * The requests that present a token, by name: `[path, init]`. `proof(method, path, token)` is the header `DPoP`, if there is
 * one. Revocation and introspection answer 200 to any token.
 */
function requests(surface, { refreshToken, accessToken, sessionId }, proof = () => undefined) {
  const preset = surface.startsWith('express');
  const scheme = proof('GET', '/', accessToken) === undefined ? 'Bearer' : 'DPoP';
  const access = { authorization: `${scheme} ${accessToken}` };
  const all = {
    'refresh cookie': ['/auth/refresh', { method: 'POST', headers: { cookie: `refreshToken=${refreshToken}` } }],
    'refresh body': ['/json/refresh', body({ refreshToken })],
    'refresh form': ['/oauth/token', form({ grant_type: 'refresh_token', refresh_token: refreshToken })],
    ...(preset && { 'refresh preset': ['/old/rtVerify', { headers: { refreshtoken: `Bearer ${refreshToken}`, userid: 'user-1' } }] }),
    'logout cookie': ['/auth/logout', { method: 'POST', headers: { cookie: `refreshToken=${refreshToken}` } }],
    'logout body': ['/json/logout', body({ refreshToken })],
    'revoke refresh': ['/oauth/revoke', form({ token: refreshToken })],
    'revoke access': ['/oauth/revoke', form({ token: accessToken })],
    'introspect refresh': ['/oauth/introspect', form({ token: refreshToken })],
    'introspect access': ['/oauth/introspect', form({ token: accessToken })],
    'guard': ['/me', { headers: access }],
    'guard, refresh token': ['/me', { headers: { authorization: `${scheme} ${refreshToken}` } }],
    ...(preset && { 'guard preset': ['/old/me', { headers: { accesstoken: `Bearer ${accessToken}` } }] }),
    'list': ['/auth/sessions', { method: 'GET', headers: access }],
    'revoke one': [`/auth/sessions/${sessionId}`, { method: 'DELETE', headers: access }],
    'revoke others': ['/auth/sessions/others', { method: 'DELETE', headers: access }],
    'revoke all': ['/auth/sessions', { method: 'DELETE', headers: access }],
  };
  return Object.entries(all).map(([name, [path, { headers, ...init }]]) => {
    const isRefresh = /^(refresh|logout|revoke refresh)/.test(name);
    const dpop = proof(init.method ?? 'GET', path, isRefresh ? undefined : accessToken);
    return [name, path, { ...init, headers: { ...headers, ...(dpop !== undefined && { dpop }) } }];
  });
}

/** Checks that no request is granted. @returns what each was answered */
async function refusals(surface, call, tokens, proof) {
  for (const [name, path, init] of requests(surface, tokens, proof)) {
    const reply = await call(path, init);
    const text = await reply.text();
    if (path === '/oauth/introspect') {
      if (!proof) assert.deepEqual([reply.status, JSON.parse(text)], [200, { active: false }], name);
    } else if (path !== '/oauth/revoke') {
      assert.ok(reply.status >= 400 && reply.status < 500, `${name}: ${reply.status}`);
    }
    assert.ok(!/eyJ/.test(text), `${name} answers with a token`);
    assert.deepEqual(reply.headers.getSetCookie().filter((cookie) => cookie.includes('eyJ')), [], name);
  }
}

for (const [name, start] of Object.entries(surfaces)) {
  test(`${name}: tokens of another app with the same secret and store mean nothing`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'regrant-doors-'));
    t.after(() => rm(folder, { recursive: true }));
    const events = [];
    const app = (audience) => createAuth({
      secret: SECRET,
      store: `file:${join(folder, 'sessions.db')}`,
      access: { audience },
      // By default an app without a realm of its own is a previous one of the others.
      previousRealms: [],
      onEvent: (event) => events.push(event.type),
    });
    const [shop, admin, plain] = [app('shop'), app('admin'), app(undefined)];
    const [pair, other] = [await shop.login('user-1'), await shop.login('user-1')];
    for (const foreign of [admin, plain]) {
      const call = await start(t, foreign);
      await refusals(name, call, pair);
      for (const refused of [
        foreign.refresh(pair.refreshToken),
        foreign.logout(pair.refreshToken),
        foreign.verifyAccessAsync(pair.accessToken),
        foreign.verifyChecked(pair.accessToken, 'ask'),
      ]) await assert.rejects(refused, { name: 'AuthError', advice: 'reject' });
      assert.throws(() => foreign.verify(pair.accessToken), { name: 'AuthError', advice: 'reject' });
      assert.equal(await foreign.updateSession('user-1', pair.sessionId, { claims: { role: 'admin' }, atOnce: true }), false);
      assert.equal(await foreign.revokeSession('user-1', pair.sessionId), false);
      assert.equal(await foreign.logoutEverywhere('user-1'), 0);
      assert.deepEqual(await foreign.sessions('user-1'), []);
    }
    assert.throws(() => jsonwebtoken.verify(pair.refreshToken, SECRET, { algorithms: ['HS256'] }), { name: 'JsonWebTokenError' });
    assert.throws(() => jsonwebtoken.verify(pair.accessToken, SECRET, { algorithms: ['HS256'], audience: 'admin' }), { name: 'JsonWebTokenError' });
    // Nothing has changed in the shop.
    assert.deepEqual(events, ['login', 'login']);
    assert.equal(shop.verify(pair.accessToken).sub, 'user-1');
    for (const { refreshToken } of [pair, other]) assert.equal((await shop.refresh(refreshToken)).renewal, 'issued');
  });

  test(`${name}: a session that has rotated rotates at every endpoint, whatever the request leaves out`, async (t) => {
    const { auth } = memory({ refresh: { rotation: false } });
    const call = await start(t, auth);
    for (const [door] of requests(name, {}).filter(([known]) => known.startsWith('refresh '))) {
      for (const headers of [{}, { 'x-refresh-rotate': '0' }]) {
        const first = await auth.refresh((await auth.login('user-1')).refreshToken, { rotate: true });
        const [, path, init] = requests(name, first).find(([other]) => other === door);
        const reply = await call(path, { ...init, headers: { ...init.headers, ...headers } });
        const text = `${await reply.text()} ${reply.headers.getSetCookie()}`;
        assert.equal(reply.status, 200, door);
        const tokens = text.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g).map((token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).typ);
        assert.ok(tokens.includes('rt+jwt'), `${door} ${JSON.stringify(headers)}: ${tokens}`);
        assert.ok(!text.includes(first.refreshToken), door);
      }
    }
  });

  test(`${name}: tokens of a bound session do nothing without its key, and end nothing`, async (t) => {
    const { auth, clock, events } = memory({ dpop: { origin: ORIGIN } });
    const call = await start(t, auth);
    const [client, thief] = [device(clock), device(clock)];
    const pair = await auth.login('user-1', { proof: { proof: client('POST', '/login'), method: 'POST', path: '/login' } });
    const proofs = {
      'no proof': undefined,
      'a proof by another key': thief,
      'a proof for another request': () => client('PUT', '/other'),
    };
    for (const [what, proof] of Object.entries(proofs)) {
      await refusals(`${name}`, call, pair, proof ?? (() => undefined));
      assert.deepEqual(events.splice(0).filter((type) => type !== 'login'), [], what);
      clock.advance(1_000);
    }
    const direct = { proof: thief('POST', '/x'), method: 'POST', path: '/x' };
    await assert.rejects(auth.refresh(pair.refreshToken), withCode('ERR_DPOP_PROOF_MISSING'));
    await assert.rejects(auth.refresh(pair.refreshToken, { proof: direct }), withCode('ERR_DPOP_PROOF_INVALID'));
    await assert.rejects(auth.logout(pair.refreshToken), withCode('ERR_DPOP_PROOF_MISSING'));
    assert.throws(() => auth.verify(pair.accessToken), withCode('ERR_DPOP_PROOF_MISSING'));
    await assert.rejects(auth.verifyChecked(pair.accessToken, 'ask'), withCode('ERR_DPOP_PROOF_MISSING'));
    assert.deepEqual((await auth.sessions('user-1')).map(({ state }) => state), ['live']);
    const mine = { proof: client('POST', '/auth/refresh'), method: 'POST', path: '/auth/refresh' };
    assert.equal((await auth.refresh(pair.refreshToken, { proof: mine })).renewal, 'issued');
  });
}

function memory(config) {
  const [clock, events] = [new TestClock(START), []];
  const onEvent = ({ type }) => events.push(type);
  return { clock, events, auth: createAuth({ secret: SECRET, store: 'memory:', clock, onEvent, ...config }) };
}

/** Makes proofs by a key of its own (RFC 9449). */
function device(clock) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  return (htm, path, token) => {
    const claims = { jti: randomUUID(), htm, htu: ORIGIN + path, iat: Math.floor(clock.now() / 1000) };
    if (token) claims.ath = createHash('sha256').update(token).digest('base64url');
    const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${encode(claims)}`;
    return `${input}.${sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  };
}

const MOBILE = ['../../bindings-uniffi/kotlin/README.md', '../../bindings-uniffi/swift/README.md'];

for (const { name, express } of expressVersions) {
  test(`${name}: the server that the pages of Kotlin and Swift show has refresh tokens in JSON`, async (t) => {
    const [shown, same] = await Promise.all(MOBILE.map(async (page) => {
      const text = await readFile(new URL(page, import.meta.url), 'utf8');
      return /```js\n([^]*?)```/.exec(text)[1];
    }));
    assert.equal(shown, same);
    const auth = createAuth({ secret: SECRET, store: 'memory:' });
    const app = express().use(express.json());
    const scope = { app, auth, checkPassword: async () => 'user-1', ...forExpress };
    new Function(...Object.keys(scope), shown)(...Object.values(scope));
    const call = await serve(t, app);
    const post = async (path, body) => {
      const response = await call.post(path, json(body));
      assert.deepEqual([response.status, response.headers.getSetCookie()], [200, []], path);
      return response.json();
    };
    const { refreshToken } = await post('/mobile/login', {});
    const next = await post('/mobile/refresh', { refreshToken });
    assert.equal(auth.verify(next.accessToken).sub, 'user-1');
    assert.notEqual(next.refreshToken, refreshToken);
  });
}
