// Worker threads, each with the addon loaded and an auth object of its own.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SECRET } from '../support/auth.mjs';

const run = promisify(execFile);
const program = join(import.meta.dirname, 'programs/workers.cjs');

for (const [what, store] of [['in memory', () => 'memory:'], ['in one file', (folder) => `file:${join(folder, 'sessions.db')}`]]) {
  test(`workers verify and refresh, some are terminated in the middle, and the process goes on and ends: sessions ${what}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'regrant-workers-'));
    t.after(() => rm(folder, { recursive: true }));
    const { stdout, stderr } = await run(process.execPath, [program, SECRET, store(folder)], { timeout: 120_000 });
    assert.deepEqual([stdout, stderr], ['done\n', '']);
  });
}
