// Login, refresh, logout and sessions over HTTP, by cookie and by body.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { answerError, authenticate, loginResponse, logoutHandler, refreshHandler, sessionsHandler } from 'regrant/express';
import { SECRET, START, testAuth } from './support/auth.mjs';
import { expressVersions, json, serve, setCookies } from './support/server.mjs';

for (const { name, express } of expressVersions) {
  async function sessionApp(t, options = {}, config = {}) {
    const { auth, clock } = testAuth(config);
    const app = express();
    app.use(express.json());
    app.post('/auth/login', async (req, res) => {
      loginResponse(auth, res.status(201), await auth.login(req.body.user, { device: req.body.device }));
    });
    app.post('/auth/refresh', refreshHandler(auth, options));
    app.post('/auth/logout', logoutHandler(auth));
    const sessions = [authenticate(auth), sessionsHandler(auth)];
    app.all('/sessions', sessions);
    app.all('/sessions/:sessionId', sessions);
    app.use((err, req, res, _next) => res.status(555).json({ passedOn: err.message }));
    const call = await serve(t, app);
    const login = (user = 'user-1', device = 'phone') => call.post('/auth/login', json({ user, device }));
    return { auth, clock, call, login };
  }

  const cookieHeader = (response) => {
    const cookies = Object.entries(setCookies(response)).map(([key, { value }]) => `${key}=${value}`);
    return { cookie: cookies.join('; ') };
  };

  test(`${name}: login sets a refresh cookie that scripts, other sites and other paths do not get`, async (t) => {
    const { login } = await sessionApp(t);
    const response = await login();
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const cookies = setCookies(response);
    assert.deepEqual(Object.keys(cookies), ['refreshToken']);
    const { expires, ...attributes } = cookies.refreshToken.attributes;
    assert.ok(expires);
    assert.deepEqual(attributes, {
      'max-age': String(14 * 24 * 3600),
      path: '/auth',
      httponly: true,
      secure: true,
      samesite: 'Strict',
    });
    const body = await response.json();
    assert.deepEqual(Object.keys(body), ['accessToken', 'expiresIn']);
    assert.equal(body.expiresIn, 900);
  });

  test(`${name}: too many failed refreshes are answered 429, and a good one is granted all the same`, async (t) => {
    const limiter = { failures: 2, window: '1m' };
    const { call, clock, login } = await sessionApp(t, {}, { web: { refreshCookie: false }, refresh: { limiter } });
    const { refreshToken } = await (await login()).json();
    const forged = `${refreshToken.slice(0, refreshToken.lastIndexOf('.'))}.${'A'.repeat(43)}`;
    const refresh = (token) => call.post('/auth/refresh', json({ refreshToken: token }));
    for (let i = 0; i < 2; i++) assert.equal((await refresh(forged)).status, 401);
    clock.advance(500);
    const refused = await refresh(forged);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get('retry-after'), '60');
    assert.equal((await refused.json()).error.code, 'ERR_TOO_MANY_ATTEMPTS');
    assert.equal((await refresh(refreshToken)).status, 200);
    clock.advance(60_000);
    assert.equal((await refresh(forged)).status, 401);
  });

  test(`${name}: a defect of the app is told to its developer, once, and not to the client`, async (t) => {
    const { call, login } = await sessionApp(t, { claims: () => ({ [`not allowed by ${name}`]: 1n }) });
    const headers = cookieHeader(await login());
    const warnings = [];
    const listen = (warning) => warnings.push(warning);
    process.on('warning', listen);
    t.after(() => process.off('warning', listen));
    for (let time = 0; time < 2; time++) {
      const response = await call.post('/auth/refresh', { headers });
      assert.equal(response.status, 500);
      assert.doesNotMatch(await response.text(), /not allowed/);
    }
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(warnings.map(({ name: type, code }) => [type, code]), [['RegrantWarning', 'ERR_ARGUMENT_INVALID']]);
    assert.match(warnings[0].message, /not allowed/);
  });

  test(`${name}: the address that failures are counted for is the app's to say`, async (t) => {
    let address;
    const config = { web: { refreshCookie: false }, refresh: { limiter: { failures: 1, window: '1m' } } };
    const { call } = await sessionApp(t, { address: () => address }, config);
    const status = async () => (await call.post('/auth/refresh', json({ refreshToken: 'a.b.c' }))).status;
    assert.deepEqual([await status(), await status(), await status()], [401, 401, 401]);
    address = '192.0.2.1';
    assert.deepEqual([await status(), await status()], [401, 429]);
    address = '192.0.2.2';
    assert.deepEqual([await status(), await status()], [401, 429]);
  });

  test(`${name}: cookies by option: names, path, domain, no Secure, the access token too`, async (t) => {
    const { login } = await sessionApp(t, {}, {
      web: { refreshCookie: 'rt', accessCookie: 'at', path: '/session', domain: 'example.com', secure: false },
    });
    const response = await login();
    const { rt, at } = setCookies(response);
    const { accessToken } = await response.json();
    assert.deepEqual([rt.attributes.path, rt.attributes.domain, rt.attributes.secure], ['/session', 'example.com', undefined]);
    assert.equal(at.value, accessToken);
    const { path, samesite, httponly } = at.attributes;
    assert.deepEqual([path, samesite, httponly, at.attributes['max-age']], ['/', 'Lax', true, '900']);
  });

  test(`${name}: refresh by cookie rotates the cookie`, async (t) => {
    const { auth, call, login } = await sessionApp(t);
    const first = await login();
    const response = await call.post('/auth/refresh', { headers: cookieHeader(first) });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const body = await response.json();
    assert.deepEqual(Object.keys(body), ['accessToken', 'expiresIn']);
    assert.equal(auth.verify(body.accessToken).sub, 'user-1');
    const next = setCookies(response).refreshToken;
    assert.notEqual(next.value, setCookies(first).refreshToken.value);
    assert.equal(next.attributes.samesite, 'Strict');
  });

  test(`${name}: with rotation off the cookie stays as it is`, async (t) => {
    const { call, login } = await sessionApp(t, {}, { refresh: { rotation: false }, web: { accessCookie: true } });
    const response = await call.post('/auth/refresh', { headers: cookieHeader(await login()) });
    assert.deepEqual(Object.keys(setCookies(response)), ['accessToken']);
  });

  // Its lifetime is that of an unused session, which the refresh has extended.
  test(`${name}: where only this route does not rotate, the cookie is set again`, async (t) => {
    const { call, login } = await sessionApp(t, { rotate: false });
    const first = await login();
    const response = await call.post('/auth/refresh', { headers: cookieHeader(first) });
    assert.equal(setCookies(response).refreshToken.value, setCookies(first).refreshToken.value);
  });

  test(`${name}: by body, with refreshCookie: false`, async (t) => {
    const { call, login } = await sessionApp(t, {}, { web: { refreshCookie: false } });
    const first = await login();
    assert.deepEqual(setCookies(first), {});
    const { refreshToken } = await first.json();
    const response = await call.post('/auth/refresh', json({ refreshToken }));
    assert.deepEqual(setCookies(response), {});
    const body = await response.json();
    assert.deepEqual(Object.keys(body), ['accessToken', 'expiresIn', 'refreshToken']);
    assert.notEqual(body.refreshToken, refreshToken);
    const byCookie = await call.post('/auth/refresh', { headers: { cookie: `refreshToken=${refreshToken}` } });
    assert.equal((await byCookie.json()).error.code, 'ERR_TOKEN_MISSING');
  });

  test(`${name}: no refresh token is 401, sign in`, async (t) => {
    const { call } = await sessionApp(t);
    const response = await call.post('/auth/refresh');
    assert.equal(response.status, 401);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal((await response.json()).error.code, 'ERR_TOKEN_MISSING');
  });

  test(`${name}: a body without express.json() is the app's fault, an empty one the client's`, async (t) => {
    const { auth } = testAuth({ web: { refreshCookie: false } });
    const errors = [];
    const keep = (err, req, res, next) => {
      errors.push(err);
      answerError(err, req, res, next);
    };
    const app = express();
    app.post('/refresh', refreshHandler(auth, { onError: keep }));
    app.post('/logout', logoutHandler(auth, { onError: keep }));
    app.use('/text', express.text({ type: '*/*' }));
    app.post('/text/refresh', refreshHandler(auth, { onError: keep }));
    const call = await serve(t, app);
    for (const init of [json({ refreshToken: 'x' }), json(null), json({ refreshToken: { a: 1 } }), { body: 'refreshToken=x' }]) {
      for (const path of ['/refresh', '/logout', '/text/refresh']) {
        const response = await call.post(path, init);
        assert.deepEqual([response.status, (await response.json()).error.advice], [500, 'fix']);
        assert.match(errors.at(-1).message, /no body parser ran/);
      }
    }
    for (const path of ['/refresh', '/logout', '/text/refresh']) assert.equal((await call.post(path)).status, 401);
  });

  test(`${name}: a body that express.json() does not take is the client's fault`, async (t) => {
    const { auth } = testAuth({ web: { refreshCookie: false } });
    const app = express();
    app.use(express.json());
    app.post('/refresh', refreshHandler(auth));
    const call = await serve(t, app);
    for (const init of [{}, { body: 'refreshToken=x' }, json({}), json([]), json({ refreshToken: { a: 1 } })]) {
      assert.equal((await call.post('/refresh', init)).status, 401);
    }
  });

  for (const [what, headers, passes] of [
    ['its own page', { 'sec-fetch-site': 'same-origin' }, true],
    ['an address bar', { 'sec-fetch-site': 'none' }, true],
    ['a page of a sibling subdomain', { 'sec-fetch-site': 'same-site', origin: 'https://evil.example.com' }, false],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.test' }, false],
    ['another site, in an old browser', { origin: 'https://evil.test' }, false],
    ['no page at all', { origin: 'null' }, false],
    ['an allowed origin', { 'sec-fetch-site': 'same-site', origin: 'https://app.example.com' }, true],
  ]) {
    test(`${name}: the refresh cookie ${passes ? 'counts' : 'does not count'} in a request of ${what}`, async (t) => {
      const { auth, call, login } = await sessionApp(t, {}, { web: { allowedOrigins: ['https://app.example.com'] } });
      const held = cookieHeader(await login());
      const response = await call.post('/auth/refresh', { headers: { ...held, ...headers } });
      assert.equal(response.status, passes ? 200 : 403);
      const left = await call.post('/auth/logout', { headers: { ...held, ...headers } });
      assert.equal(left.status, passes ? 204 : 403);
      const [{ state }] = await auth.sessions('user-1');
      assert.equal(state, passes ? 'revoked' : 'live');
    });
  }

  test(`${name}: the server's own origin counts in an old browser`, async (t) => {
    const { call, login } = await sessionApp(t);
    const headers = { ...cookieHeader(await login()), origin: call.origin };
    assert.equal((await call.post('/auth/refresh', { headers })).status, 200);
  });

  test(`${name}: claims of a refresh`, async (t) => {
    const { auth, call, login } = await sessionApp(t, { claims: (subject) => ({ role: `of ${subject}` }) });
    const response = await call.post('/auth/refresh', { headers: cookieHeader(await login()) });
    assert.equal(auth.verify((await response.json()).accessToken).role, 'of user-1');
  });

  test(`${name}: what a claims function throws goes to next`, async (t) => {
    const { call, login } = await sessionApp(t, { claims: () => Promise.reject(new Error('no database')) });
    const response = await call.post('/auth/refresh', { headers: cookieHeader(await login()) });
    assert.equal(response.status, 555);
  });

  test(`${name}: logout ends the session and removes the cookies`, async (t) => {
    const { call, login } = await sessionApp(t, {}, { web: { accessCookie: true } });
    const headers = cookieHeader(await login());
    const response = await call.post('/auth/logout', { headers });
    assert.equal(response.status, 204);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const { refreshToken, accessToken } = setCookies(response);
    for (const { value, attributes } of [refreshToken, accessToken]) {
      assert.equal(value, '');
      assert.equal(new Date(attributes.expires).getTime(), 0);
    }
    assert.deepEqual([refreshToken.attributes.path, accessToken.attributes.path], ['/auth', '/']);
    const after = await call.post('/auth/refresh', { headers });
    const { error } = await after.json();
    assert.deepEqual([error.code, error.reason], ['ERR_SESSION_REVOKED', 'logout']);
  });

  test(`${name}: logout of a session that is over is done, too`, async (t) => {
    const { auth, call, login } = await sessionApp(t);
    const headers = cookieHeader(await login());
    await auth.logoutEverywhere('user-1');
    assert.equal((await call.post('/auth/logout', { headers })).status, 204);
  });

  test(`${name}: logout while the store does not answer is 503 and keeps the cookies, to be tried again`, async (t) => {
    const { refreshToken } = await testAuth().auth.login('user-1');
    // Port 1 of this machine serves nothing.
    const { call } = await sessionApp(t, {}, { store: 'redis://127.0.0.1:1/0', redis: { timeout: '200ms' } });
    const response = await call.post('/auth/logout', { headers: { cookie: `refreshToken=${refreshToken}` } });
    assert.equal(response.status, 503);
    assert.deepEqual(setCookies(response), {});
    assert.equal((await response.json()).error.advice, 'retry');
  });

  test(`${name}: sessions are listed and ended, one's own only`, async (t) => {
    const { auth, call, login } = await sessionApp(t);
    const { accessToken } = await (await login('user-1', 'phone')).json();
    await login('user-1', 'laptop');
    const other = await auth.login('user-2');
    const headers = { authorization: `Bearer ${accessToken}` };
    const ask = async (method, path) => {
      const response = await call(path, { method, headers });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      return response.json();
    };
    const { sessions } = await ask('GET', '/sessions');
    assert.deepEqual(sessions.map(({ device, current }) => [device, current]).sort(), [['laptop', false], ['phone', true]]);
    assert.equal(sessions[0].createdAt, '2026-01-01T00:00:00.000Z');
    const laptop = sessions.find(({ device }) => device === 'laptop');
    assert.equal((await call(`/sessions/${other.sessionId}`, { method: 'DELETE', headers })).status, 404);
    assert.deepEqual(await ask('DELETE', `/sessions/${laptop.sessionId}`), { ended: 1 });
    assert.deepEqual(await ask('DELETE', `/sessions/${laptop.sessionId}`), { ended: 0 });
    const tablet = await (await login('user-1', 'tablet')).json();
    assert.deepEqual(await ask('DELETE', '/sessions/others'), { ended: 1 });
    assert.throws(() => auth.verify(tablet.accessToken), { code: 'ERR_ACCESS_REVOKED' });
    assert.deepEqual(await ask('DELETE', '/sessions'), { ended: 1 });
    assert.equal((await auth.sessions('user-2'))[0].state, 'live');
    assert.equal((await call('/sessions', { headers })).status, 401, 'its own session is over');
  });

  test(`${name}: an access token that names no session cannot end the others`, async (t) => {
    const { auth, call, login } = await sessionApp(t, {}, { access: { legacy: true } });
    await login();
    const iat = START / 1000;
    const nameless = jwt.sign({ sub: 'user-1', iat, exp: iat + 900 }, SECRET);
    const headers = { authorization: `Bearer ${nameless}` };
    const response = await call('/sessions/others', { method: 'DELETE', headers });
    assert.equal((await response.json()).error.code, 'ERR_CLAIM_MISSING');
    assert.equal((await auth.sessions('user-1'))[0].state, 'live');
  });

  test(`${name}: sessions by another method are 405; without a token 401`, async (t) => {
    const { call, login } = await sessionApp(t);
    const { accessToken } = await (await login()).json();
    const headers = { authorization: `Bearer ${accessToken}` };
    const response = await call('/sessions', { method: 'PATCH', headers });
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'GET, HEAD, DELETE']);
    assert.equal((await call('/sessions', { method: 'DELETE' })).status, 401);
  });

  test(`${name}: a superseded token is 409 and keeps the cookie; the session goes on`, async (t) => {
    const { call, clock, login } = await sessionApp(t);
    const first = cookieHeader(await login());
    const second = cookieHeader(await call.post('/auth/refresh', { headers: first }));
    clock.advance(1000);
    const third = cookieHeader(await call.post('/auth/refresh', { headers: second }));
    const late = await call.post('/auth/refresh', { headers: first });
    assert.equal(late.status, 409);
    assert.deepEqual([(await late.json()).error.advice, setCookies(late)], ['retry', {}]);
    assert.equal((await call.post('/auth/refresh', { headers: third })).status, 200);
  });
}
