// Packs the package from the checkout, with the addon that was built there, and as a release does: without one, with a
// separate platform package.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);
const require = createRequire(import.meta.url);
export const { namesOf, currentPlatform } = require('../../dist/addon.cjs');

export const packageFolder = fileURLToPath(new URL('../..', import.meta.url));
export const manifest = require('../../package.json');
/** The packages with the addons, as native.cjs names them. */
const platformPackages = [...readFileSync(join(packageFolder, 'native.cjs'), 'utf8').matchAll(/require\('(regrant-[^/']+)'\)/g)]
  .map(([, name]) => name);

/** A temporary folder, removed after the test `t`. */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-packed-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Packs a folder as npm would publish it. Returns the path of the tarball. */
async function pack(folder, destination) {
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', destination], folder);
  const answer = JSON.parse(stdout);
  const [{ filename }] = Array.isArray(answer) ? answer : Object.values(answer);
  return join(destination, filename);
}

/** Packs the checkout, as `npm pack` does for those who build it. */
export function packCheckout(destination) {
  return pack(packageFolder, destination);
}

/** Packs what a release publishes: the addons are in packages of their own, which `package.json` lists. */
export async function packMain(destination) {
  const folder = await mkdtemp(join(destination, 'main-'));
  await cp(packageFolder, folder, { recursive: true, filter: (path) => !/node_modules|\.node$/.test(relative(packageFolder, path)) });
  const optionalDependencies = Object.fromEntries(platformPackages.map((name) => [name, manifest.version]));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ ...manifest, optionalDependencies }));
  return pack(folder, destination);
}

/** Packs the platform package, created by @napi-rs/cli, with the local addon. */
export async function packPlatform(destination) {
  const release = join(destination, 'release');
  await mkdir(release);
  await copyFile(join(packageFolder, 'package.json'), join(release, 'package.json'));
  await run(process.execPath, [cliOf('@napi-rs/cli', 'napi'), 'create-npm-dirs', '--cwd', release]);
  const [name] = namesOf(currentPlatform());
  const folder = join(release, 'npm', name);
  await copyFile(join(packageFolder, `regrant.${name}.node`), join(folder, `regrant.${name}.node`));
  return pack(folder, destination);
}

/** Packs the dependencies from node_modules, so that the tests need no registry. */
export function packDependencies(destination) {
  return Promise.all(Object.keys(manifest.dependencies).map((name) => pack(join(packageFolder, 'node_modules', name), destination)));
}

/** Creates a project from a template and installs the tarballs, with an empty cache and no network. */
export async function newProject(t, template, tarballs) {
  const folder = await temporaryFolder(t);
  await cp(new URL(`projects/${template}`, import.meta.url), folder, { recursive: true });
  const cache = join(folder, '.npm');
  await npm(['install', '--offline', '--cache', cache, '--no-audit', '--no-fund', ...tarballs], folder);
  return folder;
}

/** Links packages of this node_modules into a project, so that their dependencies resolve too. */
export async function linkInstalled(folder, packages) {
  for (const [name, installed] of Object.entries(packages)) {
    const link = join(folder, 'node_modules', name);
    await mkdir(dirname(link), { recursive: true });
    await symlink(join(packageFolder, 'node_modules', installed), link, 'junction');
  }
}

/** The path of the script of an installed package's command. */
export function cliOf(name, command = name) {
  const path = join(packageFolder, 'node_modules', name);
  const { bin } = require(join(path, 'package.json'));
  return join(path, typeof bin === 'string' ? bin : bin[command]);
}

/** Runs npm without the `npm_*` environment of the surrounding `npm test`. */
function npm(args, cwd) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  return run('npm', args, { cwd, env, shell: process.platform === 'win32', maxBuffer: 2 ** 26 });
}
