// Sessions in MySQL or MariaDB, through a pool of mysql2/promise.
export const createAuthValues = `
  CREATE TABLE auth_values (
    name VARCHAR(80) PRIMARY KEY,
    value MEDIUMTEXT NOT NULL,
    version BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    INDEX (expires_at)
  )`;

export const mysqlStore = (pool) => ({
  async get(name) {
    const [[row]] = await pool.execute('SELECT value, version FROM auth_values WHERE name = ?', [name]);
    return row;
  },

  async put(name, value, { ifVersion, expiresAt }) {
    if (ifVersion !== undefined) {
      const update = 'UPDATE auth_values SET value = ?, version = version + 1, expires_at = ? WHERE name = ? AND version = ?';
      const [{ affectedRows }] = await pool.execute(update, [value, expiresAt.getTime(), name, ifVersion]);
      return affectedRows === 1;
    }
    try {
      // Not 1: a row that was deleted and is created again needs a version that it never had.
      await pool.execute('INSERT INTO auth_values VALUES (?, ?, ?, ?)', [name, value, Date.now(), expiresAt.getTime()]);
      return true;
    } catch (error) {
      if (error.code === 'ER_DUP_ENTRY') return false;
      throw error;
    }
  },
});
