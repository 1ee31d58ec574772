// The retry rule, `tests/vectors/client/attempts.json`: the client sends requests with the headers that the core sends, and repeats the
// same ones.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createClient, rtVerify, storedTokens } from 'regrant/client';

const attempts = JSON.parse(readFileSync(new URL('../../../tests/vectors/client/attempts.json', import.meta.url), 'utf8'));
const modes = {
  bearer: { tokensIn: storedTokens, refresh: 'https://api.example/auth/refresh' },
  rtVerify: { tokensIn: rtVerify, refresh: 'https://api.example/api/users/rtVerify' },
};

// The clients of the rows are not tabs of one page.
delete globalThis.BroadcastChannel;

/** What happens to a request if every response has this status and comes from the URL `from`. */
async function outcomeOf(shape, method, url, status, from) {
  const { tokensIn, refresh } = modes[shape];
  const items = new Map();
  const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value), removeItem: (key) => void items.delete(key) };
  const outcome = { sent: [], refreshes: 0 };
  const send = async (input, init) => {
    if (input === refresh) {
      outcome.refreshes++;
      return Response.json({ accessToken: 'a2', refreshToken: 'r2' });
    }
    const headers = [...init.headers].filter(([name]) => ['authorization', 'accesstoken', 'dpop'].includes(name));
    outcome.sent.push(Object.fromEntries(headers));
    // A response that was not fetched has an empty `url`.
    return Object.defineProperty(new Response(null, { status }), 'url', { value: from ?? '' });
  };
  const client = createClient({ refresh, tokens: tokensIn(storage), fetch: send });
  await client.signIn({ accessToken: 'a1', refreshToken: 'r1' });
  assert.equal((await client.fetch(url, { method })).status, status);
  return outcome;
}

for (const page of ['https://api.example/page', undefined]) {
  for (const shape of Object.keys(modes)) {
    test(`${shape}, ${page ? 'in a page' : 'without a page'}: every request is sent and repeated as by the core`, async (t) => {
      globalThis.location = page && { href: page };
      t.after(() => delete globalThis.location);
      const rows = attempts.filter(([other]) => other === shape);
      assert.ok(rows.length > 80, `${rows.length} rows`);
      for (const [, method, url, status, from, expected] of rows) {
        assert.deepEqual(await outcomeOf(shape, method, url, status, from), expected, `${method} ${url} ${status} from ${from}`);
      }
    });
  }
}

test('a response that does not reject the token is returned, whatever its URL', async () => {
  for (const from of ['/notes', 'about:blank', '']) {
    assert.deepEqual(await outcomeOf('bearer', 'GET', 'https://api.example/notes', 200, from), { sent: [{ authorization: 'Bearer a1' }], refreshes: 0 });
  }
});
