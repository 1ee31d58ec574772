// Worker threads that each load the addon and create an auth object.
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
  test(`terminating busy workers leaves the process working and able to exit: sessions ${what}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'regrant-workers-'));
    t.after(() => rm(folder, { recursive: true }));
    const { stdout, stderr } = await run(process.execPath, [program, SECRET, store(folder)], { timeout: 600_000 });
    assert.deepEqual([stdout, stderr], ['done\n', '']);
  });
}
