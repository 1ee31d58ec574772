// The recipes of docs/custom-stores.md over a real MariaDB.
import { startMariadb } from '../support/databases.mjs';
import { checkRecipe } from './suite.mjs';

for (const client of ['Sequelize', 'mysql2', 'Knex']) checkRecipe(`${client}, MariaDB`, startMariadb);
