// What every recipe of docs/custom-stores.md must do over its database.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { testStore } from 'regrant/testing';
import { startTwo } from '../support/processes.mjs';
import { compareWithMemory } from './histories.mjs';
import { stores } from './stores.mjs';

const program = new URL('process.mjs', import.meta.url);
/** How long a logout may take to reach another process. */
const REACHES_WITHIN = 10_000;
const DOWN_FOR = 1_000;

/**
 * @param {string} name - One of `stores`.
 * @param {(t: { after: (hook: () => unknown) => void }) => Promise<{ url: string, kill?: () => Promise<void>, restart?: () => Promise<void> }>} start
 * Starts an empty database. One without `kill` is part of the processes, which are killed in its place.
 */
export function checkRecipe(name, start) {
  suite(name, () => {
    /** What to do in the end, the last first: connections end before the server. */
    const ends = [];
    let database;
    let processes;
    const open = async () => {
      const opened = await stores[name](database.url);
      ends.push(opened.end);
      return opened;
    };
    before(async () => {
      database = await start({ after: (end) => ends.push(end) });
      await (await open()).migrate();
      processes = await startTwo(program, [name, database.url]);
      ends.push(() => Promise.all([0, 1].map(processes.kill)));
    });
    after(async () => {
      for (const end of ends.reverse()) await end();
    });

    test('passes testStore', () => testStore(async () => (await open()).store));

    test('random histories get the responses of the memory store', () => compareWithMemory(async () => (await open()).store));

    test('50 refreshes of one token in two processes have one child', async () => {
      const { call } = processes;
      let { refreshToken } = await call(0, 'login', 'alice');
      for (let round = 0; round < 10; round += 1) {
        const parent = refreshToken;
        const children = (await Promise.all([0, 1].map((which) => call(which, 'refresh', parent, 25)))).flat();
        assert.equal(children.length, 50);
        assert.equal(new Set(children).size, 1);
        [refreshToken] = children;
      }
    });

    test('a logout reaches the other process', async () => {
      const { call } = processes;
      const { accessToken, refreshToken } = await call(0, 'login', 'bob');
      assert.equal(await call(1, 'verify', accessToken), 'bob');
      await call(0, 'logout', refreshToken);
      for (const since = Date.now(); ; await sleep(50)) {
        const code = await call(1, 'verify', accessToken).then(() => undefined, (error) => error.code);
        if (code === 'ERR_ACCESS_REVOKED') break;
        assert.equal(code, undefined);
        assert.ok(Date.now() - since < REACHES_WITHIN, 'the logout does not arrive');
      }
    });

    test('a crash signs nobody out and forgets no logout', async () => {
      const { call, kill } = processes;
      const [gone, kept] = await Promise.all(['gone', 'kept'].map((user) => call(0, 'login', user)));
      const users = (which) => Array.from({ length: 10 }, (_, at) => `user-${which}-${at}`);
      await Promise.all([0, 1].map((which) => call(which, 'startTraffic', users(which))));
      await sleep(DOWN_FOR);
      await call(0, 'logout', gone.refreshToken);
      if (database.kill) {
        await database.kill();
        await sleep(DOWN_FOR);
        await database.restart();
      } else {
        await kill(0);
      }
      for (const which of database.kill ? [0, 1] : [1]) {
        const { refreshes, retries } = await call(which, 'endTraffic');
        assert.ok(refreshes > 0);
        if (database.kill) assert.ok(retries > 0);
      }
      assert.equal((await call(1, 'refresh', kept.refreshToken)).length, 1);
      await assert.rejects(call(1, 'refresh', gone.refreshToken), { code: 'ERR_SESSION_REVOKED' });
    });
  });
}
