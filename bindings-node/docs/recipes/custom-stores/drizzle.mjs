// Sessions in a table of Drizzle over PostgreSQL.
import { and, eq, sql } from 'drizzle-orm';
import { bigint, index, pgTable, text, varchar } from 'drizzle-orm/pg-core';

export const authValues = pgTable('auth_values', {
  name: varchar({ length: 80 }).primaryKey(),
  value: text().notNull(),
  version: bigint({ mode: 'number' }).notNull(),
  expiresAt: bigint('expires_at', { mode: 'number' }).notNull(),
}, (table) => [index().on(table.expiresAt)]);

const { name, value, version } = authValues;

export const drizzleStore = (db) => ({
  async get(key) {
    const [row] = await db.select({ value, version }).from(authValues).where(eq(name, key));
    return row;
  },

  async put(key, newValue, { ifVersion, expiresAt }) {
    const row = { value: newValue, expiresAt: expiresAt.getTime() };
    // Not 1: a row that was deleted and is created again needs a version that it never had.
    const write = ifVersion === undefined
      ? db.insert(authValues).values({ ...row, name: key, version: Date.now() }).onConflictDoNothing()
      : db.update(authValues).set({ ...row, version: sql`${version} + 1` }).where(and(eq(name, key), eq(version, ifVersion)));
    return (await write.returning({ name })).length === 1;
  },
});
