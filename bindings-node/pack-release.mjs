// Packs what a release publishes: the package without an addon, and a package for each platform with its addon.
//
//   node pack-release.mjs DESTINATION FOLDER…
//
// Each folder contains `regrant.PLATFORM.node` files, as `cargo xtask dist` and @napi-rs/cli name them.
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);
const require = createRequire(import.meta.url);

const here = dirname(fileURLToPath(import.meta.url));
const manifest = require('./package.json');
const licences = ['LICENSE-APACHE', 'LICENSE-MIT'];
/** The packages with the addons, as native.cjs names them. */
export const platformPackages = [...(await readFile(join(here, 'native.cjs'), 'utf8')).matchAll(/require\('(regrant-[^/']+)'\)/g)]
  .map(([, name]) => name);

/** Packs a folder as npm would publish it. Returns the path of the tarball. */
export async function pack(folder, destination) {
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', destination], folder);
  const answer = JSON.parse(stdout);
  const [{ filename }] = Array.isArray(answer) ? answer : Object.values(answer);
  return join(destination, filename);
}

/** Packs the package itself: the addons are in packages of their own, which its `package.json` lists. */
export function packMain(destination) {
  return inTemporaryFolder(async (folder) => {
    const isPacked = (path) => !/^(?:node_modules|test|example|leak|reference|npm)$|\.node$/.test(relative(here, path));
    await cp(here, folder, { recursive: true, filter: isPacked });
    const optionalDependencies = Object.fromEntries(platformPackages.map((name) => [name, manifest.version]));
    await writeFile(join(folder, 'package.json'), `${JSON.stringify({ ...manifest, optionalDependencies }, null, 2)}\n`);
    return pack(folder, destination);
  });
}

/** Packs the packages of these platforms, with `os`, `cpu` and `libc` as @napi-rs/cli writes them. */
export function packPlatforms(addons, destination) {
  return inTemporaryFolder(async (folder) => {
    await copyFile(join(here, 'package.json'), join(folder, 'package.json'));
    const napi = join(dirname(require.resolve('@napi-rs/cli/package.json')), require('@napi-rs/cli/package.json').bin.napi);
    await run(process.execPath, [napi, 'create-npm-dirs', '--cwd', folder]);
    const tarballs = [];
    for (const addon of addons) {
      const [, name] = /^regrant\.(.+)\.node$/.exec(basename(addon));
      const platform = join(folder, 'npm', name);
      await copyFile(addon, join(platform, basename(addon)));
      for (const licence of licences) await copyFile(join(here, licence), join(platform, licence));
      await correctManifest(join(platform, 'package.json'));
      tarballs.push(await pack(platform, destination));
    }
    return tarballs;
  });
}

/** @napi-rs/cli takes `gnu` for a C library also on Windows, where npm then installs nothing; and it packs no licences. */
async function correctManifest(path) {
  const { libc, ...platform } = JSON.parse(await readFile(path, 'utf8'));
  const corrected = { ...platform, files: [...platform.files, ...licences], ...(platform.os.includes('linux') && { libc }) };
  await writeFile(path, `${JSON.stringify(corrected, null, 2)}\n`);
}

async function inTemporaryFolder(work) {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-pack-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Runs npm without the `npm_*` environment of a surrounding `npm run`. */
export function npm(args, cwd) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  return run('npm', args, { cwd, env, shell: process.platform === 'win32', maxBuffer: 2 ** 26 });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [destination, ...folders] = process.argv.slice(2);
  await mkdir(destination, { recursive: true });
  const files = await Promise.all(folders.map(async (folder) => (await readdir(folder)).map((file) => join(folder, file))));
  const addons = files.flat().filter((file) => file.endsWith('.node')).sort();
  for (const tarball of [await packMain(destination), ...await packPlatforms(addons, destination)]) console.log(basename(tarball));
}
