// This version reads the data of earlier versions and logs nobody out: tests/vectors/upgrade.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestClock, createAuth } from 'regrant';
import { claimsOf, withCode } from './support/auth.mjs';
import { startRedis } from './support/redis.mjs';

const VECTORS = new URL('../../tests/vectors/', import.meta.url);
const FIXTURES = new URL('upgrade/0.1.0/', VECTORS);
const read = (name) => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8'));

/** A store written by an earlier version. `copy()` creates a fresh copy, and its `auth(config)` opens it. */
async function openFixture(t, kind) {
  const expected = read(`${kind}/expected.json`);
  const { commands } = read(kind === 'file' ? 'file/legacy-redis.json' : 'redis/data.json');
  const folder = await mkdtemp(join(tmpdir(), 'regrant-upgrade-'));
  t.after(() => rm(folder, { recursive: true }));
  const redis = await startRedis(t);
  let copies = 0;

  async function copy() {
    copies += 1;
    const clock = new TestClock(expected.now);
    // All copies share one Redis with a key prefix each. Only the first has the original prefix.
    const prefix = copies === 1 ? 'regrant:' : `copy-${copies}:`;
    await load(redis, commands, prefix);
    let store = redis.url;
    if (kind === 'file') {
      const path = join(folder, `${copies}.db`);
      await copyFile(new URL('file/sessions.db', FIXTURES), path);
      store = `file:${path}`;
    }
    const auth = (name) => {
      const { migrate, ...config } = expected.configs[name];
      const legacy = migrate && { migrate: { ...migrate, store: redis.url } };
      return createAuth({ ...config, ...legacy, store, redis: { prefix }, clock });
    };
    return { auth, clock };
  }
  return { expected, copy };
}

/** Runs the commands of a fixture, with `prefix` instead of `regrant:`. */
async function load(redis, commands, prefix) {
  const bytes = (word) => (typeof word === 'string' ? Buffer.from(word) : Buffer.from(word.hex, 'hex'));
  const own = Buffer.from('regrant:');
  const encoded = commands.map(([name, key, ...rest]) => {
    let place = bytes(key);
    if (place.subarray(0, own.length).equals(own)) place = Buffer.concat([Buffer.from(prefix), place.subarray(own.length)]);
    const words = [Buffer.from(name), place, ...rest.map(bytes)];
    const parts = words.flatMap((word) => [Buffer.from(`$${word.length}\r\n`), word, Buffer.from('\r\n')]);
    return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
  });
  const child = spawn('redis-cli', ['-p', String(redis.port), '--pipe'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(Buffer.concat(encoded));
  const [code] = await once(child, 'close');
  assert.equal(code, 0, 'redis-cli loads the fixture');
}

/** A DPoP proof by the key of the bound session, for a refresh or for the given access token. */
function proofOf({ origin, method, path, key }, clock, token) {
  const privateKey = createPrivateKey(key);
  const { kty, crv, x, y } = createPublicKey(privateKey).export({ format: 'jwk' });
  const claims = { jti: randomUUID(), htm: method, htu: origin + path, iat: Math.floor(clock.now() / 1000) };
  if (token) claims.ath = createHash('sha256').update(token).digest('base64url');
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } })}.${encode(claims)}`;
  const signature = sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return { proof: `${input}.${signature.toString('base64url')}`, method, path };
}

/**
 * Waits for the first read of the revocation feed. Before it, a rejection might come from the store, which receives
 * access-token uses and replies that the session is revoked.
 */
async function feedWasRead(auth) {
  await until('the feed is read', () => auth.feedLag !== null);
}

async function until(what, condition) {
  for (const end = Date.now() + 60_000; !condition(); await sleep(5)) assert.ok(Date.now() < end, `timed out: ${what}`);
}

/** Access tokens whose first use is reported to the store in the background: the grace begins when a report arrives. */
class ReportedUses {
  #auth;
  #before;
  #uses = new Set();

  constructor(auth) {
    this.#auth = auth;
    this.#before = this.#delivered();
  }

  #delivered() {
    const { values } = this.#auth.metricsSnapshot().find(({ name }) => name === 'regrant_store_operation_seconds');
    return values.find(({ labels: { operation, outcome } }) => operation === 'confirm' && outcome === 'ok')?.count ?? 0;
  }

  add(token) {
    const { sid, gen, brn } = claimsOf(token);
    if (sid !== undefined) this.#uses.add([sid, gen, brn].join());
  }

  delivered() {
    return until('the uses are reported', () => this.#delivered() >= this.#before + this.#uses.size);
  }
}

/** Checks the result of verifying an access token. */
function checkAccess(auth, { access, subject, sessionId }, answer, what) {
  if (answer !== 'ok') return assert.throws(() => auth.verifyAccess(access), withCode(answer), what);
  const verified = auth.verifyAccess(access);
  assert.deepEqual([verified.subject, verified.sessionId ?? null], [subject, sessionId], what);
}

async function runScenario({ expected, copy }, { name, config, steps }) {
  const { auth: over, clock } = await copy();
  const auth = over(config);
  await feedWasRead(auth);
  const { tokens, dpop } = expected;
  const uses = new ReportedUses(auth);
  let last;
  const refreshToken = (named) => ({ last, nonsense: 'a.b.c' })[named] ?? tokens[named].refresh;

  async function refresh(step, what) {
    const options = { subject: step.as, address: step.address, proof: step.proof && proofOf(dpop, clock) };
    const refreshing = auth.refresh(refreshToken(step.refresh), options);
    if (step.answer.startsWith('ERR_')) {
      const fields = { reason: step.reason, retryAfter: step.retryAfter && step.retryAfter / 1000 };
      const given = Object.entries(fields).filter(([, value]) => value !== undefined);
      return assert.rejects(refreshing, { ...withCode(step.answer), ...Object.fromEntries(given) }, what);
    }
    const renewed = await refreshing;
    assert.equal(renewed.renewal, step.answer, what);
    // `assert.ok` keeps the tokens out of the message.
    if (step.same) assert.ok(renewed.refreshToken === tokens[step.same].refresh, `another child token in ${what}`);
    const known = tokens[step.refresh];
    if (known?.sessionId) assert.deepEqual([renewed.subject, renewed.sessionId], [known.subject, known.sessionId], what);
    const verified = step.proof
      ? auth.verifyWithProof(renewed.accessToken, proofOf(dpop, clock, renewed.accessToken))
      : auth.verifyAccess(renewed.accessToken);
    assert.equal(verified.sessionId, renewed.sessionId, what);
    uses.add(renewed.accessToken);
    last = renewed.refreshToken;
  }

  for (const [number, step] of steps.entries()) {
    const what = `step ${number} of ${name}`;
    if (step.refresh) await refresh(step, what);
    else if (step.verify && step.proof) {
      const { access, sessionId } = tokens[step.verify];
      assert.equal(auth.verifyWithProof(access, proofOf(dpop, clock, access)).sessionId, sessionId, what);
      uses.add(access);
    } else if (step.verify) {
      checkAccess(auth, tokens[step.verify], step.answer, what);
      // The use of a discarded child is reported too.
      if (step.answer === 'ok' || step.verify.endsWith('/lost')) uses.add(tokens[step.verify].access);
    }
    else if (step.logout) assert.equal(await auth.logout(refreshToken(step.logout)), step.answer, what);
    else if (step.everywhere) {
      const exceptSession = tokens[step.except].sessionId;
      assert.equal(await auth.logoutEverywhere(step.everywhere, { exceptSession }), step.answer, what);
    } else if (step.login) await auth.login(step.login);
    else {
      await uses.delivered();
      clock.advance(step.advance);
    }
  }
  await uses.delivered();
}

const failure = { refresh: 'nonsense', address: '192.0.2.7', answer: 'ERR_TOKEN_MALFORMED' };
/** Failures of an address were counted in the store by 0.1.0. Now each process counts them, and a restart begins at zero. */
const countedByTheProcess = {
  name: 'failures of an address go on being counted',
  config: 'limited',
  steps: [
    ...Array(5).fill(failure),
    { ...failure, answer: 'ERR_TOO_MANY_ATTEMPTS', retryAfter: 3_600_000 },
    { refresh: 'failing/in', address: '192.0.2.7', answer: 'issued' },
  ],
};

for (const kind of ['file', 'redis']) {
  test(`${kind}: sessions are listed as by the earlier version`, async (t) => {
    const { expected, copy } = await openFixture(t, kind);
    const auth = (await copy()).auth('main');
    const byId = (a, b) => (a.sessionId < b.sessionId ? -1 : 1);
    const asNumbers = (session) =>
      Object.fromEntries(Object.entries(session).map(([name, value]) => [name, value instanceof Date ? value.getTime() : value]));
    const users = Object.entries(expected.sessions);
    assert.ok(users.length > 20);
    for (const [user, sessions] of users) {
      const found = (await auth.sessions(user)).map(asNumbers);
      assert.deepEqual(found.sort(byId), sessions.sort(byId), `the sessions of ${user}`);
    }
  });

  test(`${kind}: access tokens are accepted or rejected as by the earlier version`, async (t) => {
    const { expected, copy } = await openFixture(t, kind);
    const { auth: over } = await copy();
    // Tokens of a lost child last: their use is detected as reuse and revokes the session.
    const isLost = ([name]) => Number(name.endsWith('/lost'));
    const access = Object.entries(expected.access).sort((a, b) => isLost(a) - isLost(b));
    assert.ok(access.length > 50);
    for (const config of Object.keys(expected.configs)) {
      const auth = over(config);
      await feedWasRead(auth);
      for (const [name, answer] of access) {
        const token = expected.tokens[name];
        if (token.config === config) checkAccess(auth, token, answer, name);
      }
    }
  });

  test(`${kind}: every session continues as with the earlier version`, async (t) => {
    const store = await openFixture(t, kind);
    assert.ok(store.expected.scenarios.length > 50);
    for (const scenario of store.expected.scenarios) {
      await runScenario(store, scenario.name === countedByTheProcess.name ? countedByTheProcess : scenario);
    }
  });
}

for (const kind of ['file', 'redis']) {
  test(`${kind}: claims, lifetimes and clients of sessions are those of the earlier version`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'regrant-upgrade-'));
    t.after(() => rm(folder, { recursive: true }));
    const fixture = new URL(`../0.1.0-notes/${kind}/`, FIXTURES);
    const { now, secret, configs, key, sessions } = JSON.parse(readFileSync(new URL('expected.json', fixture), 'utf8'));
    const redis = kind === 'redis' ? await startRedis(t) : undefined;
    if (redis) await load(redis, JSON.parse(readFileSync(new URL('data.json', fixture), 'utf8')).commands, 'regrant:');
    else await copyFile(new URL('sessions.db', fixture), join(folder, 'sessions.db'));
    const store = redis?.url ?? `file:${join(folder, 'sessions.db')}`;
    const clock = new TestClock(now);
    const auths = Object.fromEntries(Object.entries(configs).map(([name, config]) => [name, createAuth({ secret, store, clock, ...config })]));
    const dpop = { origin: 'https://api.example', method: 'POST', path: '/auth/refresh', key };
    let live = [];
    for (const session of sessions) {
      const { config, subject, sessionId, refreshToken, bound, answer, claims = {}, persistent = true, lives = 0 } = session;
      const what = `${session.name} of ${config}`;
      const auth = auths[config];
      const [listed] = await auth.sessions(subject);
      assert.equal(listed.sessionId, sessionId, what);
      for (const name of ['createdFrom', 'lastRefreshedFrom']) if (session[name]) assert.deepEqual(listed[name], session[name], what);
      const refresh = (token) => auth.refresh(token, { proof: bound && proofOf(dpop, clock) });
      if (answer) {
        await assert.rejects(refresh(refreshToken), withCode(answer), what);
        continue;
      }
      const pair = await refresh(refreshToken);
      const { accessToken } = pair;
      const verified = bound ? auth.verifyWithProof(accessToken, proofOf(dpop, clock, accessToken)) : auth.verifyAccess(accessToken);
      for (const [name, value] of Object.entries(claims)) assert.deepEqual(verified.claims[name], value, what);
      assert.equal(pair.persistent, persistent, what);
      live.push({ refresh, what, lives, token: pair.refreshToken });
    }
    assert.equal(live.length, 28);
    const DAY = 24 * 60 * 60 * 1000;
    for (let day = 0; day < 29; day += 1) {
      live = live.filter(({ lives }) => lives > day);
      clock.advance(DAY - 1);
      if (![18, 28].includes(day)) continue;
      for (const { refresh, token, what } of live.filter(({ lives }) => lives === day + 1)) {
        assert.ok((await refresh(token)).accessToken, what);
      }
    }
  });
}

test('access tokens have the same claims, and each proof is accepted once', async () => {
  const { now, groups } = read('tokens.json');
  for (const { name: group, config, tokens, proofs } of groups) {
    const keys = config.keys?.map(({ privateKey, ...key }) => ({
      ...key,
      // `@NAME` refers to a key of tests/vectors/keys.
      ...(privateKey && { privateKey: readFileSync(new URL(`keys/test-only-${privateKey.slice(1)}.pem`, VECTORS), 'utf8') }),
    }));
    const auth = createAuth({ ...config, ...(keys && { keys }), store: 'memory:', clock: new TestClock(now) });
    for (const { name, token, subject, sessionId, claims, answer } of tokens) {
      const what = `${name} of ${group}`;
      if (answer === 'ok') {
        const verified = auth.verifyAccess(token);
        assert.deepEqual([verified.subject, verified.sessionId ?? null], [subject, sessionId], what);
        assert.deepEqual({ ...verified.claims }, claims, what);
        assert.deepEqual({ ...auth.verify(token) }, claims, what);
      } else {
        assert.throws(() => auth.verifyAccess(token), withCode(answer), what);
      }
    }
    for (const { proof, method, path, access } of proofs) {
      const request = { proof, method, path };
      if (!access) {
        auth.checkProof(request);
        continue;
      }
      auth.verifyWithProof(access, request);
      assert.throws(() => auth.verifyWithProof(access, request), withCode('ERR_DPOP_PROOF_REPLAYED'));
    }
  }
});
