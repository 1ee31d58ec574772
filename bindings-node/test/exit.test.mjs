// A process with auth objects exits by itself.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SECRET } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';

const run = promisify(execFile);

const program = (store) => `
  const { createAuth } = require('regrant');
  const auth = createAuth({ secret: '${SECRET}', store: '${store}', onEvent: () => {} });
  (async () => {
    const pair = await auth.login('user-1');
    auth.verify(pair.accessToken);
    await auth.refresh(pair.refreshToken);
    await auth.sessions('user-1');
    console.log('done');
  })();
`;

/** A program that is still running after the timeout is killed, and the test fails. */
const OPTIONS = { timeout: 120_000, cwd: import.meta.dirname };

test('a process exits with the memory store', async () => {
  const { stdout } = await run(process.execPath, ['-e', program('memory:')], OPTIONS);
  assert.equal(stdout, 'done\n');
});

test('a process exits with the file store', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-exit-'));
  t.after(() => rm(folder, { recursive: true }));
  const { stdout } = await run(process.execPath, ['-e', program(`file:${join(folder, 'sessions.db')}`)], OPTIONS);
  assert.equal(stdout, 'done\n');
});

test('a process exits with an unreachable Redis, used or not', async () => {
  // Nothing listens on port 1.
  const store = 'redis://127.0.0.1:1/0';
  const created = program(store).replace(/\(async[^]*/, "console.log('done')");
  assert.equal((await run(process.execPath, ['-e', created], OPTIONS)).stdout, 'done\n');
  const used = program(store).replace(/\(async[^]*/, "auth.login('user-1').catch((error) => console.log(error.code))");
  assert.equal((await run(process.execPath, ['-e', used], OPTIONS)).stdout, 'ERR_STORE_UNAVAILABLE\n');
});

test('a process exits with Redis', async (t) => {
  const redis = await startRedis(t);
  const { stdout } = await run(process.execPath, ['-e', program(redis.url)], OPTIONS);
  assert.equal(stdout, 'done\n');
});

test('an exception in onEvent is an uncaught exception', async () => {
  const failing = program('memory:').replace('onEvent: () => {}', "onEvent() { throw new Error('the audit log is full') }");
  const keptAlive = `setInterval(() => {}, 1000); ${failing}`;
  await assert.rejects(run(process.execPath, ['-e', keptAlive], OPTIONS), { code: 1, stderr: /the audit log is full/ });
});

test('worker threads have their own auth objects and may exit during a call', async () => {
  const workers = `
    const { Worker } = require('node:worker_threads');
    const source = ${JSON.stringify(program('memory:'))};
    const ended = (worker) => new Promise((resolve) => worker.once('exit', resolve));
    (async () => {
      const whole = await Promise.all([1, 2, 3].map(() => ended(new Worker(source, { eval: true }))));
      const cut = new Worker(source.replace("console.log('done')", 'process.exit(7)'), { eval: true });
      console.log(whole.join(), await ended(cut));
    })();
  `;
  const { stdout } = await run(process.execPath, ['-e', workers], OPTIONS);
  assert.deepEqual(stdout.trim().split('\n').sort(), ['0,0,0 7', 'done', 'done', 'done']);
});
