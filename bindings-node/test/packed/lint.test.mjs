// Package linters on the tarball.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { cliOf, manifest, packMain, run, temporaryFolder } from './support.mjs';

test('publint reports no problems', async (t) => {
  const tarball = await readFile(await packMain(await temporaryFolder(t)));
  const bytes = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength);
  const { messages } = await publint({ pack: { tarball: bytes }, strict: true, level: 'suggestion' });
  assert.deepEqual(messages.map((message) => formatMessage(message, manifest, { color: false })), []);
});

test('Are the types wrong? reports no problems for any entry point', async (t) => {
  const tarball = await packMain(await temporaryFolder(t));
  // On problems attw exits with an error, whose message contains the report.
  const { stdout } = await run(process.execPath, [cliOf('@arethetypeswrong/cli', 'attw'), tarball, '--format', 'json']);
  const { analysis } = JSON.parse(stdout);
  assert.deepEqual(analysis.problems, []);
  assert.deepEqual(Object.keys(analysis.entrypoints).sort(), Object.keys(manifest.exports).sort());
});
