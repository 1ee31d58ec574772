// Sessions in a database of the app: the adapter is checked by what `regrant/testing` offers to apps.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { AuthError, TestClock, createAuth, custom } from 'regrant';
import { testStore } from 'regrant/testing';

const secret = 'a secret of 32 bytes or more, for tests';

/** The rows that all adapters of a test share. */
const newRows = () => new Map();

/** An adapter with a counter as the version. Its calls take a moment, as over a network. */
function adapter(rows, { get, put } = {}) {
  const moment = () => new Promise((resolve) => setImmediate(resolve));
  const plain = {
    async get(key) {
      await moment();
      return rows.get(key);
    },
    async put(key, value, { ifVersion }) {
      await moment();
      if (rows.get(key)?.version !== ifVersion) return false;
      rows.set(key, { value, version: (ifVersion ?? 0) + 1 });
      return true;
    },
  };
  return { get: (...call) => (get ?? plain.get)(...call), put: (...call) => (put ?? plain.put)(...call) };
}

const isExpired = (row) => row?.until < Date.now();

/** Writes a row that knows when it expires. */
function putExpiring(rows, key, value, { ifVersion, expiresAt }) {
  if (rows.get(key)?.version !== ifVersion) return false;
  rows.set(key, { value, version: (ifVersion ?? 0) + 1, until: expiresAt.getTime() });
  return true;
}

suite('testStore', { concurrency: 4 }, () => {
  test('passes a store that works, and names its checks', async () => {
    const rows = newRows();
    const names = [];
    await testStore(() => adapter(rows), { onCheck: (name) => names.push(name) });
    assert.ok(names.includes('concurrent updates') && names.includes('sessions'));
  });

  test('passes versions of text and of bigints', async () => {
    for (const version of [(n) => `W/"${n}"`, (n) => BigInt(n) + 2n ** 60n]) {
      const rows = newRows();
      let writes = 0;
      await testStore(() => adapter(rows, {
        put: async (key, value, { ifVersion }) => {
          if (rows.get(key)?.version !== ifVersion) return false;
          writes += 1;
          rows.set(key, { value, version: version(writes) });
          return true;
        },
      }));
    }
  });

  const broken = {
    'one that ignores ifVersion': [/concurrent updates|older version/, (rows) => adapter(rows, {
      put: async (key, value) => {
        rows.set(key, { value, version: (rows.get(key)?.version ?? 0) + 1 });
        return true;
      },
    })],
    'one that compares and then writes': [/concurrent/, (rows) => adapter(rows, {
      put: async (key, value, { ifVersion }) => {
        if (rows.get(key)?.version !== ifVersion) return false;
        await new Promise((resolve) => setTimeout(resolve, 1));
        rows.set(key, { value, version: (ifVersion ?? 0) + 1 });
        return true;
      },
    })],
    'one whose version stays': [/the version must change/, (rows) => adapter(rows, {
      put: async (key, value, { ifVersion }) => {
        if (rows.get(key)?.version !== ifVersion) return false;
        rows.set(key, { value, version: 1 });
        return true;
      },
    })],
    'one whose version is the time in seconds': [/the version must change/, (rows) => adapter(rows, {
      put: async (key, value, { ifVersion }) => {
        if (rows.get(key)?.version !== ifVersion) return false;
        rows.set(key, { value, version: Math.floor(Date.now() / 1000) });
        return true;
      },
    })],
    'one whose version begins again': [/a write over an expired value: .* came back/, (rows) => {
      const prune = (key) => { if (isExpired(rows.get(key))) rows.delete(key); };
      return adapter(rows, {
        get: async (key) => {
          prune(key);
          return rows.get(key);
        },
        put: async (key, ...write) => {
          prune(key);
          return putExpiring(rows, key, ...write);
        },
      });
    }],
    'one that hides expired rows from get alone': [/a write over an expired value: .* put without ifVersion/, (rows) => adapter(rows, {
      get: async (key) => (isExpired(rows.get(key)) ? undefined : rows.get(key)),
      put: async (...write) => putExpiring(rows, ...write),
    })],
    'one that hides expired rows from put alone': [/a write over an expired value: .* does not replace/, (rows) => adapter(rows, {
      put: async (key, ...write) => !isExpired(rows.get(key)) && putExpiring(rows, key, ...write),
    })],
    'one that throws where it should return false': [/concurrent updates: database is locked/, (rows) => {
      const plain = adapter(rows);
      return adapter(rows, {
        put: async (...write) => {
          if (rows.locked) throw new Error('database is locked');
          rows.locked = true;
          return plain.put(...write).finally(() => { rows.locked = false; });
        },
      });
    }],
    'one that reads from a cache': [/older value/, (rows) => {
      const cache = new Map();
      return adapter(rows, {
        get: async (key) => {
          if (!cache.has(key) && rows.has(key)) cache.set(key, rows.get(key));
          return cache.get(key);
        },
      });
    }],
    'one that forgets early': [/a later expiry: /, (rows) => adapter(rows, {
      get: async (key) => {
        const row = rows.get(key);
        return row && row.until > Date.now() ? row : undefined;
      },
      put: async (key, value, { ifVersion, expiresAt }) => {
        const row = rows.get(key);
        if (row?.version !== ifVersion) return false;
        rows.set(key, { value, version: (ifVersion ?? 0) + 1, until: row?.until ?? expiresAt.getTime() });
        return true;
      },
    })],
    'one that cuts long values': [/was changed/, (rows) => adapter(rows, {
      put: async (key, value, { ifVersion }) => {
        if (rows.get(key)?.version !== ifVersion) return false;
        rows.set(key, { value: value.slice(0, 65_535), version: (ifVersion ?? 0) + 1 });
        return true;
      },
    })],
    'one in the memory of a process': [/does not find|writes/, () => adapter(newRows())],
  };
  for (const [name, [problem, open]] of Object.entries(broken)) {
    test(`fails ${name}`, async () => {
      const rows = newRows();
      await assert.rejects(testStore(() => open(rows)), problem);
    });
  }
});

suite('createAuth with a custom store', () => {
  test('logs in, refreshes, detects reuse and logs out', async () => {
    const rows = newRows();
    const clock = new TestClock();
    const auth = createAuth({ secret, store: custom(adapter(rows)), clock });
    const first = await auth.login('alice');
    const second = await auth.refresh(first.refreshToken);
    const third = await auth.refresh(second.refreshToken);
    clock.advance(60_000);
    await assert.rejects(auth.refresh(first.refreshToken), { code: 'ERR_REFRESH_REUSED' });
    await assert.rejects(auth.refresh(third.refreshToken), { code: 'ERR_SESSION_REVOKED' });
    const again = await auth.login('alice');
    assert.equal(await auth.logout(again.refreshToken), true);
    assert.deepEqual((await auth.sessions('alice')).map(({ reason }) => reason).sort(), ['logout', 'reused']);
    assert.match([...rows.keys()].find((key) => key.startsWith('user:')), /^user:[0-9a-f]{64}$/);
    assert.equal((await auth.health()).store, 'custom');
  });

  test('sessions move to it from a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'regrant-moving-'));
    try {
      const file = `file:${join(folder, 'sessions.db')}`;
      const before = createAuth({ secret, store: file });
      const after = createAuth({ secret, store: custom(adapter(newRows())), previousStore: file });
      let { refreshToken } = await before.login('alice');
      for (const auth of [after, before, after]) ({ refreshToken } = await auth.refresh(refreshToken));
      assert.equal((await after.health()).store, 'custom');
      assert.equal(await after.logout(refreshToken), true);
      await assert.rejects(before.refresh(refreshToken), { code: 'ERR_SESSION_REVOKED' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('is unavailable while the database fails, and signs nobody out', async () => {
    const rows = newRows();
    let down = false;
    const whole = adapter(rows);
    const store = custom({
      get: (key) => (down ? Promise.reject(new Error('connection refused')) : whole.get(key)),
      put: (...call) => whole.put(...call),
    });
    const auth = createAuth({ secret, store });
    const pair = await auth.login('alice');
    down = true;
    await assert.rejects(auth.refresh(pair.refreshToken), { code: 'ERR_STORE_UNAVAILABLE' });
    const health = await auth.health();
    assert.equal(health.ready, false);
    down = false;
    await auth.refresh(pair.refreshToken);
  });

  test('functions that return something else are unavailable too', async () => {
    for (const odd of [{ get: async () => 'text' }, { get: async () => ({ value: 1, version: 1 }) }, { put: async () => undefined }]) {
      const auth = createAuth({ secret, store: custom(adapter(newRows(), odd)) });
      await assert.rejects(auth.login('alice'), { code: 'ERR_STORE_UNAVAILABLE' });
    }
  });

  test('what a driver throws is told, also without a message, and so is a version that was rounded', async () => {
    const refused = Object.assign(new AggregateError([new Error('first'), new Error('second')]), { code: 'ECONNREFUSED' });
    for (const [get, reason] of [
      [async () => { throw refused; }, /ECONNREFUSED/],
      [async () => { throw 'a text'; }, /a text/],
      [async () => ({ value: 'x', version: 2 ** 60 }), /2\^53/],
    ]) {
      const auth = createAuth({ secret, store: custom(adapter(newRows(), { get })) });
      assert.match((await auth.health()).warnings.map(({ text }) => text).join(), reason);
    }
  });

  test('other objects are refused by name', () => {
    for (const store of [{ get() {}, put() {} }, new Map(), 7, null]) {
      assert.throws(() => createAuth({ secret, store }), (error) => error instanceof AuthError && /store/.test(error.message));
    }
    for (const store of [undefined, null, {}, new Map(), { get() {} }]) assert.throws(() => custom(store), /get and put/);
  });
});
