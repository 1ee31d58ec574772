// The user table, in an embedded SQLite database. Sessions are in regrant's store.

import { randomUUID } from 'node:crypto';
import Database from 'libsql';

/** Thrown by `create` if the e-mail address already has an account. */
export class EmailTaken extends Error {
  constructor() {
    super('This e-mail address already has an account.');
    this.name = 'EmailTaken';
  }
}

/** Opens the table in `file` (':memory:' for a table in memory). */
export function openUsers(file) {
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('busy_timeout = 2000');
  db.exec(`CREATE TABLE IF NOT EXISTS users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    password_hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'reader'
  ) STRICT`);
  // A table of before there were roles.
  if (!db.prepare('PRAGMA table_info(users)').all().some(({ name }) => name === 'role')) {
    db.exec("ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'reader'");
  }

  // In a transaction, because a write alone that finds the file busy keeps libsql 0.5.29 from committing later ones.
  const write = (sql) => {
    const statement = db.prepare(sql);
    return db.transaction((...values) => statement.run(...values)).immediate;
  };
  const insert = write('INSERT INTO users (id, email, password_hash, created_at) VALUES (?, ?, ?, ?)');
  const byId = db.prepare('SELECT id, email, created_at, role FROM users WHERE id = ?');
  const updateRole = write('UPDATE users SET role = ? WHERE id = ?');
  const byEmail = db.prepare('SELECT id, email, password_hash, role FROM users WHERE email = ?');

  return {
    /** Adds a user and returns the row without its hash. */
    create(email, passwordHash) {
      const user = { id: randomUUID(), email, createdAt: new Date().toISOString(), role: 'reader' };
      try {
        insert(user.id, email, passwordHash, user.createdAt);
      } catch (error) {
        if (error.code === 'SQLITE_CONSTRAINT_UNIQUE') throw new EmailTaken();
        throw error;
      }
      return user;
    },

    /** The user for `res.locals.user`, or undefined. */
    findById(id) {
      const row = byId.get(id);
      return row && { id: row.id, email: row.email, createdAt: row.created_at, role: row.role };
    },

    /** The row with its password hash, for the login only, or undefined. */
    findForLogin(email) {
      const row = byEmail.get(email);
      return row && { id: row.id, email: row.email, passwordHash: row.password_hash, role: row.role };
    },

    /** Gives a user another role, which is in the tokens from the next refresh on. */
    setRole(id, role) {
      updateRole(role, id);
    },

    close: () => db.close(),
  };
}
