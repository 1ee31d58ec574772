// A process that used auth objects ends by itself.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
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

test('with Redis', async (t) => {
  const redis = await startRedis(t);
  const { stdout } = await run(process.execPath, ['-e', program(redis.url)], LONGEST);
  assert.equal(stdout, 'done\n');
});
