import { test } from 'node:test';
import { testStore } from 'regrant/testing';
import { Sequelize } from 'sequelize';
import { sequelizeStore } from './sequelize.mjs';

test('sessions in the database', async (t) => {
  const sequelize = new Sequelize(process.env.TEST_DATABASE_URL, { logging: false });
  t.after(() => sequelize.close());
  const store = sequelizeStore(sequelize);
  await sequelize.sync();
  await testStore(() => store);
});
