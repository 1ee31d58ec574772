// Installs the tarballs in empty projects: CommonJS, ES modules and TypeScript.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  cliOf, currentPlatform, linkInstalled, manifest, namesOf, newProject, packCheckout, packDependencies, packMain, packPlatform, run,
} from './support.mjs';
import { packPlatforms } from '../../pack-release.mjs';
import { leasePort } from '../support/ports.mjs';

/** This Node.js and those in `REGRANT_TEST_NODES`: paths of executables, separated as in `PATH`. */
const nodes = [process.execPath, ...(process.env.REGRANT_TEST_NODES ?? '').split(delimiter).filter(Boolean)];

let folder;
let tarballs;
let checkout;
const [name] = namesOf(currentPlatform());
const [platformPackage, addonFile] = [`regrant-${name}`, `regrant.${name}.node`];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regrant-tarballs-'));
  const [main, platform, dependencies] = await Promise.all([packMain(folder), packPlatform(folder), packDependencies(folder)]);
  tarballs = [main, platform, ...dependencies];
  checkout = await packCheckout(await mkdtemp(join(folder, 'checkout-')));
});
after(() => rm(folder, { recursive: true }));

test('every platform has a package that npm installs there, and nowhere else', async (t) => {
  const names = ['linux-x64-gnu', 'linux-arm64-musl', 'win32-x64-gnu', 'darwin-arm64'];
  const place = await mkdtemp(join(folder, 'platforms-'));
  const addons = await Promise.all(names.map(async (name) => {
    const addon = join(place, `regrant.${name}.node`);
    await writeFile(addon, 'an addon');
    return addon;
  }));
  const manifests = await Promise.all((await packPlatforms(addons, place)).map(async (tarball) => {
    const { stdout: listed } = await run('tar', ['-tzf', tarball]);
    for (const file of ['LICENSE-APACHE', 'LICENSE-MIT', 'README.md']) assert.ok(listed.includes(`package/${file}`), file);
    return JSON.parse((await run('tar', ['-xzOf', tarball, 'package/package.json'])).stdout);
  }));
  assert.deepEqual(manifests.map(({ name, version, os, cpu, libc }) => [name, version, os, cpu, libc].flat()), [
    ['regrant-linux-x64-gnu', manifest.version, 'linux', 'x64', 'glibc'],
    ['regrant-linux-arm64-musl', manifest.version, 'linux', 'arm64', 'musl'],
    // With a C library npm would install it nowhere.
    ['regrant-win32-x64-gnu', manifest.version, 'win32', 'x64', undefined],
    ['regrant-darwin-arm64', manifest.version, 'darwin', 'arm64', undefined],
  ]);
});

/** Runs a program with every Node.js and checks that each prints its version and `passed`. */
async function runEverywhere(t, project, program, times = 1) {
  for (const node of nodes) {
    const [{ stdout: version }, { stdout }] = [
      await run(node, ['--version']),
      await run(node, [program], { cwd: project, timeout: 300_000 }),
    ];
    assert.equal(stdout, `${version.trim()} passed\n`.repeat(times));
    t.diagnostic(`${program} passed on Node.js ${version.trim()}`);
  }
}

async function storyProject(t, template) {
  const project = await newProject(t, template, tarballs);
  await linkInstalled(project, { express: 'express5' });
  await copyFile(new URL('projects/story.cjs', import.meta.url), join(project, 'story.cjs'));
  return project;
}

test('an empty CommonJS project, with the command line', async (t) => {
  const project = await storyProject(t, 'commonjs');
  await runEverywhere(t, project, 'main.js');
  const { stdout } = await run(process.execPath, [join(project, 'node_modules/regrant/bin/regrant.cjs'), '--version']);
  assert.equal(stdout.trim(), `regrant ${manifest.version}`);
});

test('an empty ES module project, with named and default imports', async (t) => {
  const project = await storyProject(t, 'esm');
  await runEverywhere(t, project, 'main.js', 2);
});

test('an empty strict TypeScript project, with Node.js and bundler resolution', async (t) => {
  const project = await newProject(t, 'typescript', tarballs);
  await linkInstalled(project, { express: 'express5', '@types/express': '@types/express', '@types/node': '@types/node' });
  const compile = (config) => run(process.execPath, [cliOf('typescript', 'tsc'), '-p', config], { cwd: project })
    .catch(({ stdout }) => assert.fail(stdout));
  await compile('tsconfig.bundler.json');
  await compile('tsconfig.json');
  await runEverywhere(t, project, 'out/main.js');
  await runEverywhere(t, project, 'out/required.cjs');
});

test('the tarball of a checkout installs in an empty project, with nothing else of regrant', async (t) => {
  const project = await newProject(t, 'commonjs', [checkout, ...tarballs.filter((path) => !basename(path).startsWith('regrant-'))]);
  await linkInstalled(project, { express: 'express5' });
  await copyFile(new URL('projects/story.cjs', import.meta.url), join(project, 'story.cjs'));
  await runEverywhere(t, project, 'main.js');
  await rm(join(project, 'node_modules/regrant', addonFile));
  await failsToLoad(project, /This regrant is a checkout, or was packed from one, and has no addon.*npm run build/);
});

test('the program of the README runs in an empty project: login, request, refresh, logout', async (t) => {
  const project = await newProject(t, 'esm', tarballs);
  await linkInstalled(project, { express: 'express5' });
  const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, program] = /^```js\n([^]*?)^```/m.exec(readme);
  assert.ok(program.trim().split('\n').length <= 25, 'about twenty lines');
  await writeFile(join(project, 'app.mjs'), program);

  const { stdout: secret } = await run(process.execPath, ['node_modules/regrant/bin/regrant.cjs', 'keys', 'secret'], { cwd: project });
  const { port, release } = await leasePort();
  t.after(release);
  const app = spawn(process.execPath, ['app.mjs'], {
    cwd: project, env: { ...process.env, SECRET_KEY: secret.trim(), PORT: String(port), REDIS_URL: undefined }, stdio: 'inherit',
  });
  t.after(() => app.kill());
  const call = (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
  const post = (path, cookie) => call(path, { method: 'POST', headers: { cookie } });
  while (!(await call('/me').catch(() => undefined))) assert.equal(app.exitCode, null, 'the program has ended');

  const logIn = (password) => call('/login', {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ name: 'Ann', password }),
  });
  assert.equal((await logIn('guess')).status, 401);
  const login = await logIn('change me');
  const cookieOf = (response) => response.headers.getSetCookie()[0].split(';')[0];
  const me = async (response) => {
    const { accessToken } = await response.json();
    return (await call('/me', { headers: { authorization: `Bearer ${accessToken}` } })).json();
  };
  const refreshed = await post('/auth/refresh', cookieOf(login));
  assert.deepEqual([await me(login), await me(refreshed)], [{ id: 'user-1' }, { id: 'user-1' }]);
  assert.equal((await call('/me')).status, 401);
  await post('/auth/logout', cookieOf(refreshed));
  assert.equal((await post('/auth/refresh', cookieOf(refreshed))).status, 401);
});

/** Checks the error of `require('regrant')` without an addon, and how Node.js prints it. */
async function failsToLoad(project, advice, options = []) {
  await assert.rejects(run(process.execPath, [...options, '-e', "require('regrant')"], { cwd: project }), ({ stderr }) => {
    assert.match(stderr, /ERR_ADDON_UNAVAILABLE/);
    assert.match(stderr, new RegExp(`cannot load its native addon on this platform \\(${process.platform}, ${process.arch}`));
    assert.match(stderr, advice);
    return true;
  });
}

test('a missing platform package gives an error with instructions', async (t) => {
  const project = await newProject(t, 'commonjs', tarballs.filter((path) => !path.includes(`regrant-${process.platform}`)));
  await failsToLoad(project, /package-lock\.json does not list regrant-/);
});

test('--omit=optional gives an error that names the option', async (t) => {
  const project = await newProject(t, 'commonjs', tarballs);
  // npm omits nothing that its command line names, so leave it out by hand.
  await rm(join(project, 'node_modules', platformPackage), { recursive: true });
  await failsToLoad(project, /left it out: install again without --omit=optional/);
});

test('node_modules of another system gives an error that names its addon', async (t) => {
  const project = await newProject(t, 'commonjs', tarballs);
  const [foreign] = ['regrant-win32-x64-gnu', 'regrant-darwin-arm64'].filter((name) => name !== platformPackage);
  await rename(join(project, 'node_modules', platformPackage), join(project, 'node_modules', foreign));
  await failsToLoad(project, new RegExp(`Here is the addon of ${foreign.replace('regrant-', '')}`));
});

test('an addon of another system in place of ours gives an error about the architecture', async (t) => {
  const project = await newProject(t, 'commonjs', tarballs);
  await writeFile(join(project, 'node_modules', platformPackage, addonFile), 'not an addon of this system');
  await failsToLoad(project, /It is damaged, or was built for another architecture/);
});

test('Node.js without addons gives an error that names its option', async (t) => {
  const project = await newProject(t, 'commonjs', tarballs);
  await failsToLoad(project, /--no-addons/, ['--no-addons']);
});
