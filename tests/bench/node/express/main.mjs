// An Express app end to end, under load: without auth and with each guard, taking turns. Prints one
// line of JSON: `{ contestants: [{ name, rates, costs }] }`, for each round the requests per second, and the processor time
// of the server per request in microseconds.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { issue, keysFor } from '../verify/tokens.mjs';

const { rounds, milliseconds, tokens, connections } = JSON.parse(process.argv[2]);
const NAMES = [
  'no auth',
  'jsonwebtoken',
  'jsonwebtoken, KeyObject',
  'fast-jwt',
  'fast-jwt, cache',
  'regrant',
  'regrant, cache',
];

async function start(name) {
  const script = fileURLToPath(new URL('server.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, name], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [port] = await once(child, 'message');
  return { name, child, url: `http://127.0.0.1:${port}/`, rates: [], costs: [] };
}

/** The processor time that a server has used so far, in microseconds. */
async function processorTime({ child }) {
  child.send('processor time');
  const [{ user, system }] = await once(child, 'message');
  return user + system;
}

const bearers = (await issue(keysFor('HS256'), tokens)).map((token) => `Bearer ${token}`);

/** Requests per second, and the processor time per request. */
async function load(server, duration) {
  const { name, url } = server;
  const requests = bearers.map((authorization) => ({ method: 'GET', path: '/', headers: { authorization } }));
  const [began, used] = [performance.now(), await processorTime(server)];
  const result = await autocannon({ url, connections, requests, duration });
  const elapsed = (performance.now() - began) / 1000;
  if (result.non2xx + result.errors > 0) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return { rate: result['2xx'] / elapsed, cost: ((await processorTime(server)) - used) / result['2xx'] };
}

const servers = await Promise.all(NAMES.map(start));
const seconds = milliseconds / 1000;
for (const server of servers) await load(server, seconds);
for (let round = 0; round < rounds; round += 1) {
  for (const server of servers) {
    const { rate, cost } = await load(server, seconds);
    server.rates.push(rate);
    server.costs.push(cost);
  }
}
console.log(JSON.stringify({ contestants: servers.map(({ name, rates, costs }) => ({ name, rates, costs })) }));
for (const { child } of servers) child.disconnect();
