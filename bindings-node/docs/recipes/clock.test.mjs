import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestClock, createAuth } from 'regrant';

function authAt(start) {
  const clock = new TestClock(Date.parse(start));
  return { clock, auth: createAuth({ secret: 's'.repeat(32), store: 'memory:', clock }) };
}

test('an access token expires after 15 minutes, and a refresh returns the next', async () => {
  const { auth, clock } = authAt('2026-01-01T12:00:00Z');
  const { accessToken, refreshToken } = await auth.login('user-1');
  clock.advance(15 * 60_000);
  assert.throws(() => auth.verify(accessToken), { code: 'ERR_TOKEN_EXPIRED', advice: 'refresh' });
  const renewed = await auth.refresh(refreshToken);
  assert.equal(auth.verify(renewed.accessToken).sub, 'user-1');
});

test('a session expires after 14 days without a refresh', async () => {
  const { auth, clock } = authAt('2026-01-01T12:00:00Z');
  const { refreshToken } = await auth.login('user-1');
  clock.advance(14 * 24 * 3_600_000 + 1_000);
  await assert.rejects(auth.refresh(refreshToken), { code: 'ERR_REFRESH_EXPIRED', advice: 'sign_in' });
});

test('reuse of an old refresh token revokes the session', async () => {
  const { auth, clock } = authAt('2026-01-01T12:00:00Z');
  const stolen = (await auth.login('user-1')).refreshToken;
  const { refreshToken } = await auth.refresh(stolen);
  clock.advance(60_000);
  const next = await auth.refresh(refreshToken);
  clock.advance(60_000);
  await assert.rejects(auth.refresh(stolen), { code: 'ERR_REFRESH_REUSED' });
  await assert.rejects(auth.refresh(next.refreshToken), { code: 'ERR_SESSION_REVOKED' });
});

test('a thief who refreshes first is detected when the user comes', async () => {
  const { auth, clock } = authAt('2026-01-01T12:00:00Z');
  const { refreshToken } = await auth.login('user-1');
  const thief = await auth.refresh(refreshToken);
  clock.advance(60_000);
  const next = await auth.refresh(thief.refreshToken);
  clock.advance(60_000);
  await assert.rejects(auth.refresh(refreshToken), { code: 'ERR_REFRESH_REUSED' });
  await assert.rejects(auth.refresh(next.refreshToken), { code: 'ERR_SESSION_REVOKED' });
});

test('a repeated refresh is no theft', async () => {
  const { auth, clock } = authAt('2026-01-01T12:00:00Z');
  const { refreshToken } = await auth.login('user-1');
  const lost = await auth.refresh(refreshToken);
  assert.equal((await auth.refresh(refreshToken)).refreshToken, lost.refreshToken); // within the grace period: the same
  clock.advance(61_000);
  const again = await auth.refresh(refreshToken); // after a minute: another one, because the first was never used
  assert.notEqual(again.refreshToken, lost.refreshToken);
  assert.equal(auth.verify(again.accessToken).sub, 'user-1');
});
