// What happens to users and thieves. Each behaviour runs with several users of each peer and returns for each user which of its
// `outcomes` came true: true is bad, and undefined means that the question did not arise. `in` names the sum that an outcome
// counts for: honest users who were signed out, or undetected thefts.
//
// A client keeps the tokens of the last answer, repeats a refresh if the server asks for that or has failed, and is signed out
// by a final refusal. A thief has copied the tokens once. All waits are real: several peers decide by the clock of Redis.
/** Longer than the longest grace period of a peer, regrant's of 10 s. */
const BEYOND_GRACE = 12_000;

const SIGNED_OUT = 'signed out';
const UNDETECTED = 'undetected';

/** Time between the starts of two users: all at once would be a load of seconds, and times within a grace period pass it. */
export const BETWEEN_USERS = 500;

/** The behaviours of one user at a time, which all run at once. `wait` pauses for milliseconds. */
export const ALONE = [
  {
    name: 'two tabs refresh at once',
    outcomes: [{ what: 'a tab has to sign in', in: SIGNED_OUT }, { what: 'the session is lost' }],
    async run(user, { wait }) {
      const granted = await Promise.all([user.refresh('a'), user.refresh('b')]);
      return [granted.includes(false), !(await goesOn(user, wait))];
    },
  },
  {
    name: 'ten calls at once',
    outcomes: [{ what: 'a call has to sign in', in: SIGNED_OUT }, { what: 'the session is lost' }],
    async run(user, { wait }) {
      const calls = Array.from({ length: 10 }, (_, index) => user.refresh(index % 2 ? 'a' : 'b'));
      return [(await Promise.all(calls)).includes(false), !(await goesOn(user, wait))];
    },
  },
  ...[0, 1, 30].map((seconds) => ({
    name: `a lost answer, repeated after ${seconds} s`,
    outcomes: [{ what: 'signed out', in: SIGNED_OUT }],
    async run(user, { wait }) {
      await user.present('a'); // never arrives
      await wait(seconds * 1000);
      return [!((await user.refresh('b')) && (await user.refresh('a')))];
    },
  })),
  {
    name: 'theft, the thief comes late',
    outcomes: [{ what: 'the thief gets tokens' }, { what: 'undetected: the thief keeps a session', in: UNDETECTED }],
    async run(user, { wait, thief }) {
      await user.refresh('a');
      await user.whose('a');
      await wait(BEYOND_GRACE);
      await user.refresh('b');
      await user.whose('b');
      await wait(BEYOND_GRACE);
      const entered = await thief.refresh('a');
      await user.refresh('b');
      return [entered, await thief.refresh('a')];
    },
  },
  {
    name: 'theft, the thief comes first',
    outcomes: [
      { what: 'undetected: the thief keeps a session', in: UNDETECTED },
      { what: "detected, but the thief's access token still works" },
    ],
    async run(user, { wait, thief }) {
      await thief.refresh('a');
      await thief.whose('a');
      await wait(BEYOND_GRACE);
      await user.refresh('b');
      await wait(1000);
      const undetected = await thief.refresh('a');
      await wait(1000);
      return [undetected, undetected ? undefined : (await thief.whose('b')) !== undefined];
    },
  },
  {
    name: 'theft, the thief comes a second after the user',
    outcomes: [
      { what: 'the thief gets tokens' },
      { what: 'undetected at the next refresh: the thief keeps a session', in: UNDETECTED },
    ],
    async run(user, { wait, thief }) {
      await user.refresh('a');
      await wait(1000);
      const entered = await thief.refresh('b');
      await wait(BEYOND_GRACE);
      await user.refresh('a');
      await user.whose('a');
      await wait(BEYOND_GRACE);
      await thief.refresh('b');
      await user.refresh('a');
      return [entered, await thief.refresh('b')];
    },
  },
  {
    name: 'logout on another process, a second ago',
    outcomes: [{ what: 'a refresh is still granted' }, { what: 'the access token still works' }],
    async run(user, { wait }) {
      await user.whose('b');
      await user.logout('a');
      await wait(1000);
      const access = await user.whose('b');
      return [await user.refresh('b'), access !== undefined];
    },
  },
  {
    name: "another user's id beside the refresh token",
    outcomes: [{ what: 'tokens of the other user' }, { what: 'signed out', in: SIGNED_OUT }],
    async run(user, { other }) {
      const id = other.name;
      const fields = { userid: id, userId: id, user_id: id, sub: id };
      const granted = await user.refresh('a', { headers: { userid: id }, fields });
      return [granted && (await user.whose('b')) !== user.name, !granted && !(await user.refresh('a'))];
    },
  },
];

/** Whether the newest token still works, now and after the grace period. */
async function goesOn(user, wait) {
  if (!(await user.refresh('a'))) return false;
  await wait(BEYOND_GRACE);
  return user.refresh('b');
}

/** The behaviours of all users of one peer together, which run one after another. */
export const TOGETHER = [
  {
    name: 'kill −9 between commit and answer',
    outcomes: [{ what: 'signed out', in: SIGNED_OUT }],
    async run(users, { peer }) {
      const ready = peer.a.held(users.length);
      const calls = users.map((user) => user.present('a', { headers: { 'x-hold': '1' } }));
      const failures = Promise.allSettled(calls);
      await ready;
      await peer.a.kill();
      await failures;
      await peer.replaceA();
      return Promise.all(users.map(async (user) => [!((await user.refresh('a')) && (await user.refresh('b')))]));
    },
  },
  {
    name: 'the store is set back by two refreshes',
    outcomes: [{ what: 'signed out', in: SIGNED_OUT }, { what: 'a logout since then is undone' }],
    async run(users, { peer }) {
      const leaving = users.splice(0, Math.ceil(users.length / 2));
      await peer.redis.snapshot();
      await Promise.all(leaving.map((user) => user.logout('a')));
      for (let refresh = 0; refresh < 2; refresh += 1) {
        await Promise.all(users.map((user) => user.refresh('a')));
        await Promise.all(users.map((user) => user.whose('a')));
      }
      await peer.redis.setBack();
      const stayed = users.map(async (user) => [!((await user.refresh('a')) && (await user.refresh('b'))), undefined]);
      const left = leaving.map(async (user) => [undefined, await user.refresh('b')]);
      return Promise.all([...stayed, ...left]);
    },
  },
];
