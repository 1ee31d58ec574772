// Which addon the loader selects, and its error when no addon can be loaded. The platforms are simulated.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { currentPlatform, loadAddon, namesOf } = require('../dist/addon.cjs');
const manifest = require('../package.json');

const glibc = { os: 'linux', arch: 'x64', libc: 'glibc', libcVersion: '2.36' };

const absent = (path) => () => {
  const error = Object.assign(new Error(`Cannot find module '${path}'\nRequire stack:\n- native.cjs`), { code: 'MODULE_NOT_FOUND' });
  return { error };
};
const broken = (message) => () => ({ error: new Error(message) });

/** Candidate addons: none installed, except those in `present`. */
function candidatesWith(present = {}) {
  const names = ['darwin-arm64', 'linux-x64-gnu', 'linux-x64-musl', 'win32-x64-msvc'];
  return Object.fromEntries(names.map((name) => [
    name,
    { local: absent(`./regrant.${name}.node`), installed: absent(`regrant-${name}`), ...present[name] },
  ]));
}

/** The error for a platform without a loadable addon. */
function loadError(platform, present) {
  try {
    loadAddon(platform, candidatesWith(present), '1.2.3');
  } catch (error) {
    assert.deepEqual([error.name, error.code], ['AddonError', 'ERR_ADDON_UNAVAILABLE']);
    return error;
  }
  return assert.fail('the addon was loaded');
}

for (const [platform, names] of [
  [{ os: 'linux', arch: 'x64', libc: 'glibc' }, ['linux-x64-gnu']],
  [{ os: 'linux', arch: 'arm64', libc: 'musl' }, ['linux-arm64-musl']],
  [{ os: 'linux', arch: 'x64', libc: null }, ['linux-x64-gnu', 'linux-x64-musl']],
  [{ os: 'darwin', arch: 'arm64' }, ['darwin-arm64']],
  [{ os: 'win32', arch: 'x64' }, ['win32-x64-msvc']],
  [{ os: 'freebsd', arch: 'x64' }, ['freebsd-x64']],
]) {
  test(`the addon of ${Object.values(platform).join(', ')} is ${names.join(', else ')}`, () => {
    assert.deepEqual(namesOf(platform), names);
  });
}

test('a locally built addon takes precedence over the installed package', () => {
  const both = { local: () => ({ addon: 'built' }), installed: () => assert.fail('must not be loaded') };
  assert.equal(loadAddon(glibc, candidatesWith({ 'linux-x64-gnu': both }), '1.2.3'), 'built');
});

test('the installed package is loaded if its version matches', () => {
  const installed = () => ({ addon: 'installed', version: '1.2.3' });
  assert.equal(loadAddon(glibc, candidatesWith({ 'linux-x64-gnu': { installed } }), '1.2.3'), 'installed');
});

test('with an unknown C library, the first addon that loads is used', () => {
  const candidates = candidatesWith({
    'linux-x64-gnu': { installed: broken('libc.so.6: cannot open shared object file') },
    'linux-x64-musl': { installed: () => ({ addon: 'musl', version: '1.2.3' }) },
  });
  assert.equal(loadAddon({ ...glibc, libc: null }, candidates, '1.2.3'), 'musl');
});

test('an addon for another C library is never tried if the C library is known', () => {
  const error = loadError(glibc, { 'linux-x64-musl': { installed: () => assert.fail('must not be loaded') } });
  assert.doesNotMatch(error.message, /musl/);
});

test('nothing installed: the error lists the candidates and mentions optional dependencies', () => {
  const { message, cause } = loadError(glibc);
  assert.match(message, /^regrant has no native addon for this platform \(linux, x64, glibc 2\.36\)\./);
  assert.match(message, /\n {2}regrant\.linux-x64-gnu\.node: is not there\n {2}regrant-linux-x64-gnu: is not there\n/);
  assert.match(message, /npm installs regrant-linux-x64-gnu as an optional dependency.*--omit=optional/);
  assert.equal(cause.code, 'MODULE_NOT_FOUND');
});

test('not loadable: the error has the reason of the system and mentions a newer C library', () => {
  const reason = "/lib/libc.so.6: version `GLIBC_2.99' not found";
  const { message, cause } = loadError(glibc, { 'linux-x64-gnu': { installed: broken(`${reason}\nmore`) } });
  assert.ok(message.includes(`regrant-linux-x64-gnu: ${reason}\n`), message);
  assert.match(message, /cannot be loaded.*newer C library/);
  assert.equal(cause.message, `${reason}\nmore`, 'the cause is the load error, not a missing module');
});

test('a missing module inside the addon package is not reported as a missing addon', () => {
  const { message } = loadError(glibc, { 'linux-x64-gnu': { installed: absent('regrant-linux-x64-gnu/gone.node') } });
  assert.match(message, /regrant-linux-x64-gnu: Cannot find module/);
  assert.match(message, /cannot be loaded/);
});

test('version mismatch: the error names both versions and suggests a reinstall', () => {
  const { message } = loadError(glibc, { 'linux-x64-gnu': { installed: () => ({ addon: {}, version: '1.2.2' }) } });
  assert.match(message, /regrant-linux-x64-gnu: is version 1\.2\.2, and regrant is 1\.2\.3\n/);
  assert.match(message, /install again/);
});

test('unsupported platform: the error lists the supported ones and links to the build instructions', () => {
  const { message, cause } = loadError({ os: 'linux', arch: 's390x', libc: 'glibc' });
  assert.match(message, /\(linux, s390x, glibc\)\.\nThere are addons for darwin-arm64, linux-x64-gnu,.*docs\/platforms\.md/);
  assert.equal(cause, undefined);
});

test('the error reports an unknown C library', () => {
  assert.match(loadError({ os: 'linux', arch: 'x64', libc: null }).message, /\(linux, x64, an unknown C library\)/);
});

test('currentPlatform matches process and the system report', () => {
  const { os, arch, libc, libcVersion } = currentPlatform();
  assert.deepEqual([os, arch], [process.platform, process.arch]);
  const expected = { linux: process.report.getReport().header.glibcVersionRuntime };
  assert.equal(libc, os !== 'linux' ? undefined : expected.linux === undefined ? 'musl' : 'glibc');
  if (libc === 'glibc') assert.equal(libcVersion, expected.linux);
});

test('native.cjs has a candidate for every release target, and no others', () => {
  const source = readFileSync(new URL('../native.cjs', import.meta.url), 'utf8');
  // Maps the Rust targets with @napi-rs/cli rather than by a copy of its rules.
  const listed = execFileSync(process.execPath, ['--input-type=module', '-e', `
    import { parseTriple } from '@napi-rs/cli';
    console.log(JSON.stringify(${JSON.stringify(manifest.napi.targets)}.map((triple) => parseTriple(triple).platformArchABI)));
  `], { cwd: import.meta.dirname, encoding: 'utf8' });
  const targets = JSON.parse(listed).sort();
  for (const [pattern, what] of [
    [/require\('\.\/regrant\.(.+)\.node'\)/g, 'local'],
    [/require\('regrant-([^/']+)'\)/g, 'installed'],
    [/require\('regrant-([^/']+)\/package\.json'\)/g, 'version'],
  ]) {
    assert.deepEqual([...source.matchAll(pattern)].map(([, name]) => name).sort(), targets, what);
  }
});
