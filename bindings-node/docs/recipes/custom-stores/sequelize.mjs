// Sessions in a table of Sequelize.
import { DataTypes, UniqueConstraintError } from 'sequelize';

export function sequelizeStore(sequelize) {
  const AuthValue = sequelize.define('AuthValue', {
    name: { type: DataTypes.STRING(80), primaryKey: true },
    // MEDIUMTEXT in MySQL, whose TEXT ends at 64 KB.
    value: { type: DataTypes.TEXT('medium'), allowNull: false },
    version: { type: DataTypes.BIGINT, allowNull: false },
    expiresAt: { type: DataTypes.BIGINT, allowNull: false },
  }, { tableName: 'auth_values', underscored: true, timestamps: false, indexes: [{ fields: ['expires_at'] }] });

  return {
    // Not from a replica, and not in the log: each process reads the key `feed` twice a second.
    get: (name) => AuthValue.findByPk(name, { attributes: ['value', 'version'], raw: true, useMaster: true, logging: false }),

    async put(name, value, { ifVersion, expiresAt }) {
      const row = { value, expiresAt: expiresAt.getTime() };
      if (ifVersion !== undefined) {
        const update = { ...row, version: sequelize.literal('version + 1') };
        const [written] = await AuthValue.update(update, { where: { name, version: ifVersion } });
        return written === 1;
      }
      try {
        // Not 1: a row that was deleted and is created again needs a version that it never had.
        await AuthValue.create({ ...row, name, version: Date.now() });
        return true;
      } catch (error) {
        if (error instanceof UniqueConstraintError) return false;
        throw error;
      }
    },
  };
}
