// One process of an app with a recipe of docs/recipes/custom-stores as its store: runs calls received over IPC.
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuth, custom } from 'regrant';
import { SECRET } from '../support/auth.mjs';
import { stores } from './stores.mjs';

const [name, url] = process.argv.slice(2);
const { store } = await stores[name](url);
const auth = createAuth({ secret: SECRET, store: custom(store) });

/** How long the traffic may go on without a refresh before the test fails. */
const GIVE_UP_AFTER = 300_000;
let stopped = false;
let traffic;

/** Somebody who refreshes without a pause, and again after an error that says so. */
async function somebody(user, counts) {
  let { refreshToken } = await patiently(() => auth.login(user), counts);
  let afterStop = 0;
  while (afterStop < 2) {
    const token = refreshToken;
    ({ refreshToken } = await patiently(() => auth.refresh(token), counts));
    counts.refreshes += 1;
    if (stopped) afterStop += 1;
  }
}

/** As clients do: a busy or killed database is no reason to sign in again. */
async function patiently(call, counts = { retries: 0 }) {
  for (const since = Date.now(); ; await sleep(50)) {
    try {
      return await call();
    } catch (error) {
      if (error.advice !== 'retry' || Date.now() - since > GIVE_UP_AFTER) throw error;
      counts.retries += 1;
    }
  }
}

const calls = {
  login: (user) => patiently(() => auth.login(user)),
  refresh: async (token, times = 1) => {
    const pairs = await Promise.all(Array.from({ length: times }, () => patiently(() => auth.refresh(token))));
    return pairs.map(({ refreshToken }) => refreshToken);
  },
  verify: (token) => auth.verifyAccess(token).subject,
  logout: (token) => patiently(() => auth.logout(token)),
  startTraffic(users) {
    const counts = { refreshes: 0, retries: 0 };
    traffic = Promise.all(users.map((user) => somebody(user, counts))).then(() => counts);
    traffic.catch(() => {});
  },
  /** Ends when everybody has refreshed twice more. */
  endTraffic() {
    stopped = true;
    return traffic;
  },
};

process.on('message', async ({ id, call, args }) => {
  try {
    process.send({ id, value: await calls[call](...args) });
  } catch (error) {
    process.send({ id, code: error.code ?? String(error.stack) });
  }
});
process.send({ ready: true });
