// Stores with the mistakes that lose writes. The load must notice each, or its zeros prove nothing.

export const defects = {
  /** Reads, compares and then writes: the writes of other processes in between are lost. */
  'ignores the version': ({ get, put }) => ({
    get,
    async put(key, value, { ifVersion, expiresAt }) {
      for (;;) {
        const current = await get(key);
        if (await put(key, value, { ifVersion: current?.version, expiresAt })) return true;
      }
    },
  }),

  /** Acknowledges a write before it is made, as a cache that writes behind does. */
  'acknowledges early': ({ get, put }) => ({
    get,
    async put(...write) {
      setTimeout(() => put(...write).catch(() => {}), 20);
      return true;
    },
  }),
};
