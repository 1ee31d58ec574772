// A short form of `npm run leak`: memory does not grow with the number of calls.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const program = join(import.meta.dirname, '../../leak/leak.mjs');

/** MiB. The second half is 450,000 calls; a leak of 100 bytes per call is 43 MiB. The allocator grows in steps of 12 MiB. */
const GROWTH = { rss: 20, heap: 3 };

test('memory does not grow in the second half of 900,000 calls', async () => {
  const args = ['--expose-gc', program, '--calls', '900000', '--samples', '6', '--json'];
  const { stdout } = await run(process.execPath, args, { timeout: 1_200_000 });
  const seen = JSON.parse(stdout);
  const [half, whole] = [seen.find(({ calls }) => calls === 450_000), seen.at(-1)];
  assert.equal(whole.calls, 900_000);
  for (const [what, most] of Object.entries(GROWTH)) {
    assert.ok(whole[what] - half[what] < most, `${what}: ${half[what]} MiB, then ${whole[what]}`);
  }
});
