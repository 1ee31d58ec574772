// Which addon the loader selects, and its error when no addon can be loaded. The platforms are simulated.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { currentPlatform, loadAddon, namesOf } = require('../dist/addon.cjs');
const manifest = require('../package.json');

/** What a release publishes, and what a checkout has. */
const published = { version: '1.2.3', optionalDependencies: { 'regrant-linux-x64-gnu': '1.2.3', 'regrant-linux-x64-musl': '1.2.3' } };
const checkout = { version: '1.2.3' };

const glibc = { os: 'linux', arch: 'x64', libc: 'glibc', libcVersion: '2.36' };

const absent = (path) => () => {
  const error = Object.assign(new Error(`Cannot find module '${path}'\nRequire stack:\n- native.cjs`), { code: 'MODULE_NOT_FOUND' });
  return { error };
};
const broken = (message) => () => ({ error: new Error(message) });

/** Candidate addons: none installed, except those in `present`. */
function candidatesWith(present = {}) {
  const names = ['darwin-arm64', 'linux-x64-gnu', 'linux-x64-musl', 'win32-x64-gnu'];
  return Object.fromEntries(names.map((name) => [
    name,
    { local: absent(`./regrant.${name}.node`), installed: absent(`regrant-${name}`), ...present[name] },
  ]));
}

/** The error for a platform without a loadable addon. `from`: the manifest, and the folder of the package. */
function loadError(platform, present, { manifest = published, folder } = {}) {
  try {
    loadAddon(platform, candidatesWith(present), manifest, folder);
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
  [{ os: 'win32', arch: 'x64' }, ['win32-x64-gnu']],
  [{ os: 'freebsd', arch: 'x64' }, ['freebsd-x64']],
]) {
  test(`the addon of ${Object.values(platform).join(', ')} is ${names.join(', else ')}`, () => {
    assert.deepEqual(namesOf(platform), names);
  });
}

test('a locally built addon takes precedence over the installed package', () => {
  const both = { local: () => ({ addon: 'built' }), installed: () => assert.fail('must not be loaded') };
  assert.equal(loadAddon(glibc, candidatesWith({ 'linux-x64-gnu': both }), published), 'built');
});

test('the installed package is loaded if its version matches', () => {
  const installed = () => ({ addon: 'installed', version: '1.2.3' });
  assert.equal(loadAddon(glibc, candidatesWith({ 'linux-x64-gnu': { installed } }), published), 'installed');
});

test('with an unknown C library, the first addon that loads is used', () => {
  const candidates = candidatesWith({
    'linux-x64-gnu': { installed: broken('libc.so.6: cannot open shared object file') },
    'linux-x64-musl': { installed: () => ({ addon: 'musl', version: '1.2.3' }) },
  });
  assert.equal(loadAddon({ ...glibc, libc: null }, candidates, published), 'musl');
});

test('an addon for another C library is never tried if the C library is known', () => {
  const error = loadError(glibc, { 'linux-x64-musl': { installed: () => assert.fail('must not be loaded') } });
  assert.doesNotMatch(error.message, /musl/);
});

/** An installed regrant: a project with these files, each below the project's folder. */
function installed(t, files) {
  const project = mkdtempSync(join(tmpdir(), 'regrant-loader-'));
  t.after(() => rmSync(project, { recursive: true }));
  const folder = join(project, 'node_modules/regrant');
  for (const [path, content] of Object.entries({ 'node_modules/regrant/package.json': '{}', ...files })) {
    mkdirSync(join(project, path, '..'), { recursive: true });
    writeFileSync(join(project, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return { folder };
}
const lockFile = (...names) => ({
  'package-lock.json': { packages: Object.fromEntries(['', ...names].map((name) => [name && `node_modules/${name}`, {}])) },
});

test('nothing installed: the error lists the candidates and mentions optional dependencies', () => {
  const { message, cause } = loadError(glibc);
  assert.match(message, /^regrant cannot load its native addon on this platform \(linux, x64, glibc 2\.36\)\./);
  assert.match(message, /\n {2}regrant\.linux-x64-gnu\.node: is not there\n {2}regrant-linux-x64-gnu: is not there\n/);
  assert.match(message, /npm installs regrant-linux-x64-gnu as an optional dependency.*--omit=optional.*the lock file/);
  assert.equal(cause.code, 'MODULE_NOT_FOUND');
});

test('not installed although the lock file lists it: optional dependencies were left out', (t) => {
  const { message } = loadError(glibc, {}, installed(t, lockFile('regrant', 'regrant-linux-x64-gnu')));
  assert.match(message, /left it out: install again without --omit=optional/);
  assert.doesNotMatch(message, /lock/);
});

test('not installed and not in the lock file: it was written on another system', (t) => {
  const { message } = loadError(glibc, {}, installed(t, lockFile('regrant', 'regrant-darwin-arm64')));
  assert.match(message, /package-lock\.json does not list regrant-linux-x64-gnu.*Remove package-lock\.json and node_modules/);
});

test('installed from a tarball without that of the platform: the error names both', (t) => {
  const lock = { packages: { '': {}, 'node_modules/regrant': { resolved: 'file:dist/npm/regrant-1.2.3.tgz' } } };
  const { message } = loadError(glibc, {}, installed(t, { 'package-lock.json': lock }));
  assert.match(message, /does not list regrant-linux-x64-gnu.*`npm install regrant-1\.2\.3\.tgz regrant-linux-x64-gnu-1\.2\.3\.tgz`/);
});

for (const [what, name] of [['another system', 'darwin-arm64'], ['the other C library', 'linux-x64-musl']]) {
  test(`node_modules of ${what}: the error names the addon that is there`, (t) => {
    const files = { [`node_modules/regrant-${name}/package.json`]: '{}', ...lockFile('regrant', 'regrant-linux-x64-gnu') };
    const { message } = loadError(glibc, {}, installed(t, files));
    assert.match(message, new RegExp(`\nHere is the addon of ${name}: node_modules was installed on another system`));
  });
}

test('the addon of another platform is found in the layout of pnpm', (t) => {
  const { folder } = installed(t, { 'node_modules/.pnpm/regrant@1.2.3/node_modules/regrant-darwin-arm64/package.json': '{}' });
  const own = join(folder, '../.pnpm/regrant@1.2.3/node_modules/regrant');
  assert.match(loadError(glibc, {}, { folder: own }).message, /Here is the addon of darwin-arm64/);
});

test('a checkout without a build, or its tarball: the error has the commands', (t) => {
  const { message } = loadError(glibc, {}, { manifest: checkout });
  assert.match(message, /This regrant is a checkout, or was packed from one, and has no addon\..*`npm ci && npm run build`.*`npm pack`/);
  assert.doesNotMatch(message, /optional/);
  const elsewhere = installed(t, { 'node_modules/regrant/regrant.darwin-arm64.node': '' });
  assert.match(loadError(glibc, {}, { ...elsewhere, manifest: checkout }).message, /has the addon of darwin-arm64 only/);
});

// The messages are those of dlopen in glibc and musl, of macOS, of Windows, and of Node.js.
for (const [reason, advice] of [
  ["/lib/libc.so.6: version `GLIBC_2.99' not found (required by regrant.node)", /older C library/],
  ['/lib/x86_64-linux-gnu/libc.so: invalid ELF header', /other C library of Linux/],
  ['Error loading shared library ld-linux-x86-64.so.2: No such file or directory', /other C library of Linux/],
  ['regrant.linux-x64-gnu.node: invalid ELF header', /damaged, or was built for another architecture than linux, x64/],
  ['regrant.linux-x64-gnu.node: cannot open shared object file: No such file or directory', /another architecture/],
  ["dlopen(regrant.node): tried: (mach-o file, but is an incompatible architecture (have 'arm64', need 'x86_64'))", /another architecture/],
  ['\\\\?\\C:\\regrant.node is not a valid Win32 application.', /another architecture/],
  ['regrant.node: failed to map segment from shared object', /noexec/],
  ['Cannot load native addon because loading addons is disabled.', /--no-addons.*--allow-addons/],
]) {
  test(`not loadable, ${reason.slice(0, 60)}: ${advice.source}`, () => {
    const { message, cause } = loadError(glibc, { 'linux-x64-gnu': { installed: broken(`${reason}\nmore`) } });
    assert.ok(message.includes(`regrant-linux-x64-gnu: ${reason}\n`), message);
    assert.match(message.split('\n').at(-1), advice);
    assert.equal(cause.message, `${reason}\nmore`, 'the cause is the load error, not a missing module');
  });
}

test('a missing module inside the addon package is not reported as a missing addon', () => {
  const { message } = loadError(glibc, { 'linux-x64-gnu': { installed: absent('regrant-linux-x64-gnu/gone.node') } });
  assert.match(message, /regrant-linux-x64-gnu: Cannot find module/);
  assert.match(message, /It is damaged/);
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
  assert.doesNotMatch(message, /32-bit/);
  assert.match(loadError({ os: 'win32', arch: 'ia32' }).message, /install the 64-bit Node\.js/);
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
