/** What the tabs of one origin share: the lock for refreshes and the news about tokens. */
import type { Pair, SignedOut } from './machine.cjs';

/** How long a refresh request may take. */
export const REQUEST_TIMEOUT = 30_000;
/** Timers of hidden tabs may be this late. */
const THROTTLING = 60_000;
/** How long a lock is held at most: a tab that holds it for longer does not run any more. */
const MAX_HOLD = REQUEST_TIMEOUT + THROTTLING + 10_000;
/** How often a lease is looked at. */
const POLL = 200;

/** `localStorage` of a page; absent outside of pages, and where storage is blocked, because reading the property throws then. */
export function pageStorage(): Storage | undefined {
  try {
    return globalThis.document && localStorage;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock `name` and returns how to release it. It is a Web Lock, or on plain HTTP a lease in `localStorage`, or none in an
 * app of one process. `onLost` is called if another tab takes it by force.
 */
export async function takeLock(name: string, onLost: () => void): Promise<() => void> {
  const locks = globalThis.navigator?.locks;
  const storage = pageStorage();
  if (!locks) return storage ? takeLease(storage, name) : () => {};
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), MAX_HOLD);
  const request = (options: LockOptions) =>
    new Promise<() => void>((granted, failed) => {
      locks.request(name, options, () => new Promise<void>(granted)).catch((error) => {
        failed(error);
        onLost();
      });
    });
  return request({ signal: controller.signal })
    .catch(() => request({ steal: true }))
    .finally(() => clearTimeout(timer));
}

/** The server's grace period covers two tabs that see the lease free at the same moment. */
async function takeLease(storage: Storage, name: string): Promise<() => void> {
  const mine = String(Math.random());
  const release = () => storage.getItem(name) === mine && storage.removeItem(name);
  // Also while it is not confirmed.
  addEventListener('pagehide', release);
  let holder: string | null | undefined;
  // Counted, because a clock goes on while the device sleeps.
  for (let waited = 0; ; waited += POLL) {
    const current = storage.getItem(name);
    // Still there after the others could see it.
    if (current === mine) return release;
    if (current !== holder) waited = 0;
    if (!current || waited > MAX_HOLD) storage.setItem(name, mine);
    else holder = current;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** What a tab tells the others. */
export type News = Pair | SignedOut;

/**
 * Joins the tabs that share a session, and returns how to tell them news, or how to ask for them by telling nothing.
 * `own` is the pair to answer with.
 */
export function joinTabs(name: string, own: () => Pair | undefined, onNews: (news: News) => void): ((news?: News) => void) | undefined {
  if (!globalThis.BroadcastChannel) return undefined;
  const channel: BroadcastChannel & { unref?(): void } = new BroadcastChannel(name);
  // Node.js: does not keep the process alive.
  channel.unref?.();
  const tell = (news?: News) => channel.postMessage(news);
  channel.onmessage = ({ data }: { data?: News }) => {
    if (data) onNews(data);
    else if (own()) tell(own());
  };
  return tell;
}
