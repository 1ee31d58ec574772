// The routes, over HTTP and without a browser.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestClock } from 'regrant';
import { PASSWORD, ask, cookieValue, logIn, newUser } from './requests.mjs';
import { startExample } from './support.mjs';

let example;
before(async () => (example = await startExample()));
after(() => example?.stop());

describe('what a session keeps', () => {
  test('without "remember me" the refresh cookie ends with the browser, also after a refresh', async () => {
    const body = { email: 'brief@example.org', password: PASSWORD, remember: false };
    const signup = await ask(example, 'POST', '/auth/signup', { body });
    assert.doesNotMatch(signup.cookies.refreshToken, /Max-Age|Expires/);
    const refreshed = await ask(example, 'POST', '/auth/refresh', { cookie: cookieValue(signup) });
    assert.equal(refreshed.status, 200);
    assert.doesNotMatch(refreshed.cookies.refreshToken, /Max-Age|Expires/);
  });

  test('a new role is in the access token after the next refresh', async () => {
    const signup = await newUser(example, 'role@example.org');
    const me = async (token) => (await ask(example, 'GET', '/api/me', { token })).body;
    const { accessToken, refreshToken } = signup;
    assert.equal((await me(accessToken)).role, 'reader');
    const changed = await ask(example, 'POST', '/auth/demo/role', { token: accessToken, body: { role: 'editor' } });
    assert.deepEqual([changed.status, changed.body], [200, { role: 'editor' }]);
    const before = await me(accessToken);
    assert.deepEqual([before.role, before.user.role], ['reader', 'editor']);
    const refreshed = await ask(example, 'POST', '/auth/refresh', { cookie: refreshToken });
    assert.equal((await me(refreshed.body.accessToken)).role, 'editor');
  });
});

describe('sign-up and log-in', () => {
  test('answer an access token, and the refresh token in an HttpOnly cookie alone', async () => {
    const answer = await ask(example, 'POST', '/auth/signup', {
      body: { email: 'cookie@example.org', password: PASSWORD },
    });
    assert.equal(answer.status, 201);
    const { accessTtl } = example.config;
    const { expiresIn } = answer.body;
    // Less by the time that the answer took.
    assert.ok(Number.isInteger(expiresIn) && expiresIn > 0 && expiresIn <= accessTtl, `expires in ${expiresIn} s`);
    assert.match(answer.cookies.refreshToken, /HttpOnly/);
    assert.match(answer.cookies.refreshToken, /Path=\/auth(;|$)/);
    assert.match(answer.cookies.refreshToken, /SameSite=Strict/);
    assert.equal(JSON.stringify(answer.body).includes(cookieValue(answer)), false);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
  });

  test('a taken address, however it is written, is refused', async () => {
    await newUser(example, 'taken@example.org');
    const answer = await ask(example, 'POST', '/auth/signup', {
      body: { email: 'Taken@Example.org', password: PASSWORD },
    });
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
      const answer = await ask(example, 'POST', '/auth/signup', { body });
      assert.deepEqual([answer.status, answer.body.error?.code], [400, 'INVALID_INPUT']);
    });
  }

  test('a wrong password and an unknown address get the same answer', async () => {
    await newUser(example, 'known@example.org');
    const wrong = await ask(example, 'POST', '/auth/login', {
      body: { email: 'known@example.org', password: 'not the password' },
    });
    const unknown = await ask(example, 'POST', '/auth/login', {
      body: { email: 'unknown@example.org', password: PASSWORD },
    });
    assert.deepEqual([wrong.status, wrong.body.error?.code], [401, 'WRONG_CREDENTIALS']);
    assert.deepEqual(unknown.body, wrong.body);
    assert.deepEqual(wrong.cookies, {});
  });

  test('guessing is slowed down', async () => {
    const strict = await startExample({ loginLimit: 2 });
    try {
      const guess = () =>
        ask(strict, 'POST', '/auth/login', { body: { email: 'x@example.org', password: 'a wrong guess' } });
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
    const user = await newUser(example, 'me@example.org');
    const answer = await ask(example, 'GET', '/api/me', { token: user.accessToken });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.user.email, 'me@example.org');
    assert.equal('passwordHash' in answer.body.user, false);
  });

  test('asks for a token', async () => {
    const answer = await ask(example, 'GET', '/api/me');
    assert.deepEqual([answer.status, answer.body.error?.code], [401, 'ERR_TOKEN_MISSING']);
    assert.match(answer.headers.get('www-authenticate'), /^Bearer/);
  });

  test('refuses a refresh token and a forged one', async () => {
    const user = await newUser(example, 'typ@example.org');
    const refresh = await ask(example, 'GET', '/api/me', { token: user.refreshToken });
    assert.equal(refresh.status, 401);
    const [header, payload] = user.accessToken.split('.');
    const forged = await ask(example, 'GET', '/api/me', { token: `${header}.${payload}.${'A'.repeat(43)}` });
    assert.deepEqual([forged.status, forged.body.error?.code], [401, 'ERR_SIGNATURE_INVALID']);
  });
});

describe('the metrics', () => {
  test('count what happened, for a scraper on this machine', async () => {
    const issued = async () => {
      const answer = await ask(example, 'GET', '/metrics');
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
      return Number(/^regrant_logins_total\{outcome="issued"\} (\d+)$/m.exec(answer.body)[1]);
    };
    const before = await issued();
    await newUser(example, 'counted@example.org');
    assert.equal(await issued(), before + 1);
  });

  test('are not served through a proxy', async () => {
    for (const header of ['X-Forwarded-For', 'Forwarded', 'Via']) {
      const answer = await ask(example, 'GET', '/metrics', { headers: { [header]: '127.0.0.1' } });
      assert.equal(answer.status, 404, header);
      assert.ok(!String(answer.body).includes('regrant_'));
    }
  });
});

describe('refresh', () => {
  test('brings a new pair', async () => {
    const user = await newUser(example, 'refresh@example.org');
    const answer = await ask(example, 'POST', '/auth/refresh', { cookie: user.refreshToken });
    assert.equal(answer.status, 200);
    assert.notEqual(cookieValue(answer), user.refreshToken);
    assert.equal((await ask(example, 'GET', '/api/me', { token: answer.body.accessToken })).status, 200);
  });

  test('without the cookie there is nothing to refresh', async () => {
    const answer = await ask(example, 'POST', '/auth/refresh');
    assert.deepEqual(
      [answer.status, answer.body.error?.code, answer.body.error?.advice],
      [401, 'ERR_TOKEN_MISSING', 'sign_in'],
    );
  });

  test('does not take an access token', async () => {
    const user = await newUser(example, 'swap@example.org');
    assert.equal((await ask(example, 'POST', '/auth/refresh', { cookie: user.accessToken })).status, 401);
  });

  test('twenty at once make one child', async () => {
    const user = await newUser(example, 'twenty@example.org');
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => ask(example, 'POST', '/auth/refresh', { cookie: user.refreshToken })),
    );
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    assert.equal(new Set(answers.map(cookieValue)).size, 1);
  });

  test('an expired access token means: refresh; an unused session means: sign in', async () => {
    const clock = new TestClock();
    const aging = await startExample({ clock, accessTtl: 60, refreshIdleTtl: 600 });
    try {
      const user = await newUser(aging, 'old@example.org');
      clock.advance(61_000);
      const expired = await ask(aging, 'GET', '/api/me', { token: user.accessToken });
      assert.deepEqual(
        [expired.status, expired.body.error?.code, expired.body.error?.advice],
        [401, 'ERR_TOKEN_EXPIRED', 'refresh'],
      );
      clock.advance(600_000);
      const over = await ask(aging, 'POST', '/auth/refresh', { cookie: user.refreshToken });
      assert.deepEqual(
        [over.status, over.body.error?.code, over.body.error?.advice],
        [401, 'ERR_REFRESH_EXPIRED', 'sign_in'],
      );
    } finally {
      await aging.stop();
    }
  });

  test('a spent refresh token that comes back after the grace ends the session for both holders', async () => {
    const clock = new TestClock();
    const watched = await startExample({ clock, grace: 2 });
    try {
      const user = await newUser(watched, 'stolen@example.org');
      const stolen = user.refreshToken;
      // The honest holder goes on twice: the second refresh proves that the answer to the first one arrived.
      const first = await ask(watched, 'POST', '/auth/refresh', { cookie: stolen });
      const honest = await ask(watched, 'POST', '/auth/refresh', { cookie: cookieValue(first) });
      // Not the last access token: its first use is reported meanwhile, and the grace would begin then.
      assert.equal((await ask(watched, 'GET', '/api/me', { token: first.body.accessToken })).status, 200);
      clock.advance(3_000);
      const replay = await ask(watched, 'POST', '/auth/demo/refresh-as-thief', { body: { refreshToken: stolen } });
      assert.deepEqual([replay.status, replay.body.error?.code], [401, 'ERR_REFRESH_REUSED']);
      for (const token of [first.body.accessToken, honest.body.accessToken]) {
        assert.equal((await ask(watched, 'GET', '/api/me', { token })).status, 401);
      }
      const after = await ask(watched, 'POST', '/auth/refresh', { cookie: cookieValue(honest) });
      assert.deepEqual(
        [after.status, after.body.error?.code, after.body.error?.reason],
        [401, 'ERR_SESSION_REVOKED', 'reused'],
      );
    } finally {
      await watched.stop();
    }
  });

  test('after the log-out it is over', async () => {
    const user = await newUser(example, 'bye@example.org');
    const out = await ask(example, 'POST', '/auth/logout', { cookie: user.refreshToken });
    assert.ok(out.status < 300);
    assert.match(out.cookies.refreshToken, /^;|^$/, 'the cookie is emptied');
    const answer = await ask(example, 'POST', '/auth/refresh', { cookie: user.refreshToken });
    assert.deepEqual([answer.status, answer.body.error?.code], [401, 'ERR_SESSION_REVOKED']);
  });
});

describe('an app on a phone', () => {
  test('gets and sends its refresh token as JSON, and no cookie', async () => {
    const body = { email: 'phone@example.org', password: PASSWORD };
    const signedUp = await ask(example, 'POST', '/mobile/signup', { body });
    assert.equal(signedUp.status, 201);
    const loggedIn = await ask(example, 'POST', '/mobile/login', { body });
    const refresh = (refreshToken) => ask(example, 'POST', '/mobile/refresh', { body: { refreshToken } });
    const refreshed = await refresh(loggedIn.body.refreshToken);
    for (const answer of [signedUp, loggedIn, refreshed]) {
      assert.deepEqual(answer.cookies, {});
      assert.equal((await ask(example, 'GET', '/api/me', { token: answer.body.accessToken })).status, 200);
    }
    const { refreshToken } = refreshed.body;
    assert.equal((await ask(example, 'POST', '/mobile/logout', { body: { refreshToken } })).status, 204);
    assert.equal((await refresh(refreshToken)).body.error.code, 'ERR_SESSION_REVOKED');
  });
});

describe('devices', () => {
  const list = async (user) => (await ask(example, 'GET', '/api/devices', { token: user.accessToken })).body.sessions;

  test('are listed with the present one marked, and logged out one by one', async () => {
    const here = await newUser(example, 'devices@example.org');
    const there = await logIn(example, 'devices@example.org');
    const sessions = await list(here);
    assert.equal(sessions.length, 2);
    assert.equal(sessions.filter(({ current }) => current).length, 1);

    const other = sessions.find(({ current }) => !current);
    const gone = await ask(example, 'DELETE', `/api/devices/${other.sessionId}`, { token: here.accessToken });
    assert.deepEqual([gone.status, gone.body], [200, { ended: 1 }]);
    assert.equal((await ask(example, 'POST', '/auth/refresh', { cookie: there.refreshToken })).status, 401);
    assert.equal(
      (await ask(example, 'GET', '/api/me', { token: there.accessToken })).status,
      401,
      'its access token ends at once',
    );
    assert.equal((await ask(example, 'POST', '/auth/refresh', { cookie: here.refreshToken })).status, 200);
  });

  test('tell where the login and the last refresh came from', async () => {
    const user = await newUser(example, 'where@example.org');
    const [before] = await list(user);
    assert.equal(before.createdFrom.address, '127.0.0.1');
    assert.equal(before.lastRefreshedFrom, undefined);
    await ask(example, 'POST', '/auth/refresh', { cookie: user.refreshToken });
    const [after] = await list(user);
    assert.deepEqual(after.lastRefreshedFrom, after.createdFrom);
  });

  test('of somebody else are out of reach', async () => {
    const victim = await newUser(example, 'victim@example.org');
    const other = await newUser(example, 'other@example.org');
    const [{ sessionId }] = await list(victim);
    await ask(example, 'DELETE', `/api/devices/${sessionId}`, { token: other.accessToken });
    assert.equal((await ask(example, 'POST', '/auth/refresh', { cookie: victim.refreshToken })).status, 200);
  });

  test('are logged out together but for the one that asks', async () => {
    const here = await newUser(example, 'others@example.org');
    const there = await logIn(example, 'others@example.org');
    const gone = await ask(example, 'DELETE', '/api/devices/others', { token: here.accessToken });
    assert.deepEqual([gone.status, gone.body], [200, { ended: 1 }]);
    const refused = await ask(example, 'POST', '/auth/refresh', { cookie: there.refreshToken });
    assert.deepEqual([refused.status, refused.body.error?.code], [401, 'ERR_SESSION_REVOKED']);
    assert.equal((await ask(example, 'GET', '/api/me', { token: here.accessToken })).status, 200);
    assert.equal((await ask(example, 'POST', '/auth/refresh', { cookie: here.refreshToken })).status, 200);
  });

  test('are all logged out together', async () => {
    const one = await newUser(example, 'all@example.org');
    const two = await logIn(example, 'all@example.org');
    assert.deepEqual((await ask(example, 'DELETE', '/api/devices', { token: one.accessToken })).body, { ended: 2 });
    for (const { refreshToken } of [one, two]) {
      const answer = await ask(example, 'POST', '/auth/refresh', { cookie: refreshToken });
      assert.deepEqual([answer.status, answer.body.error?.code], [401, 'ERR_SESSION_REVOKED']);
    }
  });
});

describe('the demo-only routes', () => {
  test('hand out the refresh token of the cookie', async () => {
    const user = await newUser(example, 'demo@example.org');
    const answer = await ask(example, 'POST', '/auth/demo/refresh-token', { cookie: user.refreshToken });
    assert.deepEqual(answer.body, { refreshToken: user.refreshToken });
    assert.equal((await ask(example, 'POST', '/auth/demo/refresh-token')).status, 404);
  });

  test('are absent where they are switched off', async () => {
    const real = await startExample({ demoRoutes: false });
    try {
      const user = await newUser(real, 'real@example.org');
      for (const path of ['/auth/demo/refresh-token', '/auth/demo/refresh-as-thief']) {
        const answer = await ask(real, 'POST', path, { cookie: user.refreshToken, body: user });
        assert.equal(answer.status, 404);
      }
    } finally {
      await real.stop();
    }
  });
});

describe('the page', () => {
  test('is served, and may run no script but its own', async () => {
    const answer = await ask(example, 'GET', '/');
    assert.equal(answer.status, 200);
    assert.match(answer.body, /<html lang="en">/);
    assert.match(answer.headers.get('content-security-policy'), /script-src 'self'(;|$)/);
  });
});
