// Opens the recipes of docs/recipes/custom-stores as an app does: { store, migrate, end } by the address of a database.
import { createRequire } from 'node:module';

const recipe = (name) => import(new URL(`../../docs/recipes/custom-stores/${name}.mjs`, import.meta.url));

async function overSequelize(url) {
  const [{ Sequelize }, { sequelizeStore }] = await Promise.all([import('sequelize'), recipe('sequelize')]);
  const sequelize = new Sequelize(url, { logging: false });
  return { store: sequelizeStore(sequelize), migrate: () => sequelize.sync(), end: () => sequelize.close() };
}

async function overKnex(config) {
  const [{ default: knex }, { createAuthValues, knexStore }] = await Promise.all([import('knex'), recipe('knex')]);
  // Quiet about a server that the test has killed.
  const database = knex({ ...config, log: { warn() {}, error() {} } });
  return { store: knexStore(database), migrate: () => createAuthValues(database), end: () => database.destroy() };
}

async function overKnexAndSqlite(filename) {
  const [{ default: BetterSqlite3 }, { sqlitePool }] = await Promise.all([
    import('knex/lib/dialects/better-sqlite3/index.js'), recipe('knex'),
  ]);
  const Database = createRequire(import.meta.url)('libsql');
  // It has the functions of better-sqlite3, and brings its binaries for every Node.js. But a write that finds the database busy
  // stays in progress (0.5.29), and until it is collected nothing that the connection writes is committed. Within a
  // transaction that cannot happen.
  class Driver extends Database {
    prepare(sql) {
      const statement = super.prepare(sql);
      if (!/^(insert|update|delete) /i.test(sql)) return statement;
      statement.run = this.transaction(statement.run.bind(statement)).immediate;
      return statement;
    }
  }
  class Client extends BetterSqlite3 {
    _driver() {
      return Driver;
    }
  }
  return overKnex({ client: Client, connection: { filename }, pool: sqlitePool, useNullAsDefault: true });
}

async function overMysql2(url) {
  const [{ default: mysql }, { createAuthValues, mysqlStore }] = await Promise.all([import('mysql2/promise'), recipe('mysql2')]);
  const pool = mysql.createPool(url);
  return { store: mysqlStore(pool), migrate: () => pool.query(createAuthValues), end: () => pool.end() };
}

async function overDrizzle(url) {
  const [{ default: pg }, { drizzle }, { getTableConfig }, { authValues, drizzleStore }] = await Promise.all([
    import('pg'), import('drizzle-orm/node-postgres'), import('drizzle-orm/pg-core'), recipe('drizzle'),
  ]);
  const pool = new pg.Pool({ connectionString: url });
  // Without a listener, a connection that ends while it is idle ends the process.
  pool.on('error', () => {});
  const migrate = () => {
    // As drizzle-kit does.
    const { name, columns } = getTableConfig(authValues);
    const types = columns.map((it) => `${it.name} ${it.getSQLType()} ${it.primary ? 'PRIMARY KEY' : 'NOT NULL'}`);
    return pool.query(`CREATE TABLE ${name} (${types.join(', ')})`);
  };
  return { store: drizzleStore(drizzle(pool)), migrate, end: () => pool.end() };
}

export const stores = {
  'Sequelize, MariaDB': overSequelize,
  'mysql2, MariaDB': overMysql2,
  'Knex, MariaDB': (url) => overKnex({ client: 'mysql2', connection: url }),
  'Sequelize, PostgreSQL': overSequelize,
  'Knex, PostgreSQL': (url) => overKnex({ client: 'pg', connection: url }),
  'Drizzle, PostgreSQL': overDrizzle,
  'Knex, SQLite': overKnexAndSqlite,
};
