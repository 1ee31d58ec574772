/** Sessions in any database, through two functions of the app. */
import type { Catalog } from './catalog.cjs';

/** The version of a value, as the database keeps it. */
export type Version = string | number | bigint;

/** A value and its version. */
export interface VersionedValue {
  /** The value, as it was written. */
  readonly value: string;
  /** Its version. */
  readonly version: Version;
}

/** When {@link KeyValueStore.put} may write. */
export interface PutOptions {
  /** Write only if the value still has this version; `undefined`: only if the key has no value. */
  readonly ifVersion: Version | undefined;
  /** The value may be deleted after this time, and not before. */
  readonly expiresAt: Date;
}

/**
 * A database that can write a value if nobody else has written it since it was read.
 *
 * A write that was acknowledged must be durable, and every later `get` must see it: do not read from a replica. The
 * version must change with every write and not come back, not even after the value was deleted: begin with the time and
 * add 1 with every write. Check yours with `testStore` of `regrant/testing`.
 */
export interface KeyValueStore {
  /**
   * Reads the value of a key, nothing if there is none. An expired value may be returned or not.
   *
   * @param key - At most 70 characters: lower-case letters, digits and `:`.
   */
  get(key: string): Promise<VersionedValue | null | undefined>;
  /**
   * Writes a value if its version allows it, in one step that no other write can come between. Returns whether it was
   * written. What it throws means that it is not known.
   *
   * @param value - ASCII text without spaces; for each session of a user, live or ended (up to twice `refresh.maxSessions`),
   * some 190 characters, with the address and user agent of its requests (`refresh.recordClients`) 400 to 800, and with claims
   * of `updateSession` up to 7 KB. For the key `feed` up to 650 KB.
   */
  put(key: string, value: string, options: PutOptions): Promise<boolean>;
}

/** What {@link custom} returns, for the option `store`. */
export class CustomStore {
  readonly #store: KeyValueStore;

  /** @internal */
  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  /** @internal The store as the core calls it: JSON text in and out, also for what is thrown. */
  call(): (call: string) => Promise<string> {
    const store = this.#store;
    return async (text) => {
      try {
        return JSON.stringify(await perform(store, JSON.parse(text) as Call));
      } catch (thrown) {
        return JSON.stringify({ failed: reasonOf(thrown) });
      }
    };
  }
}

/** The message of what was thrown. Node.js leaves that of an error with several causes empty. */
function reasonOf(thrown: unknown): string {
  const { message, code, name } = Object(thrown) as Partial<NodeJS.ErrnoException>;
  return String(message || code || name || (typeof thrown === 'string' && thrown) || 'the custom store failed');
}

/**
 * Keeps sessions in a database of the app.
 *
 * ```ts
 * const auth = createAuth({ secret, store: custom({ get, put }) });
 * ```
 */
export function custom(store: KeyValueStore): CustomStore {
  const functions = store as Partial<KeyValueStore> | null | undefined;
  if (typeof functions?.get !== 'function' || typeof functions.put !== 'function') {
    throw new TypeError('custom() expects an object with the functions get and put');
  }
  return new CustomStore(store);
}

/** The option `store` as text for the core, and as a function. */
export function storeOf(store: unknown, catalog: Catalog) {
  if (store instanceof CustomStore) return { url: 'custom:', call: store.call() };
  if (store === undefined || typeof store === 'string') return { url: store, call: undefined };
  throw catalog.configInvalid('store', 'must be an address, or what custom() returns');
}

type Call =
  | { get: { key: string } }
  | { put: { key: string; value: string; ifVersion: string | null; expiresAt: number } };

const ABSENT = 'absent';

async function perform(store: KeyValueStore, call: Call): Promise<object | typeof ABSENT> {
  if ('get' in call) {
    const found: unknown = await store.get(call.get.key);
    if (found === null || found === undefined) return ABSENT;
    const { value, version } = found as Partial<VersionedValue>;
    if (typeof value !== 'string') throw new TypeError('get must return { value, version } with the value as it was written');
    return { found: { value, version: encodeVersion(version) } };
  }
  const { key, value, ifVersion, expiresAt } = call.put;
  const version = ifVersion === null ? undefined : decodeVersion(ifVersion);
  const written: unknown = await store.put(key, value, { ifVersion: version, expiresAt: new Date(expiresAt) });
  if (typeof written !== 'boolean') throw new TypeError('put must return true or false');
  return { written };
}

function encodeVersion(version: unknown): string {
  if (typeof version === 'bigint') return `n${version}`;
  if (typeof version === 'number' && Math.abs(version) > Number.MAX_SAFE_INTEGER) {
    throw new TypeError('the version is beyond 2^53, where JavaScript rounds numbers: return it as a string or a bigint');
  }
  if (typeof version === 'string' || Number.isFinite(version)) return `j${JSON.stringify(version)}`;
  throw new TypeError('the version must be a string, a number or a bigint');
}

function decodeVersion(text: string): Version {
  return text.startsWith('n') ? BigInt(text.slice(1)) : (JSON.parse(text.slice(1)) as Version);
}
