// Starts processes of the legacy and the new app on one real Redis, and creates sessions.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import { startRedis } from '../support/redis.mjs';

/** Short, as the secret of a legacy app may be. */
export const SECRET_KEY = 'old secret';

/** The number of concurrent requests. */
const AT_ONCE = 50;

export async function startApps(t) {
  // Register this hook before the one of startRedis: hooks run in order, and clients end before the server.
  const ends = [];
  t.after(() => Promise.all(ends.map((finish) => finish())));
  const redis = await startRedis(t);
  const env = { ...process.env, SECRET_KEY, REDIS_URL: redis.url };
  const client = await createClient({ url: redis.url }).connect();
  ends.push(() => client.isOpen && client.destroy());

  function start(program) {
    const child = fork(fileURLToPath(new URL(program, import.meta.url)), { env });
    ends.push(() => end(child));
    return child;
  }
  async function app(program) {
    const child = start(program);
    const [{ port }] = await once(child, 'message');
    const origin = `http://127.0.0.1:${port}`;
    const headers = (token, userid) => ({ refreshtoken: `Bearer ${token}`, ...(userid && { userid }) });
    return {
      child,
      call: (path, init) => fetch(`${origin}${path}`, init),
      refresh: (token, userid) => fetch(`${origin}/api/users/rtVerify`, { headers: headers(token, userid) }),
      logout: (token) => fetch(`${origin}/logout`, { method: 'POST', headers: headers(token) }),
    };
  }
  return {
    redis,
    client,
    oldApp: () => app('./old-app.mjs'),
    newApp: () => app('./new-app.mjs'),
    sweeper: () => start('./sweeper.mjs'),
  };
}

/** Kills a process (SIGKILL) and waits for its exit. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Logs `count` users in at a legacy process, half of them by e-mail address. */
export async function fill(app, count) {
  const users = Array.from({ length: count }, (_, place) => `user-${place}`);
  const values = users.map((user, place) => (place % 2 ? `${user}@example.com` : user));
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(values) };
  const sessions = await (await app.call('/fill', init)).json();
  return sessions.map(({ token }, place) => ({ token, user: users[place] }));
}

/** Calls `work` for all `items`, `AT_ONCE` in parallel. */
export async function forAll(items, work) {
  const places = items.entries();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const [place, item] of places) await work(item, place);
    }),
  );
}

/** All keys and values of the server, as text. */
export async function dump(client) {
  const read = {
    string: (key) => client.get(key),
    hash: (key) => client.sendCommand(['HGETALL', key]),
    stream: (key) => client.sendCommand(['XRANGE', key, '-', '+']),
  };
  const parts = [];
  for await (const keys of client.scanIterator({ COUNT: 1000 })) {
    for (const key of keys) parts.push(key, JSON.stringify(await read[await client.type(key)](key)));
  }
  return parts.join('\n');
}
