// The core's schedules, `tests/vectors/client/traces.json`: the machine of the client does the same in all of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const { createMachine, tokenTimes } = createRequire(import.meta.url)('../../dist/client/machine.cjs');
const traces = JSON.parse(readFileSync(new URL('../../../tests/vectors/client/traces.json', import.meta.url), 'utf8'));

/** The core's random numbers (SplitMix64), from 0 to 1. */
function randomOf(seed) {
  const MASK = (1n << 64n) - 1n;
  let state = BigInt(seed);
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK;
    let bits = state;
    bits = ((bits ^ (bits >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
    bits = ((bits ^ (bits >> 27n)) * 0x94d049bb133111ebn) & MASK;
    bits ^= bits >> 31n;
    return Number(bits >> 32n) / 2 ** 32;
  };
}

const present = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null && value !== undefined));

/** A pair from the core's stored form. */
function pairOf({ accessToken, refreshToken, lifetimeMs, issuedAt, expiresAt, skewMs }) {
  return present({ access: accessToken, refresh: refreshToken, lifetime: lifetimeMs, issuedAt, expiresAt, skew: skewMs });
}

const isPair = (value) => value?.accessToken !== undefined;

/** An event with the names of the client. */
function eventOf([kind, first, second]) {
  if (isPair(second)) return [kind, first, pairOf(second)];
  if (second?.granted) {
    const { access, lifetime, date, ...granted } = present(second.granted);
    return [kind, first, { granted: { ...tokenTimes(access, lifetime), ...granted }, date }];
  }
  if (second?.failure) return [kind, first, present(second)];
  return [kind, first, second === 'failed' ? undefined : second];
}

/** An action with the names of the core. */
function actionOf([kind, first, second, third]) {
  if (kind === 'state') return [];
  if (kind === 'send') return [['send', first, second.refresh]];
  if (kind === 'write') return [second ? ['write', first, present({ ...second, user: undefined, subject: undefined })] : ['clear', first]];
  if (kind !== 'reply') return [[kind, ...(first === undefined ? [] : [first])]];
  if (!third) return [second === undefined ? ['done', first] : ['give', first, second]];
  return ['retryAfter' in third ? ['fail', first, third.reason, third.retryAfter] : ['fail', first, third.reason]];
}

const expectedOf = (action) => (action[0] === 'write' ? ['write', action[1], pairOf(action[2])] : action);

test('the client does what the core does in all schedules', (t) => {
  const actions = {};
  let steps = 0;
  for (const { seed, steps: schedule } of traces) {
    const machine = createMachine(randomOf(seed));
    for (const [index, { at: [monotonic, wall], event, actions: expected, state, wakeAt }] of schedule.entries()) {
      const where = `schedule ${seed}, step ${index}: ${JSON.stringify(event)}`;
      const done = machine.handle(monotonic, wall, eventOf(event)).flatMap(actionOf);
      assert.deepEqual(done, expected.map(expectedOf), where);
      assert.equal(machine.held() ? 'signed_in' : machine.over()?.reason ?? 'unknown', state, where);
      assert.equal(machine.wakeAt(), wakeAt ?? Infinity, where);
      for (const [kind] of done) actions[kind] = (actions[kind] ?? 0) + 1;
      steps++;
    }
  }
  t.diagnostic(`${steps} steps, ${JSON.stringify(actions)}`);
  for (const kind of ['give', 'fail', 'done', 'lock', 'unlock', 'read', 'write', 'clear', 'send']) assert.ok(actions[kind] > 50, kind);
});

test('a write that was reported as failed but has succeeded is not repeated, also if the refresh token stays', () => {
  const machine = createMachine(() => 0);
  const handle = (at, event) => machine.handle(at, at, event).map(([kind]) => kind).filter((kind) => kind !== 'state');
  const stored = { access: 'a1', refresh: 'r1', lifetime: 60_000 };
  handle(0, ['renew', 'caller', 'a1']);
  assert.deepEqual(handle(1, ['report', 1, stored]), ['lock']);
  assert.deepEqual(handle(2, ['report', 2, true]), ['read']);
  assert.deepEqual(handle(3, ['report', 3, stored]), ['send']);
  // No refresh token: the one that was sent stays valid.
  assert.deepEqual(handle(4, ['report', 4, { granted: { ...tokenTimes('a2', 60_000) } }]), ['read']);
  const [[kind, ticket, pair]] = machine.handle(5, 5, ['report', 5, stored]);
  assert.deepEqual([kind, pair.access, pair.refresh], ['write', 'a2', 'r1']);
  assert.deepEqual(handle(6, ['report', ticket, undefined]), []);
  assert.deepEqual(handle(1_000, ['tick']), ['read']);
  assert.deepEqual(handle(1_001, ['report', ticket + 1, { ...pair }]), ['reply', 'unlock'], 'no second write');
});
