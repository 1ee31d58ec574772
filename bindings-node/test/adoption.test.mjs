// Migration of a legacy app: no step of it logs a user out. Runs on a real Redis, with processes of
// the legacy app (npm jsonwebtoken and redis) and of the new app side by side.
//
// REGRANT_OLD_SESSIONS=10000 runs the full-size test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { adoptingAuth } from './adoption/adopting-auth.mjs';
import { SECRET_KEY, dump, end, fill, forAll, startApps } from './adoption/processes.mjs';
import { testAuth, withCode } from './support/auth.mjs';

const SESSIONS = Number(process.env.REGRANT_OLD_SESSIONS ?? 300);
const KILLS = 3;

const UNKNOWN = 'refreshToken의 정보가 서버에 존재하지 않습니다.';
const REFUSED = 'refreshToken이 유효하지 않습니다.';

const answer = async (response) => [response.status, (await response.json()).text];

test(`${SESSIONS} legacy sessions survive parallel legacy and new processes and a killed sweep`, async (t) => {
  const apps = await startApps(t);
  const old = [await apps.oldApp(), await apps.oldApp()];
  const current = [await apps.newApp(), await apps.newApp()];
  const sessions = await fill(old[0], SESSIONS);

  async function accepted(app, { token, user }) {
    const response = await app.refresh(token, user);
    assert.equal(response.status, 200, `${user} is logged out: ${response.status !== 200 && (await response.text())}`);
    const { accessToken } = await response.json();
    const { userId } = jwt.decode(accessToken.slice('Bearer '.length));
    assert.equal(userId, user);
  }

  // Every user calls every process, in varying order, some both new processes in parallel. A third of
  // the users stays inactive until the sweep.
  const present = sessions.filter((_, place) => place % 3 > 0);
  await forAll(present, async (session, place) => {
    const order = place % 2 ? [...old, ...current] : [...current, ...old];
    if (place % 5 === 0) await Promise.all(current.map((app) => accepted(app, session)));
    for (const app of order) await accepted(app, session);
  });

  // The legacy processes stop. The sweep is killed and restarted while users keep refreshing.
  for (const { child } of old) await end(child);
  let sweeping = true;
  const refreshing = forAll(Array.from({ length: 10 }), async (_, lane) => {
    for (let place = lane; sweeping; place += 7) await accepted(current[place % 2], sessions[place % SESSIONS]);
  });
  const reports = await killAndRestartSweep(apps, sessions).finally(() => (sweeping = false));
  await refreshing;
  for (const report of reports) {
    assert.deepEqual([report.loggedOut, report.expired, report.unknownUsers, report.foreign], [0, 0, 0, 0]);
  }

  await forAll(sessions, async (session) => {
    for (const app of current) await accepted(app, session);
  });
  const contents = await dump(apps.client);
  assert.ok(contents.includes('regrant:u:user-1\n'), 'the dump contains the sessions');
  assert.equal((await apps.client.keys('ey*')).length, 0);
  for (const { token } of sessions) {
    const [, payload, signature] = token.split('.');
    assert.ok(!contents.includes(payload) && !contents.includes(signature));
  }
});

/** Kills several sweepers midway, then lets two of them finish the sweep. */
async function killAndRestartSweep(apps, sessions) {
  const tokens = async () => (await apps.client.keys('ey*')).length;
  for (let kills = 0; kills < KILLS; ) {
    const before = await tokens();
    const sweeper = apps.sweeper();
    while ((await tokens()) > before - SESSIONS / 10) assert.equal(sweeper.exitCode, null);
    await end(sweeper);
    if ((await tokens()) > 0) kills += 1;
    // On a busy machine this process may see so late how far the sweep is that nothing is left to kill.
    else sessions.push(...(await logInMore(apps.client, sessions.length)));
  }
  return Promise.all([apps.sweeper(), apps.sweeper()].map(reportOf));
}

/** As many sessions of the legacy app again, of other users. */
function logInMore(client, count) {
  const iat = Math.floor(Date.now() / 1000);
  return Promise.all(Array.from({ length: count }, async (_, place) => {
    const user = `late-user-${count + place}`;
    const token = jwt.sign({ iat: iat - place, jti: user }, SECRET_KEY, { expiresIn: '14d' });
    await client.set(token, user);
    return { token, user };
  }));
}

function reportOf(sweeper) {
  return new Promise((done, failed) => {
    sweeper.on('message', ({ report }) => report && done(report));
    sweeper.once('exit', () => failed(new Error('the sweeper exited without a report')));
  });
}

test('a logout in either app takes effect in the other, before and after the sweep', async (t) => {
  const apps = await startApps(t);
  const [old, current] = [await apps.oldApp(), await apps.newApp()];
  const [first, second, third, fourth, bystander] = await fill(old, 5);
  const refresh = (app, { token, user }) => app.refresh(token, user).then(answer);

  assert.equal((await current.refresh(first.token, first.user)).status, 200);
  assert.equal((await old.logout(first.token)).status, 204);
  assert.deepEqual(await refresh(current, first), [419, UNKNOWN]);

  assert.equal((await old.logout(second.token)).status, 204);
  assert.deepEqual(await refresh(current, second), [419, UNKNOWN]);

  assert.equal((await current.refresh(third.token, third.user)).status, 200);
  assert.equal((await current.logout(third.token)).status, 204);
  assert.deepEqual(await refresh(old, third), [419, UNKNOWN]);
  assert.deepEqual(await refresh(current, third), [419, UNKNOWN]);

  await reportOf(apps.sweeper());
  assert.deepEqual(await refresh(old, bystander), [419, UNKNOWN], 'the legacy app does not know swept sessions');
  assert.equal((await current.logout(fourth.token)).status, 204);
  assert.deepEqual(await refresh(current, fourth), [419, UNKNOWN]);
  assert.equal((await current.refresh(bystander.token, bystander.user)).status, 200);
});

test('a legacy refresh token works only for its user; no other token migrates', async (t) => {
  const apps = await startApps(t);
  const [old, current] = [await apps.oldApp(), await apps.newApp()];
  const [a, b] = await fill(old, 2);
  for (let round = 0; round < 2; round += 1) {
    const response = await current.refresh(a.token, b.user);
    assert.equal(response.headers.get('set-cookie'), null);
    assert.deepEqual(await answer(response), [419, REFUSED]);
    assert.equal((await current.refresh(a.token, a.user)).status, 200);
  }
  assert.equal(await apps.client.exists(`regrant:u:${b.user}`), 0);

  const { accessToken } = await (await old.refresh(b.token, b.user)).json();
  const me = await current.call('/api/users/me', { headers: { accesstoken: accessToken } });
  assert.equal(me.status, 200, 'a legacy access token stays valid');
  assert.deepEqual(await answer(await current.refresh(accessToken.slice(7), b.user)), [419, UNKNOWN]);
  assert.equal(await apps.client.exists(`regrant:u:${b.user}`), 0);

  const forged = jwt.sign({}, 'another secret');
  await apps.client.set(forged, a.user);
  assert.deepEqual(await answer(await current.refresh(forged, a.user)), [419, UNKNOWN]);
});

test('a migrated session can rotate; claims are looked up by the resolved user', async (t) => {
  const apps = await startApps(t);
  const [, { token, user }] = await fill(await apps.oldApp(), 2);
  const auth = adoptingAuth({ SECRET_KEY, REDIS_URL: apps.redis.url });
  const claims = (subject) => ({ role: `role of ${subject}` });
  const renewed = await auth.refresh(token, { rotate: true, claims });
  assert.deepEqual([renewed.subject, renewed.rotated], [user, true]);
  assert.equal(auth.verify(renewed.accessToken).role, `role of ${user}`);
  assert.equal((await auth.refresh(renewed.refreshToken)).sessionId, renewed.sessionId);
  const ends = await Promise.all([token, `regrant:adopted:${renewed.sessionId}`].map((key) => apps.client.pTTL(key)));
  assert.ok(ends.every((ttl) => ttl > 89 * 86_400_000), 'the legacy key and the migration marker expire with the session');
});

test('an unavailable Redis or user table logs nobody out', async (t) => {
  const apps = await startApps(t);
  const old = await apps.oldApp();
  const sessions = await fill(old, 3);
  await end(old.child);
  const answers = { 'user-0': () => { throw new Error('no table'); }, 'user-2': () => ({}) };
  const resolve = async (value) => (answers[value] ?? (() => null))();
  const auth = adoptingAuth({ SECRET_KEY, REDIS_URL: apps.redis.url, resolve });
  const away = withCode('ERR_STORE_UNAVAILABLE');
  const thrown = await auth.refresh(sessions[0].token).catch((error) => error);
  assert.deepEqual([thrown.code, String(thrown.cause).includes('no table')], ['ERR_STORE_UNAVAILABLE', true]);
  await assert.rejects(auth.refresh(sessions[2].token), away);
  await assert.rejects(auth.refresh(sessions[1].token), withCode('ERR_SESSION_UNKNOWN'));
  apps.client.destroy();
  await apps.redis.kill();
  await assert.rejects(auth.refresh(sessions[0].token), away);
  await assert.rejects(auth.sweepLegacyTokens(), away);
});

test('the sweep: dry run, dead tokens, progress; rejected without migrate', async (t) => {
  const apps = await startApps(t);
  await fill(await apps.oldApp(), 4);
  const expired = jwt.sign({ exp: 1 }, SECRET_KEY);
  const gone = jwt.sign({ n: 1 }, SECRET_KEY);
  await apps.client.mSet({ [expired]: 'user-0', [gone]: 'gone', 'app:setting': 'kept' });
  const auth = adoptingAuth({ SECRET_KEY, REDIS_URL: apps.redis.url });
  const counts = { scanned: 7, converted: 4, loggedOut: 0, expired: 1, unknownUsers: 1, foreign: 1 };
  assert.deepEqual(await auth.sweepLegacyTokens({ dryRun: true, removeDead: true }), { ...counts, removed: 0 });
  assert.equal(await apps.client.dbSize(), 7);
  const seen = [];
  const report = await auth.sweepLegacyTokens({ removeDead: true, onProgress: (soFar) => seen.push(soFar) });
  assert.deepEqual(report, { ...counts, removed: 2 });
  while (seen.at(-1)?.scanned !== report.scanned) await new Promise((told) => setImmediate(told));
  assert.deepEqual(seen.at(-1), report);
  assert.deepEqual(await apps.client.keys('*:setting'), ['app:setting']);
  await assert.rejects(testAuth().auth.sweepLegacyTokens(), withCode('ERR_CONFIG_INVALID'));
});
