// The recipes of docs/custom-stores.md over a real PostgreSQL.
import { startPostgres } from '../support/databases.mjs';
import { checkRecipe } from './suite.mjs';

for (const client of ['Sequelize', 'Knex', 'Drizzle']) checkRecipe(`${client}, PostgreSQL`, startPostgres);
