// The program: it needs no settings, prints its address, and fails on invalid settings.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../test/support/databases.mjs';
import { configFromEnv } from '../config.mjs';
import { ask, cookieValue, logIn, newUser } from './requests.mjs';
import { startExample } from './support.mjs';

const SERVER = fileURLToPath(new URL('../server.mjs', import.meta.url));

/** Starts server.mjs with these variables and none of its others. */
function start(env) {
  const inherited = { PATH: process.env.PATH };
  const child = spawn(process.execPath, [SERVER], { env: { ...inherited, PORT: '0', ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return { child, output: () => output, ended: once(child, 'close') };
}

describe('server.mjs', () => {
  test('starts with no set-up, says where it is, and ends when asked', async () => {
    const { child, output, ended } = start({});
    try {
      const address = () => output().match(/http:\/\/\S+/)?.[0];
      while (!output().includes('SECRET_KEY')) {
        assert.equal(child.exitCode, null, output());
        await Promise.race([once(child.stdout, 'data'), ended]);
      }
      assert.match(output(), /random/);
      const page = await fetch(address());
      assert.equal(page.status, 200);
    } finally {
      child.kill('SIGTERM');
    }
    assert.deepEqual(await ended, [0, null]);
  });

  test('keeps users, sessions and secret in the folder it is given', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'regrant-example-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const first = await startExample(configFromEnv({ DATA_DIR: folder }));
    const user = await newUser(first, 'kept@example.org').finally(() => first.stop());

    const second = await startExample(configFromEnv({ DATA_DIR: folder }));
    t.after(() => second.stop());
    const refreshed = await ask(second, 'POST', '/auth/refresh', { cookie: user.refreshToken });
    assert.equal(refreshed.status, 200);
    assert.ok((await logIn(second, 'kept@example.org')).accessToken);
  });

  test('keeps sessions in the PostgreSQL that it is given', async (t) => {
    const { url } = await startPostgres(t);
    const config = configFromEnv({ POSTGRES_URL: url, SECRET_KEY: 'a secret of the tests, which two servers share' });
    const first = await startExample(config);
    const { refreshToken } = await newUser(first, 'postgres@example.org').finally(() => first.stop());

    const second = await startExample(config);
    t.after(() => second.stop());
    const refreshed = await ask(second, 'POST', '/auth/refresh', { cookie: refreshToken });
    assert.equal(refreshed.status, 200);
    const newest = cookieValue(refreshed);
    assert.equal((await ask(second, 'POST', '/auth/logout', { cookie: newest })).status, 204);
    const over = await ask(second, 'POST', '/auth/refresh', { cookie: newest });
    assert.deepEqual([over.status, over.body.error.code], [401, 'ERR_SESSION_REVOKED']);
  });

  for (const [what, env, complaint] of [
    ['a lifetime that is no number', { ACCESS_TTL: 'soon' }, /ACCESS_TTL/],
    ['a lifetime of nothing', { REFRESH_IDLE_TTL: '0' }, /REFRESH_IDLE_TTL/],
    ['production without a key', { NODE_ENV: 'production' }, /SECRET_KEY/],
  ]) {
    test(`refuses to start: ${what}`, async () => {
      const { output, ended } = start(env);
      const [code] = await ended;
      assert.notEqual(code, 0);
      assert.match(output(), complaint);
    });
  }
});
