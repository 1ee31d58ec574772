// The control: what many apps have, a strict rotation of refresh tokens on ioredis, under honest clients and the same
// faults. If nothing happens to its clients, a scenario proves nothing.
//
// Reads one JSON object from standard input, runs until that ends, and prints its counts as JSON.
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';

/** As for regrant: how long a request may take. */
const TIMEOUT = 400;
const REFRESH_TTL = 14 * 24 * 3600;
const ACCESS_TTL = 15 * 60;
const HONEST = 24;
const LOGOUTS = 4;
/** How long after the end the clients are waited for. */
const PATIENCE = 10_000;
/** Clients that repeat one request without end. */
const ENDLESS = 4;

const sha256 = (text) => createHash('sha256').update(text).digest('base64url');
const between = (least, most) => least + Math.floor(Math.random() * (most - least));

/** A final rejection: the client shows the login page. */
class SignIn extends Error {}

/** One process of an app. */
class App {
  constructor(address) {
    this.redis = connect(address);
    // Lost connections are reported by the commands.
    this.redis.on('error', () => {});
  }

  async login() {
    const session = randomUUID();
    const token = randomBytes(32).toString('base64url');
    await this.redis.set(`peer:session:${session}`, sha256(token), 'EX', REFRESH_TTL);
    return { session, token };
  }

  async refresh({ session, token }) {
    const key = `peer:session:${session}`;
    const expected = await this.redis.get(key);
    if (expected === null) throw new SignIn('unknown session');
    if (expected !== sha256(token)) {
      await this.redis.del(key);
      throw new SignIn('reuse detected');
    }
    const next = randomBytes(32).toString('base64url');
    await this.redis.set(key, sha256(next), 'EX', REFRESH_TTL);
    return { session, token: next };
  }

  async logout({ session }) {
    await this.redis.del(`peer:session:${session}`);
    await this.redis.set(`peer:denied:${session}`, 1, 'EX', ACCESS_TTL);
  }

  async isDenied(session) {
    return (await this.redis.exists(`peer:denied:${session}`)) === 1;
  }

  /** A forged token: counted for the address, as rate limiters on Redis do. */
  async refuse(address) {
    const key = `peer:limit:${address}`;
    await this.redis.multi().incr(key).expire(key, 60).exec();
  }
}

function connect(address) {
  const [, layout, hosts, name] = /^redis(\+\w+)?:\/\/([^/]*)\/?([^/]*)/.exec(address);
  const nodes = hosts.split(',').map((it) => {
    const at = it.lastIndexOf(':');
    return { host: it.slice(0, at), port: Number(it.slice(at + 1)) };
  });
  const options = { commandTimeout: TIMEOUT, connectTimeout: TIMEOUT };
  if (layout === '+cluster') return new Cluster(nodes, { redisOptions: options });
  if (layout === '+sentinel') return new Redis({ ...options, sentinels: nodes, name });
  return new Redis({ ...options, ...nodes[0] });
}

const counts = { honest: 0, refreshes: 0, failed: 0, signedOut: 0, logouts: 0, forgotten: 0, endless: 0, slowest: 0 };
const { addresses, endless } = await firstLine();
const apps = addresses.map((address) => new App(address));
const any = () => apps[between(0, apps.length)];
const ended = [];
let isOver = false;

async function firstLine() {
  const { value } = await process.stdin.setEncoding('utf8').iterator({ destroyOnReturn: false }).next();
  return JSON.parse(value);
}

/** Calls one process after another until the answer is not "try again". */
async function retry(call) {
  const since = Date.now();
  for (let tries = 0; ; tries += 1) {
    try {
      const answer = await call(any());
      if (tries > 0) counts.slowest = Math.max(counts.slowest, Date.now() - since);
      return answer;
    } catch (error) {
      if (error instanceof SignIn) throw error;
      counts.failed += 1;
      await sleep(between(20, 100));
    }
  }
}

async function honest() {
  while (!isOver) {
    let newest = await retry((app) => app.login());
    counts.honest += 1;
    try {
      do {
        await sleep(between(10, 80));
        newest = await retry((app) => app.refresh(newest));
        counts.refreshes += 1;
      } while (!isOver);
    } catch (error) {
      if (!(error instanceof SignIn)) throw error;
      counts.signedOut += 1;
    }
  }
}

async function logOut() {
  while (!isOver) {
    const pair = await retry((app) => app.login());
    await sleep(between(10, 200));
    await retry((app) => app.logout(pair));
    counts.logouts += 1;
    ended.push(pair);
  }
}

/** Tries the tokens of ended sessions: the refresh token, and the access token in every process. */
async function tryEnded() {
  for (const pair of ended) {
    const isRefused = await retry((app) => app.refresh(pair)).then(() => false, (error) => error instanceof SignIn);
    const isDenied = await retry((app) => app.isDenied(pair.session));
    if (!isRefused || !isDenied) counts.forgotten += 1;
  }
}

async function repeatForged() {
  while (!isOver) {
    const part = () => between(0, 65_536).toString(16);
    await any().refuse(`2001:db8:${part()}:${part()}::1`).catch(() => {});
    counts.endless += 1;
  }
}

const clients = [];
const start = (number, client) => clients.push(...Array.from({ length: number }, client));
if (endless) {
  start(ENDLESS, repeatForged);
} else {
  start(HONEST, honest);
  start(LOGOUTS, logOut);
}
const over = new Promise((resolve) => process.stdin.on('end', resolve));
process.stdin.resume();
const finished = Promise.all(clients).then(tryEnded);
await over;
isOver = true;
// ioredis keeps a connection that was dropped silently, until the system gives it up after many minutes.
await Promise.race([finished, sleep(PATIENCE)]);
console.log(JSON.stringify(counts));
process.exit();
