// Key rotation under load in two processes: add, activate, retire; no request is rejected.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAuth } from 'regrant';
import { testAuth, withCode } from './support/auth.mjs';
import { startTwo } from './support/processes.mjs';

const program = new URL('rotation/process.mjs', import.meta.url);

const OLD = 'the secret of before, of at least 32 bytes';
const NEW = 'the secret from now on, of 32 bytes or more';
const REFRESH = ['the refresh secret of before, 32 bytes or more', 'the refresh secret from now on, 32 bytes or more'];
const USERS = 16;

const privateKey = () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
const [A, B] = [{ alg: 'EdDSA', kid: 'a', privateKey: privateKey() }, { alg: 'Ed25519', kid: 'b', privateKey: privateKey() }];

/** The configuration of each step. */
const rotations = {
  'one secret': {
    before: { secret: OLD },
    add: { secret: OLD, previousSecrets: [NEW] },
    activate: { secret: NEW, previousSecrets: [OLD] },
    retire: { secret: NEW },
  },
  'key pairs and a refresh secret': {
    before: { keys: [A], refreshSecret: REFRESH[0] },
    add: { keys: [{ ...A, active: true }, B], refreshSecret: REFRESH[0], previousRefreshSecrets: [REFRESH[1]] },
    activate: { keys: [A, { ...B, active: true }], refreshSecret: REFRESH[1], previousRefreshSecrets: [REFRESH[0]] },
    retire: { keys: [B], refreshSecret: REFRESH[1] },
  },
};
const ways = {
  'with setKeys': (processes, which, keys) => processes.call(which, 'setKeys', keys),
  'by a rolling restart': (processes, which, keys, config) => processes.replace(which, [JSON.stringify({ ...config, ...keys })]),
};

/** A user under load: each round refreshes at one process and verifies the access token at both. */
async function use(processes, user) {
  let pair = await processes.call(user.number % 2, 'login', user.name);
  user.first = pair;
  for (let round = 0; !user.over; round += 1) {
    for (const which of [0, 1, round % 2]) {
      assert.equal(await processes.call(which, 'verify', pair.access), user.name);
    }
    pair = await processes.call((user.number + round) % 2, 'refresh', pair.refresh);
    user.rounds += 1;
    user.onRound();
  }
}

/** Waits until every user has completed `more` further rounds. */
function rounds(users, more) {
  const goals = users.map((user) => user.rounds + more);
  return new Promise((resolve) => {
    const check = () => users.every((user, at) => user.rounds >= goals[at]) && resolve();
    for (const user of users) user.onRound = check;
    check();
  });
}

for (const [kind, steps] of Object.entries(rotations)) {
  for (const [way, exchange] of Object.entries(ways)) {
    test(`${kind}, ${way}`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'regrant-rotation-'));
      t.after(() => rm(folder, { recursive: true }));
      const config = { store: `file:${join(folder, 'sessions.db')}` };
      const processes = await startTwo(program, [JSON.stringify({ ...config, ...steps.before })]);
      t.after(() => processes.end());
      const users = Array.from({ length: USERS }, (_, number) => ({ number, name: `user-${number}`, rounds: 0, onRound: () => {} }));
      const all = Promise.all(users.map((user) => use(processes, user)));
      const whileUsersRun = (step) => Promise.race([step, all.then(() => assert.fail('the users stopped'))]);
      for (const step of ['add', 'activate', 'retire']) {
        for (const which of [0, 1]) {
          // Two rounds after a key was replaced everywhere, no token of that key is in use.
          await whileUsersRun(rounds(users, 2));
          await whileUsersRun(exchange(processes, which, steps[step], config));
        }
      }
      await whileUsersRun(rounds(users, 2));
      for (const user of users) user.over = true;
      await all;
      for (const which of [0, 1]) {
        await assert.rejects(processes.call(which, 'verify', users[0].first.access), /ERR_(SIGNATURE_INVALID|KEY_NOT_FOUND|ALG_NOT_ALLOWED)/);
        await assert.rejects(processes.call(which, 'refresh', users[0].first.refresh), { code: 'ERR_SIGNATURE_INVALID' });
      }
      t.diagnostic(`${users.reduce((sum, { rounds: done }) => sum + done, 0)} rounds of ${USERS} users`);
    });
  }
}

test('without the add step, other processes reject tokens of the new key', async () => {
  const { before, activate } = rotations['one secret'];
  const [{ auth: one }, { auth: other }] = [testAuth(before), testAuth(before)];
  one.setKeys(activate);
  const { accessToken } = await one.login('user-1');
  assert.equal(one.verify(accessToken).sub, 'user-1');
  assert.throws(() => other.verify(accessToken), withCode('ERR_SIGNATURE_INVALID'));
});

test('a cached token is rejected after its key is retired, and other tokens do not get its claims', async () => {
  const { before, activate, retire } = rotations['one secret'];
  const { auth } = testAuth(before);
  const [one, two] = [await auth.login('user-1'), await auth.login('user-2')];
  for (const _ of [1, 2, 3]) {
    assert.equal(auth.verify(one.accessToken).sub, 'user-1');
    assert.equal(auth.verify(two.accessToken).sub, 'user-2');
  }
  auth.setKeys(activate);
  const three = await auth.login('user-3');
  for (const _ of [1, 2, 3]) {
    assert.equal(auth.verify(three.accessToken).sub, 'user-3');
    assert.equal(auth.verify(one.accessToken).sub, 'user-1');
  }
  auth.setKeys(retire);
  for (const _ of [1, 2, 3]) {
    assert.throws(() => auth.verify(one.accessToken), withCode('ERR_SIGNATURE_INVALID'));
    assert.equal(auth.verifyAccess(three.accessToken).subject, 'user-3');
  }
});

test('setKeys with invalid keys changes nothing', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  const refused = (keys, field) => assert.throws(() => auth.setKeys(keys), { code: 'ERR_CONFIG_INVALID', field });
  refused({}, 'secret');
  refused({ secret: 'short' }, 'secret');
  refused({ secret: NEW, previousSecrets: [OLD, 'short'] }, 'previousSecrets[1]');
  refused({ secret: NEW, store: 'memory:' }, 'store');
  refused({ keys: [B] }, 'refreshSecret');
  refused({ secret: () => 1 }, 'secret');
  assert.equal(auth.verify(accessToken).sub, 'user-1');
});

test('jwks returns the current keys', () => {
  const { before, add, retire } = rotations['key pairs and a refresh secret'];
  const auth = createAuth({ ...before, store: 'memory:' });
  const names = () => auth.jwks().keys.map(({ kid }) => kid).sort();
  assert.deepEqual(names(), ['a']);
  auth.setKeys(add);
  assert.deepEqual(names(), ['a', 'b']);
  auth.setKeys(retire);
  assert.deepEqual(names(), ['b']);
});
