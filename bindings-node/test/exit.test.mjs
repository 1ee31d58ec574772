// A process that used auth objects ends by itself.
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

/** Kills the program, and so fails, when it is still there after this long. */
const LONGEST = { timeout: 30_000, cwd: import.meta.dirname };

test('with the memory store', async () => {
  const { stdout } = await run(process.execPath, ['-e', program('memory:')], LONGEST);
  assert.equal(stdout, 'done\n');
});

test('with a file', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-exit-'));
  t.after(() => rm(folder, { recursive: true }));
  const { stdout } = await run(process.execPath, ['-e', program(`file:${join(folder, 'sessions.db')}`)], LONGEST);
  assert.equal(stdout, 'done\n');
});

test('with a Redis that is not there, asked or not', async () => {
  // Port 1 of this machine serves nothing.
  const store = 'redis://127.0.0.1:1/0';
  const created = program(store).replace(/\(async[^]*/, "console.log('done')");
  assert.equal((await run(process.execPath, ['-e', created], LONGEST)).stdout, 'done\n');
  const asked = program(store).replace(/\(async[^]*/, "auth.login('user-1').catch((error) => console.log(error.code))");
  assert.equal((await run(process.execPath, ['-e', asked], LONGEST)).stdout, 'ERR_STORE_UNAVAILABLE\n');
});

test('with Redis', async (t) => {
  const redis = await startRedis(t);
  const { stdout } = await run(process.execPath, ['-e', program(redis.url)], LONGEST);
  assert.equal(stdout, 'done\n');
});

test('what onEvent throws is an uncaught exception, not lost', async () => {
  const failing = program('memory:').replace('onEvent: () => {}', "onEvent() { throw new Error('the audit log is full') }");
  const kept = `setInterval(() => {}, 1000); ${failing}`;
  await assert.rejects(run(process.execPath, ['-e', kept], LONGEST), { code: 1, stderr: /the audit log is full/ });
});

test('worker threads have auth objects of their own, and may end in the middle of a call', async () => {
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
  const { stdout } = await run(process.execPath, ['-e', workers], LONGEST);
  assert.deepEqual(stdout.trim().split('\n').sort(), ['0,0,0 7', 'done', 'done', 'done']);
});
