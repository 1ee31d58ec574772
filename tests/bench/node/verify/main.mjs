// Verification in Node.js compared with other libraries: one process, the contestants take turns. Prints a
// line of JSON for each case: `{ title, contestants: [{ name, nanoseconds: [one per round] }] }`.
import { createSigner } from 'fast-jwt';
import { contestants, signers } from './contestants.mjs';
import { forged, issue, keysFor } from './tokens.mjs';

const { rounds, milliseconds, tokens: many } = JSON.parse(process.argv[2]);

/** Header values as node:http makes them: a fresh string for each request. */
function fresh(tokens) {
  const buffers = tokens.map((token) => Buffer.from(token, 'latin1'));
  // 7919 is prime: consecutive tokens are not adjacent in memory.
  return (n) => buffers[(n * 7919) % buffers.length].latin1Slice();
}

async function measure(title, taking, input, refused = false) {
  const results = taking.map(({ name }) => ({ name, nanoseconds: [] }));
  const calls = [];
  for (const [index, one] of taking.entries()) {
    await check(one, input(0), refused);
    // Once over all tokens to warm up caches and the just-in-time compiler; then for one
    // turn.
    const warm = one.caches ? many : 300;
    const took = await turn(one, input, warm, refused);
    calls[index] = Math.max(20, Math.round((milliseconds * 1e6) / took));
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, one] of taking.entries()) {
      results[index].nanoseconds.push(await turn(one, input, calls[index], refused));
    }
  }
  console.log(JSON.stringify({ title, contestants: results }));
}

/** Whether it does what it is measured for. */
async function check({ name, verify }, token, refused) {
  let outcome;
  try {
    outcome = await verify(token);
  } catch (error) {
    outcome = error;
  }
  if ((outcome instanceof Error) !== refused) throw new Error(`${name}: ${outcome}`);
}

/** Nanoseconds per call. */
async function turn({ verify, waits }, input, calls, refused) {
  const began = process.hrtime.bigint();
  if (waits) {
    for (let n = 0; n < calls; n += 1) await settled(verify, input(n), refused);
  } else if (refused) {
    for (let n = 0; n < calls; n += 1) {
      try {
        verify(input(n));
      } catch {
        continue;
      }
      throw new Error('a bad token passed');
    }
  } else {
    for (let n = 0; n < calls; n += 1) verify(input(n));
  }
  return Number(process.hrtime.bigint() - began) / calls;
}

async function settled(verify, token, refused) {
  try {
    await verify(token);
  } catch (error) {
    if (!refused) throw error;
    return;
  }
  if (refused) throw new Error('a bad token passed');
}

const hs256 = keysFor('HS256');
const tokens = await issue(hs256, many);
const all = contestants('HS256', hs256);
await measure('HS256, one token', all, fresh(tokens.slice(0, 1)));
await measure(`HS256, many tokens`, all, fresh(tokens));
await measure('HS256, expired', all, fresh(await issue(hs256, 100, true)), true);
await measure('HS256, forged', all, fresh(forged(tokens.slice(0, 100))), true);
for (const algorithm of ['RS256', 'ES256', 'EdDSA']) {
  const keys = keysFor(algorithm);
  const uncached = contestants(algorithm, keys).filter(({ caches }) => !caches);
  await measure(`${algorithm}, 200 tokens`, uncached, fresh(await issue(keys, 200)));
}
await measure('HS256, signing', signers(hs256, createSigner), () => undefined);
process.exit(0);
