// An app of the old shape moves in: nobody is logged out, at no step. On a real Redis, with real
// processes of the old app (npm jsonwebtoken and redis) beside those of the new one.
//
// REGRANT_OLD_SESSIONS=10000 runs it at full size.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { adoptingAuth } from './adoption/adopting-auth.mjs';
import { SECRET_KEY, dump, end, fill, forAll, startWorld } from './adoption/processes.mjs';
import { testAuth, withCode } from './support/auth.mjs';

const SESSIONS = Number(process.env.REGRANT_OLD_SESSIONS ?? 300);
const KILLS = 3;

const UNKNOWN = 'refreshToken의 정보가 서버에 존재하지 않습니다.';
const REFUSED = 'refreshToken이 유효하지 않습니다.';

const answer = async (response) => [response.status, (await response.json()).text];

test(`${SESSIONS} sessions of the old app, old and new processes at once, a sweep that is killed: none logged out`, async (t) => {
  const world = await startWorld(t);
  const old = [await world.oldApp(), await world.oldApp()];
  const anew = [await world.newApp(), await world.newApp()];
  const sessions = await fill(old[0], SESSIONS);

  async function accepted(app, { token, user }) {
    const response = await app.refresh(token, user);
    assert.equal(response.status, 200, `${user} is logged out: ${response.status !== 200 && (await response.text())}`);
    const { accessToken } = await response.json();
    const { userId } = jwt.decode(accessToken.slice('Bearer '.length));
    assert.equal(userId, user);
  }

  // Each user meets each process, in an order of their own; some both new ones at once. A third
  // stays away until the sweep.
  const present = sessions.filter((_, place) => place % 3 > 0);
  await forAll(present, async (session, place) => {
    const apps = place % 2 ? [...old, ...anew] : [...anew, ...old];
    if (place % 5 === 0) await Promise.all(anew.map((app) => accepted(app, session)));
    for (const app of apps) await accepted(app, session);
  });

  // The old processes stop; the sweep begins, is killed, and begins again, while users go on.
  for (const { child } of old) await end(child);
  let going = true;
  const goOn = forAll(Array.from({ length: 10 }), async (_, lane) => {
    for (let place = lane; going; place += 7) await accepted(anew[place % 2], sessions[place % SESSIONS]);
  });
  const reports = await killedAndBegunAgain(world).finally(() => (going = false));
  await goOn;
  for (const report of reports) {
    assert.deepEqual([report.loggedOut, report.expired, report.unknownUsers, report.foreign], [0, 0, 0, 0]);
  }

  await forAll(sessions, async (session) => {
    for (const app of anew) await accepted(app, session);
  });
  const holds = await dump(world.client);
  assert.ok(holds.includes('regrant:u:user-1\n'), 'this is where the sessions are');
  assert.equal((await world.client.keys('ey*')).length, 0);
  for (const { token } of sessions) {
    const [, payload, signature] = token.split('.');
    assert.ok(!holds.includes(payload) && !holds.includes(signature));
  }
});

/** Kills sweeping processes in the midst of their work, then lets two of them finish it. */
async function killedAndBegunAgain(world) {
  const tokens = async () => (await world.client.keys('ey*')).length;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const before = await tokens();
    const sweeper = world.sweeper();
    while ((await tokens()) > before - SESSIONS / 10) assert.equal(sweeper.exitCode, null);
    await end(sweeper);
    assert.ok((await tokens()) > 0, 'killed in the midst');
  }
  return Promise.all([world.sweeper(), world.sweeper()].map(reportOf));
}

function reportOf(sweeper) {
  return new Promise((done, failed) => {
    sweeper.on('message', ({ report }) => report && done(report));
    sweeper.once('exit', () => failed(new Error('the sweeper ended without a report')));
  });
}

test('a logout on either side counts on the other, before and after the sweep', async (t) => {
  const world = await startWorld(t);
  const [old, anew] = [await world.oldApp(), await world.newApp()];
  const [first, second, third, fourth, bystander] = await fill(old, 5);
  const refresh = (app, { token, user }) => app.refresh(token, user).then(answer);

  assert.equal((await anew.refresh(first.token, first.user)).status, 200);
  assert.equal((await old.logout(first.token)).status, 204);
  assert.deepEqual(await refresh(anew, first), [419, UNKNOWN]);

  assert.equal((await old.logout(second.token)).status, 204);
  assert.deepEqual(await refresh(anew, second), [419, UNKNOWN]);

  assert.equal((await anew.refresh(third.token, third.user)).status, 200);
  assert.equal((await anew.logout(third.token)).status, 204);
  assert.deepEqual(await refresh(old, third), [419, UNKNOWN]);
  assert.deepEqual(await refresh(anew, third), [419, UNKNOWN]);

  await reportOf(world.sweeper());
  assert.deepEqual(await refresh(old, bystander), [419, UNKNOWN], 'old processes stop before the sweep');
  assert.equal((await anew.logout(fourth.token)).status, 204);
  assert.deepEqual(await refresh(anew, fourth), [419, UNKNOWN]);
  assert.equal((await anew.refresh(bystander.token, bystander.user)).status, 200);
});

test('only the user of an old refresh token, and only an old refresh token', async (t) => {
  const world = await startWorld(t);
  const [old, anew] = [await world.oldApp(), await world.newApp()];
  const [a, b] = await fill(old, 2);
  for (let round = 0; round < 2; round += 1) {
    const response = await anew.refresh(a.token, b.user);
    assert.equal(response.headers.get('set-cookie'), null);
    assert.deepEqual(await answer(response), [419, REFUSED]);
    assert.equal((await anew.refresh(a.token, a.user)).status, 200);
  }
  assert.equal(await world.client.exists(`regrant:u:${b.user}`), 0);

  const { accessToken } = await (await old.refresh(b.token, b.user)).json();
  const me = await anew.call('/api/users/me', { headers: { accesstoken: accessToken } });
  assert.equal(me.status, 200, 'an old access token goes on as one');
  assert.deepEqual(await answer(await anew.refresh(accessToken.slice(7), b.user)), [419, UNKNOWN]);
  assert.equal(await world.client.exists(`regrant:u:${b.user}`), 0);

  const forged = jwt.sign({}, 'another secret');
  await world.client.set(forged, a.user);
  assert.deepEqual(await answer(await anew.refresh(forged, a.user)), [419, UNKNOWN]);
});

test('with rotation a client moves on; claims are looked up by the resolved user', async (t) => {
  const world = await startWorld(t);
  const [, { token, user }] = await fill(await world.oldApp(), 2);
  const auth = adoptingAuth({ SECRET_KEY, REDIS_URL: world.redis.url });
  const claims = (subject) => ({ role: `role of ${subject}` });
  const renewed = await auth.refresh(token, { rotate: true, claims });
  assert.deepEqual([renewed.subject, renewed.rotated], [user, true]);
  assert.equal(auth.verify(renewed.accessToken).role, `role of ${user}`);
  assert.equal((await auth.refresh(renewed.refreshToken)).sessionId, renewed.sessionId);
  const ends = await Promise.all([token, `regrant:adopted:${renewed.sessionId}`].map((key) => world.client.pTTL(key)));
  assert.ok(ends.every((ttl) => ttl > 89 * 86_400_000), 'the key and the note end with the session');
});

test('while Redis or the table of users is away nobody is signed out', async (t) => {
  const world = await startWorld(t);
  const old = await world.oldApp();
  const sessions = await fill(old, 3);
  await end(old.child);
  const answers = { 'user-0': () => { throw new Error('no table'); }, 'user-2': () => ({}) };
  const resolve = async (value) => (answers[value] ?? (() => null))();
  const auth = adoptingAuth({ SECRET_KEY, REDIS_URL: world.redis.url, resolve });
  const away = withCode('ERR_STORE_UNAVAILABLE');
  const thrown = await auth.refresh(sessions[0].token).catch((error) => error);
  assert.deepEqual([thrown.code, String(thrown.cause).includes('no table')], ['ERR_STORE_UNAVAILABLE', true]);
  await assert.rejects(auth.refresh(sessions[2].token), away);
  await assert.rejects(auth.refresh(sessions[1].token), withCode('ERR_SESSION_UNKNOWN'));
  world.client.destroy();
  await world.redis.kill();
  await assert.rejects(auth.refresh(sessions[0].token), away);
  await assert.rejects(auth.sweepLegacyTokens(), away);
});

test('the sweep: a dry run, dead tokens, progress; without migrate it is refused', async (t) => {
  const world = await startWorld(t);
  await fill(await world.oldApp(), 4);
  const expired = jwt.sign({ exp: 1 }, SECRET_KEY);
  const gone = jwt.sign({ n: 1 }, SECRET_KEY);
  await world.client.mSet({ [expired]: 'user-0', [gone]: 'gone', 'app:setting': 'kept' });
  const auth = adoptingAuth({ SECRET_KEY, REDIS_URL: world.redis.url });
  const counts = { scanned: 7, converted: 4, loggedOut: 0, expired: 1, unknownUsers: 1, foreign: 1 };
  assert.deepEqual(await auth.sweepLegacyTokens({ dryRun: true, removeDead: true }), { ...counts, removed: 0 });
  assert.equal(await world.client.dbSize(), 7);
  const seen = [];
  const report = await auth.sweepLegacyTokens({ removeDead: true, onProgress: (soFar) => seen.push(soFar) });
  assert.deepEqual(report, { ...counts, removed: 2 });
  await new Promise((told) => setImmediate(told));
  assert.deepEqual(seen.at(-1), report);
  assert.deepEqual(await world.client.keys('*:setting'), ['app:setting']);
  await assert.rejects(testAuth().auth.sweepLegacyTokens(), withCode('ERR_CONFIG_INVALID'));
});
