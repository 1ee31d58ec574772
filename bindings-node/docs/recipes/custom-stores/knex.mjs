// Sessions in a table of Knex.
export const createAuthValues = (knex) => knex.schema.createTable('auth_values', (table) => {
  table.string('name', 80).primary();
  // In MySQL a TEXT ends at 64 KB.
  table.text('value', 'mediumtext').notNullable();
  table.bigInteger('version').notNullable();
  table.bigInteger('expires_at').notNullable().index();
});

/** The option `pool` for better-sqlite3: several processes may write, and what is written survives a power failure. */
export const sqlitePool = {
  afterCreate(connection, done) {
    for (const pragma of ['busy_timeout = 1000', 'journal_mode = WAL', 'synchronous = FULL']) connection.pragma(pragma);
    done();
  },
};

const DUPLICATE_KEY = ['23505', 'ER_DUP_ENTRY', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_PRIMARYKEY'];

export const knexStore = (knex) => ({
  get: (name) => knex('auth_values').first('value', 'version').where({ name }),

  async put(name, value, { ifVersion, expiresAt }) {
    const row = { value, expires_at: expiresAt.getTime() };
    if (ifVersion !== undefined) {
      const update = { ...row, version: knex.raw('version + 1') };
      return (await knex('auth_values').where({ name, version: ifVersion }).update(update)) === 1;
    }
    try {
      // Not 1: a row that was deleted and is created again needs a version that it never had.
      await knex('auth_values').insert({ ...row, name, version: Date.now() });
      return true;
    } catch (error) {
      if (DUPLICATE_KEY.includes(error.code)) return false;
      throw error;
    }
  },
});
