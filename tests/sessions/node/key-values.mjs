// The recipes of bindings-node/docs/custom-stores.md, called with the texts that the addon would call them with.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { custom } from '../../../bindings-node/dist/custom-store.cjs';
import { stores } from '../../../bindings-node/test/databases/stores.mjs';
import { serveCalls } from '../../support/node/calls.mjs';
import { defects } from '../../support/node/defects.mjs';

/** A file for the databases that are a file, removed when the process ends. */
function newFile() {
  const folder = mkdtempSync(join(tmpdir(), 'regrant-key-values-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'app.db');
}

/** The store with keys of its own, so that tests can share a table. */
const withPrefix = ({ get, put }, prefix) => ({
  get: (key) => get(prefix + key),
  put: (key, ...write) => put(prefix + key, ...write),
});

await serveCalls(async ({ recipe, url = newFile() }) => {
  // Two, as in two processes of an app.
  const [first, second] = [await stores[recipe](url), await stores[recipe](url)];
  await first.migrate();
  const opened = { first: first.store, second: second.store };
  for (const [name, defect] of Object.entries(defects)) opened[name] = defect(first.store);

  return async ({ store, prefix, text }) => ({ text: await custom(withPrefix(opened[store], prefix)).call()(text) });
});
