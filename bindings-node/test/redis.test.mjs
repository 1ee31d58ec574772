// On a real Redis: concurrent refreshes, a crash of the server, and no tokens in its data.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { TestClock, createAuth } from 'regrant';
import { authenticate, loginResponse, refreshHandler } from 'regrant/express';
import { SECRET, claimsOf, withCode } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';
import { expressVersions, json, serve } from './support/server.mjs';

const { express } = expressVersions.at(-1);
const run = promisify(execFile);
const SUPPORT = join(import.meta.dirname, 'support');

/** An app with its own Redis, and a second auth object like that of another process. */
async function redisApp(t, config = {}) {
  const redis = await startRedis(t);
  const settings = { secret: SECRET, store: redis.url, redis: { timeout: '60s' }, web: { refreshCookie: false }, ...config };
  const auth = createAuth(settings);
  const app = express();
  app.use(express.json());
  app.post('/login', async (req, res) => loginResponse(auth, res, await auth.login('user-1')));
  app.post('/refresh', refreshHandler(auth));
  app.get('/me', authenticate(auth), (req, res) => res.json({ subject: req.auth.subject }));
  const call = await serve(t, app);
  return {
    auth,
    redis,
    elsewhere: createAuth(settings),
    login: async () => (await call.post('/login')).json(),
    refresh: (refreshToken) => call.post('/refresh', json({ refreshToken })),
    me: (token) => call('/me', { headers: { authorization: `Bearer ${token}` } }),
  };
}

test('200 requests with an expired access token and 50 concurrent refreshes: one child token, no logout', async (t) => {
  const clock = new TestClock();
  const { auth, elsewhere, login, me, refresh } = await redisApp(t, { clock });
  const first = await login();
  clock.advance(901_000);

  const refused = await Promise.all(Array.from({ length: 200 }, () => me(first.accessToken)));
  const codes = await Promise.all(refused.map(async (response) => (await response.json()).error.code));
  assert.deepEqual([codes.length, [...new Set(codes)]], [200, ['ERR_TOKEN_EXPIRED']]);

  const answers = await Promise.all([
    ...Array.from({ length: 25 }, async () => (await refresh(first.refreshToken)).json()),
    ...Array.from({ length: 25 }, () => elsewhere.refresh(first.refreshToken)),
  ]);
  const children = new Set(answers.map(({ refreshToken }) => refreshToken));
  assert.equal(children.size, 1, 'all refreshes return the same child token');
  const [child] = children;
  assert.notEqual(child, first.refreshToken);
  assert.deepEqual(claimsOf(child).gen, 1);

  assert.equal((await me(answers[0].accessToken)).status, 200);
  assert.equal((await refresh(child)).status, 200);
  const sessions = await auth.sessions('user-1');
  assert.deepEqual(sessions.map(({ state }) => state), ['live']);
});

test('a Redis restart: refreshes get 503, access tokens stay valid, then refreshes recover', async (t) => {
  const { auth, login, me, redis, refresh } = await redisApp(t);
  let { accessToken, refreshToken } = await login();
  ({ accessToken, refreshToken } = await (await refresh(refreshToken)).json());
  const leaving = await auth.login('user-2');

  await redis.kill();
  for (let round = 0; round < 3; round += 1) {
    const response = await refresh(refreshToken);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('www-authenticate'), null);
    const { error } = await response.json();
    assert.deepEqual([error.code, error.advice], ['ERR_STORE_UNAVAILABLE', 'retry']);
    assert.equal((await me(accessToken)).status, 200, 'access validation does not use the store');
  }
  for (const call of [
    () => auth.login('user-1'),
    () => auth.logout(leaving.refreshToken),
    () => auth.sessions('user-1'),
    () => auth.logoutEverywhere('user-2'),
  ]) {
    await assert.rejects(call(), { ...withCode('ERR_STORE_UNAVAILABLE'), status: 503 });
  }
  assert.throws(() => auth.verifyAccess(leaving.accessToken), withCode('ERR_ACCESS_REVOKED'));

  await redis.start();
  const renewed = await eventually(() => auth.refresh(refreshToken));
  assert.equal((await refresh(renewed.refreshToken)).status, 200);
  assert.deepEqual((await auth.sessions('user-1')).map(({ state }) => state), ['live']);
  assert.equal((await auth.login('user-2')).subject, 'user-2');
});

test('an unreachable Redis: createAuth succeeds, calls fail with 503 until it starts', async (t) => {
  const redis = await startRedis(t);
  await redis.kill();
  const auth = createAuth({ secret: SECRET, store: redis.url, redis: { timeout: '60s' } });
  await assert.rejects(auth.login('user-1'), withCode('ERR_STORE_UNAVAILABLE'));
  await redis.start();
  assert.equal((await eventually(() => auth.login('user-1'))).subject, 'user-1');
});

test('Redis keys, values and append-only files contain no token', async (t) => {
  const { auth, login, redis, refresh } = await redisApp(t);
  const tokens = [];
  for (let user = 0; user < 5; user += 1) {
    let pair = await auth.login(`user-${user}`, { device: 'a device to be found' });
    for (let round = 0; round < 3; round += 1) {
      tokens.push(pair.accessToken, pair.refreshToken);
      auth.verify(pair.accessToken);
      pair = await auth.refresh(pair.refreshToken);
    }
    tokens.push(pair.accessToken, pair.refreshToken);
  }
  const left = await login();
  tokens.push(left.accessToken, left.refreshToken);
  await refresh(left.refreshToken);
  await auth.logout(left.refreshToken);

  const { keys, bytes } = await redis.contents();
  const history = await redis.history();
  assert.ok(keys.length >= 5, 'the store is not empty');
  for (const where of [bytes, history]) {
    assert.ok(where.includes('a device to be found'), 'the data contains the sessions');
    for (const token of tokens) assertTokenAbsent(token, where);
  }
});

/** Checks that neither the payload, the signature nor the jti occurs, encoded, decoded or in hex. */
function assertTokenAbsent(token, bytes) {
  const [, payload, signature] = token.split('.');
  const { jti } = claimsOf(token);
  const secrets = [payload, signature, ...(jti ? [jti] : [])];
  for (const secret of secrets) {
    assert.ok(!bytes.includes(secret));
    assert.ok(!bytes.includes(Buffer.from(secret, 'base64url')));
    assert.ok(!bytes.includes(Buffer.from(secret, 'base64url').toString('hex')));
  }
}

/** Milliseconds within which the store client must reconnect. */
const RECOVERY_TIMEOUT = 60_000;
const RETRY_INTERVAL = 20;

/** Retries until the store is available. Other errors propagate. */
async function eventually(call) {
  for (const end = Date.now() + RECOVERY_TIMEOUT; ; ) {
    try {
      return await call();
    } catch (error) {
      if (error.code !== 'ERR_STORE_UNAVAILABLE' || Date.now() > end) throw error;
      await new Promise((again) => setTimeout(again, RETRY_INTERVAL));
    }
  }
}

test('a session begins by the clock of Redis, also where the clock of the app is wrong', async (t) => {
  const redis = await startRedis(t);
  const folder = await mkdtemp(join(tmpdir(), 'regrant-clock-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const shifted = join(folder, 'shifted-clock.so');
  await run('cc', ['-shared', '-fPIC', '-o', shifted, join(SUPPORT, 'shifted-clock.c'), '-ldl']);

  const hour = 3_600_000;
  for (const shift of [2 * hour, -2 * hour]) {
    const since = Date.now();
    const { stdout } = await run(process.execPath, [join(SUPPORT, 'sessions-of-alice.mjs'), SECRET, redis.url], {
      env: { ...process.env, LD_PRELOAD: shifted, SHIFT_SECONDS: String(shift / 1_000) },
    });
    const { own, store } = JSON.parse(stdout);
    assert.ok(own >= since + shift && own <= Date.now() + shift, 'the clock of the process is wrong');
    assert.ok(store > since - hour && store < Date.now() + hour, `the store says ${store}, it is ${since}`);
  }
});
