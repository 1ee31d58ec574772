// The calls of the leak test: what a server does, in about the proportions in which it does it.
import { randomBytes } from 'node:crypto';
import { TestClock, createAuth } from 'regrant';
import jwt from 'regrant/jsonwebtoken';

const secret = randomBytes(32).toString('hex');

/** How many calls one round makes. */
export const ROUND = 1000;

/** Answers with a function that makes `ROUND` calls. */
export async function newRound() {
  const clock = new TestClock(Date.UTC(2026, 0, 1));
  // What is kept by design is kept small, so that it is full soon: verified tokens, and sessions that were revoked, until
  // they would have ended.
  const kept = { access: { cache: 64 }, refresh: { idleTtl: '1h', absoluteTtl: '2h' } };
  const auth = createAuth({ secret, clock, store: 'memory:', ...kept });
  let pair = await auth.login('user-0', { claims: { role: 'admin' } });
  const expired = jwt.sign({ id: 1, exp: 1 }, secret);
  let count = 0;

  /** Everything that is refused. */
  function refuse(call) {
    try {
      call();
    } catch {
      return;
    }
    throw new Error('it was not refused');
  }

  return async () => {
    count += 1;
    // What the core keeps for the lifetime of a token is let go of as time passes.
    clock.advance(60_000);
    // 10 of the store: a session goes on, and a user logs in and out; now and then the session has to begin anew.
    if (count % 50 === 0) pair = await auth.login('user-0');
    for (let turn = 0; turn < 5; turn += 1) {
      pair = await auth.refresh(pair.refreshToken);
      clock.advance(11_000);
    }
    const other = await auth.login(`user-${count}`, { device: 'phone' });
    await auth.logout(other.refreshToken);
    await auth.sessions('user-0');
    await auth.login('user-0');
    await auth.logoutEverywhere('user-0', { exceptSession: pair.sessionId });
    // 700 of the session's tokens: mostly the same one, as a client sends it.
    for (let turn = 0; turn < 350; turn += 1) auth.verify(pair.accessToken);
    for (let turn = 0; turn < 200; turn += 1) auth.verifyBearer(`Bearer ${pair.accessToken}`);
    for (let turn = 0; turn < 75; turn += 1) refuse(() => auth.verify(pair.refreshToken));
    for (let turn = 0; turn < 75; turn += 1) refuse(() => auth.verify(`${pair.accessToken}${turn}`));
    // 290 of the drop-in, with a token of its own each.
    for (let turn = 0; turn < 70; turn += 1) {
      const token = jwt.sign({ id: count, turn }, secret, { expiresIn: '1h' });
      jwt.verify(token, secret);
      jwt.decode(token, { complete: true });
    }
    for (let turn = 0; turn < 40; turn += 1) refuse(() => jwt.verify(expired, secret));
    for (let turn = 0; turn < 40; turn += 1) refuse(() => jwt.verify(expired, randomBytes(32)));
  };
}
