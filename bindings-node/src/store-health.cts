/** How the store is doing, for operators. */

/** What a warning is about; see its `text` for what to do. */
export type StoreWarningCode =
  /** It does not answer, or is not used as it is. */
  | 'unreachable'
  /** The server may evict live sessions. */
  | 'evicting_policy'
  /** Fewer replicas are connected than logins and revocations wait for. */
  | 'no_replica'
  /** A restart of the server ends all sessions. */
  | 'no_persistence'
  /** What is stored is damaged. */
  | 'damaged'
  /** The server hides what the report is about from this user. */
  | 'not_allowed';

/** Something that an operator should know. */
export interface StoreWarning {
  /** What it is about. */
  readonly code: StoreWarningCode;
  /** The server that it is about: `host:port`. */
  readonly server?: string;
  /** For people. */
  readonly text: string;
}

/** One server of the store. What it did not say is `null`. */
export interface ServerHealth {
  /** `host:port`. */
  readonly address: string;
  /** Whether it answers. */
  readonly reachable: boolean;
  /** How long it took to answer, in milliseconds. */
  readonly roundTripMs: number | null;
  /** The version of its software. */
  readonly version: string | null;
  /** Whether it takes writes (`master`) or follows one that does. */
  readonly role: 'master' | 'replica' | null;
  /** How many replicas are connected to it. */
  readonly replicas: number | null;
  /** What survives its restart: all (`aof`), all but the last minutes (`rdb`), or nothing. */
  readonly persistence: 'aof' | 'rdb' | 'none' | null;
  /** Its `maxmemory-policy`. */
  readonly evictionPolicy: string | null;
}

/** How the store is doing at one moment. */
export interface StoreHealth {
  /** Which kind of store. */
  readonly store: 'memory' | 'file' | 'redis' | 'other';
  /** Whether all of it answers. */
  readonly reachable: boolean;
  /** How long it took to answer, in milliseconds; of several servers the slowest. */
  readonly roundTripMs: number | null;
  /** How the servers of Redis belong together. */
  readonly layout?: 'standalone' | 'sentinel' | 'cluster';
  /** The servers of Redis that take writes. */
  readonly servers?: readonly ServerHealth[];
  /** What an operator should know; empty when all is well. */
  readonly warnings: readonly StoreWarning[];
}
