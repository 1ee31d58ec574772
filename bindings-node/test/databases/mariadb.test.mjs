// The recipes of docs/custom-stores.md over a real MariaDB.
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startMariadb } from '../support/databases.mjs';
import { checkRecipe } from './suite.mjs';

for (const client of ['Sequelize', 'mysql2', 'Knex']) checkRecipe(`${client}, MariaDB`, startMariadb);

test('the test that the page shows passes', async (t) => {
  const { url } = await startMariadb(t);
  const shown = fileURLToPath(new URL('../../docs/recipes/custom-stores/sequelize.test.mjs', import.meta.url));
  // A test of its own, not part of this one.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  await promisify(execFile)(process.execPath, ['--test', shown], { env: { ...env, TEST_DATABASE_URL: url } });
});
