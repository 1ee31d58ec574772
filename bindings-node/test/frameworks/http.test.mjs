// Requests in, decisions and answers out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuthError } from 'regrant';
import { authenticate, loginAnswer, logout, refresh, refusal, sessions, toResponse } from 'regrant/http';
import { testAuth } from '../support/auth.mjs';

const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
const address = 'http://127.0.0.1/me';

test('a request of Node.js and one of the Fetch API are decided alike', async () => {
  const { auth } = testAuth();
  const { accessToken, sessionId } = await auth.login('user-1', { claims: { role: 'admin' } });
  for (const request of [bearer(accessToken), new Request(address, bearer(accessToken))]) {
    const { ok, auth: access, ...rest } = await authenticate(auth, request);
    assert.deepEqual([ok, access.subject, access.sessionId, access.claims.role, rest], [true, 'user-1', sessionId, 'admin', {}]);
  }
  for (const request of [{ headers: {} }, new Request(address)]) {
    const { ok, error, answer } = await authenticate(auth, request);
    assert.ok(error instanceof AuthError);
    assert.deepEqual([ok, error.code, answer], [false, 'ERR_TOKEN_MISSING', refusal(error)]);
  }
});

test('a refusal: status, challenge, no cache, and the error as JSON', async () => {
  const { auth } = testAuth();
  const { answer } = await authenticate(auth, bearer('rubbish'));
  const { status, headers, cookies, body } = JSON.parse(JSON.stringify(answer));
  assert.deepEqual([status, cookies, body.error.code], [401, [], 'ERR_TOKEN_MALFORMED']);
  assert.equal(headers['Cache-Control'], 'no-store');
  assert.match(headers['WWW-Authenticate'], /^Bearer error="invalid_token"/);
});

test('another header, a cookie of the headers, and cookies that were parsed', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  const passes = async (request, web = { accessCookie: 'at' }) => (await authenticate(auth.withWeb(web), request)).ok;
  assert.ok(await passes({ headers: { 'x-token': `Bearer ${accessToken}` } }, { accessHeader: 'X-Token' }));
  assert.ok(await passes({ headers: { cookie: `a=b; at=${accessToken}` } }));
  assert.ok(await passes(new Request(address, { headers: { cookie: `at=Bearer%20${accessToken}` } })));
  assert.ok(await passes({ headers: {}, cookies: { at: accessToken } }));
  assert.equal(await passes({ headers: { cookie: `at=${accessToken}` } }, {}), false);
  assert.ok(await passes({ headers: { cookie: `at=${accessToken}` }, cookies: {} }));
});

test('the access cookie of a foreign page reads, and changes nothing', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  const passes = async (method, headers, web) => {
    const request = { method, headers: { cookie: `at=${accessToken}`, host: 'api.example', ...headers } };
    const { ok, error } = await authenticate(auth.withWeb({ accessCookie: 'at', ...web }), request);
    assert.deepEqual([error?.code, error?.status], ok ? [undefined, undefined] : ['ERR_ORIGIN_NOT_ALLOWED', 403]);
    return ok;
  };
  const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' };
  const sibling = { origin: 'https://app.example' };
  for (const headers of [foreign, sibling]) {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) assert.ok(await passes(method, headers), method);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', undefined]) {
      assert.equal(await passes(method, headers), false, method);
      assert.ok(await passes(method, headers, { allowedOrigins: ['https://app.example'] }), method);
    }
    assert.equal(await passes('GET', { ...headers, upgrade: 'websocket' }), false);
  }
  assert.ok(await passes('POST', { origin: 'https://api.example' }));
  assert.ok(await passes('POST', { 'sec-fetch-site': 'same-origin' }));
  assert.ok(await passes('POST', {}), 'not a browser');
  // A header that a script has set is no cookie that a browser has added.
  assert.ok(await passes('POST', { ...foreign, authorization: `Bearer ${accessToken}` }));
});

test('a header that Node.js has several times is malformed', async () => {
  const { auth } = testAuth({ web: { accessHeader: 'x-token' } });
  const { accessToken } = await auth.login('user-1');
  const headers = { 'x-token': [`Bearer ${accessToken}`, 'Bearer other'] };
  assert.equal((await authenticate(auth, { headers })).error.code, 'ERR_TOKEN_MALFORMED');
});

test('optional lets none pass, and refuses a bad one', async () => {
  const { auth } = testAuth();
  assert.deepEqual(await authenticate(auth, { headers: {} }, { optional: true }), { ok: true });
  assert.equal((await authenticate(auth, bearer('rubbish'), { optional: true })).ok, false);
});

test('whenStale asks the store', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  assert.equal((await authenticate(auth, bearer(accessToken), { whenStale: 'ask' })).ok, true);
  assert.equal((await authenticate(auth, { headers: {} }, { whenStale: 'ask', optional: true })).ok, true);
  assert.equal((await authenticate(auth, { headers: {} }, { whenStale: 'ask' })).error.code, 'ERR_TOKEN_MISSING');
});

test('loadUser gets subject, claims and the very request; none is refused, what it throws is the app\'s', async () => {
  const { auth } = testAuth();
  const request = bearer((await auth.login('user-1', { claims: { tenant: 7 } })).accessToken);
  const seen = [];
  const loadUser = (...args) => {
    seen.push(args);
    return { name: 'One' };
  };
  const { user } = await authenticate(auth, request, { loadUser });
  assert.deepEqual([user, seen[0][0], seen[0][1].tenant, seen[0][2] === request], [{ name: 'One' }, 'user-1', 7, true]);
  assert.equal((await authenticate(auth, request, { loadUser: (id) => id, subjectClaim: 'tenant' })).user, 7);
  assert.equal((await authenticate(auth, request, { loadUser: (id) => id, subjectClaim: 'none' })).error.code, 'ERR_CLAIM_MISSING');
  assert.equal((await authenticate(auth, request, { loadUser: () => null })).error.code, 'ERR_SESSION_UNKNOWN');
  await assert.rejects(authenticate(auth, request, { loadUser: () => Promise.reject(new Error('no database')) }), /no database/);
});

test('login, refresh and logout as answers, and as responses with every cookie', async () => {
  const { auth } = testAuth({ web: { accessCookie: 'at', secure: false } });
  const cookieHeader = (answer) => ({ headers: { cookie: answer.cookies.map((cookie) => cookie.split(';')[0]).join('; ') } });
  const login = loginAnswer(auth, { headers: {} }, await auth.login('user-1'));
  assert.deepEqual([login.status, login.cookies.length, Object.keys(login.body)], [200, 2, ['accessToken', 'expiresIn']]);
  assert.match(login.cookies[0], /^refreshToken=.+; HttpOnly; SameSite=Strict; Path=\/auth; Max-Age=1209600; Expires=.+ GMT$/);
  assert.match(login.cookies[1], /^at=.+; HttpOnly; SameSite=Lax; Path=\/; Max-Age=900; Expires=.+ GMT$/);

  const renewed = await refresh(auth, new Request(address, { method: 'POST', ...cookieHeader(login) }));
  const response = toResponse(renewed);
  assert.deepEqual([response.status, response.headers.getSetCookie()], [200, renewed.cookies]);
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.equal(auth.verify((await response.json()).accessToken).sub, 'user-1');

  const left = toResponse(await logout(auth, cookieHeader(renewed)));
  const cleared = [/^refreshToken=; Path=\/; Max-Age=0$/, /^refreshToken=;.* Path=\/auth;/, /^at=;/];
  const isCleared = (cookies) => assert.ok(cookies.length === 3 && cleared.every((pattern, place) => pattern.test(cookies[place])), cookies.join('\n'));
  assert.deepEqual([left.status, left.body], [204, null]);
  isCleared(left.headers.getSetCookie());
  const over = await refresh(auth, cookieHeader(renewed));
  assert.deepEqual([over.status, over.body.error.code], [401, 'ERR_SESSION_REVOKED']);
  isCleared(over.cookies);
});

test('by body, and what a body may be', async () => {
  const { auth } = testAuth({ web: { refreshCookie: false } });
  const { refreshToken } = loginAnswer(auth, { headers: {} }, await auth.login('user-1')).body;
  const renewed = await refresh(auth, { headers: {}, body: { refreshToken } });
  assert.notEqual(renewed.body.refreshToken, refreshToken);
  for (const body of [undefined, null, '', { refreshToken: 5 }]) {
    assert.equal((await refresh(auth, { headers: {}, body })).status, 401);
  }
  assert.equal((await refresh(auth, { headers: {}, body: 'text' })).status, 500, 'not parsed');
});

test('what a function for claims throws is the app\'s', async () => {
  const { auth } = testAuth({ web: { refreshCookie: false } });
  const { refreshToken } = await auth.login('user-1');
  const claims = () => Promise.reject(new Error('no database'));
  await assert.rejects(refresh(auth, { headers: {}, body: { refreshToken } }, { claims }), /no database/);
});

test('a store that does not answer is 503, and logout leaves the cookies', async () => {
  const { refreshToken } = await testAuth().auth.login('user-1');
  // Port 1 of this machine serves nothing.
  const { auth } = testAuth({ store: 'redis://127.0.0.1:1/0', redis: { timeout: '200ms' } });
  const request = { headers: { cookie: `refreshToken=${refreshToken}` } };
  for (const { status, cookies, body } of [await refresh(auth, request), await logout(auth, request)]) {
    assert.deepEqual([status, cookies, body.error.advice], [503, [], 'retry']);
  }
});

test('sessions by another method', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  const { status, headers } = await sessions(auth, auth.verifyAccess(accessToken), { method: 'PATCH' });
  assert.deepEqual([status, headers.Allow], [405, 'GET, HEAD, DELETE']);
});
