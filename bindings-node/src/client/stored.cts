/** Tokens that scripts keep: for servers without a refresh cookie, and for apps with `rtVerify`. */
import { withoutScheme, type ItemStorage, type Store, type Tokens } from './endpoint.cjs';
import { tokenTimes } from './machine.cjs';

/** The names of the items. */
export interface TokenKeys {
  /** The access token; default `accessToken`. */
  accessToken?: string | undefined;
  /** The refresh token; default `refreshToken`. */
  refreshToken?: string | undefined;
  /** The user's id; default `userId`. */
  userId?: string | undefined;
}

/**
 * Keeps both tokens in a storage, and sends the refresh token in JSON bodies: for servers with `web.refreshCookie: false`. In a browser every script of the
 * page can read `localStorage`; prefer the refresh cookie there.
 *
 * @throws TypeError for what is no storage, and for unknown keys.
 */
export function storedTokens(storage: ItemStorage, keys: TokenKeys = {}): Tokens {
  return {
    storage,
    store: keyStore(storage, keys),
    isOver: (_status, advice) => advice === 'reject',
    request: ({ refresh }) => ({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ refreshToken: refresh }),
    }),
  };
}

/**
 * The interface of `presets.rtVerify`: the access token in the header `accesstoken`, and `refreshtoken` and `userid` at `GET /api/users/rtVerify`.
 *
 * @param storage - Where the front end keeps the tokens; default `localStorage`.
 * @throws TypeError for what is no storage, and for unknown keys.
 */
export function rtVerify(storage: ItemStorage = localStorage, keys: TokenKeys = {}): Tokens {
  const store = keyStore(storage, keys);
  return {
    storage,
    store: {
      ...store,
      async clear() {
        await store.clear();
        // The cookie of the old server, which scripts can see.
        if (globalThis.document) document.cookie = 'accessToken=; Path=/; Max-Age=0';
      },
    },
    request: ({ refresh, user }) => ({
      method: 'GET',
      cache: 'no-store',
      headers: { refreshtoken: `Bearer ${refresh}`, 'x-refresh-rotate': '1', ...(user ? { userid: `${user}` } : {}) },
    }),
    header: 'accesstoken',
    rejections: [401, 403, 419],
    superseded: 409,
    // Of a legacy app.
    isOver: (status, advice) => (advice ? advice === 'reject' : status === 419),
  };
}

/** The tokens as an old front end keeps them, which may read them itself. */
function keyStore(storage: ItemStorage, keys: TokenKeys): Store {
  for (const name of ['getItem', 'setItem', 'removeItem'] as const) {
    if (typeof storage?.[name] !== 'function') throw new TypeError(`the storage has no method "${name}"`);
  }
  const names = ['accessToken', 'refreshToken', 'userId'];
  for (const [key, name] of Object.entries(keys)) {
    if (!names.includes(key)) throw new TypeError(`unknown key "${key}"`);
    if (typeof name !== 'string') throw new TypeError(`invalid key "${key}"`);
  }
  const { accessToken = 'accessToken', refreshToken = 'refreshToken', userId = 'userId' } = keys;
  return {
    async read() {
      const refresh = withoutScheme(await storage.getItem(refreshToken));
      const times = tokenTimes(withoutScheme(await storage.getItem(accessToken)) ?? '');
      return refresh ? { ...times, refresh, user: (await storage.getItem(userId)) ?? times.subject } : null;
    },
    async write({ access, refresh, subject, user }) {
      // The refresh token first: with an old access token it is still a session.
      await storage.setItem(refreshToken, `Bearer ${refresh}`);
      await storage.setItem(accessToken, `Bearer ${access}`);
      const id = user ?? subject;
      if (id) await storage.setItem(userId, `${id}`);
    },
    async clear() {
      for (const key of [refreshToken, accessToken, userId]) await storage.removeItem(key);
    },
  };
}
