// regrant/client in five tabs of Chromium: an hour of simulated time with lost answers, the late answer, sign-outs and theft, over HTTPS
// with Web Locks and over plain HTTP without.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { liveSessions, makeApp } from './app.mjs';
import { APP, launch, startSites, until } from './sites.mjs';

const script = fileURLToPath(new URL('../../dist/client.iife.js', import.meta.url));
const MINUTE = 60_000;

let browser;
let sites;
before(async () => ([browser, sites] = await Promise.all([launch(), startSites()])));
after(async () => {
  await browser?.close();
  await sites?.stop();
});

/** Whether to lose this answer: about 30 %, the same ones in each run. */
function losses() {
  let state = 7;
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647 < 0.3;
}

/** Five tabs of one user, whose clocks and that of the server go faster than real ones. */
async function fiveTabs(scheme, { worker = false } = {}) {
  const refreshes = [];
  let treat = (req, res, next) => next();
  const { app, auth } = makeApp({ web: scheme === 'https' ? {} : { secure: false } });
  const clock = await import('regrant').then(({ TestClock }) => new TestClock(Date.now()));
  const timed = makeApp({ web: scheme === 'https' ? {} : { secure: false }, clock });
  void app;
  void auth;
  sites.use((req, res) => {
    const path = req.url.split('?')[0];
    if (path === '/client.js') return res.setHeader('content-type', 'text/javascript').end(readScript());
    if (path === '/worker.js') {
      return res.setHeader('content-type', 'text/javascript')
        .end("onactivate = (event) => event.waitUntil(clients.claim()); onfetch = (event) => event.respondWith(fetch(event.request));");
    }
    if (path !== '/auth/refresh') return timed.app(req, res);
    refreshes.push({ at: clock.now?.() ?? 0, res });
    return treat(req, res, () => timed.app(req, res));
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(30_000);
  const open = async () => {
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${sites.origin(APP, scheme)}/`);
    if (worker) {
      await page.evaluate(() => navigator.serviceWorker.register('/worker.js').then(() => navigator.serviceWorker.ready)
        .then(() => navigator.serviceWorker.controller ?? new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done))).then(() => {}));
    }
    await page.addScriptTag({ url: '/client.js' });
    await page.evaluate(() => {
      globalThis.states = [];
      globalThis.client = regrant.createClient({ refresh: '/auth/refresh' });
      client.subscribe((state) => states.push(state.reason ?? state.status));
    });
    return page;
  };
  const pages = [];
  for (let count = 0; count < 5; count++) pages.push(await open());
  const login = async (user = 'alice') => pages[0].evaluate(async (who) => {
    const response = await fetch(`/login?user=${who}`, { method: 'POST' });
    await client.signIn(await response.json());
  }, user);
  await login();

  return {
    auth: timed.auth,
    clock,
    context,
    open,
    pages,
    refreshes,
    login,
    treat: (how) => (treat = how),
    /** A call of the page: its status, or why it failed. */
    call: (page) => page.evaluate(() => client.fetch('/api/notes').then(({ status }) => status, (error) => `${error.advice} ${error.reason}`)),
    states: () => Promise.all(pages.map((page) => page.evaluate(() => client.state.reason ?? client.state.status))),
    /** Lets time pass, for the server and all tabs. */
    async pass(ms) {
      clock.advance(ms);
      await Promise.all(pages.map((page) => page.clock.fastForward(ms)));
    },
  };
}

let text;
const readScript = () => (text ??= import('node:fs').then(({ readFileSync }) => (text = readFileSync(script, 'utf8'))), text);
