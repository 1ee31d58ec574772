/** The health of the store. */

/** The code of a warning; its `text` says what to do. */
export type StoreWarningCode =
  /** A server is unreachable, or refused because of its settings. */
  | 'unreachable'
  /** The server may evict live sessions. */
  | 'evicting_policy'
  /** Fewer replicas are connected than logins and revocations wait for. */
  | 'no_replica'
  /** A restart of the server loses all sessions. */
  | 'no_persistence'
  /** The data is damaged. */
  | 'damaged'
  /** The user may not read the server's state. */
  | 'not_allowed';

/** A warning for operators. */
export interface StoreWarning {
  /** The code. */
  readonly code: StoreWarningCode;
  /** The server: `host:port`. */
  readonly server?: string;
  /** The message. */
  readonly text: string;
}

/** A server of the store. Unknown values are `null`. */
export interface ServerHealth {
  /** `host:port`. */
  readonly address: string;
  /** Whether it is reachable. */
  readonly reachable: boolean;
  /** The round trip, in milliseconds. */
  readonly roundTripMs: number | null;
  /** The version of the server. */
  readonly version: string | null;
  /** `master` accepts writes. */
  readonly role: 'master' | 'replica' | null;
  /** The number of connected replicas. */
  readonly replicas: number | null;
  /** What survives a restart: everything (`aof`), all but the last minutes (`rdb`), or nothing. */
  readonly persistence: 'aof' | 'rdb' | 'none' | null;
  /** Its `maxmemory-policy`. */
  readonly evictionPolicy: string | null;
}

/** A health report. */
export interface StoreHealth {
  /** The type of store. */
  readonly store: 'memory' | 'file' | 'redis' | 'other';
  /** Whether all servers are reachable. */
  readonly reachable: boolean;
  /** The round trip to the slowest server, in milliseconds. */
  readonly roundTripMs: number | null;
  /** The topology of Redis. */
  readonly layout?: 'standalone' | 'sentinel' | 'cluster';
  /** The Redis servers that accept writes. */
  readonly servers?: readonly ServerHealth[];
  /** Warnings; empty if the store is healthy. */
  readonly warnings: readonly StoreWarning[];
}
