// Sessions in a Map, which ends with the process: for tests.
export function mapStore(rows = new Map()) {
  // Also counts over deleted rows: a version must not come back.
  let writes = 0;
  return {
    get: async (key) => rows.get(key),
    async put(key, value, { ifVersion }) {
      if (rows.get(key)?.version !== ifVersion) return false;
      writes += 1;
      rows.set(key, { value, version: writes });
      return true;
    },
  };
}
