// regrant/client in five tabs of Chromium: an hour of simulated time with lost answers, the late answer, sign-outs and theft; over HTTPS
// with Web Locks, and over plain HTTP without.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { clockFromNow, liveSessions, makeApp } from './app.mjs';
import { launchChromium } from '../../example/test/browser-support.mjs';
import { APP, startSites, until } from './sites.mjs';

const script = readFileSync(new URL('../../dist/client.iife.js', import.meta.url), 'utf8');
/** A service worker that answers all requests of the page, without the signal that aborts them. */
const worker = `
  onactivate = (event) => event.waitUntil(clients.claim());
  onfetch = (event) => event.respondWith(fetch(new Request(event.request, { signal: new AbortController().signal })));
`;
const TTL = 900_000;
const MINUTE = 60_000;

let browser;
let sites;
// A service worker needs a certificate without errors.
const launch = () => launchChromium({ args: ['--host-resolver-rules=MAP *.test 127.0.0.1', '--ignore-certificate-errors'] });
before(async () => ([browser, sites] = await Promise.all([launch(), startSites()])));
after(async () => {
  await browser?.close();
  await sites?.stop();
});

/** Five tabs of one user. Their clocks and that of the server can be set forward. */
async function fiveTabs(t, scheme, { hasWorker = false, refresh } = {}) {
  const clock = clockFromNow();
  const { app, auth } = makeApp({ web: scheme === 'https' ? {} : { secure: false }, refresh, clock });
  const origin = sites.origin(APP, scheme);
  let refreshes = 0;
  let treat = (req, res, next) => next();
  const asScript = (res, text) => res.setHeader('content-type', 'text/javascript').end(text);
  sites.use((req, res) => {
    if (req.url === '/client.js') return asScript(res, script);
    if (req.url === '/worker.js') return asScript(res, worker);
    if (req.url !== '/auth/refresh') return app(req, res);
    refreshes++;
    return treat(req, res, () => app(req, res));
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  t.after(() => context.close());
  context.setDefaultTimeout(60_000);
  await context.clock.install();
  const load = async (page) => {
    await page.goto(`${origin}/`);
    if (hasWorker) {
      await page.evaluate(async () => {
        await navigator.serviceWorker.register('/worker.js');
        if (!navigator.serviceWorker.controller) await new Promise((done) => (navigator.serviceWorker.oncontrollerchange = done));
      });
    }
    await page.addScriptTag({ url: '/client.js' });
    await page.evaluate(() => {
      globalThis.client = regrant.createClient({ refresh: '/auth/refresh' });
    });
  };
  const pages = [];
  for (let count = 0; count < 5; count++) {
    const page = await context.newPage();
    await load(page);
    pages.push(page);
  }
  const login = (user = 'alice') => pages[0].evaluate(async (who) => {
    const response = await fetch(`/login?user=${who}`, { method: 'POST' });
    await client.signIn(await response.json());
  }, user);
  await login();
  assert.equal(await pages[0].evaluate(() => !!navigator.locks), scheme === 'https');

  return {
    auth,
    origin,
    context,
    pages,
    load,
    login,
    refreshes: () => refreshes,
    treat: (how) => (treat = how),
    /** A call of the page: its status, or why it failed. */
    call: (page) => page.evaluate(() => client.fetch('/api/notes').then(({ status }) => status, (error) => `${error.advice}: ${error.reason}`)),
    state: (page) => page.evaluate(() => client.state.reason ?? client.state.status),
    /** Sets all clocks forward. */
    async pass(ms) {
      clock.advance(ms);
      await context.clock.fastForward(ms);
    },
  };
}

for (const scheme of ['https', 'http']) {
  describe(`five tabs over ${scheme}`, () => {
    test('an hour with 30 % lost answers: one refresh per expiry, nobody is signed out', async (t) => {
      const tabs = await fiveTabs(t, scheme);
      const { pages, call } = tabs;
      let lost = 0;
      tabs.treat((req, res, next) => {
        if (![1, 4, 5].includes(tabs.refreshes() % 10)) return next();
        lost++;
        // The responses, and one of the requests.
        if (lost === 3) return req.socket.destroy();
        res.end = () => req.socket.destroy();
        return next();
      });
      for (let minute = 0; minute < 60; minute += 5) {
        await tabs.pass(5 * MINUTE);
        const results = await Promise.all(pages.map(call));
        assert.deepEqual(results, [200, 200, 200, 200, 200], `after ${minute + 5} minutes`);
        if (minute % 20 === 0) await tabs.load(pages[1 + ((minute / 20) % 4)]);
      }
      // One for each quarter of an hour, and three that are lost.
      assert.deepEqual({ refreshes: tabs.refreshes(), lost }, { refreshes: 7, lost: 3 });
      assert.equal(await liveSessions(tabs.auth, 'alice'), 1);
    });

    test('an answer that is 15 s late: nobody else refreshes, and nobody is signed out', async (t) => {
      const tabs = await fiveTabs(t, scheme);
      const { pages: [first, second, third], call } = tabs;
      await tabs.pass(TTL);
      let answer;
      tabs.treat((req, res, next) => {
        const { end } = res;
        res.end = (...args) => (answer = () => end.apply(res, args));
        return next();
      });
      const calls = [call(first)];
      await until(() => answer, 'the refresh of the first tab');
      // The clocks of the pages stand still: a refresh is given up after 30 s, and the machine may be slow.
      await tabs.context.clock.pauseAt(await first.evaluate(() => Date.now() + 5_000));
      calls.push(call(second), call(third));
      tabs.treat((req, res, next) => next());
      await tabs.pass(15_000);
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(tabs.refreshes(), 1);
      answer();
      await tabs.context.clock.resume();
      assert.deepEqual(await Promise.all(calls), [200, 200, 200]);
      assert.equal(tabs.refreshes(), 1);
      for (let round = 0; round < 2; round++) {
        await tabs.pass(TTL);
        assert.deepEqual(await Promise.all([call(second), call(first)]), [200, 200]);
      }
      assert.equal(await liveSessions(tabs.auth, 'alice'), 1);
    });

    test('an answer that is given up: its cookie does not land', async (t) => {
      // Without the grace that hides which of two cookies has landed.
      const tabs = await fiveTabs(t, scheme, { refresh: { grace: '1s', unusedGrace: '1s' } });
      const { pages: [first, second], call } = tabs;
      await tabs.pass(TTL);
      let answer;
      tabs.treat((req, res, next) => {
        const { end } = res;
        res.end = (...args) => (answer = () => end.apply(res, args));
        return next();
      });
      const cookie = async () => (await tabs.context.cookies())[0].value;
      const before = await cookie();
      const calls = [call(first)];
      await until(() => answer, 'the refresh of the first tab');
      calls.push(call(second));
      tabs.treat((req, res, next) => next());
      // The first tab gives up, and lets the others go on a moment later.
      await tabs.pass(31_000);
      await until(async () => (await cookie()) !== before, 'the next refresh');
      await Promise.all(calls);
      const after = await cookie();
      answer();
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(await cookie(), after);
      for (let round = 0; round < 2; round++) {
        await tabs.pass(TTL);
        assert.equal(await call(second), 200);
      }
      assert.equal(await liveSessions(tabs.auth, 'alice'), 1);
    });

    test('a login and a sign-out reach all tabs', async (t) => {
      const tabs = await fiveTabs(t, scheme);
      const { pages, state } = tabs;
      const all = (expected) => until(async () => (await Promise.all(pages.map(state))).join() === expected.join(), `the states ${expected}`);
      await all(Array(5).fill('signed_in'));
      assert.deepEqual(await pages[2].evaluate(() => client.signOut()), { revoked: true });
      await all(['elsewhere', 'elsewhere', 'by_user', 'elsewhere', 'elsewhere']);
      assert.deepEqual(await tabs.context.cookies(), []);
      assert.equal(await liveSessions(tabs.auth, 'alice'), 0);
      await tabs.login('bob');
      await all(Array(5).fill('signed_in'));
      assert.equal(await pages[4].evaluate(() => client.state.subject), 'bob');
    });

    test('theft: all tabs are signed out, with the reason', async (t) => {
      const tabs = await fiveTabs(t, scheme);
      const { pages, state, call } = tabs;
      const [{ name, value }] = await tabs.context.cookies(`${tabs.origin}/auth/refresh`);
      // Three refreshes: the parent of the token in use has a grace, which begins when its first use is reported.
      for (const page of [pages[0], pages[1], pages[2]]) {
        await tabs.pass(TTL);
        assert.equal(await call(page), 200);
      }
      await tabs.pass(MINUTE);
      // A thief presents the token of 45 minutes ago.
      const stolen = await tabs.auth.refresh(value).catch((error) => error.code);
      assert.equal(stolen, 'ERR_REFRESH_REUSED', name);
      await tabs.pass(TTL);
      assert.equal(await call(pages[2]), 'sign_in: reused');
      await until(async () => (await Promise.all(pages.map(state))).every((one) => one === 'reused'), 'the state in all tabs');
      assert.ok((await Promise.all(pages.map(call))).every((one) => one === 'sign_in: reused'));
    });
  });
}

test('an upload by XMLHttpRequest: the lines of docs/client.md', async (t) => {
  const docs = readFileSync(new URL('../../docs/client.md', import.meta.url), 'utf8');
  const [, lines] = /\/\/ XMLHttpRequest.*\n([^`]*(?:`Bearer[^`]*`)[^`]*)```/.exec(docs);
  const { pages: [page], pass, refreshes } = await fiveTabs(t, 'https');
  await pass(TTL);
  const status = await page.evaluate((code) => {
    const AsyncFunction = (async () => {}).constructor;
    const upload = new AsyncFunction('file', `${code}; return new Promise((done) => (xhr.onloadend = () => done(xhr.status)));`);
    return upload(new Blob(['a']));
  }, lines.replace('/api/files', '/api/notes'));
  assert.deepEqual([status, refreshes()], [201, 1]);
});

test('a service worker in between', async (t) => {
  const tabs = await fiveTabs(t, 'https', { hasWorker: true });
  const { pages, call } = tabs;
  for (let round = 0; round < 3; round++) {
    await tabs.pass(TTL);
    assert.deepEqual(await Promise.all(pages.map(call)), [200, 200, 200, 200, 200]);
    // A tab that holds the lock when the time is set forward looks as if it hung.
    await until(() => pages[0].evaluate(async () => !Object.values(await navigator.locks.query()).flat().length), 'the lock is free');
  }
  assert.equal(tabs.refreshes(), 3);
  assert.equal(await liveSessions(tabs.auth, 'alice'), 1);
});
