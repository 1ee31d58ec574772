// What a session keeps from its login on: claims, lifetimes, "remember me"; a recent login; realms.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import fastify from 'fastify';
import { createAuth } from 'regrant';
import * as forExpress from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import * as forFetch from 'regrant/http';
import { testAuth, withCode } from './support/auth.mjs';
import { expressVersions, serve } from './support/server.mjs';

const DAY = 24 * 60 * 60 * 1000;
const seconds = () => Math.floor(Date.now() / 1000);
const invalid = (field) => ({ name: 'AuthError', code: 'ERR_ARGUMENT_INVALID', status: 500, field });

test('the claims of a login come back with every refresh, until one replaces them', async () => {
  const { auth, clock } = testAuth();
  let { refreshToken } = await auth.login('user-1', { claims: { role: 'editor' } });
  const next = async (options) => {
    clock.advance(3_600_000);
    const renewed = await auth.refresh(refreshToken, options);
    ({ refreshToken } = renewed);
    return auth.verify(renewed.accessToken).role;
  };
  assert.equal(await next(), 'editor');
  assert.equal(await next(), 'editor');
  assert.equal(await next({ claims: { role: 'admin' } }), 'admin');
  assert.equal(await next(), 'admin');
  assert.equal(await next({ claims: {} }), undefined);
  assert.equal(await next(), undefined);
});

test('a claims function gets the user, the session and its claims so far', async () => {
  const { auth } = testAuth();
  const pair = await auth.login('user-1', { claims: { roles: ['editor'], org: 7 } });
  const seen = [];
  const claims = (...given) => {
    seen.push(given);
    return { ...given[1].claims, roles: ['admin'] };
  };
  const renewed = await auth.refresh(pair.refreshToken, { claims });
  assert.deepEqual(seen, [['user-1', { sessionId: pair.sessionId, claims: { roles: ['editor'], org: 7 }, request: undefined }]]);
  const { roles, org } = auth.verify(renewed.accessToken);
  assert.deepEqual([roles, org], [['admin'], 7]);
});

test('updateSession changes the claims from the next refresh on, or at once', async () => {
  const events = [];
  const { auth, clock } = testAuth({ onEvent: (event) => events.push(event.type) });
  const pair = await auth.login('user-1', { claims: { role: 'admin' } });
  assert.equal(await auth.updateSession('user-1', pair.sessionId, { claims: { role: 'editor' } }), true);
  assert.equal(auth.verify(pair.accessToken).role, 'admin');
  const seen = [];
  const claims = (_user, session) => {
    seen.push(session.claims);
    return session.claims;
  };
  const first = await auth.refresh(pair.refreshToken, { claims });
  assert.deepEqual(seen, [{ role: 'editor' }]);
  assert.equal(auth.verify(first.accessToken).role, 'editor');
  const update = { claims: { role: 'reader' }, atOnce: true };
  assert.equal(await auth.updateSession('user-1', pair.sessionId, update), true);
  assert.throws(() => auth.verify(first.accessToken), withCode('ERR_TOKEN_EXPIRED'));
  let { refreshToken } = first;
  for (const _ of [1, 2]) {
    const next = await auth.refresh(refreshToken);
    assert.equal(auth.verify(next.accessToken).role, 'reader');
    ({ refreshToken } = next);
    clock.advance(3_600_000);
  }
  // Events arrive in order, and later than the answers.
  while (events.filter((type) => type === 'refreshed').length < 3) await wait(5);
  assert.deepEqual(events.filter((type) => type === 'updated'), ['updated', 'updated']);

  assert.equal(await auth.updateSession('user-2', pair.sessionId, update), false, 'not the session of user-2');
  await auth.logout(refreshToken);
  assert.equal(await auth.updateSession('user-1', pair.sessionId, update), false);
  for (const bad of [{ exp: 1 }, { text: 'x'.repeat(2048) }, undefined, null, 5]) {
    await assert.rejects(auth.updateSession('user-1', pair.sessionId, { claims: bad }), invalid('claims'));
  }
  await assert.rejects(auth.updateSession('user-1', 'no id', update), invalid('sessionId'));
});

test('claims beyond 2048 bytes are refused and change nothing', async () => {
  const { auth } = testAuth();
  const claims = { text: 'x'.repeat(2048) };
  await assert.rejects(auth.login('user-1', { claims }), invalid('claims'));
  assert.equal((await auth.sessions('user-1')).length, 0);
  const { refreshToken } = await auth.login('user-1');
  await assert.rejects(auth.refresh(refreshToken, { claims }), invalid('claims'));
  assert.equal((await auth.refresh(refreshToken)).renewal, 'issued');
});

test('a session keeps the lifetimes of its login', async () => {
  const { auth, clock } = testAuth();
  let pair = await auth.login('user-1', { idleTtl: '30d', absoluteTtl: '40d' });
  clock.advance(29 * DAY);
  pair = await auth.refresh(pair.refreshToken);
  clock.advance(10 * DAY);
  pair = await auth.refresh(pair.refreshToken);
  clock.advance(1 * DAY);
  await assert.rejects(auth.refresh(pair.refreshToken), withCode('ERR_REFRESH_EXPIRED'));

  const short = await auth.login('user-1', { idleTtl: 3600 });
  assert.equal(short.refreshExpiresIn, 3600);
});

for (const [options, field] of [
  [{ idleTtl: '1m' }, 'idleTtl'],
  [{ absoluteTtl: 60 }, 'absoluteTtl'],
  [{ idleTtl: '2h', absoluteTtl: '1h' }, 'absoluteTtl'],
  [{ idleTtl: 'soon' }, 'idleTtl'],
  [{ idleTtl: -1 }, 'idleTtl'],
  [{ idleTtl: Number.NaN }, 'idleTtl'],
  [{ idleTtl: null }, 'idleTtl'],
  [{ persistent: 'no' }, 'persistent'],
  [{ remember: true }, 'remember'],
]) {
  test(`login refuses ${JSON.stringify(options)}`, async () => {
    const { auth } = testAuth();
    await assert.rejects(auth.login('user-1', options), invalid(field));
    assert.deepEqual(await auth.sessions('user-1'), []);
  });
}

for (const { name, express } of expressVersions) {
  test(`${name}: the cookies of a session that is not persistent end with the browser`, async (t) => {
    const { auth } = testAuth({ web: { accessCookie: true } });
    const app = express();
    app.post('/login', async (req, res) => {
      forExpress.loginResponse(auth, res, await auth.login('user-1', { persistent: req.query.remember === '1' }));
    });
    app.use('/auth', forExpress.authRouter(auth));
    const call = await serve(t, app);
    for (const remember of ['1', '0']) {
      let reply = await call.post(`/login?remember=${remember}`);
      for (const _ of ['login', 'refresh']) {
        const cookies = reply.headers.getSetCookie();
        assert.equal(cookies.length, 2);
        for (const cookie of cookies) assert.equal(/max-age|expires/i.test(cookie), remember === '1', cookie);
        const cookie = cookies.map((text) => text.split(';')[0]).join('; ');
        reply = await call.post('/auth/refresh', { headers: { cookie } });
        assert.equal(reply.status, 200);
      }
    }
  });

  test(`${name}: the claims function gets the request`, async (t) => {
    const { auth } = testAuth({ web: { refreshCookie: false } });
    const app = express();
    app.use(express.json());
    const claims = (_user, { claims: before, request }) => ({ ...before, from: request.headers['x-from'] });
    app.use('/auth', forExpress.authRouter(auth, { claims }));
    const call = await serve(t, app);
    const { refreshToken } = await auth.login('user-1', { claims: { role: 'editor' } });
    const headers = { 'content-type': 'application/json', 'x-from': 'here' };
    const reply = await call.post('/auth/refresh', { headers, body: JSON.stringify({ refreshToken }) });
    const { role, from } = auth.verify((await reply.json()).accessToken);
    assert.deepEqual([role, from], ['editor', 'here']);
  });
}

/** Routes for login and refresh on each surface; behind a proxy where the framework knows proxies. */
const loginRoutes = {
  ...Object.fromEntries(expressVersions.map(({ name, express }) => [name, async (t, auth) => {
    const app = express();
    app.set('trust proxy', 'loopback');
    app.post('/login', async (req, res) => {
      forExpress.loginResponse(auth, res, await auth.login('user-1', forExpress.clientOf(req)));
    });
    app.use('/auth', forExpress.authRouter(auth));
    return serve(t, app);
  }])),
  fastify: async (t, auth) => {
    const app = fastify({ trustProxy: '127.0.0.1' });
    app.post('/login', async (request, reply) => {
      return forFastify.loginReply(auth, reply, await auth.login('user-1', forFastify.clientOf(request)));
    });
    await app.register(forFastify.authRoutes, { prefix: '/auth', auth });
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    t.after(() => app.close());
    return (path, init) => fetch(origin + path, init);
  },
  fetch: async (t, auth) => async (path, init) => {
    const request = new Request(`http://app.example${path}`, init);
    const client = { ...forFetch.clientOf(request), address: request.headers.get('x-forwarded-for') };
    const options = { address: () => client.address };
    if (path === '/login') {
      return forFetch.toResponse(forFetch.loginAnswer(auth, request, await auth.login('user-1', client)));
    }
    if (path === '/auth/refresh') return forFetch.toResponse(await forFetch.refresh(auth, request, options));
    if (path === '/auth/logout') return forFetch.toResponse(await forFetch.logout(auth, request, options));
    const [, sessionId] = path.split('/auth/sessions/');
    const decision = await forFetch.authenticate(auth, request);
    return forFetch.toResponse(await forFetch.sessions(auth, decision.auth, { method: init.method, sessionId, ...client }));
  },
};

for (const [name, start] of Object.entries(loginRoutes)) {
  test(`${name}: sessions and events tell where login and refresh came from`, async (t) => {
    for (const recordClients of [undefined, false]) {
      const events = [];
      const refresh = { recordClients };
      const { auth } = testAuth({ web: { path: '/' }, refresh, onEvent: (event) => events.push(event) });
      const call = await start(t, auth);
      const clients = [
        { address: '192.0.2.1', userAgent: 'Laptop/1' },
        { address: '2001:db8::2', userAgent: `Phone/2 ${'x'.repeat(500)}` },
      ];
      let cookie = '';
      for (const [index, { address, userAgent }] of clients.entries()) {
        const headers = { 'user-agent': userAgent, 'x-forwarded-for': address, cookie };
        const reply = await call(['/login', '/auth/refresh'][index], { method: 'POST', headers });
        assert.equal(reply.status, 200);
        cookie = reply.headers.getSetCookie()[0].split(';')[0];
      }
      const kept = clients.map(({ address, userAgent }) => ({ address, userAgent: userAgent.slice(0, 256) }));
      const expected = recordClients === false ? [undefined, undefined] : kept;
      const [{ createdFrom, lastRefreshedFrom }] = await auth.sessions('user-1');
      assert.deepEqual([createdFrom, lastRefreshedFrom], expected);
      while (events.length < 2) await wait(5);
      const told = events.map(({ address, userAgent }) => (address === undefined ? undefined : { address, userAgent }));
      assert.deepEqual(told, expected);
    }
  });
}

/** An event may be delivered after the call that caused it has returned. */
async function arrived(isThere) {
  for (const end = Date.now() + 20_000; !isThere() && Date.now() < end;) await wait(5);
}

for (const [name, start] of Object.entries(loginRoutes)) {
  test(`${name}: the events of revocations tell where their request came from`, async (t) => {
    const revoked = [];
    const onEvent = ({ type, address, userAgent }) => type === 'revoked' && revoked.push({ address, userAgent });
    const { auth } = testAuth({ web: { path: '/' }, onEvent });
    const call = await start(t, auth);
    const client = { address: '192.0.2.7', userAgent: 'Phone/7' };
    const headers = { 'user-agent': client.userAgent, 'x-forwarded-for': client.address };
    for (const [method, path] of [['POST', '/auth/logout'], ['DELETE', '/auth/sessions/'], ['DELETE', '/auth/sessions/others'], ['DELETE', '/auth/sessions']]) {
      const other = await auth.login('user-1');
      const login = await call('/login', { method: 'POST', headers });
      const { accessToken } = await login.json();
      const cookie = login.headers.getSetCookie()[0].split(';')[0];
      const target = path.endsWith('/') ? path + other.sessionId : path;
      const reply = await call(target, { method, headers: { ...headers, cookie, authorization: `Bearer ${accessToken}` } });
      assert.ok(reply.ok, `${target}: ${reply.status}`);
      await arrived(() => revoked.length > 0);
      assert.deepEqual(revoked.splice(0)[0], client, target);
    }
  });
}

test('the calls that revoke and update take the client of the request', async () => {
  const events = [];
  const { auth } = testAuth({ onEvent: (event) => events.push(event) });
  const client = { address: '192.0.2.7', userAgent: 'Phone/7' };
  const login = () => auth.login('user-1');
  await auth.logout((await login()).refreshToken, client);
  await auth.revokeSession('user-1', (await login()).sessionId, 'administrative', client);
  await auth.updateSession('user-1', (await login()).sessionId, { claims: {}, ...client });
  await auth.logoutEverywhere('user-1', client);
  await arrived(() => events.length === 7);
  const caused = events.filter(({ type }) => type !== 'login');
  assert.deepEqual(caused.map(({ type }) => type), ['revoked', 'revoked', 'updated', 'revoked']);
  for (const { address, userAgent } of caused) assert.deepEqual({ address, userAgent }, client);
  await assert.rejects(auth.revokeSession('user-1', 'x', 'logout', { adress: '::1' }), invalid('adress'));
  await assert.rejects(auth.logout('x', { userAgent: 5 }), invalid('userAgent'));
});

/** Answers of a route that needs a login of the last five minutes, on each surface. */
const surfaces = {
  ...Object.fromEntries(expressVersions.map(({ name, express }) => [name, async (t, auth) => {
    const app = express();
    app.get('/', forExpress.authenticate(auth), forExpress.requireFreshLogin(auth, { maxAge: 300 }), (req, res) => res.json({}));
    return serve(t, app);
  }])),
  fastify: async (t, auth) => {
    const app = fastify();
    const onRequest = [forFastify.authenticate(auth), forFastify.requireFreshLogin(auth, { maxAge: 300 })];
    app.get('/', { onRequest }, async () => ({}));
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    t.after(() => app.close());
    return (path, init) => fetch(origin + path, init);
  },
  fetch: async (t, auth) => async (path, init) => {
    const decision = await forFetch.authenticate(auth, new Request(`http://app.example${path}`, init));
    if (!decision.ok) return new Response(JSON.stringify(decision.answer.body), decision.answer);
    const permission = forFetch.requireFreshLogin(auth, decision.auth, { maxAge: 300 });
    return permission.ok ? Response.json({}) : new Response(JSON.stringify(permission.answer.body), permission.answer);
  },
};

for (const [name, start] of Object.entries(surfaces)) {
  test(`${name}: a route for a recent login`, async (t) => {
    const auth = createAuth({ secret: 'a secret of these tests, of 32 bytes', store: 'memory:' });
    const call = await start(t, auth);
    const ask = async (claims) => {
      const { accessToken } = await auth.login('user-1', { claims });
      return call('/', { headers: { authorization: `Bearer ${accessToken}` } });
    };
    assert.equal((await ask({ auth_time: seconds() })).status, 200);
    assert.equal((await ask({ auth_time: seconds() - 200 })).status, 200);
    for (const claims of [{ auth_time: seconds() - 400 }, { auth_time: 'now' }, { auth_time: seconds() + 400 }, {}]) {
      const reply = await ask(claims);
      const { error } = await reply.json();
      assert.deepEqual([reply.status, error.code, error.advice], [401, 'ERR_LOGIN_TOO_OLD', 'reject']);
      assert.match(reply.headers.get('www-authenticate'), /^Bearer error="insufficient_user_authentication", .*max_age="300"$/);
    }
    assert.equal((await call('/', {})).status, 401);
  });

  test(`${name}: how long ago a login was tells the clock of the auth object`, async (t) => {
    const { auth, clock } = testAuth({ access: { ttl: '1h' } });
    const call = await start(t, auth);
    const { accessToken } = await auth.login('user-1', { claims: { auth_time: clock.now() / 1000 } });
    const ask = () => call('/', { headers: { authorization: `Bearer ${accessToken}` } });
    assert.equal((await ask()).status, 200);
    clock.advance(301_000);
    assert.equal((await ask()).status, 401);
  });
}

test('requireFreshLogin refuses an age that makes no sense', () => {
  const { auth } = testAuth();
  for (const options of [undefined, {}, { maxAge: 0 }, { maxAge: '5m' }, { maxAge: 1.5 }, { maxAge: Infinity }]) {
    assert.throws(() => forExpress.requireFreshLogin(auth, options ?? {}), invalid('maxAge'));
  }
  assert.throws(() => forExpress.requireFreshLogin(auth, { maxAge: 60, maxage: 5 }), invalid('maxage'));
});

test('apps with one secret and one store and different audiences do not share sessions', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-realm-'));
  t.after(() => rm(folder, { recursive: true }));
  const app = (access, more) => createAuth({
    secret: 'a secret of these tests, of 32 bytes', store: `file:${join(folder, 'sessions.db')}`, access, ...more,
  });
  const [first, shop, admin] = [app({}), app({ audience: 'shop' }), app({ audience: 'admin' })];
  const pair = await shop.login('user-1');
  await assert.rejects(admin.refresh(pair.refreshToken), withCode('ERR_SIGNATURE_INVALID'));
  await assert.rejects(first.refresh(pair.refreshToken), withCode('ERR_SIGNATURE_INVALID'));
  assert.deepEqual(await admin.sessions('user-1'), []);
  assert.equal(await admin.revokeSession('user-1', pair.sessionId), false);
  assert.equal(await admin.logoutEverywhere('user-1'), 0);
  assert.equal((await shop.refresh(pair.refreshToken)).subject, 'user-1');

  // A session from before the audience was configured goes on, in the one realm that took it over.
  const earlier = await first.login('user-1');
  await assert.rejects(app({ audience: 'shop' }, { previousRealms: [] }).refresh(earlier.refreshToken), withCode('ERR_SIGNATURE_INVALID'));
  const taken = await shop.refresh(earlier.refreshToken);
  await assert.rejects(admin.refresh(taken.refreshToken), withCode('ERR_SIGNATURE_INVALID'));
  // The audience changes, and the realm keeps its name.
  const renamed = app({ audience: 'store' }, { realm: 'shop' });
  assert.equal((await renamed.refresh(taken.refreshToken)).subject, 'user-1');
  assert.throws(() => app({}, { realm: '' }), { code: 'ERR_CONFIG_INVALID', field: 'realm' });
  assert.throws(() => app({}, { previousRealms: [1] }), { code: 'ERR_CONFIG_INVALID' });
});

test('revocations by this process and by another one are told to those who subscribe', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-revoked-'));
  t.after(() => rm(folder, { recursive: true }));
  const app = () => createAuth({ secret: 'a secret of these tests, of 32 bytes', store: `file:${join(folder, 'sessions.db')}` });
  const [here, there] = [app(), app()];
  const seen = { here: [], there: [] };
  const end = here.onRevoked((revoked) => seen.here.push(revoked));
  there.withWeb({}).onRevoked((revoked) => seen.there.push(revoked));
  const until = async (list, count) => {
    while (list.length < count) await wait(10);
  };
  const one = await here.login('user-1');
  await here.logout(one.refreshToken);
  await until(seen.here, 1);
  await until(seen.there, 1);
  const expected = { sessionId: one.sessionId };
  assert.deepEqual([seen.here, seen.there], [[expected], [expected]]);

  end();
  const two = await there.login('user-1');
  await there.logoutEverywhere('user-1', { exceptSession: two.sessionId });
  await until(seen.there, 2);
  const [, cutoff] = seen.there;
  assert.deepEqual([cutoff.subject, cutoff.exceptSession], ['user-1', two.sessionId]);
  assert.ok(cutoff.issuedUntil instanceof Date);
  await wait(1_500);
  assert.equal(seen.here.length, 1, 'the subscription ended');
  assert.throws(() => here.onRevoked('x'), invalid('listener'));
});

test('a refused refresh is an event', async () => {
  const events = [];
  const { auth, clock } = testAuth({ onEvent: ({ type, code, sessionId, subject }) => events.push({ type, code, sessionId, subject }) });
  const { refreshToken, sessionId } = await auth.login('user-1');
  await auth.logout(refreshToken);
  await assert.rejects(auth.refresh(refreshToken));
  clock.advance(15 * DAY);
  await assert.rejects(auth.refresh(refreshToken));
  await assert.rejects(auth.refresh('junk'));
  // Events arrive in order, and later than the answers.
  await auth.login('user-2');
  while (events.at(-1).subject !== 'user-2') await wait(5);
  assert.deepEqual(events.filter(({ type }) => type === 'refused'), [
    { type: 'refused', code: 'ERR_SESSION_REVOKED', sessionId, subject: 'user-1' },
    { type: 'refused', code: 'ERR_REFRESH_EXPIRED', sessionId, subject: 'user-1' },
  ]);
});

test('an access token without a session, for a service', async () => {
  const { auth, clock } = testAuth();
  const issued = auth.issueAccessToken('billing', { claims: { scope: 'read' } });
  assert.equal(issued.accessExpiresIn, 900);
  const { subject, sessionId, claims } = auth.verifyAccess(issued.accessToken);
  assert.deepEqual([subject, sessionId, claims.scope], ['billing', undefined, 'read']);
  assert.deepEqual(await auth.sessions('billing'), []);
  await auth.logoutEverywhere('billing');
  assert.throws(() => auth.verify(issued.accessToken), withCode('ERR_ACCESS_REVOKED'));
  clock.advance(2000);
  auth.verify(auth.issueAccessToken('billing').accessToken);
  assert.throws(() => auth.issueAccessToken('billing', { claims: { exp: 1 } }), invalid('claims'));
  assert.throws(() => auth.issueAccessToken('billing', { ttl: 1 }), invalid('ttl'));
});

test('an operator who acts as a user is named in the event of the login, and in the tokens', async () => {
  const logins = [];
  const { auth } = testAuth({ onEvent: (event) => event.type === 'login' && logins.push(event) });
  const pair = await auth.login('user-1', { claims: { act: { sub: 'support-7' } } });
  await auth.login('user-1');
  while (logins.length < 2) await wait(5);
  assert.deepEqual(logins.map(({ actor }) => actor), ['support-7', undefined]);
  const renewed = await auth.refresh(pair.refreshToken);
  assert.deepEqual(auth.verify(renewed.accessToken).act, { sub: 'support-7' });
});
