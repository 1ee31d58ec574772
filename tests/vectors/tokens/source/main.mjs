// Writes the corpus: `node tests/vectors/tokens/source/main.mjs`. Run twice, it writes the same.
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import * as algorithms from './classes/algorithms.mjs';
import * as claims from './classes/claims.mjs';
import * as forms from './classes/forms.mjs';
import { cases as sets, single } from './classes/key-sets.mjs';
import { cases as unfit } from './classes/keys.mjs';
import * as headers from './classes/headers.mjs';
import * as json from './classes/json.mjs';
import * as others from './classes/others.mjs';
import { cases as refresh } from './classes/refresh.mjs';
import * as signatures from './classes/signatures.mjs';
import valid from './classes/valid.mjs';
import { verifiers } from './verifiers.mjs';

const folder = new URL('../', import.meta.url);
const modules = [algorithms, signatures, forms, json, claims, headers, others];
const suites = [valid, ...modules.flatMap((module) => Object.values(module).filter((value) => value.cases))];

for (const { name, cases } of suites) {
  const names = cases.map((one) => one.name);
  const twice = names.find((one, at) => names.indexOf(one) !== at);
  if (twice !== undefined) throw new Error(`${name}: two cases are named ${twice}`);
  const lost = cases.find((one) => !(one.verifier in verifiers) || !one.why);
  if (lost !== undefined) throw new Error(`${name}: no such verifier, or no reason: ${lost.name}`);
}

for (const file of readdirSync(folder)) if (file.endsWith('.json')) rmSync(new URL(file, folder));
const write = (name, value) => writeFileSync(new URL(`${name}.json`, folder), value);
/** A case per line: a change of one is a change of one line. */
const lines = (cases) => cases.map((one) => `    ${JSON.stringify(one)}`).join(',\n');
const file = (head, cases) => `{\n  ${head},\n  "cases": [\n${lines(cases)}\n  ]\n}\n`;
for (const { name, about, cases } of suites) {
  write(name, file(`"about": ${JSON.stringify(about)}`, cases));
}
write('verifiers', `${JSON.stringify(verifiers, null, 2)}\n`);
const files = Object.fromEntries(suites.map(({ name, cases }) => [name, cases.length]));
const total = Object.values(files).reduce((sum, count) => sum + count, 0);
write('index', `${JSON.stringify({ cases: total, files }, null, 2)}\n`);
// What is not a token for a verifier stands beside them.
const beside = { 'unfit-keys': unfit, 'key-sets': sets, 'single-keys': single, 'refresh-tokens': refresh };
for (const [name, cases] of Object.entries(beside)) {
  const twice = cases.map((one) => one.name).find((one, at, all) => all.indexOf(one) !== at);
  if (twice !== undefined) throw new Error(`${name}: two cases are named ${twice}`);
  write(`../${name}`, file(`"count": ${cases.length}`, cases));
}
console.log(`${total} tokens in ${suites.length} files; ${Object.entries(beside).map(([name, cases]) => `${cases.length} ${name}`).join(', ')}`);
