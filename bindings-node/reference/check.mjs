// Fails where docs/api is not what the types say, or a public name is not documented.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const committed = fileURLToPath(new URL('../docs/api', import.meta.url));
const here = fileURLToPath(new URL('.', import.meta.url));
const typedoc = join(createRequire(import.meta.url).resolve('typedoc/package.json'), '../bin/typedoc');

/** The pages in a folder: their texts by their paths. */
async function pages(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const read = async (path) => [path.slice(folder.length + 1), await readFile(path, 'utf8')];
  return new Map(await Promise.all(paths.map(read)));
}

const fresh = await mkdtemp(join(tmpdir(), 'regrant-api-'));
try {
  // It says itself what is undocumented.
  const { stdout } = await promisify(execFile)(process.execPath, [typedoc, '--out', fresh], { cwd: here });
  process.stdout.write(stdout);
  const [wanted, found] = [await pages(fresh), await pages(committed)];
  const names = new Set([...wanted.keys(), ...found.keys()]);
  const stale = [...names].filter((name) => wanted.get(name) !== found.get(name)).sort();
  if (wanted.size === 0) throw new Error('TypeDoc wrote nothing');
  if (stale.length > 0) {
    console.error(`docs/api is not what the types say: ${stale.join(', ')}. Run: npm --prefix bindings-node/reference run write`);
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error.stderr || error);
  process.exitCode = 1;
} finally {
  await rm(fresh, { recursive: true });
}
