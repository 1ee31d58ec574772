// The Node.js contestant of the rotation benchmark. Reads requests as lines of JSON from standard
// input and writes one response for each. Ends at the end of its input.
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { createAuth } from '../../../bindings-node/index.mjs';

/** Logins at once while users log in. */
const AT_ONCE = 64;

let auth;
/** The newest refresh token of each user. */
let tokens = [];

async function logIn({ config, users, device }) {
  auth = createAuth(config);
  tokens = new Array(users);
  let next = 0;
  await together(AT_ONCE, async () => {
    for (let user = next++; user < users; user = next++) {
      const name = `node-${String(user).padStart(12, '0')}`;
      tokens[user] = (await auth.login(name, { device })).refreshToken;
    }
  });
  return {};
}

async function run({ concurrency, milliseconds }) {
  const latencies = [];
  const processorBefore = process.cpuUsage();
  const began = performance.now();
  await together(concurrency, async (caller) => {
    let before = performance.now();
    while (before - began < milliseconds) {
      // Every user belongs to one caller, because two concurrent callers would present the same token.
      const place = Math.floor(Math.random() * Math.floor(tokens.length / concurrency)) * concurrency + caller;
      tokens[place] = (await auth.refresh(tokens[place])).refreshToken;
      const after = performance.now();
      latencies.push(after - before);
      before = after;
    }
  });
  const elapsed = performance.now() - began;
  const { user, system } = process.cpuUsage(processorBefore);
  latencies.sort((a, b) => a - b);
  const percentile = (share) => latencies[Math.max(Math.ceil(latencies.length * share) - 1, 0)] * 1000;
  return {
    calls: latencies.length,
    milliseconds: elapsed,
    processor: user + system,
    p50: percentile(0.5),
    p99: percentile(0.99),
  };
}

function together(count, work) {
  return Promise.all(Array.from({ length: count }, (_, index) => work(index)));
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const answer = await ('config' in order ? logIn(order) : run(order));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
