// The middleware in front of protected routes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import cookieParser from 'cookie-parser';
import { AuthError } from 'regrant';
import { answerError, authOf, authenticate } from 'regrant/express';
import { testAuth } from './support/auth.mjs';
import { expressVersions, serve } from './support/server.mjs';

const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
const cookie = (text) => ({ headers: { cookie: text } });

for (const { name, express } of expressVersions) {
  /** An app with one protected route that shows what the middleware left. */
  async function protectedApp(t, options, { web, config, before = [] } = {}) {
    const { auth, clock } = testAuth({ web, ...config });
    const app = express();
    for (const middleware of before) app.use(middleware);
    app.get('/me', authenticate(auth, options), (req, res) => {
      res.json({ auth: req.auth ?? null, user: res.locals.user ?? null });
    });
    app.use((err, req, res, _next) => res.status(555).json({ passedOn: err.message }));
    return { auth, clock, call: await serve(t, app), pair: await auth.login('user-1', { claims: { role: 'admin' } }) };
  }

  test(`${name}: a good token passes and leaves who asks`, async (t) => {
    const { call, pair } = await protectedApp(t);
    const response = await call('/me', bearer(pair.accessToken));
    assert.equal(response.status, 200);
    const { auth } = await response.json();
    assert.deepEqual([auth.subject, auth.sessionId, auth.claims.role], ['user-1', pair.sessionId, 'admin']);
  });

  test(`${name}: no token is 401 with a bare challenge (RFC 6750 section 3)`, async (t) => {
    const { call } = await protectedApp(t);
    const response = await call('/me');
    assert.equal(response.status, 401);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.deepEqual(await response.json(), {
      error: { code: 'ERR_TOKEN_MISSING', advice: 'sign_in', message: 'No token was presented' },
    });
  });

  test(`${name}: an expired token is 401 with the advice to refresh`, async (t) => {
    const { call, clock, pair } = await protectedApp(t);
    clock.advance(901_000);
    const response = await call('/me', bearer(pair.accessToken));
    assert.equal(response.status, 401);
    assert.match(response.headers.get('www-authenticate'), /^Bearer error="invalid_token"/);
    const { error } = await response.json();
    assert.deepEqual([error.code, error.advice], ['ERR_TOKEN_EXPIRED', 'refresh']);
  });

  test(`${name}: a refresh token is refused`, async (t) => {
    const { call, pair } = await protectedApp(t);
    const response = await call('/me', bearer(pair.refreshToken));
    assert.equal(response.status, 401);
    assert.equal((await response.json()).error.advice, 'reject');
  });

  test(`${name}: another header`, async (t) => {
    const { call, pair } = await protectedApp(t, {}, { web: { accessHeader: 'X-Access-Token' } });
    const headers = { 'x-access-token': `Bearer ${pair.accessToken}` };
    assert.equal((await call('/me', { headers })).status, 200);
    assert.equal((await call('/me', bearer(pair.accessToken))).status, 401);
  });

  for (const [how, before] of [['without cookie-parser', []], ['with cookie-parser', [cookieParser()]]]) {
    test(`${name}: a cookie, ${how}`, async (t) => {
      const { call, pair } = await protectedApp(t, {}, { web: { accessCookie: 'token' }, before });
      assert.equal((await call('/me', cookie(`a=b; token=${pair.accessToken}`))).status, 200);
      assert.equal((await call('/me', cookie(`token=Bearer%20${pair.accessToken}`))).status, 200);
      assert.equal((await call('/me', cookie('token=wrong'))).status, 401);
      assert.equal((await call('/me', cookie('other=b'))).status, 401);
    });
  }

  test(`${name}: the header goes before the cookie, even a bad one`, async (t) => {
    const { call, pair } = await protectedApp(t, {}, { web: { accessCookie: 'token' } });
    const headers = { authorization: 'Bearer bad', cookie: `token=${pair.accessToken}` };
    assert.equal((await call('/me', { headers })).status, 401);
  });

  test(`${name}: loadUser gets subject, claims and request; its row is res.locals.user`, async (t) => {
    const seen = [];
    const loadUser = async (subject, claims, req) => {
      seen.push([subject, claims.role, req.path]);
      return { id: subject };
    };
    const { call, pair } = await protectedApp(t, { loadUser });
    const { user } = await (await call('/me', bearer(pair.accessToken))).json();
    assert.deepEqual([user, seen], [{ id: 'user-1' }, [['user-1', 'admin', '/me']]]);
  });

  for (const none of [null, undefined]) {
    test(`${name}: loadUser finds ${none}: 401, sign in`, async (t) => {
      const { call, pair } = await protectedApp(t, { loadUser: () => none });
      const response = await call('/me', bearer(pair.accessToken));
      assert.equal(response.status, 401);
      assert.equal((await response.json()).error.advice, 'sign_in');
    });
  }

  for (const [how, loadUser] of [
    ['throws', () => { throw new Error('no database'); }],
    ['rejects', () => Promise.reject(new Error('no database'))],
  ]) {
    test(`${name}: what loadUser ${how} goes to next`, async (t) => {
      const { call, pair } = await protectedApp(t, { loadUser });
      const response = await call('/me', bearer(pair.accessToken));
      assert.equal(response.status, 555);
      assert.deepEqual(await response.json(), { passedOn: 'no database' });
    });
  }

  test(`${name}: a user that is refused leaves nothing on the request`, async (t) => {
    const { call, pair } = await protectedApp(t, { loadUser: () => null, onError: (error, req, res, next) => next() });
    assert.deepEqual(await (await call('/me', bearer(pair.accessToken))).json(), { auth: null, user: null });
  });

  test(`${name}: another claim for loadUser`, async (t) => {
    const options = { subjectClaim: 'tenant', loadUser: (id) => ({ id }) };
    const { auth, call } = await protectedApp(t, options);
    const token = async (claims) => bearer((await auth.login('user-1', { claims })).accessToken);
    assert.deepEqual((await (await call('/me', await token({ tenant: 5 }))).json()).user, { id: 5 });
    const response = await call('/me', await token({}));
    assert.equal((await response.json()).error.code, 'ERR_CLAIM_MISSING');
  });

  test(`${name}: optional lets none pass, and refuses a bad one`, async (t) => {
    const { call, clock, pair } = await protectedApp(t, { optional: true, loadUser: (id) => id }, { web: { accessCookie: 'token' } });
    assert.deepEqual(await (await call('/me')).json(), { auth: null, user: null });
    assert.equal((await (await call('/me', bearer(pair.accessToken))).json()).user, 'user-1');
    clock.advance(901_000);
    assert.equal((await call('/me', bearer(pair.accessToken))).status, 401);
    assert.equal((await call('/me', cookie('token=bad'))).status, 401);
  });

  test(`${name}: onError answers in the app's way`, async (t) => {
    const onError = (err, req, res) => res.status(418).json({ own: err.code, path: req.path });
    const { call } = await protectedApp(t, { onError });
    const response = await call('/me');
    assert.equal(response.status, 418);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.deepEqual(await response.json(), { own: 'ERR_TOKEN_MISSING', path: '/me' });
  });

  test(`${name}: onError may hand on; Express answers an AuthError by its status`, async (t) => {
    const { auth } = testAuth();
    const app = express();
    app.set('env', 'test');
    app.get('/me', authenticate(auth, { onError: (err, req, res, next) => next(err) }));
    const response = await (await serve(t, app))('/me');
    assert.equal(response.status, 401);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
  });

  test(`${name}: answerError answers what an app's own route was refused`, async (t) => {
    const { auth } = testAuth();
    const app = express();
    app.get('/me', (req) => auth.verifyBearer(req.headers.authorization));
    app.use((err, req, res, next) => (err instanceof AuthError ? answerError(err, req, res) : next(err)));
    const response = await (await serve(t, app))('/me', bearer('rubbish'));
    assert.equal(response.status, 401);
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.match(response.headers.get('www-authenticate'), /invalid_token/);
    assert.equal((await response.json()).error.code, 'ERR_TOKEN_MALFORMED');
  });

  test(`${name}: the answer speaks the language of the configuration`, async (t) => {
    const { call } = await protectedApp(t, {}, { config: { language: 'ko' } });
    assert.equal((await (await call('/me')).json()).error.message, '토큰이 존재하지 않습니다.');
  });

  test(`${name}: authOf names the defect of a route without authenticate`, async (t) => {
    const app = express();
    app.get('/me', (req, res) => res.json(authOf(req)));
    app.use((err, req, res, _next) => res.status(500).json(err.message));
    const response = await (await serve(t, app))('/me');
    assert.match(await response.json(), /authenticate\(\)/);
  });

  test(`${name}: 200 requests at once with one expired token are 200 answers 401`, async (t) => {
    const { call, clock, pair } = await protectedApp(t);
    clock.advance(901_000);
    const responses = await Promise.all(Array.from({ length: 200 }, () => call('/me', bearer(pair.accessToken))));
    const codes = await Promise.all(responses.map(async (response) => (await response.json()).error.code));
    assert.deepEqual(new Set(codes), new Set(['ERR_TOKEN_EXPIRED']));
  });
}

/** As bluebird and zone.js do. */
test('an app may replace the global Promise', async (t) => {
  const { auth } = testAuth();
  const guard = authenticate(auth, { whenStale: 'ask' });
  const { accessToken } = await auth.login('user-1');
  const Native = globalThis.Promise;
  t.after(() => {
    globalThis.Promise = Native;
  });
  globalThis.Promise = class Other extends Native {};
  for (const [token, passes] of [['bad.token.x', false], [accessToken, true]]) {
    const req = { method: 'GET', url: '/me', originalUrl: '/me', headers: { authorization: `Bearer ${token}` } };
    const passed = await new Native((resolve) => {
      const res = { locals: {}, set: () => res, setHeader() {}, getHeader() {}, append() {}, status: () => res, json: () => resolve(false), send: () => resolve(false), end: () => resolve(false) };
      guard(req, res, () => resolve(true));
    });
    assert.equal(passed, passes, token);
    if (passes) assert.equal(req.auth.subject, 'user-1');
  }
});
