// The lines of docs/client.md for other libraries, run as they are there.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { QueryClient } from '@tanstack/query-core';
import axios from 'axios';
import express from 'express';
import ky from 'ky';
import { createAuth } from 'regrant';
import { createClient, SessionError, storedTokens } from 'regrant/client';
import { authenticate, authErrorHandler, logoutHandler, refreshHandler } from 'regrant/express';
import { serve } from '../support/server.mjs';

const docs = await readFile(new URL('../../docs/client.md', import.meta.url), 'utf8');
const [, section] = docs.split('## With other libraries');

/** Runs the line of the docs that begins with `start`; returns the constant that it defines. */
function run(start, names) {
  const line = section.split('\n').find((one) => one.startsWith(start));
  assert.ok(line, `docs/client.md has no line ${start}`);
  const [, constant] = /^const (\w+)/.exec(line);
  return new Function(...Object.keys(names), `${line}\nreturn ${constant};`)(...Object.values(names));
}

/** A client whose access token the server rejects, so that each library needs a refresh. */
async function stale(t) {
  const auth = createAuth({ secret: 'a secret of the tests, long enough', store: 'memory:', web: { refreshCookie: false } });
  const app = express();
  app.use(express.json());
  app.post('/auth/refresh', refreshHandler(auth));
  app.post('/auth/logout', logoutHandler(auth));
  app.all('/me', authenticate(auth), (req, res) => res.json({ user: req.auth.subject, sent: req.body ?? null }));
  app.use(authErrorHandler());
  const { origin } = await serve(t, app);
  const items = new Map();
  const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value), removeItem: (key) => void items.delete(key) };
  const client = createClient({ refresh: `${origin}/auth/refresh`, tokens: storedTokens(storage) });
  const { refreshToken } = await auth.login('alice');
  await client.signIn({ accessToken: 'not.valid.any-more', refreshToken });
  return { client, url: `${origin}/me` };
}

const EXPECTED = { user: 'alice', sent: { text: 'note' } };

test('axios', async (t) => {
  const { client, url } = await stale(t);
  const api = run('const api = axios.create', { axios, client });
  assert.deepEqual((await api.post(url, { text: 'note' })).data, EXPECTED);
});

test('ky', async (t) => {
  const { client, url } = await stale(t);
  const api = run('const api = ky.create', { ky, client });
  assert.deepEqual(await api.post(url, { json: { text: 'note' } }).json(), EXPECTED);
});

test('TanStack Query: a failed query is repeated unless the session is over', async (t) => {
  const { client, url } = await stale(t);
  const retry = run('const retry =', {});
  const queryClient = run('const queryClient =', { QueryClient, retry });
  t.after(() => queryClient.clear());
  const query = (queryKey) => queryClient.fetchQuery({ queryKey, retry, retryDelay: 0, queryFn: async () => (await client.fetch(url)).json() });
  assert.equal((await query(['me'])).user, 'alice');
  await client.signOut();
  let attempts = 0;
  const failing = queryClient.fetchQuery({ queryKey: ['over'], retry, retryDelay: 0, queryFn: () => (attempts++, client.fetch(url)) });
  await assert.rejects(failing, (error) => error instanceof SessionError && error.advice === 'sign_in');
  assert.equal(attempts, 1);
  assert.deepEqual([0, 1, 2, 3].map((count) => retry(count, { name: 'SessionError', advice: 'retry' })), [true, true, true, false]);
});
