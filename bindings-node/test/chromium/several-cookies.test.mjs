// Several cookies of one name: planted by another subdomain, or left behind by another `path` or `domain`.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { clockFromNow, liveSessions, makeApp } from './app.mjs';
import { APP, SIBLING, SITE, launch, startSites, visit } from './sites.mjs';

let browser;
let sites;
let user;
before(async () => {
  [browser, sites] = await Promise.all([launch(), startSites()]);
  user = await visit(browser, sites);
});
after(async () => {
  await browser?.close();
  await sites?.stop();
});
beforeEach(() => user.context.clearCookies());

const places = async (name) => (await user.cookies(name)).map(({ place }) => place);
const SIGNED_IN = { status: 200, subject: 'alice' };

describe('a refresh cookie that another subdomain plants', () => {
  let made;
  let tokens;
  before(async () => {
    made = makeApp();
    const revoked = (await made.auth.login('mallory')).refreshToken;
    await made.auth.logout(revoked);
    tokens = { junk: 'junk', revoked };
  });
  beforeEach(async () => {
    tokens.live = (await made.auth.login('mallory')).refreshToken;
    sites.use(made.app);
  });

  for (const path of ['/', '/auth', '/auth/', '/auth/refresh']) {
    const plant = (token, more = '') => user.plant(SIBLING, `refreshToken=${token}; Domain=${SITE}; Path=${path}; Secure${more}`);
    const planted = `${SITE}${path}`;

    test(`junk, for ${path}: it is removed`, async () => {
      await user.login('alice');
      await plant(tokens.junk);
      assert.deepEqual(await places('refreshToken'), ['/auth', planted]);
      assert.deepEqual(await user.refresh(), SIGNED_IN);
      assert.deepEqual(await places('refreshToken'), ['/auth']);
    });

    for (const state of ['live', 'revoked']) {
      test(`of a ${state} session, for ${path}: refused once and removed`, async () => {
        await user.login('alice');
        const [own] = await user.cookies('refreshToken');
        await plant(tokens[state]);
        assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SUBJECT_MISMATCH' });
        assert.deepEqual(await user.cookies('refreshToken'), [own]);
        assert.deepEqual(await user.refresh(), SIGNED_IN);
      });
    }

    test(`of a live session, for ${path}, once the own session is over: no other account`, async () => {
      await user.login('alice');
      await made.auth.logoutEverywhere('alice');
      await plant(tokens.live);
      assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SUBJECT_MISMATCH' });
      assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SESSION_REVOKED' });
      assert.deepEqual(await places('refreshToken'), []);
    });

    test(`of a live session, for ${path}: the access token of the page decides`, async () => {
      const accessToken = await user.login('alice');
      await plant(tokens.live);
      assert.deepEqual(await user.refresh({ accessToken }), SIGNED_IN);
      assert.deepEqual(await places('refreshToken'), ['/auth']);
    });

    test(`before the login, for ${path}: the login counts`, async () => {
      await plant(tokens.live);
      const accessToken = await user.login('alice');
      assert.deepEqual(await user.refresh({ accessToken }), SIGNED_IN);
      assert.deepEqual(await places('refreshToken'), ['/auth']);
    });
  }

  test('at the logout: both sessions are over and no cookie is left', async () => {
    await user.login('alice');
    await user.plant(SIBLING, `refreshToken=${tokens.live}; Domain=${SITE}; Path=/auth; Secure`);
    const [alice, mallory] = [await liveSessions(made.auth, 'alice'), await liveSessions(made.auth, 'mallory')];
    assert.equal((await user.call('/auth/logout', { method: 'POST' })).status, 204);
    assert.deepEqual(await places('refreshToken'), []);
    assert.equal(await liveSessions(made.auth, 'alice'), alice - 1);
    assert.equal(await liveSessions(made.auth, 'mallory'), mallory - 1);
  });

  test('an access cookie that no subdomain can set decides', async () => {
    const { app, auth } = makeApp({ web: { accessCookie: '__Host-access' } });
    sites.use(app);
    await user.login('alice');
    const { refreshToken } = await auth.login('mallory');
    await user.plant(SIBLING, `refreshToken=${refreshToken}; Domain=${SITE}; Path=/auth/refresh; Secure`);
    assert.deepEqual(await user.refresh(), SIGNED_IN);
    assert.deepEqual(await places('refreshToken'), ['/auth']);
  });

  test('partitioned: it is removed', async () => {
    await user.login('alice');
    for (const path of ['/', '/auth/', '/auth/refresh']) {
      await user.plant(SIBLING, `refreshToken=${tokens.live}; Domain=${SITE}; Path=${path}; Secure; Partitioned`);
    }
    assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SUBJECT_MISMATCH' });
    assert.deepEqual(await places('refreshToken'), ['/auth']);
    assert.deepEqual(await user.refresh(), SIGNED_IN);
  });

  test('while the tab is behind another one: the account is not swapped', async () => {
    await user.login('alice');
    const [first] = await user.cookies('refreshToken');
    await user.refresh();
    await user.refresh();
    await user.plant(APP, `refreshToken=${first.value}; Path=/auth; Secure; HttpOnly; SameSite=Strict`);
    assert.deepEqual(await user.refresh(), { status: 409, code: 'ERR_REFRESH_SUPERSEDED' });
    await user.plant(SIBLING, `refreshToken=${tokens.live}; Domain=${SITE}; Path=/auth/refresh; Secure`);
    assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SUBJECT_MISMATCH' });
    assert.deepEqual(await user.cookies('refreshToken'), [first]);
  });

  test('many of them: the account is not swapped', async () => {
    await user.login('alice');
    const [own] = await user.cookies('refreshToken');
    // A host below that of the app.
    const lines = [];
    for (const domain of [SITE, `app.${SITE}`]) for (const path of ['/auth/', '/auth/refresh']) for (const more of ['', '; Partitioned']) {
      const { refreshToken } = await made.auth.login('mallory');
      lines.push(`refreshToken=${refreshToken}; Domain=${domain}; Path=${path}; Secure${more}`);
    }
    await user.plant(`evil.app.${SITE}`, ...lines);
    assert.equal((await places('refreshToken')).length, 9);
    assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SUBJECT_MISMATCH' });
    assert.ok((await user.cookies('refreshToken')).some(({ value }) => value === own.value));
  });
});

describe('an access cookie that another subdomain plants', () => {
  let made;
  let tokens;
  before(async () => {
    made = makeApp({ web: { accessCookie: true } });
    tokens = { junk: 'junk', live: (await made.auth.login('mallory')).accessToken };
  });
  beforeEach(() => sites.use(made.app));

  for (const path of ['/', '/api', '/api/', '/api/notes']) {
    test(`junk, for ${path}: the own one counts`, async () => {
      await user.login('alice');
      await user.plant(SIBLING, `accessToken=${tokens.junk}; Domain=${SITE}; Path=${path}; Secure`);
      assert.deepEqual(await user.call('/api/notes'), { status: 200, body: { user: 'alice' } });
    });

    test(`of a live session, for ${path}: refused once and removed`, async () => {
      await user.login('alice');
      await user.plant(SIBLING, `accessToken=${tokens.live}; Domain=${SITE}; Path=${path}; Secure`);
      const { status, body } = await user.call('/api/notes');
      assert.deepEqual([status, body.error?.code], [401, 'ERR_SUBJECT_MISMATCH']);
      assert.deepEqual(await places('accessToken'), ['/']);
      assert.deepEqual(await user.call('/api/notes'), { status: 200, body: { user: 'alice' } });
    });
  }

  test('many of them: the account is not swapped', async () => {
    const lines = [];
    for (const path of ['/', '/api', '/api/', '/api/notes']) for (const more of ['', '; Partitioned']) {
      const { accessToken } = await made.auth.login('mallory');
      lines.push(`accessToken=${accessToken}; Domain=${SITE}; Path=${path}; Secure${more}`);
    }
    // Cookies of one path are sent in the order of their creation.
    await user.plant(SIBLING, ...lines);
    await user.login('alice');
    const { status, body } = await user.call('/api/notes');
    assert.deepEqual([status, body.error?.code], [401, 'ERR_SUBJECT_MISMATCH']);
  });
});

describe('a server that starts again with another path or domain', () => {
  let folder;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'regrant-chromium-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  const CHANGES = [
    [{ path: '/' }, {}],
    [{}, { path: '/' }],
    [{ path: '/auth/' }, {}],
    [{}, { path: '/auth/' }],
    [{ path: '/auth/refresh' }, {}],
    [{}, { domain: SITE }],
    [{ domain: SITE }, {}],
    [{ domain: `app.${SITE}` }, {}],
    [{ domain: SITE, path: '/' }, { path: '/auth' }],
    [{ domain: SITE }, { domain: `app.${SITE}`, path: '/' }],
    [{ refreshCookie: '__Secure-r', domain: SITE }, { refreshCookie: '__Secure-r' }],
    [{ refreshCookie: '__Http-r', domain: SITE }, { refreshCookie: '__Http-r' }],
  ];

  for (const [index, [first, second]] of CHANGES.entries()) {
    const title = `${JSON.stringify(first)} → ${JSON.stringify(second)}`;
    const name = first.refreshCookie ?? 'refreshToken';
    const own = `${second.domain ?? ''}${second.path ?? '/auth'}`;

    for (const logsInAgain of [true, false]) {
      test(`${title}: a user ${logsInAgain ? 'who logs in again' : 'from before'} refreshes for ever`, async () => {
        const clock = clockFromNow();
        const store = `file:${join(folder, `${index}-${logsInAgain}.db`)}`;
        const start = (web) => {
          const made = makeApp({ web: { accessCookie: true, ...web }, store, clock });
          sites.use(made.app);
          return made.auth;
        };
        start(first);
        await user.login('alice');
        clock.advance(3_600_000);
        assert.deepEqual(await user.refresh(), SIGNED_IN);
        clock.advance(3_600_000);

        const auth = start(second);
        if (logsInAgain) await user.login('alice');
        for (let round = 0; round < 4; round += 1) {
          assert.deepEqual(await user.refresh(), SIGNED_IN, `refresh ${round + 1}`);
          assert.deepEqual(await user.call('/api/notes'), { status: 200, body: { user: 'alice' } });
          // The first refresh of a user from before sets the new cookie, the second sees both.
          if (logsInAgain || round > 0) assert.deepEqual(await places(name), [own]);
          assert.equal((await places('accessToken')).length, 1 + Number(!logsInAgain && round === 0 && 'domain' in { ...first, ...second }));
          clock.advance(3_600_000);
        }
        assert.deepEqual((await auth.sessions('alice')).filter(({ reason }) => reason === 'reused'), []);
      });
    }
  }

  test('the login of another user after the change removes the cookie of the first', async () => {
    const store = `file:${join(folder, 'two-users.db')}`;
    sites.use(makeApp({ store, web: { path: '/' } }).app);
    await user.login('bob');
    sites.use(makeApp({ store }).app);
    await user.login('alice');
    assert.deepEqual(await places('refreshToken'), ['/auth']);
    assert.deepEqual(await user.refresh(), SIGNED_IN);
  });

  test('the only cookie, of a session that is over, is removed from its old place', async () => {
    const store = `file:${join(folder, 'dead.db')}`;
    sites.use(makeApp({ store, web: { path: '/', domain: SITE } }).app);
    await user.login('alice');
    const { app, auth } = makeApp({ store });
    await auth.logoutEverywhere('alice');
    sites.use(app);
    assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_SESSION_REVOKED' });
    assert.deepEqual(await places('refreshToken'), []);
  });
});
