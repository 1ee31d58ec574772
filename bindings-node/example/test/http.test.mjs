// The routes, over HTTP and without a browser.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { TestClock } from 'regrant';
import { startExample } from './support.mjs';

const PASSWORD = 'correct horse battery';
const SECRET = 'the old app’s key, which both apps share';

let example;
before(async () => (example = await startExample({ secret: SECRET })));
after(() => example?.stop());

/** A request; `body` becomes JSON, `cookie` and `token` their headers. Answers `{ status, headers, cookies, body }`. */
async function ask(method, path, { body, cookie, token, headers = {}, on = example } = {}) {
  const response = await fetch(on.url + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...(cookie === undefined ? {} : { Cookie: `refreshToken=${cookie}` }),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json');
  const cookies = Object.fromEntries(
    response.headers.getSetCookie().map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return { status: response.status, headers: response.headers, cookies, body: isJson ? JSON.parse(text) : text };
}

const cookieValue = (answer) => decodeURIComponent(answer.cookies.refreshToken.split(';')[0]);

/** Signs a new user up: `{ email, accessToken, refreshToken }`. */
async function newUser(email, on = example) {
  const answer = await ask('POST', '/auth/signup', { body: { email, password: PASSWORD }, on });
  assert.equal(answer.status, 201);
  return { email, accessToken: answer.body.accessToken, refreshToken: cookieValue(answer) };
}

async function logIn(email) {
  const answer = await ask('POST', '/auth/login', { body: { email, password: PASSWORD } });
  assert.equal(answer.status, 200);
  return { email, accessToken: answer.body.accessToken, refreshToken: cookieValue(answer) };
}

describe('sign-up and log-in', () => {
  test('answer an access token, and the refresh token in an HttpOnly cookie alone', async () => {
    const answer = await ask('POST', '/auth/signup', { body: { email: 'cookie@example.org', password: PASSWORD } });
    assert.equal(answer.status, 201);
    const { accessTtl } = example.config;
    assert.ok([accessTtl, accessTtl - 1].includes(answer.body.expiresIn), `expires in ${answer.body.expiresIn} s`);
    assert.match(answer.cookies.refreshToken, /HttpOnly/);
    assert.match(answer.cookies.refreshToken, /Path=\/auth(;|$)/);
    assert.match(answer.cookies.refreshToken, /SameSite=Strict/);
    assert.equal(JSON.stringify(answer.body).includes(cookieValue(answer)), false);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  });

  test('a taken address, however it is written, is refused', async () => {
    await newUser('taken@example.org');
    const answer = await ask('POST', '/auth/signup', { body: { email: 'Taken@Example.org', password: PASSWORD } });
    assert.deepEqual([answer.status, answer.body.error?.code], [409, 'EMAIL_TAKEN']);
  });

  for (const [what, body] of [
    ['no body', undefined],
    ['no address', { password: PASSWORD }],
    ['no address worth the name', { email: 'nobody', password: PASSWORD }],
    ['a short password', { email: 'short@example.org', password: 'seven77' }],
    ['a password that is no text', { email: 'object@example.org', password: { length: 20 } }],
    ['an endless password', { email: 'long@example.org', password: 'x'.repeat(201) }],
  ]) {
    test(`sign-up with ${what} is refused`, async () => {
      const answer = await ask('POST', '/auth/signup', { body });
      assert.deepEqual([answer.status, answer.body.error?.code], [400, 'INVALID_INPUT']);
    });
  }

  test('a wrong password and an unknown address get the same answer', async () => {
    await newUser('known@example.org');
    const wrong = await ask('POST', '/auth/login', { body: { email: 'known@example.org', password: 'not the password' } });
    const unknown = await ask('POST', '/auth/login', { body: { email: 'unknown@example.org', password: PASSWORD } });
    assert.deepEqual([wrong.status, wrong.body.error?.code], [401, 'WRONG_CREDENTIALS']);
    assert.deepEqual(unknown.body, wrong.body);
    assert.deepEqual(wrong.cookies, {});
  });

  test('guessing is slowed down', async () => {
    const strict = await startExample({ loginLimit: 2 });
    try {
      const guess = () => ask('POST', '/auth/login', { body: { email: 'x@example.org', password: 'a wrong guess' }, on: strict });
      const statuses = [(await guess()).status, (await guess()).status, (await guess()).status];
      assert.deepEqual(statuses, [401, 401, 429]);
    } finally {
      await strict.stop();
    }
  });

  test('a body that is no JSON is the sender’s fault', async () => {
    const response = await fetch(`${example.url}/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{',
    });
    assert.deepEqual([response.status, (await response.json()).error.code], [400, 'BAD_REQUEST']);
  });
});

describe('the protected resource', () => {
  test('answers the user of the access token', async () => {
    const user = await newUser('me@example.org');
    const answer = await ask('GET', '/api/me', { token: user.accessToken });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.user.email, 'me@example.org');
    assert.equal('passwordHash' in answer.body.user, false);
  });

  test('asks for a token', async () => {
    const answer = await ask('GET', '/api/me');
    assert.deepEqual([answer.status, answer.body.error?.code], [401, 'ERR_TOKEN_MISSING']);
    assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
  });

  test('refuses a refresh token and a forged one', async () => {
    const user = await newUser('typ@example.org');
    const refresh = await ask('GET', '/api/me', { token: user.refreshToken });
    assert.equal(refresh.status, 401);
    const [header, payload] = user.accessToken.split('.');
    const forged = await ask('GET', '/api/me', { token: `${header}.${payload}.${'A'.repeat(43)}` });
    assert.deepEqual([forged.status, forged.body.error?.code], [401, 'ERR_SIGNATURE_INVALID']);
  });
});

describe('refresh', () => {
  test('brings a new pair', async () => {
    const user = await newUser('refresh@example.org');
    const answer = await ask('POST', '/auth/refresh', { cookie: user.refreshToken });
    assert.equal(answer.status, 200);
    assert.notEqual(cookieValue(answer), user.refreshToken);
    assert.equal((await ask('GET', '/api/me', { token: answer.body.accessToken })).status, 200);
  });

  test('without the cookie there is nothing to refresh', async () => {
    const answer = await ask('POST', '/auth/refresh');
    assert.deepEqual([answer.status, answer.body.error?.code, answer.body.error?.advice], [401, 'ERR_TOKEN_MISSING', 'sign_in']);
  });

  test('does not take an access token', async () => {
    const user = await newUser('swap@example.org');
    assert.equal((await ask('POST', '/auth/refresh', { cookie: user.accessToken })).status, 401);
  });

  test('twenty at once make one child', async () => {
    const user = await newUser('twenty@example.org');
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('POST', '/auth/refresh', { cookie: user.refreshToken })));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(new Set(answers.map(cookieValue)).size, 1);
  });

  test('an expired access token is answered with the advice to refresh, an unused session with the one to sign in', async () => {
    const clock = new TestClock();
    const aging = await startExample({ clock, accessTtl: 60, refreshIdleTtl: 600 });
    try {
      const user = await newUser('old@example.org', aging);
      clock.advance(61_000);
      const expired = await ask('GET', '/api/me', { token: user.accessToken, on: aging });
      assert.deepEqual([expired.status, expired.body.error?.code, expired.body.error?.advice], [401, 'ERR_TOKEN_EXPIRED', 'refresh']);
      clock.advance(600_000);
      const over = await ask('POST', '/auth/refresh', { cookie: user.refreshToken, on: aging });
      assert.deepEqual([over.status, over.body.error?.code, over.body.error?.advice], [401, 'ERR_REFRESH_EXPIRED', 'sign_in']);
    } finally {
      await aging.stop();
    }
  });

  test('a spent refresh token that comes back after the grace ends the session for both holders', async () => {
    const clock = new TestClock();
    const watched = await startExample({ clock, grace: 2 });
    try {
      const user = await newUser('stolen@example.org', watched);
      const stolen = user.refreshToken;
      // The honest holder goes on twice: the second refresh proves that the answer to the first one arrived.
      const first = await ask('POST', '/auth/refresh', { cookie: stolen, on: watched });
      const honest = await ask('POST', '/auth/refresh', { cookie: cookieValue(first), on: watched });
      assert.equal((await ask('GET', '/api/me', { token: honest.body.accessToken, on: watched })).status, 200);
      clock.advance(3_000);
      const replay = await ask('POST', '/auth/demo/refresh-as-thief', { body: { refreshToken: stolen }, on: watched });
      assert.deepEqual([replay.status, replay.body.error?.code], [401, 'ERR_REFRESH_REUSED']);
      assert.equal((await ask('GET', '/api/me', { token: honest.body.accessToken, on: watched })).status, 401);
      const after = await ask('POST', '/auth/refresh', { cookie: cookieValue(honest), on: watched });
      assert.deepEqual([after.status, after.body.error?.code, after.body.error?.reason], [401, 'ERR_SESSION_REVOKED', 'reused']);
    } finally {
      await watched.stop();
    }
  });

  test('after the log-out it is over', async () => {
    const user = await newUser('bye@example.org');
    const out = await ask('POST', '/auth/logout', { cookie: user.refreshToken });
    assert.ok(out.status < 300);
    assert.match(out.cookies.refreshToken, /^;|^$/, 'the cookie is emptied');
    const answer = await ask('POST', '/auth/refresh', { cookie: user.refreshToken });
    assert.deepEqual([answer.status, answer.body.error?.code], [401, 'ERR_SESSION_REVOKED']);
  });
});

describe('devices', () => {
  const list = async (user) => (await ask('GET', '/api/devices', { token: user.accessToken })).body.sessions;

  test('are listed with the present one marked, and logged out one by one', async () => {
    const here = await newUser('devices@example.org');
    const there = await logIn('devices@example.org');
    const sessions = await list(here);
    assert.equal(sessions.length, 2);
    assert.equal(sessions.filter(({ current }) => current).length, 1);

    const other = sessions.find(({ current }) => !current);
    const gone = await ask('DELETE', `/api/devices/${other.sessionId}`, { token: here.accessToken });
    assert.deepEqual([gone.status, gone.body], [200, { ended: 1 }]);
    assert.equal((await ask('POST', '/auth/refresh', { cookie: there.refreshToken })).status, 401);
    assert.equal((await ask('GET', '/api/me', { token: there.accessToken })).status, 401, 'its access token ends at once');
    assert.equal((await ask('POST', '/auth/refresh', { cookie: here.refreshToken })).status, 200);
  });

  test('of somebody else are out of reach', async () => {
    const victim = await newUser('victim@example.org');
    const other = await newUser('other@example.org');
    const [{ sessionId }] = await list(victim);
    await ask('DELETE', `/api/devices/${sessionId}`, { token: other.accessToken });
    assert.equal((await ask('POST', '/auth/refresh', { cookie: victim.refreshToken })).status, 200);
  });

  test('are all logged out together', async () => {
    const one = await newUser('all@example.org');
    const two = await logIn('all@example.org');
    assert.deepEqual((await ask('DELETE', '/api/devices', { token: one.accessToken })).body, { ended: 2 });
    for (const { refreshToken } of [one, two]) {
      const answer = await ask('POST', '/auth/refresh', { cookie: refreshToken });
      assert.deepEqual([answer.status, answer.body.error?.code], [401, 'ERR_SESSION_REVOKED']);
    }
  });
});

describe('the shape of the old app', () => {
  let ann;
  let annId;
  let old; // { accessToken, refreshToken }, each 'Bearer <jwt>', as the old front end keeps them
  let ben;

  before(async () => {
    ann = await newUser('ann.old@example.org');
    ben = await newUser('ben.old@example.org');
    annId = (await ask('GET', '/api/me', { token: ann.accessToken })).body.user.id;
    const answer = await ask('POST', '/api/users/login', { body: { email: ann.email, password: PASSWORD } });
    assert.equal(answer.status, 200);
    old = answer.body;
  });
  const rtVerify = (refreshtoken, userid) => ask('GET', '/api/users/rtVerify', { headers: { refreshtoken, userid } });

  test('the header accesstoken is taken', async () => {
    const answer = await ask('GET', '/api/users/me', { headers: { accesstoken: old.accessToken } });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.user.email, ann.email);
  });

  test('a token that the old app signed is accepted', async () => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ userId: annId, iat: now, exp: now + 60 })}`;
    const token = `${unsigned}.${createHmac('sha256', SECRET).update(unsigned).digest('base64url')}`;
    const answer = await ask('GET', '/api/users/me', { headers: { accesstoken: `Bearer ${token}` } });
    assert.deepEqual([answer.status, answer.body.user?.email], [200, ann.email]);
  });

  for (const [what, headers, status, message] of [
    ['no token', {}, 400, 'Access Token이 존재하지 않습니다.'],
    ['a token without Bearer', { accesstoken: 'nonsense' }, 419, 'Access Token이 유효하지 않습니다.'],
    ['a token that does not verify', { accesstoken: 'Bearer a.b.c' }, 403, 'Access Token이 만료되었습니다.'],
  ]) {
    test(`${what}: ${status} with the old message`, async () => {
      const answer = await ask('GET', '/api/users/me', { headers });
      assert.deepEqual([answer.status, answer.body.message], [status, message]);
    });
  }

  test('rtVerify answers a new access token, in JSON and as a cookie', async () => {
    const answer = await rtVerify(old.refreshToken, annId);
    assert.equal(answer.status, 200);
    assert.deepEqual(Object.keys(answer.body), ['accessToken']);
    assert.match(answer.body.accessToken, /^Bearer eyJ/);
    assert.equal(decodeURIComponent(answer.cookies.accessToken.split(';')[0]), answer.body.accessToken);
    const again = await ask('GET', '/api/users/me', { headers: { accesstoken: answer.body.accessToken } });
    assert.equal(again.status, 200);
  });

  test('rtVerify does not rotate: the old front end keeps its refresh token', async () => {
    for (let times = 0; times < 3; times += 1) assert.equal((await rtVerify(old.refreshToken, annId)).status, 200);
  });

  test('rtVerify mints nothing for another user, nor for an access token', async () => {
    const benId = (await ask('GET', '/api/me', { token: ben.accessToken })).body.user.id;
    for (const answer of [await rtVerify(old.refreshToken, benId), await rtVerify(old.accessToken, annId)]) {
      assert.equal(answer.status, 419);
      assert.equal(answer.body.accessToken, undefined);
      assert.equal(answer.cookies.accessToken, undefined);
    }
  });

  test('rtVerify without Bearer: 419 with the old message', async () => {
    const answer = await rtVerify('nonsense', annId);
    assert.deepEqual([answer.status, answer.body.message], [419, 'refreshToken의 형식이 일치하지 않습니다.']);
    assert.equal(typeof answer.body.failedApi, 'string');
  });
});

describe('the demo-only routes', () => {
  test('hand out the refresh token of the cookie', async () => {
    const user = await newUser('demo@example.org');
    const answer = await ask('POST', '/auth/demo/refresh-token', { cookie: user.refreshToken });
    assert.deepEqual(answer.body, { refreshToken: user.refreshToken });
    assert.equal((await ask('POST', '/auth/demo/refresh-token')).status, 404);
  });

  test('are absent where they are switched off', async () => {
    const real = await startExample({ demoRoutes: false });
    try {
      const user = await newUser('real@example.org', real);
      for (const path of ['/auth/demo/refresh-token', '/auth/demo/refresh-as-thief']) {
        const answer = await ask('POST', path, { cookie: user.refreshToken, body: user, on: real });
        assert.equal(answer.status, 404);
      }
    } finally {
      await real.stop();
    }
  });
});

describe('the page', () => {
  test('is served, and may run no script but its own', async () => {
    const answer = await ask('GET', '/');
    assert.equal(answer.status, 200);
    assert.match(answer.body, /<html lang="en">/);
    assert.match(answer.headers.get('content-security-policy'), /script-src 'self'(;|$)/);
  });
});
