// Whether memory grows with the number of calls: `npm run leak -- --calls 10000000 --svg docs/memory.svg`.
//
// Prints the resident memory after every part of the calls, garbage collected, and with --json one line of JSON.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ROUND, newRound } from './calls.mjs';
import { plot } from './plot.mjs';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '10000000' },
    samples: { type: 'string', default: '50' },
    svg: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const calls = Number(values.calls);
const samples = Number(values.samples);
if (!(calls >= samples * ROUND)) throw new Error(`--calls must be at least ${samples * ROUND}`);
if (globalThis.gc === undefined) throw new Error('node --expose-gc is needed');

const MIB = 2 ** 20;

function sample(made) {
  globalThis.gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { calls: made, rss: rss / MIB, heap: heapUsed / MIB, external: external / MIB };
}

const round = await newRound();
const rounds = Math.floor(calls / ROUND);
await round();
const seen = [sample(ROUND)];
for (let part = 1, made = 1; part <= samples; part += 1) {
  for (; made < (rounds * part) / samples; made += 1) await round();
  seen.push(sample(made * ROUND));
  if (!values.json) {
    const { calls: so, rss, heap } = seen.at(-1);
    console.log(`${String(so).padStart(10)} calls   resident ${rss.toFixed(1)} MiB   JavaScript heap ${heap.toFixed(1)} MiB`);
  }
}
if (values.json) console.log(JSON.stringify(seen));
if (values.svg) writeFileSync(values.svg, plot(seen));
