// The package in common test runners, which reload modules and fake timers.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = import.meta.dirname;
const modules = join(here, '../../node_modules');
const options = { timeout: 600_000, env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', CI: 'true' } };

test('Jest: module resets and fake timers', async () => {
  const args = [join(modules, 'jest/bin/jest.js'), '--config', join(here, 'jest/jest.config.cjs'), '--ci'];
  // With workers: each test file runs in its own process.
  const { stderr } = await run(process.execPath, [...args, '--maxWorkers=2'], options);
  assert.match(stderr, /Tests: +5 passed, 5 total/);
});

for (const pool of ['forks', 'threads']) {
  test(`Vitest: module resets and fake timers, in ${pool}`, async () => {
    const args = [join(modules, 'vitest/vitest.mjs'), 'run', '--config', join(here, 'vitest/vitest.config.mjs'), '--pool', pool];
    const { stdout } = await run(process.execPath, args, options);
    assert.match(stdout, /Tests +3 passed \(3\)/);
  });
}

test('Sinon: the drop-in uses the fake clock', async () => {
  const { stdout } = await run(process.execPath, [join(here, 'programs/sinon.cjs')], options);
  assert.equal(stdout, 'passed\n');
});
