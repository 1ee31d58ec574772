// The contents of the published package.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const directory = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8'));

const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: directory });
const answer = JSON.parse(stdout);
const [{ files }] = Array.isArray(answer) ? answer : Object.values(answer);
const packed = new Set(files.map(({ path }) => path));

test('every file that package.json refers to is packed', () => {
  const targets = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(targets));
  for (const path of [manifest.main, manifest.types, ...targets(manifest.bin), ...targets(manifest.exports)]) {
    assert.ok(packed.has(path.replace('./', '')), path);
  }
});

test('the addon loader and its types are packed; the addon has a separate package', () => {
  for (const path of ['native.cjs', 'native.d.cts']) assert.ok(packed.has(path), path);
  assert.deepEqual([...packed].filter((path) => path.endsWith('.node')), []);
});

test('the licence files are packed and match those of the project', async () => {
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    assert.ok(packed.has(name), name);
    const [ours, project] = [`../${name}`, `../../${name}`].map((path) => readFile(new URL(path, import.meta.url), 'utf8'));
    assert.equal(await ours, await project, name);
  }
});

test('sources, tests and the example are not packed', () => {
  for (const path of packed) assert.doesNotMatch(path, /^(src|native|test|example|node_modules)\//);
});

test('the package has no install scripts', () => {
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(manifest.scripts[name], undefined);
});
