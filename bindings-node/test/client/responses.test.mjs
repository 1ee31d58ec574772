// What responses to a refresh mean, `tests/vectors/client/responses.json`: the client reads them as the core does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { readAnswer } = require('../../dist/client/endpoint.cjs');
const { rtVerify, storedTokens } = require('../../dist/client/stored.cjs');
const responses = JSON.parse(readFileSync(new URL('../../../tests/vectors/client/responses.json', import.meta.url), 'utf8'));

const storage = { getItem: () => null, setItem() {}, removeItem() {} };
const modes = { json: storedTokens(storage), rtVerify: rtVerify(storage) };

/** The answer with the names of the core. */
function namedOf({ granted, superseded, signedOut, failure, retryAfter }) {
  if (granted) return { granted: { access: granted.access, refresh: granted.refresh ?? null, lifetime: granted.lifetime ?? null } };
  if (superseded) return 'superseded';
  if (signedOut) return { signedOut: signedOut.reason };
  return { failure: failure.status, retryAfter: retryAfter ? retryAfter / 1000 : null };
}

for (const mode of Object.keys(modes)) {
  test(`${mode}: every response means what it means to the core`, () => {
    const rows = responses.filter(([other]) => other === mode);
    assert.ok(rows.length > 100);
    for (const [, status, headers, body, expected] of rows) {
      const answer = readAnswer({ status, headers: new Headers(headers) }, body, modes[mode]);
      assert.deepEqual(namedOf(answer), expected, `${status} ${JSON.stringify(headers)} ${body}`);
    }
  });
}
