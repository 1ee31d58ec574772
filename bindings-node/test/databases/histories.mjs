// Random histories of the sessions of two users, in two processes over one database and in memory at once: every response
// must be the same. Operations on different sessions of a user run at the same time, so that a lost update shows.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { AuthError, TestClock, createAuth, custom } from 'regrant';
import { SECRET, START, claimsOf } from '../support/auth.mjs';
import { Random, seedOfRun } from '../support/random.mjs';

const STEPS = 60;
/** How much time passes between two steps, in seconds: mostly about as much as the graces. */
const PASSES = [0, 0, 0, 1, 9.999, 10, 10.001, 20, 30.001];
/** Rarely half of the idle lifetime. */
const LONG_PASS = 3_600;
const CONFIG = {
  secret: SECRET,
  refresh: {
    grace: '10s',
    unusedGrace: '30s',
    idleTtl: '2h',
    absoluteTtl: '1d',
    maxSessions: 3,
    // Counts what was refused, and never refuses: of two that are refused at once, either may be the last one allowed.
    limiter: { failures: 1_000, window: '1m' },
  },
};

/** Runs a random history over `open`, which opens the database as a process does. `REGRANT_SEED` repeats it. */
export async function compareWithMemory(open) {
  const seed = seedOfRun();
  const random = new Random(seed);
  const clock = new TestClock(START);
  const inMemory = performerOf([createAuth({ ...CONFIG, clock, store: 'memory:' })]);
  const stores = [await open(), await open()];
  const inDatabase = performerOf(stores.map((store) => createAuth({ ...CONFIG, clock, store: custom(store) })));
  // Nobody else's, as the database has other users.
  const users = ['앨리스', 'bob'].map((name) => ({ name: `${name} ${randomUUID()}`, sessions: [] }));
  let logins = 0;

  for (let step = 0; step < STEPS; step += 1) {
    clock.advance((random.oneIn(20) ? LONG_PASS : random.pick(PASSES)) * 1_000);
    const user = random.pick(users);
    const operations = next(random, user);
    if (operations[0].call === 'login') {
      user.sessions.push(logins++);
      // Of sessions that began in the same millisecond, the random id decides which one is evicted.
      clock.advance(1);
    }
    const process = random.below(2);
    const responses = Promise.all(operations.map((operation, at) => inDatabase((process + at) % 2, operation)));
    const expected = [];
    for (const operation of operations) expected.push(await inMemory(0, operation));
    const what = `REGRANT_SEED=${seed}, step ${step}: ${JSON.stringify(operations)}`;
    assert.deepEqual(await responses, expected, what);
    const list = { call: 'sessions', user: user.name };
    assert.deepEqual(await inDatabase(process, list), await inMemory(0, list), what);
  }
}

/** One operation, or two that do not depend on their order. */
function next(random, { name: user, sessions }) {
  if (sessions.length === 0 || random.oneIn(8)) return [{ call: 'login', user, options: login(random) }];
  // Mostly of the latest sessions: older ones are over.
  const session = (of) => of.at(-1 - Math.min(random.below(4), random.below(of.length)));
  const first = session(sessions);
  if (random.oneIn(30)) return [{ call: 'logoutEverywhere', user, except: random.pick([undefined, first]) }];
  const operations = [ofSession(random, user, first)];
  const others = sessions.filter((other) => other !== first);
  if (others.length > 0) operations.push(ofSession(random, user, session(others)));
  return operations;
}

const login = (random) => ({
  device: random.pick(['', '노트북', 'x y']),
  claims: random.pick([undefined, { role: '관리자 "x"' }]),
  ...client(random),
});
const client = (random) => random.pick([{}, { address: '2001:db8::1', userAgent: '브라우저 "1"' }]);

function ofSession(random, user, session) {
  const token = random.pick([-1, -1, -1, -1, -1, -1, -2, -2, -3, 0]);
  switch (random.below(12)) {
    case 0:
      return { call: 'logout', session, token };
    case 1:
      return { call: 'revokeSession', user, session, reason: 'administrative' };
    case 2:
    case 3:
      return { call: 'updateSession', user, session, options: { claims: random.pick([{}, { role: 'reader' }]) } };
    default:
      return { call: 'refresh', session, token, options: { rotate: random.pick([undefined, undefined, false]), ...client(random) } };
  }
}

/**
 * The function that performs an operation in a process; returns the response, or what it has thrown. Ids and tokens are
 * random, so responses name a session by the number of its login.
 */
function performerOf(processes) {
  const sessions = [];
  const number = (id) => sessions.findIndex((session) => session.id === id);
  /** The latest (-1) or an earlier token. */
  const tokenOf = (session, at) => {
    const { tokens } = sessions[session];
    return tokens.at(at) ?? tokens[0];
  };

  function described({ accessToken, refreshToken, sessionId, refreshExpiresAt }) {
    // Not when the access token was issued: after a revocation that is later, in a process that has heard of it.
    const { sid, iat, exp, jti, ...access } = claimsOf(accessToken);
    const { gen, brn, iat: issued } = claimsOf(refreshToken);
    return { session: number(sessionId), access, refresh: { gen, brn, issued }, refreshExpiresAt };
  }

  const calls = {
    async login(auth, { user, options }) {
      const pair = await auth.login(user, options);
      sessions.push({ id: pair.sessionId, tokens: [pair.refreshToken] });
      return described(pair);
    },
    async refresh(auth, { session, token, options }) {
      const pair = await auth.refresh(tokenOf(session, token), options);
      sessions[session].tokens.push(pair.refreshToken);
      return { ...described(pair), renewal: pair.renewal };
    },
    logout: (auth, { session, token }) => auth.logout(tokenOf(session, token)),
    revokeSession: (auth, { user, session, reason }) => auth.revokeSession(user, sessions[session].id, reason),
    updateSession: (auth, { user, session, options }) => auth.updateSession(user, sessions[session].id, options),
    logoutEverywhere: (auth, { user, except }) => auth.logoutEverywhere(user, { exceptSession: sessions[except]?.id }),
    async sessions(auth, { user }) {
      const listed = (await auth.sessions(user)).map(({ sessionId, ...info }) => ({ session: number(sessionId), ...info }));
      // Of the same instant, any may be first.
      return listed.sort((one, other) => one.session - other.session);
    },
  };

  return async (process, { call, ...args }) => {
    try {
      return await calls[call](processes[process], args);
    } catch (error) {
      if (!(error instanceof AuthError)) throw error;
      return { code: error.code, advice: error.advice };
    }
  };
}
