/**
 * Checks of what an app implements for regrant.
 *
 * @module regrant/testing
 */
import { randomUUID } from 'node:crypto';
import { createAuth } from '../auth.cjs';
import { custom, type KeyValueStore, type Version } from '../custom-store.cjs';

/** Options of {@link testStore}. */
export interface TestStoreOptions {
  /** Called with the name of each check before it runs. */
  onCheck?: ((name: string) => void) | undefined;
}

/**
 * Checks a {@link KeyValueStore} over the app's own database: against lost updates, stale reads, wrong expiry, values
 * that are changed or not kept. Writes keys that begin with `test:`, and those of a few users and their sessions; use a
 * database for tests.
 *
 * ```ts
 * test('the store', () => testStore(() => new SessionTable(connection)));
 * ```
 *
 * @param open - Opens the database, as each process of the app does. It is called several times, and every adapter
 * must see what the others write.
 * @throws Error that names each failed check and what was expected.
 */
export async function testStore(
  open: () => KeyValueStore | Promise<KeyValueStore>,
  { onCheck }: TestStoreOptions = {},
): Promise<void> {
  const failures: string[] = [];
  for (const [name, check] of checks) {
    onCheck?.(name);
    try {
      await check(open, `test:${randomUUID().replaceAll('-', '')}`);
    } catch (thrown) {
      failures.push(`${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }
  if (failures.length > 0) throw new Error(`the store failed ${failures.length} of ${checks.length} checks\n${failures.join('\n')}`);
}

type Open = () => KeyValueStore | Promise<KeyValueStore>;
type NamedCheck = readonly [name: string, check: (open: Open, key: string) => Promise<void>];

const HOUR = 3_600_000;
const inAnHour = () => new Date(Date.now() + HOUR);

function expect(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

async function found(store: KeyValueStore, key: string) {
  const current = await store.get(key);
  expect(current !== null && current !== undefined, 'get does not find what put has written');
  return current;
}

const checks: readonly NamedCheck[] = [
  ['a key without a value', async (open, key) => {
    const current = await (await open()).get(key);
    expect(current === null || current === undefined, 'get must return null or undefined');
  }],
  ['a first write', async (open, key) => {
    const store = await open();
    expect(await store.put(key, 'one', { ifVersion: undefined, expiresAt: inAnHour() }) === true, 'put must return true');
    expect((await found(store, key)).value === 'one', 'get must return the value that was written');
  }],
  ['a first write to a key that has a value', async (open, key) => {
    const store = await open();
    await store.put(key, 'one', { ifVersion: undefined, expiresAt: inAnHour() });
    const again = await store.put(key, 'two', { ifVersion: undefined, expiresAt: inAnHour() });
    expect(again === false, 'put without ifVersion must return false');
    expect((await found(store, key)).value === 'one', 'put without ifVersion must not overwrite a value');
  }],
  ['a write over the version that was read', async (open, key) => {
    const store = await open();
    await store.put(key, 'one', { ifVersion: undefined, expiresAt: inAnHour() });
    const { version } = await found(store, key);
    expect(await store.put(key, 'two', { ifVersion: version, expiresAt: inAnHour() }) === true, 'put must return true');
    const current = await found(store, key);
    expect(current.value === 'two', 'get must return the value that was written last');
    expect(current.version !== version, 'the version must change with every write');
  }],
  ['a write of the same value', async (open, key) => {
    const store = await open();
    await store.put(key, 'one', { ifVersion: undefined, expiresAt: inAnHour() });
    const { version } = await found(store, key);
    expect(await store.put(key, 'one', { ifVersion: version, expiresAt: inAnHour() }) === true, 'put must return true');
    expect((await found(store, key)).version !== version, 'the version must change with every write');
  }],
  ['a write over an older version', async (open, key) => {
    const store = await open();
    await store.put(key, 'one', { ifVersion: undefined, expiresAt: inAnHour() });
    const { version } = await found(store, key);
    await store.put(key, 'two', { ifVersion: version, expiresAt: inAnHour() });
    expect(await store.put(key, 'three', { ifVersion: version, expiresAt: inAnHour() }) === false, 'put must return false');
    expect((await found(store, key)).value === 'two', 'put with an older version must change nothing');
  }],
  ['a write with a version to a key without a value', async (open, key) => {
    const store = await open();
    await store.put(`${key}0`, 'one', { ifVersion: undefined, expiresAt: inAnHour() });
    const { version } = await found(store, `${key}0`);
    expect(await store.put(key, 'two', { ifVersion: version, expiresAt: inAnHour() }) === false, 'put must return false');
    const current = await store.get(key);
    expect(current === null || current === undefined, 'put with a version must not create a value');
  }],
  ['concurrent first writes', async (open, key) => {
    const stores = await openAll(open);
    const writes = stores.map((store, at) => store.put(key, `${at}`, { ifVersion: undefined, expiresAt: inAnHour() }));
    const written = await Promise.all(writes);
    expect(written.filter(Boolean).length === 1, `${written.filter(Boolean).length} of ${written.length} were written`);
    const { value } = await found(await open(), key);
    expect(value === `${written.indexOf(true)}`, 'the value is not that of the write that returned true');
  }],
  ['concurrent updates', async (open, key) => {
    const stores = await openAll(open);
    await (await open()).put(key, '0', { ifVersion: undefined, expiresAt: inAnHour() });
    const ROUNDS = 10;
    // In each round of all, somebody's write succeeds.
    const MAX_TRIES = 10 * ROUNDS * stores.length;
    const add = async (store: KeyValueStore) => {
      let done = 0;
      for (let tries = 0; done < ROUNDS; tries += 1) {
        expect(tries < MAX_TRIES, 'put goes on returning false for the version that get returned');
        const { value, version } = await found(store, key);
        const next = String(Number(value) + 1);
        if (await store.put(key, next, { ifVersion: version, expiresAt: inAnHour() })) done += 1;
      }
    };
    await Promise.all(stores.map(add));
    const { value } = await found(await open(), key);
    const expected = stores.length * ROUNDS;
    expect(Number(value) === expected, `updates were lost: ${value} of ${expected} are left`);
  }],
  ['what another process has written', async (open, key) => {
    const [writer, reader] = [await open(), await open()];
    let version: Version | undefined;
    const versions = new Set<Version>();
    for (let round = 0; round < 20; round += 1) {
      expect(await writer.put(key, `${round}`, { ifVersion: version, expiresAt: inAnHour() }) === true, 'put must return true');
      const current = await found(reader, key);
      expect(current.value === `${round}`, 'get returned an older value than the last one: it must not read from a replica or a cache');
      version = current.version;
      expect(!versions.has(version), 'the version must change with every write, also within one millisecond');
      versions.add(version);
    }
  }],
  ['the longest key and a long value', async (open, key) => {
    const store = await open();
    const longest = key.padEnd(70, '0');
    const value = `${'-_aZ09'.repeat(70_000)}x`;
    expect(await store.put(longest, value, { ifVersion: undefined, expiresAt: inAnHour() }) === true, 'put must return true');
    expect((await found(store, longest)).value === value, `a value of ${value.length} characters was changed`);
    const other = await store.get(`${longest.slice(0, -1)}1`);
    expect(other === null || other === undefined, 'keys that differ in the last character have the same value');
  }],
  ['an upper-case value', async (open, key) => {
    const store = await open();
    await store.put(key, 'aB', { ifVersion: undefined, expiresAt: inAnHour() });
    expect((await found(store, key)).value === 'aB', 'the case of a value was changed');
  }],
  ['a value that expires in ten years', async (open, key) => {
    const store = await open();
    const expiresAt = new Date(Date.now() + 10 * 365 * 24 * HOUR);
    await store.put(key, 'one', { ifVersion: undefined, expiresAt });
    expect((await found(store, key)).value === 'one', 'a value was deleted before expiresAt');
  }],
  ['a later expiry', async (open, key) => {
    const store = await open();
    // Where the database is slow the first write expires before the second one; then it lives for longer.
    for (let ttl = 1_000; ; ttl *= 2) {
      const place = `${key}${ttl}`;
      const expiresAt = new Date(Date.now() + ttl);
      await store.put(place, 'one', { ifVersion: undefined, expiresAt });
      const first = await store.get(place);
      const isReplaced = first && await store.put(place, 'two', { ifVersion: first.version, expiresAt: inAnHour() }) === true;
      if (!isReplaced && Date.now() >= expiresAt.getTime() && ttl < 60_000) continue;
      expect(first !== null && first !== undefined, 'get does not find what put has written');
      expect(isReplaced === true, 'put must return true');
      await sleep(expiresAt.getTime() + 1_500 - Date.now());
      expect((await found(store, place)).value === 'two', 'the expiry of an earlier write was kept');
      return;
    }
  }],
  ['a write over an expired value', async (open, key) => {
    const store = await open();
    // Where the database is slow it is not found in time; then it lives for longer.
    for (let ttl = 1_000; ; ttl *= 2) {
      const place = `${key}${ttl}`;
      const expiresAt = new Date(Date.now() + ttl);
      await store.put(place, 'one', { ifVersion: undefined, expiresAt });
      const before = await store.get(place);
      if (!before && Date.now() >= expiresAt.getTime() && ttl < 60_000) continue;
      expect(before !== null && before !== undefined, 'get does not find what put has written');
      await sleep(expiresAt.getTime() + 1_500 - Date.now());
      await checkExpired(store, place, before.version);
      return;
    }
  }],
  ['sessions', async (open) => {
    const user = `test ${randomUUID()}`;
    const secret = `${randomUUID()}${randomUUID()}`;
    const auths = await Promise.all([1, 2].map(async () => createAuth({ secret, store: custom(await open()) })));
    const [one, two] = auths as [ReturnType<typeof createAuth>, ReturnType<typeof createAuth>];
    const first = await one.login(user);
    const refreshes = Array.from({ length: 20 }, (_, at) => (at % 2 ? one : two).refresh(first.refreshToken));
    const children = new Set((await Promise.all(refreshes)).map((pair) => pair.refreshToken));
    expect(children.size === 1, `one refresh token had ${children.size} children`);
    const second = await two.login(user);
    const live = async (auth: typeof one) => (await auth.sessions(user)).filter(({ state }) => state === 'live').length;
    expect(await live(one) === 2, 'a session is missing');
    await one.logout(second.refreshToken);
    expect(await live(two) === 1, 'a session is live after its logout');
  }],
];

/** The database may return an expired value or not, but `get` and `put` must agree about it. */
async function checkExpired(store: KeyValueStore, key: string, version: Version): Promise<void> {
  let expired = await store.get(key);
  if (expired !== null && expired !== undefined) {
    if (await store.put(key, 'two', { ifVersion: expired.version, expiresAt: inAnHour() }) === true) return;
    // Deleted in between?
    expired = await store.get(key);
    expect(expired === null || expired === undefined, 'get returns an expired value that put does not replace');
  }
  const again = await store.put(key, 'two', { ifVersion: undefined, expiresAt: inAnHour() });
  expect(again === true, 'get returns nothing for an expired value, but put without ifVersion returns false');
  const old = await store.put(key, 'three', { ifVersion: version, expiresAt: inAnHour() });
  expect(old === false, 'the version of a deleted value came back: begin with the time, not with 1');
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** As several processes would. */
async function openAll(open: Open): Promise<KeyValueStore[]> {
  return Promise.all(Array.from({ length: 8 }, () => open()));
}
