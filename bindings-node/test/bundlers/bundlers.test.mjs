// The settings of docs/bundlers.md, with the real bundlers: each bundle runs and verifies a token. Bundles of the client need no settings.
import assert from 'node:assert/strict';
import { cp, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import vm from 'node:vm';
import commonjs from '@rollup/plugin-commonjs';
import { nodeResolve } from '@rollup/plugin-node-resolve';
import * as esbuild from 'esbuild';
import { rollup } from 'rollup';
import { build as vite } from 'vite';
import webpack from 'webpack';
import { Browser } from '../client/browser.mjs';
import { run, temporaryFolder } from '../packed/support.mjs';
import { project, recipes, scriptOf, start } from './support.mjs';

let folder;
before(async (t) => {
  folder = await project(t, 'bundlers');
});

async function webpackWith(config) {
  const stats = await promisify(webpack)({ context: folder, ...config });
  if (stats.hasErrors()) throw new Error(stats.toString({ colors: false, all: false, errors: true }));
}

const node = (...args) => run(process.execPath, args, { cwd: folder });

/** How each bundler runs its recipe, and the program that it writes. */
const bundlers = {
  'esbuild, external': { build: () => node('esbuild.mjs'), program: 'esbuild/server.mjs' },
  'esbuild, addon copied': { build: () => node('esbuild-copy.mjs'), program: 'esbuild-copy/server.cjs', standsAlone: true },
  webpack: {
    build: async () => webpackWith((await import(pathToFileURL(join(folder, 'webpack.config.mjs')))).default),
    program: 'webpack/server.cjs',
  },
  rollup: { build: () => node(scriptOf('rollup/dist/bin/rollup'), '-c', 'rollup.config.mjs'), program: 'rollup/server.mjs' },
  Vite: { build: () => node(scriptOf('vite/bin/vite.js'), 'build'), program: 'vite/server.js' },
};

for (const [name, { build, program, standsAlone }] of Object.entries(bundlers)) {
  test(`${name}: the bundle issues and verifies a token`, async (t) => {
    await build();
    let path = join(folder, 'out', program);
    if (standsAlone) {
      const elsewhere = await temporaryFolder(t);
      await cp(join(path, '..'), elsewhere, { recursive: true });
      assert.equal((await readdir(elsewhere)).filter((file) => file.endsWith('.node')).length, 1);
      path = join(elsewhere, 'server.cjs');
    }
    const call = await start(t, [path], { portOf: Number });
    const { accessToken } = await (await call('/login', { method: 'POST' })).json();
    const welcome = await call('/me', { headers: { authorization: `Bearer ${accessToken}` } });
    assert.deepEqual([welcome.status, await welcome.json()], [200, { id: 'user-1' }]);
    assert.equal((await call('/me')).status, 401);
  });
}

describe('regrant/client needs no settings: the bundle is the client of a page', () => {
  const entry = () => join(folder, 'page.mjs');
  before(() => writeFile(entry(), "import { createClient, SessionError } from 'regrant/client';\nglobalThis.regrant = { createClient, SessionError };\n"));
  const builds = {
    esbuild: async () => (await esbuild.build({ entryPoints: [entry()], bundle: true, minify: true, write: false })).outputFiles[0].text,
    async webpack() {
      await webpackWith({ mode: 'production', entry: entry(), output: { path: join(folder, 'out'), filename: 'page.js' } });
      return readFile(join(folder, 'out/page.js'), 'utf8');
    },
    async rollup() {
      const bundle = await rollup({ input: entry(), plugins: [nodeResolve({ browser: true })] });
      return (await bundle.generate({ format: 'iife' })).output[0].code;
    },
    async Vite() {
      const [{ output }] = await vite({ root: folder, configFile: false, logLevel: 'silent', build: { write: false, lib: { entry: entry(), name: 'page', formats: ['iife'] } } });
      return output[0].code;
    },
  };
  for (const [name, build] of Object.entries(builds)) {
    test(name, async () => {
      const code = await build();
      assert.doesNotMatch(code, /x-refresh-rotate/, 'what only rtVerify needs');
      const browser = new Browser();
      browser.scripts = [new vm.Script(code)];
      const { client } = browser.open();
      await browser.value(client.signIn(await browser.login()));
      assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
    });
  }
});

describe('without these settings the build fails', () => {
  const entry = () => join(folder, 'server.mjs');
  const failures = {
    esbuild: [
      () => esbuild.build({ entryPoints: [entry()], bundle: true, platform: 'node', write: false, logLevel: 'silent' }),
      /No loader is configured for "\.node" files/,
    ],
    webpack: [
      () => webpackWith({ mode: 'development', target: 'node20', entry: entry(), output: { path: join(folder, 'out/failing') } }),
      /Module parse failed/,
    ],
    rollup: [() => rollup({ input: entry(), plugins: [nodeResolve(), commonjs()], logLevel: 'silent' }), /plugin-json/],
    Vite: [
      () => vite({ root: folder, configFile: false, logLevel: 'silent', ssr: { noExternal: true }, build: { ssr: 'server.mjs', write: false } }),
      /UNLOADABLE_DEPENDENCY/,
    ],
  };
  for (const [name, [build, message]] of Object.entries(failures)) {
    test(name, () => assert.rejects(build, message));
  }
});

test('what docs/bundlers.md shows is what was run', async () => {
  const page = await readFile(new URL('../bundlers.md', recipes), 'utf8');
  const shown = [...page.matchAll(/```js (\S+)\n([^]*?)```/g)];
  const configurations = (await readdir(new URL('bundlers/', recipes))).filter((file) => file !== 'server.mjs');
  assert.deepEqual(shown.map(([, file]) => file).sort(), [...configurations.map((file) => `bundlers/${file}`), 'nextjs/next.config.mjs'].sort());
  for (const [, file, code] of shown) assert.equal(code, await readFile(new URL(file, recipes), 'utf8'), file);
});
