// Tabs that share a refresh cookie without a lock, and an answer that is slower than the grace period, over HTTP.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { authenticate, loginResponse, refreshHandler } from 'regrant/express';
import { testAuth } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';
import { expressVersions, serve, setCookies } from './support/server.mjs';

const { express } = expressVersions.at(-1);
const ROUNDS = 50;

/** The stores. Redis has a clock of its own, so there a second takes 10 ms, but a busy machine may take longer. */
const stores = {
  memory: async () => ({ store: 'memory:' }),
  file: async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'regrant-slow-'));
    t.after(() => rm(folder, { recursive: true }));
    return { store: `file:${join(folder, 'sessions.db')}` };
  },
  Redis: async (t) => ({ store: (await startRedis(t)).url, redis: { timeout: '60s' }, refresh: { grace: '100ms', unusedGrace: '5m' } }),
};

/** An app that holds the answer to a refresh with the header `hold` back until `release` is called with its value. */
async function slowApp(t, config) {
  const { auth, clock } = testAuth(config);
  const app = express();
  let users = 0;
  const held = new Map();
  app.post('/auth/login', async (req, res) => loginResponse(auth, res, await auth.login(`user-${users++}`)));
  const hold = (req, res, next) => {
    const name = req.headers.hold;
    const end = res.end.bind(res);
    if (name) {
      res.end = (...rest) => {
        held.set(name, () => end(...rest));
        return res;
      };
    }
    next();
  };
  app.post('/auth/refresh', hold, refreshHandler(auth));
  app.get('/api/me', authenticate(auth), (req, res) => res.json({ id: req.auth.subject }));
  const call = await serve(t, app);
  const hasOwnTime = config.store.startsWith('redis:');
  const wait = async (seconds) => {
    if (hasOwnTime) await sleep(seconds * 10);
    else clock.advance(seconds * 1000);
  };
  return { call, wait, hasOwnTime, isHeld: (name) => held.has(name), release: (name) => held.get(name)() };
}

/** A browser: one cookie for all tabs, in which the answer that arrives last wins. */
function browser({ call }) {
  let cookie;
  const land = async (response) => {
    if (response.status !== 200) return { status: response.status };
    cookie = setCookies(response).refreshToken.value;
    return { status: 200, accessToken: (await response.json()).accessToken };
  };
  return {
    login: async () => land(await call.post('/auth/login')),
    refresh: async (headers = {}) => land(await call.post('/auth/refresh', { headers: { cookie: `refreshToken=${cookie}`, ...headers } })),
    use: async ({ accessToken }) => (await call('/api/me', { headers: { authorization: `Bearer ${accessToken}` } })).status,
  };
}

/** Plays one round. Returns the statuses of all that the user does after the late answer. */
async function round(app, number) {
  const { wait } = app;
  const name = String(number);
  const tabs = browser(app);
  await tabs.login();
  await wait(60);

  const first = tabs.refresh({ hold: name });
  while (!app.isHeld(name)) await turn();
  await wait(12);
  const second = await tabs.refresh();
  assert.deepEqual([second.status, await tabs.use(second)], [200, 200]);
  await wait(3);
  app.release(name);
  const late = await first;
  assert.equal(late.status, 200);

  const statuses = [await tabs.use(late), await tabs.use(second)];
  for (let times = 0; times < 2; times += 1) {
    await wait(100);
    const next = await tabs.refresh();
    statuses.push(next.status, ...(next.status === 200 ? [await tabs.use(next)] : []));
  }
  return statuses;
}

/** The number of users who stay signed in. */
async function signedIn(t, config) {
  const app = await slowApp(t, config);
  const rounds = [];
  for (let number = 0; number < ROUNDS; number += 1) {
    const playing = round(app, number);
    rounds.push(playing);
    // A clock that the test advances is the same for all.
    if (!app.hasOwnTime) await playing;
  }
  const statuses = await Promise.all(rounds);
  return statuses.filter((all) => all.every((status) => status === 200)).length;
}

for (const [name, open] of Object.entries(stores)) {
  test(`${name}: an answer that takes 15 s, while another tab refreshes and goes on, signs nobody out`, async (t) => {
    assert.equal(await signedIn(t, await open(t)), ROUNDS);
  });
}

test('where unused pairs have no longer grace, all of them are signed out', async (t) => {
  assert.equal(await signedIn(t, { store: 'memory:', refresh: { unusedGrace: '10s' } }), 0);
});
