// `cluster` with the file store: all processes share the sessions.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { SECRET } from '../support/auth.mjs';
import { json } from '../support/server.mjs';

const program = join(import.meta.dirname, 'programs/cluster.mjs');

test('processes share sessions and logouts, and killing one loses no session', { timeout: 600_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-cluster-'));
  const primary = fork(program, [SECRET, `file:${join(folder, 'sessions.db')}`]);
  const ended = once(primary, 'exit');
  t.after(async () => {
    primary.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true });
  });
  const [{ port }] = await once(primary, 'message');
  const served = new Set();
  const call = async (path, init) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init);
    served.add(Number(response.headers.get('x-process')));
    return response;
  };
  const post = (path, body) => call(path, { method: 'POST', ...json(body) });
  const me = (token) => call('/me', { headers: { authorization: `Bearer ${token}` } });

  const first = await (await post('/login', { user: 'user-1' })).json();
  let { refreshToken } = first;
  const refresh = async () => {
    const response = await post('/refresh', { refreshToken });
    assert.equal(response.status, 200);
    ({ refreshToken } = await response.json());
  };
  for (let turn = 0; turn < 12; turn += 1) await refresh();
  assert.ok(served.size > 1, 'several processes served requests');

  // A connection that the primary has passed to a dying process is lost, so wait for its exit event.
  const [victim] = served;
  const noticed = once(primary, 'message');
  process.kill(victim, 'SIGKILL');
  assert.deepEqual(await noticed, [{ gone: victim }, undefined]);
  for (let turn = 0; turn < 6; turn += 1) assert.equal((await me(first.accessToken)).status, 200);
  for (let turn = 0; turn < 6; turn += 1) await refresh();

  assert.equal((await post('/logout', { refreshToken })).status, 204);
  for (const end = Date.now() + 60_000; ; await pause(5)) {
    const answers = await Promise.all(Array.from({ length: 6 }, () => me(first.accessToken)));
    if (answers.every(({ status }) => status === 401)) break;
    assert.ok(Date.now() < end, 'the logout did not reach every process');
  }

  primary.send('end');
  assert.deepEqual(await ended, [0, null], 'all processes exit by themselves');
});
