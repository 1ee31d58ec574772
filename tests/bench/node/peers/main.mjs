// regrant beside what people use today: what happens to users and thieves, and refreshes per second end to end over HTTP.
// Prints lines of JSON: `{ progress: text }` and at last `{ results }`.
import { setTimeout as sleep } from 'node:timers/promises';
import { ALONE, BETWEEN_USERS, TOGETHER } from './behaviours.mjs';
import { Peer } from './peer.mjs';
import { User } from './user.mjs';

const PEERS = ['regrant', 'strict-rotation', 'strict-families', 'oidc-provider', 'oauth2-server', 'better-auth'];

const { users, patience, rounds, milliseconds, connections, sessions } = JSON.parse(process.argv[2]);

/** Pauses for milliseconds. */
const wait = (time) => sleep(time * patience);

const print = (line) => console.log(JSON.stringify(line));
const progress = (text) => print({ progress: text });

let numbers = 0;
const newUser = (peer) => new User(peer, (numbers += 1));

/** New users of a peer who are logged in. */
async function logIn(peer, count) {
  const all = Array.from({ length: count }, () => newUser(peer));
  for (let index = 0; index < count; index += 20) {
    await Promise.all(all.slice(index, index + 20).map((user) => user.login('a')));
  }
  return all;
}

/** Runs `work` for each peer at once. */
const forEach = (peers, work) => Promise.all(peers.map(work));

/** Checks that the adapter works: else all its users would seem to be signed out. */
async function check(peer) {
  const [user] = await logIn(peer, 1);
  const works = (await user.whose('a')) === user.name && (await user.refresh('b')) && (await user.whose('b')) === user.name;
  await user.logout('a');
  if (!works || (await user.refresh('a'))) throw new Error(`${peer.name}: login, refresh or logout does not work`);
}

/** For each outcome of a behaviour how often it came true, of how many. */
function count(behaviour, perUser) {
  return behaviour.outcomes.map((_, index) => {
    const answers = perUser.map((answers) => answers[index]).filter((answer) => answer !== undefined);
    return { bad: answers.filter(Boolean).length, of: answers.length };
  });
}

async function behave(peers) {
  progress(`logging in ${users} users for each of ${ALONE.length} behaviours and ${peers.length} peers`);
  const all = await forEach(peers, async (peer) => {
    const groups = [];
    for (const behaviour of ALONE) groups.push({ group: await logIn(peer, users), other: newUser(peer) });
    progress(`  ${peer.name}: logged in`);
    return groups;
  });
  const counts = new Map([...ALONE, ...TOGETHER].map((behaviour) => [behaviour, []]));
  progress(`${ALONE.length} behaviours of all peers at once; the longest waits ${Math.round(30 * patience)} s`);
  await Promise.all(ALONE.map(async (behaviour, index) => {
    counts.set(behaviour, await forEach(all, async (groups) => {
      const { group, other } = groups[index];
      const runs = group.map(async (user, place) => {
        await wait(place * BETWEEN_USERS);
        return behaviour.run(user, { wait, thief: user.thief((numbers += 1)), other });
      });
      return count(behaviour, await Promise.all(runs));
    }));
    progress(`  ${behaviour.name}: done`);
  }));
  for (const behaviour of TOGETHER) {
    progress(`  ${behaviour.name}`);
    for (const peer of peers) {
      counts.get(behaviour).push(count(behaviour, await behaviour.run(await logIn(peer, users), { peer })));
    }
  }
  return [...counts].map(([{ name, outcomes }, counts]) => ({ name, outcomes, counts }));
}

/** Refreshes sessions of a peer for a while, with one call at a time for each connection. */
async function load({ peer, all }, milliseconds) {
  const [server, redis, own] = [await peer.a.processor(), await peer.redis.processor(), process.cpuUsage()];
  const began = performance.now();
  let refreshes = 0;
  await Promise.all(Array.from({ length: connections }, async (_, caller) => {
    // Every session belongs to one caller.
    for (let next = caller; performance.now() - began < milliseconds; next = (next + connections) % all.length) {
      const tokens = await all[next].present('a');
      if (tokens === undefined) throw new Error(`${peer.name}: a refresh was refused under load`);
      all[next].tokens = tokens;
      refreshes += 1;
    }
  }));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(own);
  return {
    rate: refreshes / seconds,
    server: ((await peer.a.processor()) - server) / refreshes,
    redis: ((await peer.redis.processor()) - redis) / refreshes,
    client: (user + system) / refreshes,
  };
}

async function measure(peers) {
  progress(`refreshes per second: ${rounds} rounds, ${connections} connections`);
  const loads = await forEach(peers, async (peer) => ({ peer, all: await logIn(peer, sessions), turns: [] }));
  for (const each of loads) await load(each, milliseconds);
  for (let round = 1; round <= rounds; round += 1) {
    for (const each of loads) each.turns.push(await load(each, milliseconds));
    progress(`  round ${round} of ${rounds}`);
  }
  return loads.map(({ turns }) => turns);
}

progress(`starting ${PEERS.length} peers: two processes and a Redis each`);
const peers = await Promise.all(PEERS.map((file) => Peer.start(file)));
await forEach(peers, check);
const behaviours = await behave(peers);
const turns = await measure(peers);
const results = peers.map(({ name, versions, setting }, index) => ({ name, versions, setting, turns: turns[index] }));
await forEach(peers, (peer) => peer.stop());
print({ results: { peers: results, behaviours } });
