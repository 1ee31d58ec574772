// Without `store`, sessions are stored in a file in the working directory and survive a restart.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SECRET } from './support/auth.mjs';

const run = promisify(execFile);

/** A program that prints the result of `expression`, which can use `auth`. */
const program = (config, expression) => `
  import { createAuth } from ${JSON.stringify(import.meta.resolve('regrant'))};
  const auth = createAuth(${JSON.stringify(config)});
  console.log(JSON.stringify(await (${expression})));
`;

test('a session survives the process that created it', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'regrant-default-store-'));
  t.after(() => rm(cwd, { recursive: true }));
  const inProcess = async (expression) => {
    const source = program({ secret: SECRET }, expression);
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', source], { cwd, timeout: 120_000 });
    return JSON.parse(stdout);
  };

  const { refreshToken } = await inProcess("auth.login('user-1')");
  assert.ok((await readdir(cwd)).includes('regrant.db'));
  const renewed = await inProcess(`auth.refresh(${JSON.stringify(refreshToken)})`);
  assert.notEqual(renewed.refreshToken, refreshToken);
});

test('an invalid configuration creates no file', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'regrant-default-store-'));
  t.after(() => rm(cwd, { recursive: true }));
  for (const wrong of [{ access: { ttl: 0 } }, { refresh: { grace: '1h' } }, { language: 'fr' }]) {
    const source = program({ secret: SECRET, ...wrong }, '0');
    const failing = run(process.execPath, ['--input-type=module', '-e', source], { cwd, timeout: 120_000 });
    await assert.rejects(failing, { stderr: /ERR_CONFIG_INVALID/ });
  }
  assert.deepEqual(await readdir(cwd), []);
});
