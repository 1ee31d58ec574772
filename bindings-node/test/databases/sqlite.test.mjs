// The recipe of docs/custom-stores.md for Knex over a file of SQLite.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkRecipe } from './suite.mjs';

checkRecipe('Knex, SQLite', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'regrant-sqlite-'));
  t.after(() => rm(folder, { recursive: true }));
  return { url: join(folder, 'app.db') };
});
