// An Express app end to end, under load: without auth and with each guard, taking turns. Prints one
// line of JSON: `{ contestants: [{ name, rates: [requests per second, one per round] }] }`.
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
  const child = spawn(process.execPath, [script, name], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [port] = await once(child.stdout, 'data');
  return { name, child, url: `http://127.0.0.1:${Number(port)}/`, rates: [] };
}

const bearers = (await issue(keysFor('HS256'), tokens)).map((token) => `Bearer ${token}`);

/** Requests per second. */
async function load({ name, url }, duration) {
  const requests = bearers.map((authorization) => ({ method: 'GET', path: '/', headers: { authorization } }));
  const began = performance.now();
  const result = await autocannon({ url, connections, requests, duration });
  const elapsed = (performance.now() - began) / 1000;
  if (result.non2xx + result.errors > 0) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return result['2xx'] / elapsed;
}

const servers = await Promise.all(NAMES.map(start));
const seconds = milliseconds / 1000;
for (const server of servers) await load(server, seconds);
for (let round = 0; round < rounds; round += 1) {
  for (const server of servers) server.rates.push(await load(server, seconds));
}
console.log(JSON.stringify({ contestants: servers.map(({ name, rates }) => ({ name, rates })) }));
for (const { child } of servers) child.stdin.end();
