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
    created_at TEXT NOT NULL
  ) STRICT`);

  const insert = db.prepare('INSERT INTO users (id, email, password_hash, created_at) VALUES (?, ?, ?, ?)');
  const byId = db.prepare('SELECT id, email, created_at FROM users WHERE id = ?');
  const byEmail = db.prepare('SELECT id, email, password_hash FROM users WHERE email = ?');

  return {
    /** Adds a user and returns the row without its hash. */
    create(email, passwordHash) {
      const user = { id: randomUUID(), email, createdAt: new Date().toISOString() };
      try {
        insert.run(user.id, email, passwordHash, user.createdAt);
      } catch (error) {
        if (error.code === 'SQLITE_CONSTRAINT_UNIQUE') throw new EmailTaken();
        throw error;
      }
      return user;
    },

    /** The user for `res.locals.user`, or undefined. */
    findById(id) {
      const row = byId.get(id);
      return row && { id: row.id, email: row.email, createdAt: row.created_at };
    },

    /** The row with its password hash, for the login only, or undefined. */
    findForLogin(email) {
      const row = byEmail.get(email);
      return row && { id: row.id, email: row.email, passwordHash: row.password_hash };
    },

    close: () => db.close(),
  };
}
