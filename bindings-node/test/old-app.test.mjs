// The preset `rtVerify` answers as the app that it replaces, field by field, on a real Redis. Where it does not, the
// table below says why, and so does docs/moving-an-existing-app.md.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import jwt from 'jsonwebtoken';
import { createClient } from 'redis';
import { differences, presetAnswer, tableRow } from './old-app/differences.mjs';
import { newApp } from './old-app/new-app.mjs';
import { oldApp } from './old-app/old-app.mjs';
import { requests } from './old-app/requests.mjs';
import { userTable } from './old-app/users.mjs';
import { startRedis } from './support/redis.mjs';
import { expressVersions, json, serve, setCookies } from './support/server.mjs';

/** As short as the old app's may be. */
const SECRET = 'old secret';

/** One of the two apps, with what a client and the operator of its Redis can do. */
async function world(t, make, { ends, redisUrl, idType, ...options }) {
  const users = userTable(idType);
  const redis = await createClient({ url: redisUrl }).connect();
  ends.push(() => redis.destroy());
  const call = await serve(t, make({ ...options, idType, secret: SECRET, users, redis, url: redisUrl }));
  const sign = (claims, signing) => jwt.sign(claims, SECRET, signing);
  const { id } = users;
  const store = (token, number) =>
    redis.set(token, options.stored === 'email' ? `user${number}@example.com` : String(id(number)));
  const start = Math.floor(Date.now() / 1000) - 10;
  let kept = 0;
  const login = (number) => call.post('/api/users/login', json({ email: `user${number}@example.com` }));
  const tokensOf = async (number) => {
    const body = await (await login(number)).json();
    return { access: body.accessToken.split(' ')[1], refresh: body.refreshToken.split(' ')[1] };
  };
  const app = {
    call, users, redis, sign, id, store, login, tokensOf,
    /** A refresh token that the old app issued; no two of one second, in which they would be equal. */
    async keep(number, claims = {}, signing = {}) {
      const iat = start - (kept += 1);
      const { expiresIn = '14d', ...more } = signing;
      const life = 'expiresIn' in signing && signing.expiresIn === undefined ? {} : { expiresIn };
      const token = sign({ iat, ...claims }, { ...life, ...more });
      await store(token, number);
      return token;
    },
  };
  app.own = await tokensOf(1);
  app.legacy = await app.keep(1);
  return app;
}

/** What a client sees of a token: which user, of which type, for how long. */
function seen(text) {
  const claims = jwt.decode(text.slice('Bearer '.length));
  if (claims.userId === undefined) return 'Bearer <refresh token>';
  return { userId: claims.userId, lifetime: claims.exp - claims.iat };
}

async function answer(response) {
  const cookies = Object.entries(setCookies(response)).map(([name, { value, attributes }]) => ({ name, value, attributes }));
  const text = await response.text();
  const hideTokens = (_, value) => (/^Bearer ey/.test(value) ? seen(value) : value);
  return JSON.parse(JSON.stringify({ status: response.status, body: text && JSON.parse(text), cookies }, hideTokens));
}

/** The different answers to a request, or to several. */
async function answers(sent) {
  const all = await Promise.all([await sent].flat().map(answer));
  return [...new Set(all.map((each) => JSON.stringify(each)))].map((each) => JSON.parse(each));
}

/** As the table says it. */
const short = (all) => all.map(({ status, body }) => (status === 200 ? '200' : `${status} ${body.message}`)).join(', ');

for (const { name, express } of expressVersions) {
  for (const idType of ['number', 'string']) {
    for (const stored of ['id', 'email']) {
      test(`${name}, ids are ${idType}s, Redis holds the ${stored}: ${requests.length} requests`, async (t) => {
        // What uses Redis ends before it: what is registered first runs first.
        const ends = [];
        t.after(() => ends.forEach((end) => end()));
        const { port } = await startRedis(t);
        const options = { ends, express, idType, stored };
        const before = await world(t, oldApp, { ...options, redisUrl: `redis://127.0.0.1:${port}/1` });
        const after = await world(t, newApp, { ...options, redisUrl: `redis://127.0.0.1:${port}/2` });
        const unexplained = [];
        const met = new Set();
        for (const [request, send] of requests) {
          const was = await answers(send(before));
          const is = await answers(send(after));
          const difference = differences.find(({ requests: names }) => names.includes(request));
          if (JSON.stringify(was) === JSON.stringify(is)) continue;
          met.add(request);
          if (difference?.old === short(was) && presetAnswer(difference, stored) === short(is)) continue;
          unexplained.push({ request, was: JSON.stringify(was), is: JSON.stringify(is) });
        }
        assert.deepEqual(unexplained, []);
        const listed = differences.flatMap((difference) => difference.requests);
        assert.deepEqual(listed.filter((request) => !met.has(request)), [], 'these do not differ');
      });
    }
  }
}

test('the requests are many, and the guide lists every difference', async () => {
  assert.ok(requests.length >= 80);
  assert.equal(new Set(requests.map(([request]) => request)).size, requests.length);
  const guide = await readFile(new URL('../docs/moving-an-existing-app.md', import.meta.url), 'utf8');
  for (const difference of differences) assert.ok(guide.includes(tableRow(difference)), `the guide lacks: ${difference.what}`);
});
