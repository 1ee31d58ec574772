// Tokens that scripts keep, the old interface with `rtVerify`, wrong options, and the package: its formats and its size.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import express from 'express';
import { createAuth } from 'regrant';
import { createClient, rtVerify, SessionError, storedTokens } from 'regrant/client';
import { authenticate, authErrorHandler, logoutHandler, presets, refreshHandler } from 'regrant/express';
import { rolldown } from 'rolldown';
import { serve } from '../support/server.mjs';
import { Browser, ORIGIN } from './browser.mjs';

const TTL = 900_000;

/** A storage whose methods return promises, as in React Native. */
function asyncStorage() {
  const items = new Map();
  return {
    items,
    getItem: async (key) => items.get(key) ?? null,
    setItem: async (key, value) => void items.set(key, value),
    removeItem: async (key) => void items.delete(key),
  };
}

/** What a browser has and React Native or a worker does not. */
const WITHOUT = ['BroadcastChannel', 'addEventListener', 'document', 'localStorage', 'location', 'navigator'];

/** The `URL` of React Native: it resolves nothing, and adds a slash. */
class NativeURL {
  constructor(url, base = '') {
    this.href = `${base}${url}`.replace(/\/?$/, '/');
  }
}

/** An app on a phone, with tokens in `storage`. */
const phone = (browser, storage) =>
  browser.open(({ storedTokens: stored }) => ({ refresh: `${ORIGIN}/auth/refresh?v=/2`, tokens: stored(storage) }), { without: WITHOUT, URL: NativeURL });

test('stored tokens: refresh tokens in JSON bodies, in a storage of the app, without anything of a browser', async () => {
  const browser = new Browser({ config: { web: { refreshCookie: false } } });
  const storage = asyncStorage();
  const open = () => phone(browser, storage);
  const app = open();
  assert.equal((await browser.outcome(app.token)).error.reason, 'not_signed_in');
  assert.equal(browser.requests.length, 0, 'an empty storage needs no request');
  const login = await browser.login();
  await browser.value(app.client.signIn(login));
  assert.equal(storage.items.get('refreshToken'), `Bearer ${login.refreshToken}`);
  await browser.advance(TTL);
  assert.equal((await browser.value(app.client.fetch(`${ORIGIN}/api/me`))).status, 200);
  const [{ body, headers }] = browser.refreshes();
  assert.equal(body.refreshToken, login.refreshToken);
  assert.equal(headers.get('authorization'), null);
  assert.notEqual(storage.items.get('refreshToken'), `Bearer ${login.refreshToken}`);

  app.close();
  const restarted = open();
  assert.equal((await browser.value(restarted.client.fetch(`${ORIGIN}/api/me`))).status, 200);
  assert.equal(browser.refreshes().length, 1, 'the stored token is still good');
  assert.deepEqual({ ...(await browser.value(restarted.client.signOut())) }, { revoked: true });
  assert.equal(storage.items.size, 0);
  assert.equal((await browser.auth.sessions('alice'))[0].state, 'revoked');
  assert.deepEqual(browser.requests.map(({ path }) => path), ['/auth/refresh', '/api/me', '/api/me', '/auth/logout']);
});

test('stored tokens: the state is known from the start, without a request', async () => {
  const browser = new Browser({ config: { web: { refreshCookie: false } } });
  const storage = asyncStorage();
  const first = phone(browser, storage);
  await browser.advance(10);
  assert.equal(first.client.state.status, 'signed_out');
  await browser.value(first.client.signIn(await browser.login()));
  first.close();
  await browser.advance(2 * TTL);
  const second = phone(browser, storage);
  await browser.advance(10);
  assert.deepEqual({ ...second.client.state }, { status: 'signed_in', subject: 'alice' });
  assert.equal(browser.requests.length, 0);
});

test('React Native: a rejected request is repeated, although `URL` resolves nothing', async () => {
  for (const url of [`${ORIGIN}/api/me`, `${ORIGIN}/api/me/`, `${ORIGIN}/api/me?page=2`, ORIGIN.toUpperCase() + '/api/me']) {
    const browser = new Browser({ config: { web: { refreshCookie: false } } });
    const app = phone(browser, asyncStorage());
    await browser.value(app.client.signIn(await browser.login()));
    let rejections = 1;
    browser.network = ({ path }) => (path.startsWith('/api/') && rejections-- > 0 ? { response: { status: 401, headers: {} } } : {});
    assert.equal((await browser.value(app.client.fetch(url))).status, 200, url);
    assert.equal(browser.refreshes().length, 1, url);
  }
});

test('stored tokens: the server is told later of a sign-out offline, also if another user has signed in meanwhile', async () => {
  for (const [what, signsInAgain] of [['nobody', false], ['bob', true]]) {
    const browser = new Browser({ config: { web: { refreshCookie: false } } });
    const storage = asyncStorage();
    const app = phone(browser, storage);
    await browser.value(app.client.signIn(await browser.login()));
    browser.network = () => ({ lost: 'request' });
    assert.deepEqual({ ...(await browser.value(app.client.signOut())) }, { revoked: false });
    assert.equal(app.client.state.status, 'signed_out');
    assert.equal(storage.items.has('refreshToken'), false, 'no token that another start would use');
    if (signsInAgain) await browser.value(app.client.signIn(await browser.login('bob')));
    assert.equal((await browser.auth.sessions('alice'))[0].state, 'live');

    app.close();
    browser.network = () => ({});
    const restarted = phone(browser, storage);
    await browser.advance(1_000);
    assert.equal((await browser.auth.sessions('alice'))[0].state, 'revoked', what);
    assert.equal(storage.items.size, signsInAgain ? 3 : 0);
    assert.equal(restarted.client.state.subject, signsInAgain ? 'bob' : undefined);
  }
});

test('stored tokens: a sign-out needs no storage', async () => {
  const browser = new Browser({ config: { web: { refreshCookie: false } } });
  const storage = asyncStorage();
  const app = phone(browser, storage);
  await browser.value(app.client.signIn(await browser.login()));
  storage.setItem = () => Promise.reject(new Error('full'));
  assert.deepEqual({ ...(await browser.value(app.client.signOut())) }, { revoked: true });
  assert.equal(storage.items.size, 0);
});

test('a storage that fails or hangs: an error, tokens kept, and it works again', async () => {
  for (const fault of [() => Promise.reject(new Error('locked')), () => new Promise(() => {}), () => { throw new Error('locked'); }]) {
    const browser = new Browser({ config: { web: { refreshCookie: false } } });
    const storage = asyncStorage();
    const app = browser.open(({ storedTokens: stored }) => ({ refresh: '/auth/refresh', tokens: stored(storage) }));
    await browser.value(app.client.signIn(await browser.login()));
    for (const method of ['getItem', 'setItem', 'removeItem']) {
      await browser.advance(TTL);
      const works = storage[method];
      storage[method] = fault;
      const { error } = await browser.outcome(app.token);
      // A refresh removes nothing.
      assert.equal(error?.advice, method === 'removeItem' ? undefined : 'retry', method);
      assert.equal(app.client.state.status, 'signed_in');
      storage[method] = works;
      await browser.advance(61_000);
      assert.ok(await browser.value(app.token));
    }
    storage.removeItem = fault;
    assert.deepEqual(Object.keys(await browser.value(app.client.signOut())), ['revoked']);
    assert.equal(app.client.state.reason, 'by_user');
  }
});

/** A browser before a server of the old shape. */
async function oldBrowser(t) {
  const browser = new Browser({ config: { secret: 'old secret', allowShortSecret: true, access: { subjectClaim: 'userId', numericSubject: true } } });
  const old = presets.rtVerify();
  const app = express();
  app.post('/api/users/login', async (req, res) => old.loginResponse(res, await browser.auth.login('7')));
  app.get('/api/users/rtVerify', old.rtVerify(browser.auth));
  app.get('/api/users/logout', async (req, res) => {
    await browser.auth.logout(req.headers.refreshtoken.replace('Bearer ', ''));
    res.status(204).end();
  });
  app.get('/api/me', old.authenticate(browser.auth), (req, res) => res.json({ id: req.auth.subject }));
  app.use((err, req, res, _next) => res.status(Number(err.message.split('/')[0])).json({ message: err.message, failedApi: err.failedApi }));
  const call = await serve(t, app);
  browser.server = async ({ path, method, headers }) => {
    browser.clock.set(browser.wall);
    headers.delete('cookie');
    const response = await call(path, { method, headers });
    return { status: response.status, headers: { 'content-type': 'application/json' }, cookies: response.headers.getSetCookie(), body: await response.text() };
  };
  const tab = browser.open(({ rtVerify: tokens }, { localStorage }) => ({ refresh: '/api/users/rtVerify', tokens: tokens(localStorage) }));
  const login = JSON.parse((await browser.server({ path: '/api/users/login', method: 'POST', headers: new Headers() })).body);
  return { browser, tab, login };
}

test('rtVerify: headers, statuses and the items of an old front end', async (t) => {
  const { browser, tab, login } = await oldBrowser(t);
  await browser.value(tab.client.signIn(login));
  assert.equal(browser.items.get('refreshToken'), login.refreshToken);
  assert.equal(browser.items.get('accessToken'), login.accessToken);
  assert.equal(browser.items.get('userId'), '7');
  const response = await browser.value(tab.client.fetch('/api/me'));
  assert.equal(response.status, 200);
  assert.match(browser.requests.at(-1).headers.get('accesstoken'), /^Bearer ey/);

  // 403: the old middleware's word for an expired token.
  browser.items.set('accessToken', 'Bearer of.another.key');
  tab.close();
  const reloaded = browser.open(({ rtVerify: tokens }, { localStorage }) => ({ refresh: '/api/users/rtVerify', tokens: tokens(localStorage) }));
  assert.equal((await browser.value(reloaded.client.fetch('/api/me'))).status, 200);
  const statuses = browser.requests.slice(-3).map(({ path, status }) => `${path} ${status}`);
  assert.deepEqual(statuses, ['/api/me 403', '/api/users/rtVerify 200', '/api/me 200']);
  const { headers } = browser.requests.at(-2);
  assert.deepEqual([headers.get('refreshtoken'), headers.get('userid'), headers.get('x-refresh-rotate')], [login.refreshToken, '7', '1']);
  assert.notEqual(browser.items.get('refreshToken'), login.refreshToken, 'rotated');

  // Another tab has the same tokens, and hears of new ones.
  const other = browser.open(({ rtVerify: tokens }, { localStorage }) => ({ refresh: '/api/users/rtVerify', tokens: tokens(localStorage) }));
  await browser.advance(10);
  assert.equal(other.client.state.subject, '7');
  const refreshes = () => browser.requests.filter(({ path }) => path === '/api/users/rtVerify').length;
  await browser.advance(TTL);
  const [from, ...both] = [refreshes(), ...(await Promise.all([reloaded, other].map((one) => browser.value(one.client.fetch('/api/me')))))];
  assert.deepEqual(both.map(({ status }) => status), [200, 200]);
  assert.equal(refreshes() - from, 1);

  // 419: the session is over.
  await browser.auth.logoutEverywhere('7');
  await browser.advance(10_000);
  const { error } = await browser.outcome(reloaded.client.accessToken({ rejected: await browser.value(reloaded.token) }));
  assert.equal(error.advice, 'sign_in');
  assert.equal(browser.items.size, 0);
  assert.equal(browser.jar.has('accessToken'), false);
});

test('rtVerify: a sign-out deletes the items and the cookie; the server is told where it has an endpoint', async (t) => {
  for (const logout of [undefined, '/api/users/logout']) {
    const { browser, login } = await oldBrowser(t);
    const tab = browser.open(({ rtVerify: tokens }, { localStorage }) => ({ refresh: '/api/users/rtVerify', logout, tokens: tokens(localStorage) }));
    await browser.value(tab.client.signIn(login));
    const from = browser.requests.length;
    assert.deepEqual({ ...(await browser.value(tab.client.signOut())) }, { revoked: !!logout });
    assert.equal(browser.items.size, 0);
    assert.equal(browser.jar.has('accessToken'), false);
    const told = browser.requests.slice(from).map(({ path, headers }) => [path, headers.get('refreshtoken')]);
    assert.deepEqual(told, logout ? [[logout, login.refreshToken]] : []);
    assert.equal((await browser.auth.sessions('7'))[0].state, logout ? 'revoked' : 'live');
  }
});

test('wrong options are refused by name', () => {
  const storage = asyncStorage();
  for (const [options, message] of [
    [{}, /invalid option "refresh"/],
    [{ refresh: '' }, /invalid option "refresh"/],
    [{ refresh: 5 }, /invalid option "refresh"/],
    [{ refresh: 'https://a.example/', refreshUrl: 'S3CR3T' }, /unknown option "refreshUrl"/],
    [{ refresh: 'https://a.example/', toString: 'S3CR3T' }, /unknown option "toString"/],
    [{ refresh: 'https://a.example/', logout: false }, /invalid option "logout"/],
    [{ refresh: 'https://a.example/', logout: null }, /invalid option "logout"/],
    [{ refresh: 'https://a.example/', allowedOrigins: 'https://S3CR3T.example' }, /invalid option "allowedOrigins"/],
    [{ refresh: 'https://a.example/', tokens: 'rtVerify' }, /invalid option "tokens"/],
    [{ refresh: 'https://a.example/', fetch: {} }, /invalid option "fetch"/],
    [{ refresh: '/auth/refresh' }, /URL/],
  ]) {
    assert.throws(() => createClient(options), (error) => error instanceof TypeError && message.test(error.message) && !/S3CR3T/.test(error.message), JSON.stringify(options));
  }
  assert.ok(createClient({ refresh: 'https://a.example/refresh', logout: undefined, fetch: undefined }));
  assert.throws(() => storedTokens({}), /no method "getItem"/);
  assert.throws(() => storedTokens(null), /no method "getItem"/);
  assert.throws(() => storedTokens(storage, { refresh: 'a' }), /unknown key "refresh"/);
  assert.throws(() => rtVerify(storage, { accessToken: 5 }), /invalid key "accessToken"/);
});

test('signIn wants the body of a login', async () => {
  const client = createClient({ refresh: 'https://a.example/refresh' });
  for (const body of [undefined, null, '', {}, { accessToken: '' }, { accessToken: 5 }]) {
    await assert.rejects(client.signIn(body), { name: 'TypeError', message: /login/ });
  }
});

test('in Node.js, over HTTP', async (t) => {
  const auth = createAuth({ secret: 'a secret of the tests, long enough', store: 'memory:', web: { refreshCookie: false } });
  const app = express();
  app.use(express.json());
  app.post('/auth/refresh', refreshHandler(auth));
  app.post('/auth/logout', logoutHandler(auth));
  app.get('/me', authenticate(auth), (req, res) => res.json({ user: req.auth.subject }));
  app.use(authErrorHandler());
  const { origin } = await serve(t, app);
  const client = createClient({ refresh: `${origin}/auth/refresh`, tokens: storedTokens(asyncStorage()) });
  await assert.rejects(client.fetch(`${origin}/me`), SessionError);
  const { accessToken, refreshToken } = await auth.login('alice');
  await client.signIn({ accessToken: 'not.valid.any-more', refreshToken });
  assert.deepEqual(await (await client.fetch(`${origin}/me`)).json(), { user: 'alice' });
  assert.notEqual(await client.accessToken(), accessToken);
  assert.deepEqual(await client.signOut(), { revoked: true });
});

test('ES modules, CommonJS and the script tag have the same exports, and need neither Node.js nor the addon', async () => {
  const names = ['SessionError', 'createClient', 'rtVerify', 'storedTokens'];
  assert.deepEqual(Object.keys(await import('regrant/client')).sort(), names);
  assert.deepEqual(Object.keys(createRequire(import.meta.url)('regrant/client')).sort(), names);
  const tab = new Browser().open();
  assert.deepEqual(Object.keys(tab.regrant).sort(), names);
  const folder = new URL('../../dist/', import.meta.url);
  for (const file of ['client.mjs', 'client.iife.js', 'client-stored.iife.js', 'client/index.cjs', 'client/machine.cjs', 'client/endpoint.cjs', 'client/stored.cjs', 'client/tabs.cjs']) {
    const text = await readFile(new URL(file, folder), 'utf8');
    assert.doesNotMatch(text, /^\s*(import|export .* from)\b|\brequire\(["'](?!\.\/)|\bprocess\.[a-z]|\bBuffer\b/m, file);
  }
});

test('nothing keeps a process alive, not even a sign-out that is to be told later', async () => {
  const script = `
    const { createClient, storedTokens } = require('regrant/client');
    const items = new Map();
    const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value), removeItem: (key) => void items.delete(key) };
    const client = createClient({ refresh: 'https://a.example/', tokens: storedTokens(storage), fetch: async () => { throw new TypeError('no network'); } });
    client.signIn({ accessToken: 'a', refreshToken: 'r' }).then(client.signOut).then(() => console.log([...items.keys()].join()));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], { cwd: fileURLToPath(new URL('../..', import.meta.url)), timeout: 50_000 });
  assert.equal(stdout, 'regrant:https://a.example/:logout\n');
});

/** The largest size of each build in bytes, minified and compressed. docs/client.md states them. */
const SIZES = { 'with a refresh cookie, bundled': 5 * 1024, 'with a refresh cookie, a script': 5 * 1024, 'a script for the other modes': 1024 };

test('the size of each build, minified and compressed', async (t) => {
  const sizeOf = (text) => gzipSync(text, { level: 9 }).length;
  const entry = fileURLToPath(new URL('../../dist/client.mjs', import.meta.url));
  const bundle = await rolldown({ input: 'entry', treeshake: { moduleSideEffects: false }, plugins: [{ name: 'entry', resolveId: (id) => (id === 'entry' ? id : null), load: (id) => (id === 'entry' ? `export { createClient, SessionError } from ${JSON.stringify(entry)}` : null) }] });
  const { output: [{ code }] } = await bundle.generate({ format: 'esm', minify: true });
  const scripts = ['client.iife.js', 'client-stored.iife.js'].map((name) => readFile(new URL(`../../dist/${name}`, import.meta.url)));
  const sizes = [code, ...(await Promise.all(scripts))].map(sizeOf);
  for (const [index, [name, largest]] of Object.entries(SIZES).entries()) {
    t.diagnostic(`${name}: ${sizes[index]} bytes of at most ${largest}`);
    assert.ok(sizes[index] <= largest, `${name}: ${sizes[index]} bytes`);
  }
  const docs = await readFile(new URL('../../docs/client.md', import.meta.url), 'utf8');
  assert.match(docs, /at most 5 KB minified and compressed, as a bundle and as a script; the other modes add at most 1 KB/);
});
