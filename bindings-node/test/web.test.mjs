// The rules of HTTP on every surface: cookies, origins, logout, options, what an app throws.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import fastify from 'fastify';
import { createVerifier } from 'regrant';
import * as forExpress from 'regrant/express';
import * as forFastify from 'regrant/fastify';
import * as forFetch from 'regrant/http';
import { testAuth } from './support/auth.mjs';
import { expressVersions, serve, setCookies } from './support/server.mjs';

/** Routes: `/me` (guarded), `/read` and `/admin` (with a scope, a role), `/auth/…`. Answers what passed. */
const surfaces = [
  ...expressVersions.map(({ name, express }) => ({
    name,
    module: forExpress,
    async start(t, auth, { access = {}, refresh = {} } = {}) {
      const app = express();
      const guard = forExpress.authenticate(auth, access);
      const passed = (req, res) => res.json({ user: req.auth?.subject ?? null });
      app.all('/me', guard, passed);
      app.get('/read', guard, forExpress.requireScopes(auth, ['read', 'list']), passed);
      app.get('/admin', guard, forExpress.requireClaims(auth, { role: 'admin' }), passed);
      app.post('/login', async (req, res) => forExpress.loginResponse(auth, res, await auth.login('user-1')));
      app.use('/auth', forExpress.authRouter(auth, refresh));
      app.use(forExpress.authErrorHandler());
      app.use((err, req, res, _next) => res.status(555).json({ passedOn: String(err?.message) }));
      return serve(t, app);
    },
    handlers: [
      (auth, options) => forExpress.authenticate(auth, options),
      (auth, options) => forExpress.refreshHandler(auth, options),
      (auth, options) => forExpress.logoutHandler(auth, options),
      (auth, options) => forExpress.sessionsHandler(auth, options),
      (auth, options) => forExpress.jwksHandler(auth, options),
      (auth, options) => forExpress.authRouter(auth, options),
      (auth, options) => forExpress.requireScopes(auth, 'read', options),
      (auth, options) => forExpress.presets.rtVerify(options).authenticate(auth),
      (auth, options) => forExpress.presets.rtVerify().authenticate(auth, options),
      (auth, options) => forExpress.presets.rtVerify().rtVerify(auth, options),
    ],
  })),
  {
    name: 'fastify',
    async start(t, auth, { access = {}, refresh = {} } = {}) {
      const app = fastify();
      const guard = forFastify.authenticate(auth, access);
      const passed = async (request) => ({ user: request.auth?.subject ?? null });
      app.route({ method: ['GET', 'POST', 'OPTIONS'], url: '/me', onRequest: guard, handler: passed });
      app.get('/read', { onRequest: [guard, forFastify.requireScopes(auth, ['read', 'list'])] }, passed);
      app.get('/admin', { onRequest: [guard, forFastify.requireClaims(auth, { role: 'admin' })] }, passed);
      app.post('/login', async (request, reply) => forFastify.loginReply(auth, reply, await auth.login('user-1')));
      app.register(forFastify.authRoutes, { auth, prefix: '/auth', ...refresh });
      app.setErrorHandler((error, request, reply) => reply.code(555).send({ passedOn: String(error?.message) }));
      const origin = await app.listen({ port: 0, host: '127.0.0.1' });
      t.after(() => app.close());
      const call = (path, init) => fetch(origin + path, init);
      return Object.assign(call, { origin, post: (path, init) => call(path, { method: 'POST', ...init }) });
    },
    handlers: [
      (auth, options) => forFastify.authenticate(auth, options),
      (auth, options) => forFastify.jwksHandler(auth, options),
      (auth, options) => forFastify.requireScopes(auth, 'read', options),
    ],
  },
  {
    name: 'fetch',
    async start(t, auth, { access = {}, refresh = {} } = {}) {
      const origin = 'https://api.example';
      const answer = async (request) => {
        const [, first, second, third] = new URL(request.url).pathname.split('/');
        if (first === 'login') return forFetch.loginAnswer(auth, request, await auth.login('user-1'));
        if (second === 'refresh') return forFetch.refresh(auth, request, refresh);
        if (second === 'logout') return forFetch.logout(auth, request);
        const decision = await forFetch.authenticate(auth, request, first === 'auth' ? {} : access);
        if (!decision.ok) return decision.answer;
        if (first === 'auth') return forFetch.sessions(auth, decision.auth, { method: request.method, sessionId: third });
        const permission = {
          read: () => forFetch.requireScopes(auth, decision.auth, ['read', 'list']),
          admin: () => forFetch.requireClaims(auth, decision.auth, { role: 'admin' }),
        }[first]?.();
        if (permission?.ok === false) return permission.answer;
        return { status: 200, headers: {}, cookies: [], body: { user: decision.auth?.subject ?? null } };
      };
      const call = async (path, init) => {
        try {
          return forFetch.toResponse(await answer(new Request(origin + path, init)));
        } catch (error) {
          return Response.json({ passedOn: String(error?.message) }, { status: 555 });
        }
      };
      return Object.assign(call, { origin, post: (path, init) => call(path, { method: 'POST', ...init }) });
    },
    handlers: [],
  },
];

const cookieOf = (response) => Object.entries(setCookies(response)).map(([name, { value }]) => `${name}=${value}`).join('; ');
const errorOf = async (response) => (await response.json()).error;
const foreign = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

for (const { name, start, handlers } of surfaces) {
  for (const [what, loadUser] of [
    ['rejects with nothing', () => Promise.reject()],
    ['throws undefined', () => { throw undefined; }],
    ['throws null', () => { throw null; }],
    ['rejects with the word route', () => Promise.reject('route')],
    ['rejects with the word router', () => Promise.reject('router')],
  ]) {
    test(`${name}: loadUser ${what}: an error, and no one passes`, async (t) => {
      const { auth } = testAuth();
      const call = await start(t, auth, { access: { loadUser } });
      const { accessToken } = await auth.login('user-1');
      const response = await call('/me', { headers: { authorization: `Bearer ${accessToken}` } });
      assert.equal(response.status, 555);
    });
  }

  test(`${name}: claims that reject with nothing are an error`, async (t) => {
    const { auth } = testAuth();
    const call = await start(t, auth, { refresh: { claims: () => Promise.reject() } });
    const response = await call.post('/auth/refresh', { headers: { cookie: cookieOf(await call.post('/login')) } });
    assert.equal(response.status, 555);
  });

  if (name !== 'fetch') {
    test(`${name}: an onError that throws or rejects with nothing is an error`, async (t) => {
      for (const onError of [() => { throw undefined; }, () => Promise.reject(), async () => { throw null; }]) {
        const call = await start(t, testAuth().auth, { access: { onError } });
        assert.equal((await call('/me')).status, 555);
      }
    });
  }

  test(`${name}: unknown options are refused by name, with the nearest one`, () => {
    const { auth } = testAuth();
    for (const make of handlers) {
      assert.throws(() => make(auth, { onEror: () => {} }), (error) => error.field === 'onEror', String(make));
      assert.throws(() => make(undefined, {}), { field: 'auth' }, String(make));
    }
    for (const make of handlers.slice(0, 1)) {
      assert.throws(() => make(auth, { loaduser: () => {} }), /loaduser.*did you mean loadUser/);
    }
  });

  test(`${name}: a foreign page's logout is 403, ends nothing and sets no cookie`, async (t) => {
    const { auth } = testAuth({ web: { accessCookie: true } });
    const call = await start(t, auth);
    const cookie = cookieOf(await call.post('/login'));
    const response = await call.post('/auth/logout', { headers: { cookie, ...foreign } });
    assert.deepEqual([response.status, (await errorOf(response)).advice], [403, 'reject']);
    assert.deepEqual(setCookies(response), {});
    assert.equal((await auth.sessions('user-1'))[0].state, 'live');
    const own = await call.post('/auth/logout', { headers: { cookie, origin: call.origin, 'sec-fetch-site': 'same-origin' } });
    assert.equal(own.status, 204);
    assert.deepEqual(Object.keys(setCookies(own)).sort(), ['accessToken', 'refreshToken']);
    assert.equal((await auth.sessions('user-1'))[0].state, 'revoked');
  });

  test(`${name}: a login removes the cookies of an earlier session wherever they may be, and none of other apps`, async (t) => {
    const { auth } = testAuth();
    const call = await start(t, auth);
    const { refreshToken } = await auth.login('user-2');
    const sent = async (value) => {
      const response = await call.post('/login', { headers: { cookie: `refreshToken=${value}` } });
      return response.headers.getSetCookie().filter((cookie) => cookie.startsWith('refreshToken='));
    };
    assert.equal((await sent('junk')).length, 1);
    const cookies = await sent(refreshToken);
    assert.ok(cookies.length > 1);
    assert.ok(cookies.slice(0, -1).every((cookie) => cookie.startsWith('refreshToken=;')));
    assert.ok(cookies.at(-1).startsWith('refreshToken=ey'));
  });

  test(`${name}: logout without a token that counts is no success`, async (t) => {
    const { auth } = testAuth();
    const call = await start(t, auth);
    const { accessToken } = await auth.login('user-1');
    for (const headers of [{}, { cookie: 'other=1' }, { cookie: `refreshToken=${accessToken}` }, { authorization: `Bearer ${accessToken}` }]) {
      assert.equal((await call.post('/auth/logout', { headers })).status, 401);
    }
    assert.equal((await auth.sessions('user-1'))[0].state, 'live');
  });

  for (const [what, refresh] of [['', {}], [', with claims', { claims: (of) => ({ of }) }]]) {
    test(`${name}: a refused refresh removes the dead cookies${what}`, async (t) => {
      const { auth } = testAuth({ web: { accessCookie: true } });
      const call = await start(t, auth, { refresh });
      const cookie = cookieOf(await call.post('/login'));
      await auth.logoutEverywhere('user-1');
      const response = await call.post('/auth/refresh', { headers: { cookie } });
      assert.deepEqual([response.status, (await errorOf(response)).code], [401, 'ERR_SESSION_REVOKED']);
      const removed = setCookies(response);
      assert.deepEqual(Object.keys(removed).sort(), ['accessToken', 'refreshToken']);
      for (const { value, attributes } of Object.values(removed)) assert.deepEqual([value, attributes['max-age']], ['', '0']);
      assert.equal(removed.refreshToken.attributes.path, '/auth');
    });
  }

  test(`${name}: optional looks at the cookie where the header has no token, and lets none pass`, async (t) => {
    const { auth } = testAuth({ web: { accessCookie: true } });
    const call = await start(t, auth, { access: { optional: true } });
    const { accessToken } = await auth.login('user-1');
    for (const authorization of ['', 'Basic dTpw', 'Bearer', 'Bearer ', 'Digest a=b']) {
      const user = async (headers) => {
        const response = await call('/me', { headers: { authorization, ...headers } });
        assert.equal(response.status, 200, authorization);
        return (await response.json()).user;
      };
      assert.equal(await user({}), null);
      assert.equal(await user({ cookie: `accessToken=${accessToken}` }), 'user-1');
    }
    assert.equal((await call('/me', { headers: { authorization: 'Bearer rubbish' } })).status, 401);
  });

  test(`${name}: without an access token, cookie mode says refresh and header mode says sign in`, async (t) => {
    for (const [web, advice] of [[{ accessCookie: true }, 'refresh'], [{}, 'sign_in']]) {
      const { auth } = testAuth({ web });
      for (const [access, path] of [[{}, '/me'], [{ optional: true }, '/read']]) {
        const error = await errorOf(await (await start(t, auth, { access }))(path));
        assert.deepEqual([error.code, error.advice], ['ERR_TOKEN_MISSING', advice], path);
      }
    }
  });

  test(`${name}: of two access cookies the newest that is good counts, and those of two users are refused`, async (t) => {
    const { auth, clock } = testAuth({ web: { accessCookie: 'at' } });
    const call = await start(t, auth);
    const token = async (user) => (await auth.login(user)).accessToken;
    const get = (...tokens) => call('/me', { headers: { cookie: tokens.map((one) => `at=${one}`).join('; ') } });
    const [first, other] = [await token('user-1'), await token('user-2')];
    clock.advance(5000);
    const second = await token('user-1');
    for (const tokens of [[first, second], [second, first], ['rubbish', first], [first, 'rubbish']]) {
      assert.equal((await get(...tokens)).status, 200);
    }
    assert.equal((await errorOf(await get(first, other))).code, 'ERR_SUBJECT_MISMATCH');
  });

  test(`${name}: of two refresh cookies the one counts whose session is alive, and the others go`, async (t) => {
    const { auth } = testAuth();
    const call = await start(t, auth);
    const dead = cookieOf(await call.post('/login'));
    await auth.logoutEverywhere('user-1');
    const live = cookieOf(await call.post('/login'));
    for (const cookie of [`${dead}; ${live}`, `${live}; ${dead}`]) {
      const response = await call.post('/auth/refresh', { headers: { cookie } });
      assert.equal(response.status, 200);
      assert.ok(response.headers.getSetCookie().some((text) => /^refreshToken=;/.test(text)));
    }
  });

  test(`${name}: a CORS preflight is answered by the guard`, async (t) => {
    const call = await start(t, testAuth({ web: { allowedOrigins: ['https://app.example'] } }).auth);
    const preflight = (origin) => call('/me', {
      method: 'OPTIONS',
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
    });
    const own = await preflight('https://app.example');
    assert.equal(own.status, 204);
    assert.equal(own.headers.get('access-control-allow-origin'), 'https://app.example');
    const other = await preflight('https://evil.example');
    assert.deepEqual([other.status, other.headers.get('access-control-allow-origin')], [204, null]);
    assert.equal((await call('/me', { method: 'OPTIONS' })).status, 401);
  });

  test(`${name}: a malformed session id is not found`, async (t) => {
    const { auth } = testAuth();
    const call = await start(t, auth);
    const { accessToken, sessionId } = await auth.login('user-1');
    const headers = { authorization: `Bearer ${accessToken}` };
    for (const id of ['x', `${sessionId}A`, `${sessionId.slice(0, -1)}B`, '%20']) {
      const response = await call(`/auth/sessions/${id}`, { method: 'DELETE', headers });
      assert.deepEqual([response.status, (await errorOf(response)).code], [404, 'ERR_NOT_FOUND'], id);
    }
    const { sessions } = await (await call('/auth/sessions', { headers })).json();
    assert.equal(sessions.length, 1);
    const ended = await call(`/auth/sessions/${sessionId}`, { method: 'DELETE', headers });
    assert.deepEqual(await ended.json(), { ended: 1 });
  });

  test(`${name}: scopes and claims that a token lacks are 403`, async (t) => {
    const { auth } = testAuth();
    const call = await start(t, auth, { access: { optional: true } });
    const status = async (path, claims) => {
      const { accessToken } = await auth.login('user-1', { claims });
      return (await call(path, { headers: { authorization: `Bearer ${accessToken}` } })).status;
    };
    assert.equal(await status('/read', { scope: 'list read' }), 200);
    assert.equal(await status('/read', { scope: ['read', 'list'] }), 200);
    assert.equal(await status('/read', { scope: 'read' }), 403);
    assert.equal(await status('/admin', { role: ['staff', 'admin'] }), 200);
    assert.equal(await status('/admin', { role: 'administrator' }), 403);
    assert.equal((await call('/read')).status, 401);
    const { accessToken } = await auth.login('user-1');
    const response = await call('/read', { headers: { authorization: `Bearer ${accessToken}` } });
    assert.match(response.headers.get('www-authenticate'), /insufficient_scope.*scope="read list"/);
    assert.equal((await errorOf(response)).code, 'ERR_INSUFFICIENT_SCOPE');
  });

  test(`${name}: secure: 'auto' follows the request`, async (t) => {
    const call = await start(t, testAuth({ web: { secure: 'auto' } }).auth);
    const { attributes } = setCookies(await call.post('/login')).refreshToken;
    assert.equal(attributes.secure, call.origin.startsWith('https') ? true : undefined);
  });

  test(`${name}: a __Host- cookie has the path /`, async (t) => {
    const call = await start(t, testAuth({ web: { refreshCookie: '__Host-rt' } }).auth);
    const response = await call.post('/login');
    assert.equal(setCookies(response)['__Host-rt'].attributes.path, '/');
    assert.equal((await call.post('/auth/refresh', { headers: { cookie: cookieOf(response) } })).status, 200);
  });
}

test('fetch: unknown options are refused by name', async () => {
  const { auth } = testAuth();
  const pair = await auth.login('user-1');
  const request = { headers: {} };
  const refused = (call, field) => assert.rejects(async () => call(), (error) => error.field === field);
  await refused(() => forFetch.authenticate(auth, request, { optionl: true }), 'optionl');
  await refused(() => forFetch.authenticate(undefined, request), 'auth');
  await refused(() => forFetch.refresh(auth, request, { rotates: true }), 'rotates');
  await refused(() => forFetch.logout(auth, request, { cookies: true }), 'cookies');
  await refused(() => forFetch.loginAnswer(pair, request), 'auth');
  await refused(() => forFetch.loginAnswer(auth, request, {}), 'pair');
  await refused(() => forFetch.sessions(auth, undefined, request), 'access');
  await refused(() => forFetch.jwksAnswer(auth, request, { maxage: 1 }), 'maxage');
});

test('options of web are refused among those of a handler, with the place where they belong', () => {
  const { auth } = testAuth();
  for (const [name, option] of [
    ['cookie', 'accessCookie'], ['header', 'accessHeader'], ['allowedOrigins', 'allowedOrigins'], ['secure', 'secure'],
  ]) {
    const expected = { code: 'ERR_ARGUMENT_INVALID', field: name, message: new RegExp(`web\\.${option} of createAuth`) };
    assert.throws(() => forExpress.authenticate(auth, { [name]: true }), expected);
    assert.throws(() => forFastify.authenticate(auth, { [name]: true }), expected);
  }
  for (const [name, option] of [
    ['cookie', 'refreshCookie'], ['path', 'path'], ['accessCookie', 'accessCookie'], ['domain', 'domain'], ['access', 'accessHeader'],
  ]) {
    const expected = { code: 'ERR_ARGUMENT_INVALID', field: name, message: new RegExp(`web\\.${option}`) };
    for (const handler of [forExpress.refreshHandler, forExpress.logoutHandler, forExpress.authRouter]) {
      assert.throws(() => handler(auth, { [name]: 'x' }), expected);
    }
  }
  const { allowedOrigins } = { allowedOrigins: [] };
  assert.throws(() => forExpress.presets.rtVerify({ allowedOrigins }), { field: 'allowedOrigins', message: /web\.allowedOrigins/ });
});

test('auth.withWeb is the same auth object with other web options', async () => {
  const { auth } = testAuth({ web: { accessCookie: true } });
  const mobile = auth.withWeb({ refreshCookie: false });
  const pair = await auth.login('user-1');
  const request = { headers: {} };
  assert.deepEqual(Object.keys(forFetch.loginAnswer(mobile, request, pair).body), ['accessToken', 'expiresIn', 'refreshToken']);
  assert.equal(forFetch.loginAnswer(auth, request, pair).cookies.length, 2);
  const left = await forFetch.logout(mobile, { headers: {}, body: { refreshToken: pair.refreshToken } });
  assert.equal(left.status, 204);
  assert.throws(() => auth.verify(pair.accessToken), { code: 'ERR_ACCESS_REVOKED' });
  assert.throws(() => auth.withWeb({ refreshCookie: '__Host-rt', domain: 'a.example' }), { code: 'ERR_CONFIG_INVALID', field: 'web.refreshCookie' });
  assert.throws(() => auth.withWeb({ cookie: false }), { code: 'ERR_CONFIG_INVALID', field: 'web.cookie' });
  assert.throws(() => auth.withWeb(), { code: 'ERR_CONFIG_INVALID', field: 'web' });
});

test('headers in capitals, as arrays of one, and cookies that are only there parsed', async () => {
  const { auth } = testAuth({ web: { accessCookie: 'at' } });
  const { accessToken } = await auth.login('user-1');
  const passes = async (request) => (await forFetch.authenticate(auth, request)).ok;
  assert.ok(await passes({ headers: { Authorization: `Bearer ${accessToken}` } }));
  assert.ok(await passes({ headers: { authorization: [`Bearer ${accessToken}`] } }));
  assert.ok(await passes({ headers: { Cookie: [`at=${accessToken}`] } }));
  assert.ok(await passes({ headers: {}, cookies: { at: accessToken } }));
  const getAll = () => [{ name: 'at', value: accessToken }];
  assert.ok(await passes({ headers: new Headers(), cookies: { getAll } }));
  assert.ok(await passes({ headers: { cookie: `at=${accessToken}` }, cookies: {} }), 'the header decides');
});

test('the origin of HTTP/2 and default ports are compared as browsers mean them', async () => {
  const { auth } = testAuth({ web: { accessCookie: 'at' } });
  const { accessToken } = await auth.login('user-1');
  const passes = async (headers) => {
    const request = { method: 'POST', headers: { cookie: `at=${accessToken}`, ...headers } };
    return (await forFetch.authenticate(auth, request)).ok;
  };
  assert.ok(await passes({ ':authority': 'api.example', origin: 'https://api.example' }));
  assert.ok(await passes({ host: 'api.example:443', origin: 'https://api.example' }));
  assert.equal(await passes({ origin: 'null' }), false);
  assert.equal(await passes({ host: 'api.example:444', origin: 'https://api.example' }), false);
});

test('a Request whose body nothing has read is the fault of the app', async () => {
  const { auth } = testAuth({ web: { refreshCookie: false } });
  const { refreshToken } = await auth.login('user-1');
  const post = (body) => new Request('https://api.example/auth/refresh', { method: 'POST', body });
  const body = JSON.stringify({ refreshToken });
  for (const act of [forFetch.refresh, forFetch.logout]) {
    const { status, body: { error } } = await act(auth, post(body));
    assert.deepEqual([status, error.advice], [500, 'fix']);
    assert.match(error.message, /no body parser ran/);
    assert.equal((await act(auth, post())).status, 401);
    for (const unread of [body, Buffer.from(body)]) {
      assert.equal((await act(auth, { method: 'POST', headers: {}, body: unread })).status, 500);
    }
    for (const empty of ['', Buffer.alloc(0), null, undefined]) {
      assert.equal((await act(auth, { method: 'POST', headers: {}, body: empty })).status, 401);
    }
  }
  const request = post(body);
  const { method, headers } = request;
  assert.equal((await forFetch.refresh(auth, { method, headers, body: await request.json() })).status, 200);
});

test('Fastify: a client whose body is no JSON object is at fault, not the app', async (t) => {
  const { auth } = testAuth({ web: { refreshCookie: false } });
  const app = fastify();
  app.register(forFastify.authRoutes, { auth, prefix: '/auth' });
  t.after(() => app.close());
  for (const [type, payload] of [['text/plain', 'x'], ['application/json', '"x"'], ['application/json', '[]'], ['application/json', 'null'], ['a/b', 'x']]) {
    for (const url of ['/auth/refresh', '/auth/logout']) {
      const { statusCode } = await app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });
      assert.equal(statusCode, 401, `${type} ${payload}`);
    }
  }
});

test('the warning of a cookie path that does not match is given for each mount', async () => {
  const entries = [];
  const { auth } = testAuth({ onLog: ({ message }) => entries.push(message) });
  const post = (url) => forFetch.refresh(auth, { method: 'POST', url, headers: {} });
  for (const url of ['/one/refresh', '/one/refresh', '/two/refresh', '/auth/refresh']) assert.equal((await post(url)).status, 401);
  // The core calls the listener from another thread.
  for (const end = Date.now() + 60_000; entries.length < 2 && Date.now() < end; ) await setTimeout(5);
  assert.equal(entries.filter((message) => message.includes('"/one"')).length, 1);
  assert.equal(entries.filter((message) => message.includes('"/two"')).length, 1);
  assert.equal(entries.filter((message) => message.includes('"/auth":')).length, 2, 'the path of the cookie');
});

test('the preset takes no cookie of a foreign page for a change, unless it is told to', async (t) => {
  const { express } = expressVersions[0];
  const { auth } = testAuth({ access: { subjectClaim: 'userId' } });
  const { accessToken } = await auth.login('7');
  const open = auth.withWeb({ allowedOrigins: [foreign.origin] });
  for (const [guard, options, expected] of [[auth, {}, 400], [open, {}, 200], [auth, { checkOrigin: false }, 200]]) {
    const app = express();
    app.all('/me', forExpress.presets.rtVerify(options).authenticate(guard), (req, res) => res.json({}));
    app.use((err, req, res, _next) => res.status(err.status).json({}));
    const call = await serve(t, app);
    const headers = { cookie: `accessToken=Bearer%20${accessToken}`, ...foreign };
    assert.equal((await call.post('/me', { headers })).status, expected);
    assert.equal((await call('/me', { headers })).status, 200);
  }
});

test('a requirement that would let every token pass is refused', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1', { claims: { role: 'user' } });
  const access = auth.verifyAccess(accessToken);
  const unfit = { code: 'ERR_ARGUMENT_INVALID', status: 500 };
  for (const claims of [undefined, null, {}, [], 'role', { role: undefined }, { role: NaN }, { role: {} }, { role: ['user'] }, { role: () => 1 }]) {
    assert.throws(() => forExpress.requireClaims(auth, claims), unfit);
    assert.throws(() => forFastify.requireClaims(auth, claims), unfit);
    assert.throws(() => forFetch.requireClaims(auth, access, claims), unfit);
  }
  for (const scopes of [undefined, null, [], '', [''], 'a b', [1]]) {
    assert.throws(() => forExpress.requireScopes(auth, scopes), unfit);
    assert.throws(() => forFastify.requireScopes(auth, scopes), unfit);
    assert.throws(() => forFetch.requireScopes(auth, access, scopes), unfit);
  }
  // The middleware has a copy: a later change of the object does not lift the requirement.
  const required = { role: 'admin' };
  const middleware = forExpress.requireClaims(auth, required);
  delete required.role;
  let status = 0;
  const res = { status: (code) => ((status = code), res), set: () => res, setHeader: () => res, append: () => res, json: () => res, end: () => res };
  await middleware({ auth: access, headers: {} }, res, () => assert.fail('passed'));
  assert.equal(status, 403);
});

test('fetch: options are checked for each guard that they are used with', async () => {
  const { auth } = testAuth();
  const verifier = createVerifier({ issuers: [{ issuer: 'https://issuer.example', audience: 'api', keys: [{ alg: 'HS256', secret: 'k'.repeat(32) }] }] });
  const options = { whenStale: 'closed' };
  await forFetch.authenticate(auth, { headers: {} }, options);
  await assert.rejects(forFetch.authenticate(verifier, { headers: {} }, options), { code: 'ERR_ARGUMENT_INVALID', field: 'whenStale' });
});

test('a proof is found in any case of the header, and several are no proof', () => {
  for (const name of ['dpop', 'DPoP', 'DPOP']) {
    assert.equal(forFetch.proofOf({ method: 'GET', url: '/', headers: { [name]: 'a.b.c' } }).proof, 'a.b.c');
    assert.equal(forFetch.proofOf({ method: 'GET', url: '/', headers: { [name]: ['a.b.c'] } }).proof, 'a.b.c');
    assert.equal(forFetch.proofOf({ method: 'GET', url: '/', headers: { [name]: ['a.b.c', 'd.e.f'] } }).proof, 'a.b.c, d.e.f');
  }
  assert.equal(forFetch.proofOf(new Request('https://a.example/', { headers: { DPoP: 'a.b.c' } })).proof, 'a.b.c');
  assert.equal(forFetch.proofOf({ headers: {} }), undefined);
});

for (const { name, express } of expressVersions) {
  test(`${name}: nothing that comes after the response ends the process, and nothing that is thrown hangs`, async (t) => {
    const { auth } = testAuth();
    const { accessToken } = await auth.login('user-1');
    const headers = { authorization: `Bearer ${accessToken}` };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const hostile = new Proxy({}, { getPrototypeOf() { throw new Error('trap'); } });
    const app = express();
    const late = [];
    app.get('/late', (req, res, next) => {
      res.status(503).json({});
      next();
    }, forExpress.authenticate(auth, { loadUser: async () => undefined }));
    app.get('/revoked', forExpress.authenticate(auth, { loadUser: () => Promise.reject(proxy) }));
    app.get('/hostile', forExpress.authenticate(auth, { loadUser: () => { throw hostile; } }));
    app.get('/banned', forExpress.authenticate(auth, { loadUser: async () => false }), (req, res) => res.json({}));
    app.get('/unguarded', forExpress.requireScopes(auth, 'read'), (req, res) => res.json({}));
    app.use((err, req, res, next) => {
      late.push(err);
      if (!res.headersSent) res.status(555).end();
    });
    const call = await serve(t, app);
    assert.equal((await call('/late', { headers })).status, 503);
    for (const path of ['/revoked', '/hostile', '/unguarded']) assert.equal((await call(path, { headers })).status, 555, path);
    assert.equal((await call('/banned', { headers })).status, 401);
    assert.equal(late.length, 4);
  });
}

for (const { name, start } of surfaces.filter(({ name }) => name !== 'fetch')) {
  test(`${name}: an empty session id ends no session, an empty JSON body is none`, async (t) => {
    const { auth } = testAuth({ web: { secure: false } });
    const call = await start(t, auth);
    const pairs = [await auth.login('user-1'), await auth.login('user-1')];
    const headers = { authorization: `Bearer ${pairs[0].accessToken}` };
    assert.equal((await call('/auth/sessions/', { method: 'DELETE', headers })).status, 404);
    assert.equal((await auth.sessions('user-1')).filter(({ state }) => state === 'live').length, 2);
    const cookie = `refreshToken=${pairs[1].refreshToken}`;
    const logout = await call.post('/auth/logout', { headers: { cookie, origin: call.origin, 'content-type': 'application/json' } });
    assert.equal(logout.status, 204);
  });
}

test('claims that make the token too long are the mistake of the app, and sign nobody out', async (t) => {
  const { auth } = testAuth();
  const claims = { list: 'x'.repeat(9000) };
  await assert.rejects(auth.login('user-1', { claims }), { code: 'ERR_ARGUMENT_INVALID', status: 500, advice: 'fix', field: 'claims' });
  const { refreshToken } = await auth.login('user-1');
  const request = { method: 'POST', url: '/auth/refresh', headers: { host: 'a.example', origin: 'https://a.example', cookie: `refreshToken=${refreshToken}` } };
  const answer = await forFetch.refresh(auth, request, { claims: () => claims });
  assert.deepEqual([answer.status, answer.cookies], [500, []]);
  assert.equal((await forFetch.refresh(auth, request)).status, 200);
});
