// Revocation across processes, and the stale policy of routes.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { createAuth } from 'regrant';
import { authenticate } from 'regrant/express';
import { SECRET, testAuth, withCode } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';
import { expressVersions, serve } from './support/server.mjs';

/** Waits for `condition`, with a generous timeout. */
async function until(what, condition) {
  for (const end = Date.now() + 60_000; !(await condition()); await pause(5)) {
    assert.ok(Date.now() < end, `timed out: ${what}`);
  }
}

const isRejected = (auth, token) => {
  try {
    auth.verify(token);
    return false;
  } catch (error) {
    assert.equal(error.code, 'ERR_ACCESS_REVOKED');
    return true;
  }
};

/** Two auth objects, like those of two processes: `one` revokes a session whose token `two` has accepted. */
async function logoutReaches(store) {
  const settings = { secret: SECRET, store, redis: { timeout: '60s' } };
  const [one, two] = [createAuth(settings), createAuth(settings)];
  await until('the feed is read', () => two.feedLag !== null);
  const pair = await one.login('user-1');
  two.verify(pair.accessToken);
  await pause(20); // lets the access-token use arrive first, so that the rejection comes from the feed
  await one.logout(pair.refreshToken);
  await until('the logout arrives', () => isRejected(two, pair.accessToken));
}

test('a logout in one process takes effect in another: Redis', async (t) => {
  await logoutReaches((await startRedis(t)).url);
});

test('a logout in one process takes effect in another: a file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'regrant-file-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await logoutReaches(`file:${join(folder, 'sessions.db')}`);
});

for (const { name, express } of expressVersions) {
  test(`${name}: each route applies its stale policy while Redis is unavailable`, async (t) => {
    const redis = await startRedis(t);
    const auth = createAuth({
      secret: SECRET,
      store: redis.url,
      web: { accessCookie: true },
      redis: { timeout: '60s' },
      revocation: { maxStaleness: '4s' },
    });
    const app = express();
    for (const whenStale of ['open', 'ask', 'closed']) {
      app.get(`/${whenStale}`, authenticate(auth, { whenStale }), (req, res) => {
        res.json(req.auth.subject);
      });
    }
    const call = await serve(t, app);
    const { accessToken } = await auth.login('user-1');
    const headers = { authorization: `Bearer ${accessToken}` };
    const statuses = async () => {
      const answers = await Promise.all(['/open', '/ask', '/closed'].map((path) => call(path, { headers })));
      return answers.map(({ status }) => status);
    };
    // On a busy machine the feed may be read so late that a request finds it stale.
    const passes = (path, init) => until(`${path} passes`, async () => (await call(path, init)).status === 200);
    const allPass = () => until('all routes pass', async () => (await statuses()).every((status) => status === 200));
    await allPass();
    await passes('/closed', { headers: { cookie: `accessToken=${accessToken}` } });
    assert.equal((await call('/closed')).status, 401);

    await redis.kill();
    await until('the feed is stale', () => auth.feedLag > 4_000);
    assert.deepEqual(await statuses(), [200, 503, 503]);

    await redis.start();
    await allPass();
  });
}

test('an unknown stale policy is an invalid argument', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  await assert.rejects(auth.verifyChecked(accessToken, 'perhaps'), { ...withCode('ERR_ARGUMENT_INVALID'), field: 'whenStale' });
  assert.equal((await auth.verifyChecked(accessToken, 'closed')).subject, 'user-1');
  assert.equal(auth.feedLag, 0);
});
