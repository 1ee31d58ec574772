// Projects with the package as a release installs it, below this folder so that they find the bundlers too.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { manifest, packageFolder } from '../packed/support.mjs';
import { SECRET } from '../support/auth.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
export const recipes = new URL('../../docs/recipes/', import.meta.url);

/** The script of a bundler's command. */
export const scriptOf = (path) => join(here, 'node_modules', path);

/** A project with the files of a recipe, and with the package, its addon and its dependencies in `node_modules`. */
export async function project(t, recipe) {
  assert.ok(existsSync(join(here, 'node_modules')), 'the bundlers are not installed: npm ci --prefix test/bundlers');
  const folder = await mkdtemp(join(here, 'project-'));
  t.after(() => rm(folder, { recursive: true }));
  await cp(new URL(recipe, recipes), folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  await installPackage(join(folder, 'node_modules'));
  return folder;
}

/** What `npm install regrant` leaves behind. That npm does so is what test/packed checks. */
async function installPackage(modules) {
  const published = ['package.json', ...manifest.files.filter((name) => !name.includes('*') && name !== 'docs')];
  const copies = published.map((name) => [join(packageFolder, name), join(modules, 'regrant', name)]);
  for (const name of Object.keys(manifest.dependencies)) {
    copies.push([join(packageFolder, 'node_modules', name), join(modules, name)]);
  }
  await Promise.all(copies.map(([from, to]) => cp(from, to, { recursive: true })));
  const addon = (await readdir(packageFolder)).find((name) => name.endsWith('.node'));
  assert.ok(addon, 'the addon is not built');
  const name = `regrant-${addon.split('.')[1]}`;
  const folder = join(modules, name);
  await mkdir(folder);
  await copyFile(join(packageFolder, addon), join(folder, addon));
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, version: manifest.version, main: addon }));
}

/**
 * Runs a server until the test ends. `portOf` finds the port in a line that it prints. Answers with a `fetch` for its paths.
 */
export async function start(t, args, { cwd, env = {}, portOf }) {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, SECRET_KEY: SECRET, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  t.after(() => {
    child.kill();
    return closed;
  });
  let errors = '';
  child.stderr.on('data', (data) => { errors += data; });
  const lines = createInterface({ input: child.stdout });
  const port = await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const found = portOf(line);
      if (found !== undefined) resolve(found);
    });
    child.once('close', () => reject(new Error(`the server ended: ${errors}`)));
  });
  return (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
}
