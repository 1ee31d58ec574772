// What responses to a refresh and to a logout mean, `responses.json` and `logouts.json` in `tests/vectors/client`: the client reads them as
// the core does.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);
const { readAnswer } = require('../../dist/client/endpoint.cjs');
const { rtVerify, storedTokens } = require('../../dist/client/stored.cjs');

const storage = { getItem: () => null, setItem() {}, removeItem() {} };
const modes = { json: storedTokens(storage), rtVerify: rtVerify(storage) };

const secondsOf = (retryAfter) => (retryAfter ? retryAfter / 1000 : null);

/** For each table, an answer with the names of the core. */
const tables = {
  'responses.json': ({ granted, superseded, signedOut, failure, retryAfter }) => {
    if (granted) return { granted: { access: granted.access, refresh: granted.refresh ?? null, lifetime: granted.lifetime ?? null } };
    if (superseded && signedOut) return 'both';
    if (superseded) return 'superseded';
    if (signedOut) return { signedOut: signedOut.reason };
    return { failure: failure.status, retryAfter: secondsOf(retryAfter) };
  },
  'logouts.json': ({ revoked, retryAfter }) => {
    if (revoked !== undefined) return revoked ? 'revoked' : 'refused';
    return { retryAfter: secondsOf(retryAfter) };
  },
};

for (const [table, namedOf] of Object.entries(tables)) {
  const all = JSON.parse(readFileSync(new URL(`../../../tests/vectors/client/${table}`, import.meta.url), 'utf8'));
  for (const mode of Object.keys(modes)) {
    test(`${table}, ${mode}: every response means what it means to the core`, () => {
      const rows = all.filter(([other]) => other === mode);
      assert.ok(rows.length > 300, `${rows.length} rows`);
      for (const [, status, headers, body, expected] of rows) {
        const answer = readAnswer({ status, headers: new Headers(headers) }, body, modes[mode]);
        assert.deepEqual(namedOf(answer), expected, `${status} ${JSON.stringify(headers)} ${body}`);
      }
    });
  }
}

test('a page without its cookie is told so by a reason of its own', () => {
  const body = JSON.stringify({ error: { code: 'ERR_TOKEN_MISSING', advice: 'sign_in' } });
  assert.equal(readAnswer({ status: 401, headers: new Headers() }, body).signedOut.reason, 'not_signed_in');
});
