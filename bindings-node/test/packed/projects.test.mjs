// Installs the tarballs in empty projects: CommonJS, ES modules and TypeScript.
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, test } from 'node:test';
import { cliOf, linkInstalled, manifest, newProject, packDependencies, packMain, packPlatform, run } from './support.mjs';

/** This Node.js and those in `REGRANT_TEST_NODES`: paths of executables, separated as in `PATH`. */
const nodes = [process.execPath, ...(process.env.REGRANT_TEST_NODES ?? '').split(delimiter).filter(Boolean)];

let folder;
let tarballs;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regrant-tarballs-'));
  const [main, platform, dependencies] = await Promise.all([packMain(folder), packPlatform(folder), packDependencies(folder)]);
  tarballs = [main, platform, ...dependencies];
});
after(() => rm(folder, { recursive: true }));

/** Runs a program with every Node.js and checks that each prints its version and `passed`. */
async function runEverywhere(t, project, program, times = 1) {
  for (const node of nodes) {
    const [{ stdout: version }, { stdout }] = [
      await run(node, ['--version']),
      await run(node, [program], { cwd: project, timeout: 60_000 }),
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

test('a missing platform package gives an error with instructions', async (t) => {
  const project = await newProject(t, 'commonjs', tarballs.filter((path) => !path.includes(`regrant-${process.platform}`)));
  const failing = run(process.execPath, ['-e', "require('regrant')"], { cwd: project });
  await assert.rejects(failing, ({ stderr }) => {
    assert.match(stderr, /ERR_ADDON_UNAVAILABLE/);
    assert.match(stderr, new RegExp(`no native addon for this platform \\(${process.platform}, ${process.arch}`));
    assert.match(stderr, /optional dependency/);
    return true;
  });
});
