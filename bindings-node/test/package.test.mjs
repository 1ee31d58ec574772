// The contents of the published package.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { currentPlatform, namesOf, packMain, temporaryFolder } from './packed/support.mjs';

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

test('the addon loader and its types are packed, and the addon that was built here', () => {
  const [name] = namesOf(currentPlatform());
  for (const path of ['native.cjs', 'native.d.cts', `regrant.${name}.node`]) assert.ok(packed.has(path), path);
});

test('a release packs no addon: each has a separate package', async (t) => {
  const { stdout: listing } = await run('tar', ['-tzf', await packMain(await temporaryFolder(t))]);
  assert.match(listing, /package\/native\.cjs/);
  assert.doesNotMatch(listing, /\.node$/m);
});

test('repository, home page and issues are those of the crate and of the jar', async () => {
  const cargo = await readFile(new URL('../../Cargo.toml', import.meta.url), 'utf8');
  const [, repository] = /^repository = "(.+)"$/m.exec(cargo);
  assert.deepEqual(manifest.repository, { type: 'git', url: `git+${repository}.git`, directory: 'bindings-node' });
  assert.deepEqual([manifest.homepage, manifest.bugs], [`${repository}#readme`, `${repository}/issues`]);
  const pom = await readFile(new URL('../../bindings-uniffi/kotlin/pom.xml', import.meta.url), 'utf8');
  const urls = [...pom.matchAll(/<(?:url|connection|developerConnection)>(?:scm:git:)?(https:\/\/github\.com.+)<\//g)].map(([, url]) => url);
  const git = `${repository}.git`;
  assert.deepEqual(urls, [repository, repository, git, git, `${repository}/issues`, repository]);
});

test('the licence files are packed; each package has those of the project', async () => {
  for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) {
    assert.ok(packed.has(name), name);
    const [project, ...copies] = await Promise.all(['../..', '..', '../../core', '../../core/cli'].map((folder) => (
      readFile(new URL(`${folder}/${name}`, import.meta.url), 'utf8'))));
    for (const copy of copies) assert.equal(copy, project, name);
  }
});

test('sources, tests and the example are not packed', () => {
  for (const path of packed) assert.doesNotMatch(path, /^(src|native|test|example|node_modules)\//);
});

test('the package has no install scripts', () => {
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) assert.equal(manifest.scripts[name], undefined);
});
