// Custom stores with common mistakes. The tests must notice each, or they prove nothing.

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

  /** Remembers what it has read until it writes that key itself: the writes of other processes are not seen. */
  'reads from a cache': ({ get, put }) => {
    const cache = new Map();
    return {
      async get(key) {
        if (!cache.has(key)) cache.set(key, await get(key));
        return cache.get(key);
      },
      put(key, ...write) {
        cache.delete(key);
        return put(key, ...write);
      },
    };
  },
};
