// Packs the package from the checkout, with the addon that was built there, and as a release does: without one, with a
// separate platform package.
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm, pack, packMain, packPlatforms, run } from '../../pack-release.mjs';

export { packMain, run };
const require = createRequire(import.meta.url);
export const { namesOf, currentPlatform } = require('../../dist/addon.cjs');

export const packageFolder = fileURLToPath(new URL('../..', import.meta.url));
export const manifest = require('../../package.json');

/** A temporary folder, removed after the test `t`. */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-packed-'));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

/** Packs the checkout, as `npm pack` does for those who build it. */
export function packCheckout(destination) {
  return pack(packageFolder, destination);
}

/** Packs the package of this platform, with the local addon. */
export async function packPlatform(destination) {
  const [name] = namesOf(currentPlatform());
  const [tarball] = await packPlatforms([join(packageFolder, `regrant.${name}.node`)], destination);
  return tarball;
}

/** Packs the dependencies from node_modules, so that the tests need no registry. */
export function packDependencies(destination) {
  return Promise.all(Object.keys(manifest.dependencies).map((name) => pack(join(packageFolder, 'node_modules', name), destination)));
}

/** Creates a project from a template and installs the tarballs, with an empty cache and no network. */
export async function newProject(t, template, tarballs) {
  const folder = await temporaryFolder(t);
  await fillProject(folder, template, tarballs);
  return folder;
}

/** The same in a folder, with more options of npm. */
export async function fillProject(folder, template, tarballs, options = []) {
  await cp(new URL(`projects/${template}`, import.meta.url), folder, { recursive: true });
  const cache = join(folder, '.npm');
  await npm(['install', '--offline', '--cache', cache, '--no-audit', '--no-fund', ...options, ...tarballs], folder);
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
