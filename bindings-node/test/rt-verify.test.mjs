// An app of the old shape, its front end and its error handler unchanged.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import cookieParser from 'cookie-parser';
import jwt from 'jsonwebtoken';
import { presets } from 'regrant/express';
import { START, testAuth } from './support/auth.mjs';
import { expressVersions, serve, setCookies } from './support/server.mjs';

/** As short as the old app's may be. */
const SECRET_KEY = 'old secret';

const rows = new Map([['1', { userId: 1, nickname: 'a' }], ['2', { userId: 2, nickname: 'b' }]]);

const ABSENT = [400, '400/Access Token이 존재하지 않습니다.'];
const NOT_BEARER = [419, '419/Access Token이 유효하지 않습니다.'];
const REFUSED = [403, '403/Access Token이 만료되었습니다.'];
const REFRESH_FORM = [419, '419/refreshToken의 형식이 일치하지 않습니다.'];
const REFRESH_UNKNOWN = [419, '419/refreshToken의 정보가 서버에 존재하지 않습니다.'];
const REFRESH_REFUSED = [419, '419/refreshToken이 유효하지 않습니다.'];

for (const { name, express } of expressVersions) {
  async function oldApp(t, { preset = { language: 'ko' }, config = {}, before = [cookieParser()] } = {}) {
    const { auth, clock } = testAuth({
      secret: SECRET_KEY,
      allowShortSecret: true,
      access: { subjectClaim: 'userId', legacy: true },
      ...config,
    });
    const old = presets.rtVerify(preset);
    const app = express();
    for (const middleware of before) app.use(middleware);
    app.post('/api/users/login/:id', async (req, res) => old.loginResponse(res, await auth.login(req.params.id)));
    app.get('/api/users/me', old.authenticate(auth, { loadUser: async (id) => rows.get(String(id)) }), (req, res) => {
      res.json(res.locals.user);
    });
    app.get('/api/users/rtVerify', old.rtVerify(auth));
    // The old app's handler: it splits the message at the slash.
    app.use((err, req, res, _next) => {
      const [status, text] = err.message.split('/');
      const { failedApi, code, advice, statusCode } = err;
      res.status(Number(status)).json({ message: err.message, text, failedApi, code, advice, statusCode, plain: err.text });
    });
    const call = await serve(t, app);
    return {
      app,
      auth,
      clock,
      me: (headers = {}) => call('/api/users/me', { headers }),
      rtVerify: (headers = {}) => call('/api/users/rtVerify', { headers }),
      login: async (id) => (await call.post(`/api/users/login/${id}`)).json(),
      call,
    };
  }

  const refusal = async (response) => [response.status, (await response.json()).message];

  test(`${name}: login answers in the old form, with a cookie that the front end reads`, async (t) => {
    const { auth, call } = await oldApp(t);
    const response = await call.post('/api/users/login/1');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    const body = await response.json();
    assert.deepEqual(Object.keys(body), ['accessToken', 'refreshToken', 'userId']);
    assert.match(body.refreshToken, /^Bearer eyJ/);
    assert.equal(body.userId, '1');
    const { accessToken } = setCookies(response);
    assert.equal(accessToken.value, body.accessToken);
    assert.deepEqual(accessToken.attributes, { path: '/' });
    assert.equal(auth.verifyBearer(body.accessToken).claims.userId, '1');
  });

  test(`${name}: secure: 'auto' follows the scheme that a trusted proxy names`, async (t) => {
    for (const [trusted, scheme, secure] of [[1, 'https', true], [1, 'http', undefined], [0, 'https', undefined]]) {
      const { app, call } = await oldApp(t, { preset: { secure: 'auto' } });
      app.set('trust proxy', trusted);
      const headers = { 'x-forwarded-proto': scheme };
      const login = await call.post('/api/users/login/1', { headers });
      const { refreshToken } = await login.json();
      const renewed = await call('/api/users/rtVerify', { headers: { ...headers, refreshtoken: refreshToken, userid: '1' } });
      assert.equal(renewed.status, 200);
      for (const response of [login, renewed]) {
        assert.equal(setCookies(response).accessToken.attributes.secure, secure, `${trusted} ${scheme}`);
      }
    }
  });

  test(`${name}: the cookie with Secure, hidden from scripts, by option`, async (t) => {
    const { call } = await oldApp(t, { preset: { secure: true, httpOnly: true, sameSite: 'lax' } });
    const { accessToken } = setCookies(await call.post('/api/users/login/1'));
    assert.deepEqual(accessToken.attributes, { path: '/', httponly: true, secure: true, samesite: 'Lax' });
  });

  for (const [how, before] of [['with cookie-parser', [cookieParser()]], ['without', []]]) {
    test(`${name}: the token in the header, else in the cookie, ${how}`, async (t) => {
      const { me, login } = await oldApp(t, { before });
      const { accessToken } = await login(1);
      const cookie = `accessToken=${encodeURIComponent(accessToken)}`;
      for (const headers of [{ accesstoken: accessToken }, { cookie }, { accesstoken: '', cookie }]) {
        const response = await me(headers);
        assert.equal(response.status, 200);
        assert.deepEqual(await response.json(), rows.get('1'));
      }
      assert.deepEqual(await refusal(await me({ accesstoken: 'Bearer bad', cookie })), REFUSED);
    });
  }

  for (const [what, headers, expected] of [
    ['no token', {}, ABSENT],
    ['an Authorization header alone', { authorization: 'Bearer a.b.c' }, ABSENT],
    ['another scheme', { accesstoken: 'Basic abc' }, NOT_BEARER],
    ['a bare token', { accesstoken: 'a.b.c' }, NOT_BEARER],
    ['a bare token in the cookie', { cookie: 'accessToken=a.b.c' }, NOT_BEARER],
    ['nothing after Bearer', { accesstoken: 'Bearer' }, NOT_BEARER],
    ['an empty header', { accesstoken: '' }, ABSENT],
    ['an empty cookie', { cookie: 'accessToken=' }, ABSENT],
    ['rubbish', { accesstoken: 'Bearer rubbish' }, REFUSED],
  ]) {
    test(`${name}: ${what}: ${expected[0]}`, async (t) => {
      const { me } = await oldApp(t);
      assert.deepEqual(await refusal(await me(headers)), expected);
    });
  }

  test(`${name}: an expired token: 403, with everything that an error handler may read`, async (t) => {
    const { me, clock, login } = await oldApp(t);
    const { accessToken } = await login(1);
    clock.advance(901_000);
    const response = await me({ accesstoken: accessToken });
    assert.equal(response.status, 403);
    assert.deepEqual(await response.json(), {
      message: '403/Access Token이 만료되었습니다.',
      text: 'Access Token이 만료되었습니다.',
      plain: 'Access Token이 만료되었습니다.',
      code: 'ERR_TOKEN_EXPIRED',
      advice: 'refresh',
      statusCode: 403,
    });
  });

  test(`${name}: tokens that the old app signed are accepted, forged ones are not`, async (t) => {
    const { me } = await oldApp(t);
    const iat = START / 1000;
    const sign = (claims, secret, options = {}) => `Bearer ${jwt.sign({ iat, ...claims }, secret, { expiresIn: '1h', ...options })}`;
    const response = await me({ accesstoken: sign({ userId: 1 }, SECRET_KEY) });
    assert.deepEqual([response.status, await response.json()], [200, rows.get('1')]);
    for (const forged of [
      sign({ userId: 1 }, 'another secret'),
      sign({ userId: 1 }, SECRET_KEY, { algorithm: 'HS512' }),
      sign({ userId: 1 }, '', { algorithm: 'none' }),
      sign({ id: 1 }, SECRET_KEY),
      sign({ userId: 1 }, SECRET_KEY, { expiresIn: '14d' }),
      sign({ userId: 1, iat: iat - 7200 }, SECRET_KEY),
    ]) {
      assert.deepEqual(await refusal(await me({ accesstoken: forged })), REFUSED);
    }
  });

  test(`${name}: the other way round: the old app accepts our access tokens and not our refresh tokens`, async (t) => {
    const { login } = await oldApp(t);
    const { accessToken, refreshToken } = await login(1);
    const verify = (value) => jwt.verify(value.split(' ')[1], SECRET_KEY, { clockTimestamp: START / 1000 });
    assert.equal(verify(accessToken).userId, '1');
    assert.throws(() => verify(refreshToken), /invalid signature/);
  });

  test(`${name}: each kind of token is refused in place of the other`, async (t) => {
    const { me, rtVerify, login } = await oldApp(t);
    const { accessToken, refreshToken } = await login(1);
    assert.deepEqual(await refusal(await me({ accesstoken: refreshToken })), REFUSED);
    assert.deepEqual(await refusal(await rtVerify({ refreshtoken: accessToken, userid: '1' })), REFRESH_UNKNOWN);
  });

  test(`${name}: a user that is gone is refused as a bad token is`, async (t) => {
    const { me, login } = await oldApp(t);
    const { accessToken } = await login(99);
    assert.deepEqual(await refusal(await me({ accesstoken: accessToken })), REFUSED);
  });

  test(`${name}: rtVerify answers { accessToken } and the cookie; the refresh token stays`, async (t) => {
    const { auth, clock, rtVerify, login } = await oldApp(t);
    const { refreshToken } = await login(1);
    for (let day = 0; day < 3; day += 1) {
      clock.advance(24 * 3_600_000);
      const response = await rtVerify({ refreshtoken: refreshToken, userid: '1' });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('cache-control'), 'no-store');
      const body = await response.json();
      assert.deepEqual(Object.keys(body), ['accessToken']);
      const cookie = setCookies(response).accessToken;
      assert.equal(cookie.value, body.accessToken);
      assert.equal(cookie.attributes['max-age'], undefined, 'the middleware tells expired from absent');
      assert.equal(auth.verifyBearer(body.accessToken).subject, '1');
    }
  });

  test(`${name}: a client that asks for rotation gets the next refresh token`, async (t) => {
    const { rtVerify, login } = await oldApp(t);
    const { refreshToken } = await login(1);
    const ask = async (token, headers) => (await rtVerify({ refreshtoken: token, userid: '1', ...headers })).json();
    assert.deepEqual(Object.keys(await ask(refreshToken, { 'x-refresh-rotate': '0' })), ['accessToken']);
    const next = await ask(refreshToken, { 'x-refresh-rotate': '1' });
    assert.deepEqual(Object.keys(next), ['accessToken', 'refreshToken']);
    assert.match(next.refreshToken, /^Bearer eyJ/);
    assert.notEqual(next.refreshToken, refreshToken);
    // From then on the session rotates, with the header or without: a thief must not be able to choose.
    const later = await ask(next.refreshToken, {});
    assert.deepEqual(Object.keys(later), ['accessToken', 'refreshToken']);
    assert.deepEqual(Object.keys(await ask(later.refreshToken, { 'x-refresh-rotate': '0' })), ['accessToken', 'refreshToken']);
  });

  for (const [what, headers] of [
    ['absent', {}],
    ['empty', { refreshtoken: '' }],
    ['without Bearer', { refreshtoken: 'a.b.c' }],
    ['nothing after Bearer', { refreshtoken: 'Bearer ' }],
  ]) {
    test(`${name}: rtVerify, refresh token ${what}: 419, form`, async (t) => {
      const { rtVerify } = await oldApp(t);
      const response = await rtVerify({ userid: '1', ...headers });
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.deepEqual(await refusal(response), REFRESH_FORM);
    });
  }

  test(`${name}: rtVerify, a session that the store does not know: 419, unknown`, async (t) => {
    const elsewhere = await oldApp(t);
    const { refreshToken } = await elsewhere.login(1);
    const { rtVerify } = await oldApp(t);
    const response = await rtVerify({ refreshtoken: refreshToken, userid: '1' });
    const { message, failedApi, code } = await response.json();
    assert.deepEqual([response.status, message], REFRESH_UNKNOWN);
    assert.deepEqual([failedApi, code], ['refreshToken 검증', 'ERR_SESSION_UNKNOWN']);
  });

  test(`${name}: user 1's refresh token with the userid of user 2 mints nothing`, async (t) => {
    const { auth, rtVerify, login } = await oldApp(t);
    const { refreshToken } = await login(1);
    await login(2);
    const before = await auth.sessions(1);
    for (const headers of [{ userid: '2' }, { userid: '' }, { userid: '1, 2' }, {}]) {
      const response = await rtVerify({ refreshtoken: refreshToken, ...headers });
      assert.deepEqual(setCookies(response), {});
      assert.deepEqual(await refusal(response), REFRESH_REFUSED);
    }
    assert.deepEqual(await auth.sessions(1), before);
  });

  test(`${name}: rtVerify after logout, after expiry, and of a token used twice: 419, not valid`, async (t) => {
    const { auth, clock, rtVerify, login } = await oldApp(t);
    const headersOf = ({ refreshToken }) => ({ refreshtoken: refreshToken, userid: '1' });
    const [left, stolen, expired] = [await login(1), await login(1), await login(1)];

    await auth.logout(left.refreshToken.split(' ')[1]);
    assert.deepEqual(await refusal(await rtVerify(headersOf(left))), REFRESH_UNKNOWN);

    const rotate = { 'x-refresh-rotate': '1' };
    const second = await (await rtVerify({ ...headersOf(stolen), ...rotate })).json();
    await rtVerify({ ...headersOf(second), ...rotate });
    clock.advance(60_000);
    const replay = await (await rtVerify({ ...headersOf(stolen), ...rotate })).json();
    assert.deepEqual([replay.message, replay.code], [REFRESH_REFUSED[1], 'ERR_REFRESH_REUSED']);

    clock.advance(15 * 24 * 3_600_000);
    assert.deepEqual(await refusal(await rtVerify(headersOf(expired))), REFRESH_REFUSED);
  });

  test(`${name}: a store that does not answer is 503, try again, and no sign-out`, async (t) => {
    const { rtVerify, login } = await oldApp(t);
    const { refreshToken } = await login(1);
    // Port 1 of this machine serves nothing.
    const { rtVerify: withoutStore } = await oldApp(t, { config: { store: 'redis://127.0.0.1:1/0', redis: { timeout: '200ms' } } });
    const headers = { refreshtoken: refreshToken, userid: '1' };
    const response = await withoutStore(headers);
    assert.equal(response.status, 503);
    const { message, code, advice } = await response.json();
    assert.deepEqual([message, code, advice], [
      '503/세션 저장소에 연결할 수 없습니다. 잠시 후 다시 시도해 주세요.', 'ERR_STORE_UNAVAILABLE', 'retry',
    ]);
    assert.equal((await rtVerify(headers)).status, 200);
  });

  test(`${name}: plain messages, English, other names of the steps`, async (t) => {
    const preset = { language: 'en', messageStyle: 'plain', failedApi: { authenticate: 'auth', rtVerify: '/rt' } };
    const { auth } = testAuth();
    const old = presets.rtVerify(preset);
    const app = express();
    app.get('/me', old.authenticate(auth));
    app.get('/rt', old.rtVerify(auth));
    app.use((err, req, res, _next) => res.status(err.status).json({ message: err.message, failedApi: err.failedApi, name: err.name, cause: err.cause.code }));
    const call = await serve(t, app);
    assert.deepEqual(await (await call('/me')).json(), {
      message: 'There is no access token.', failedApi: 'auth', name: 'RtVerifyError', cause: 'ERR_TOKEN_MISSING',
    });
    assert.deepEqual(await (await call('/rt')).json(), {
      message: 'The refresh token is malformed.', failedApi: '/rt', name: 'RtVerifyError', cause: 'ERR_TOKEN_MISSING',
    });
  });

  test(`${name}: claims for the new access token`, async (t) => {
    const { auth } = testAuth();
    const app = express();
    app.get('/rt', presets.rtVerify().rtVerify(auth, { claims: (subject) => ({ role: `of ${subject}` }) }));
    const { refreshToken } = await auth.login('1');
    const call = await serve(t, app);
    const response = await call('/rt', { headers: { refreshtoken: `Bearer ${refreshToken}`, userid: '1' } });
    assert.equal(auth.verifyBearer((await response.json()).accessToken).claims.role, 'of 1');
  });
}
