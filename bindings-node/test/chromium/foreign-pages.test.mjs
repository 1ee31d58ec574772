// Pages of other hosts use the user's cookies: they sign nobody out, remove no cookie and change nothing. Routes that
// do not check the origin show that Chromium would let them.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { presets } from 'regrant/express';
import { WebSocketServer } from 'ws';
import { liveSessions, makeApp } from './app.mjs';
import { APP, OTHER, SIBLING, launch, startSites, until, visit } from './sites.mjs';

let browser;
let sites;
before(async () => ([browser, sites] = await Promise.all([launch(), startSites()])));
after(async () => {
  await browser?.close();
  await sites?.stop();
});

/**
 * What a foreign page can do with a URL of the app. `inWindow`: Chromium shows the response in a window, and takes its cookies
 * even if the page is of another site. `isOfNoSite`: the page counts as one of another site everywhere.
 */
const ATTACKS = {
  'a form': { inWindow: true, run: (page, url) => page.evaluate(submit, { url }) },
  'a form without a referrer': { inWindow: true, run: (page, url) => page.evaluate(submit, { url, referrer: 'no-referrer' }) },
  'a form that is redirected': { inWindow: true, run: (page, url) => page.evaluate(submit, { url: redirect(url) }) },
  'a form in a new window': { inWindow: true, run: (page, url) => page.evaluate(submit, { url, target: '_blank' }) },
  'a form in a sandbox': { inWindow: true, isOfNoSite: true, run: (page, url) => page.evaluate(submitInSandbox, url) },
  'a form in a frame': { run: (page, url) => page.evaluate(submit, { url, target: 'frame' }) },
  fetch: { navigates: false, run: (page, url) => page.evaluate(send, url) },
  'fetch that is redirected': { navigates: false, run: (page, url) => page.evaluate(send, redirect(url)) },
  'a beacon': { navigates: false, run: (page, url) => page.evaluate((to) => void navigator.sendBeacon(to), url) },
  'an image': { method: 'GET', navigates: false, run: (page, url) => page.evaluate((to) => void (new Image().src = to), url) },
  'a link': { method: 'GET', inWindow: true, run: (page, url) => page.evaluate((to) => void (location = to), url) },
};

/** The attacks that differ in the header `Origin`: that of the page, `null`, or none. */
const OTHER_ORIGINS = ['a form', 'a form without a referrer', 'a form that is redirected', 'fetch', 'an image'];

/** The foreign host redirects to the app, with the method. */
const redirect = (url) => `/redirect?to=${encodeURIComponent(url)}`;

function submit({ url, target = '', referrer }) {
  if (referrer) document.head.innerHTML += `<meta name="referrer" content="${referrer}">`;
  document.body.innerHTML = `<iframe name="frame"></iframe><form method="post" target="${target}"></form>`;
  document.forms[0].action = url;
  document.forms[0].submit();
}

function submitInSandbox(url) {
  const frame = document.createElement('iframe');
  frame.sandbox = 'allow-forms allow-scripts allow-top-navigation';
  frame.srcdoc = `<form method="post" action="${url}" target="_top"></form><script>document.forms[0].submit()</script>`;
  document.body.append(frame);
}

function send(url) {
  void fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include' }).catch(() => {});
}

/** A foreign host in the user's browser: `attack(how, path)` returns the request and its response. */
function foreignPages(user, from, scheme) {
  return async (how, path) => {
    const page = await user.context.newPage();
    await page.goto(`${sites.origin(from, scheme)}/`);
    const { run, navigates = true } = ATTACKS[how];
    const request = await sites.arrival(path, () => run(page, sites.origin(APP, scheme) + path));
    const others = () => user.context.pages().filter((other) => other !== user.page);
    // Chromium has a page of its own for an error without a body.
    const isThere = (frame) => frame.url().endsWith(path) || frame.url().startsWith('chrome-error:');
    // A page that is closed while it navigates may stay open for ever.
    if (navigates && request.status !== 204) {
      const frame = await until(() => others().flatMap((other) => other.frames()).find(isThere), how);
      await frame.waitForLoadState();
    }
    await Promise.all(others().map((other) => other.close()));
    return request;
  };
}

/** The control: a logout that clears the cookie whichever page sends the request, and its login. */
function addNaiveLogout(app) {
  const cookie = (req, value) => `naive=${value}; Path=/auth; HttpOnly; SameSite=Strict${req.secure ? '; Secure' : ''}`;
  app.post('/naive/login', (req, res) => res.append('Set-Cookie', cookie(req, 'alice')).end());
  app.all('/naive/logout', (req, res) => res.append('Set-Cookie', `${cookie(req, '')}; Max-Age=0`).end());
}

for (const scheme of ['https', 'http']) {
  // Chromium sends `Sec-Fetch-Site` over HTTPS only. Without it `Origin` is compared with `Host`.
  const web = scheme === 'https' ? {} : { secure: false };
  const attacks = scheme === 'https' ? Object.keys(ATTACKS) : OTHER_ORIGINS;

  for (const [site, from] of Object.entries({ 'another site': OTHER, 'another subdomain': SIBLING })) {
    describe(`logout over ${scheme}, from a page of ${site}`, () => {
      let auth;
      let user;
      let attack;
      before(async () => {
        let app;
        ({ app, auth } = makeApp({ web, routes: addNaiveLogout }));
        sites.use(app);
        user = await visit(browser, sites, { scheme });
        await user.login('alice');
        attack = foreignPages(user, from, scheme);
      });
      after(() => user?.close());

      for (const how of attacks) {
        const { method = 'POST', inWindow = false, isOfNoSite = false } = ATTACKS[how];
        test(how, async () => {
          const cookies = await user.cookies('refreshToken');
          const paths = how === 'a form' ? ['/auth/logout', '/auth/handlers/logout'] : ['/auth/logout'];
          for (const path of paths) {
            const request = await attack(how, path);
            assert.equal(request.method, method);
            assert.equal('sec-fetch-site' in request.headers, scheme === 'https');
            // SameSite=Strict is about sites, so it does not protect from a subdomain.
            const hasCookie = site === 'another subdomain' && !isOfNoSite;
            assert.equal('cookie' in request.headers, hasCookie);
            const refusal = hasCookie ? 403 : 401;
            assert.equal(request.status, method === 'POST' ? refusal : 405);
            assert.deepEqual(request.cookies, []);
          }
          assert.deepEqual(await user.cookies('refreshToken'), cookies);
          assert.equal(await liveSessions(auth, 'alice'), 1);
          assert.deepEqual(await user.refresh(), { status: 200, subject: 'alice' });

          await user.call('/naive/login', { method: 'POST' });
          await attack(how, '/naive/logout');
          const isCleared = inWindow || site === 'another subdomain';
          await until(async () => ((await user.cookies('naive')).length === 0) === isCleared, 'the naive logout');
        });
      }

      test('a form whose response is reloaded', async () => {
        const page = await user.context.newPage();
        await page.goto(`${sites.origin(from, scheme)}/`);
        const path = '/auth/logout';
        await sites.arrival(path, () => page.evaluate(submit, { url: sites.origin(APP, scheme) + path }));
        await page.waitForURL(`**${path}`);
        const request = await sites.arrival(path, () => page.reload());
        const refusal = 'cookie' in request.headers ? 403 : 401;
        assert.deepEqual([request.method, request.status, request.cookies], ['POST', refusal, []]);
        await page.close();
      });

      test('the page of the app signs out', async () => {
        const { status } = await user.call('/auth/logout', { method: 'POST' });
        assert.equal(status, 204);
        assert.deepEqual(await user.cookies('refreshToken'), []);
        assert.equal(await liveSessions(auth, 'alice'), 0);
      });
    });
  }

  test(`logout over ${scheme}: a form of the app signs out`, async () => {
    const { app, auth } = makeApp({ web });
    sites.use(app);
    const user = await visit(browser, sites, { scheme });
    await user.login('alice');
    const request = await sites.arrival('/auth/logout', () => user.page.evaluate(submit, { url: '/auth/logout' }));
    assert.equal(request.status, 204);
    assert.equal(await liveSessions(auth, 'alice'), 0);
    await user.close();
  });

  test(`logout over ${scheme}: a form of an allowed origin signs out`, async () => {
    const { app, auth } = makeApp({ web: { ...web, allowedOrigins: [sites.origin(SIBLING, scheme)] } });
    sites.use(app);
    const user = await visit(browser, sites, { scheme });
    await user.login('alice');
    const attack = foreignPages(user, SIBLING, scheme);
    assert.equal((await attack('a form', '/auth/logout')).status, 204);
    assert.equal(await liveSessions(auth, 'alice'), 0);
    await user.close();
  });
}

describe('the access cookie', () => {
  let made;
  let naive;
  let user;
  before(async () => {
    naive = [];
    made = makeApp({
      web: { accessCookie: true },
      routes(app, auth) {
        app.post('/naive/notes', (req, res) => {
          const [, token] = /\baccessToken=([^;]+)/.exec(req.headers.cookie ?? '') ?? [];
          if (token) naive.push(auth.verify(token).sub);
          res.status(token ? 201 : 401).end();
        });
      },
    });
    sites.use(made.app);
    user = await visit(browser, sites);
    await user.login('alice');
  });
  after(() => user?.close());

  test('the page of the app reads and writes by it', async () => {
    assert.deepEqual(await user.call('/api/notes'), { status: 200, body: { user: 'alice' } });
    assert.deepEqual(await user.call('/api/notes', { method: 'POST' }), { status: 201, body: { user: 'alice' } });
    const request = await sites.arrival('/api/notes', () => user.page.evaluate(submit, { url: '/api/notes' }));
    assert.equal(request.status, 201, 'a form');
    await user.page.waitForURL('**/api/notes');
    assert.deepEqual(made.notes.splice(0), ['alice', 'alice']);
    await user.page.goto(`${sites.origin(APP)}/`);
  });

  test('a link of another site reads by it', async () => {
    const attack = foreignPages(user, OTHER, 'https');
    assert.equal((await attack('a link', '/api/notes')).status, 200);
  });

  for (const [site, from] of Object.entries({ 'another site': OTHER, 'another subdomain': SIBLING })) {
    for (const how of ['a form', 'a form without a referrer', 'a form that is redirected', 'a form in a frame', 'fetch', 'a beacon']) {
      test(`${how} of a page of ${site} writes nothing`, async () => {
        const attack = foreignPages(user, from, 'https');
        const hasCookie = site === 'another subdomain';
        const request = await attack(how, '/api/notes');
        assert.equal(request.status, hasCookie ? 403 : 401);
        assert.deepEqual(made.notes, []);
        await attack(how, '/naive/notes');
        assert.equal(/\baccessToken=/.test(request.headers.cookie), hasCookie);
        assert.deepEqual(naive.splice(0), hasCookie ? ['alice'] : []);
      });
    }
  }

  test('a WebSocket is opened by the page of the app alone', async () => {
    const sockets = new WebSocketServer({ noServer: true });
    const upgrade = async (req, socket, head) => {
      const decision = await made.decide(req);
      if (decision.ok) sockets.handleUpgrade(req, socket, head, (opened) => opened.send(decision.auth.subject));
      else socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
    };
    sites.servers.https.on('upgrade', upgrade);
    const open = (page) =>
      page.evaluate((url) => new Promise((opened) => {
        const socket = new WebSocket(url);
        socket.onmessage = ({ data }) => opened(data);
        socket.onerror = () => opened('refused');
      }), `${sites.origin(APP).replace('https', 'wss')}/socket`);
    assert.equal(await open(user.page), 'alice');
    const page = await user.context.newPage();
    for (const from of [OTHER, SIBLING]) {
      await page.goto(`${sites.origin(from)}/`);
      assert.equal(await open(page), 'refused', from);
    }
    await page.close();
    sites.servers.https.off('upgrade', upgrade);
    sockets.close();
    for (const socket of sockets.clients) socket.terminate();
  });
});

describe('the cookie of the preset rtVerify', () => {
  // It has no SameSite: Chromium sends it with forms of other sites too during its first two minutes.
  const notes = [];
  let user;
  before(async () => {
    const preset = presets.rtVerify();
    const { app } = makeApp({
      routes(routes, auth) {
        routes.post('/old/login', async (req, res) => preset.loginResponse(res, await auth.login('alice')));
        routes.post('/old/notes', preset.authenticate(auth), (req, res) => {
          notes.push(req.auth.subject);
          res.status(201).end();
        });
        const unchecked = presets.rtVerify({ checkOrigin: false });
        routes.post('/old/unchecked', unchecked.authenticate(auth), (req, res) => res.status(201).end());
        routes.use((err, req, res, next) => (err.text ? res.status(err.status).end() : next(err)));
      },
    });
    sites.use(app);
    user = await visit(browser, sites);
  });
  // A new cookie for each test: on a busy machine two minutes may pass.
  beforeEach(() => user.call('/old/login', { method: 'POST' }));
  after(() => user?.close());

  test('the page of the app writes by it', async () => {
    assert.equal((await user.call('/old/notes', { method: 'POST' })).status, 201);
    assert.deepEqual(notes.splice(0), ['alice']);
  });

  for (const from of [OTHER, SIBLING]) {
    test(`a form of ${from} writes nothing`, async () => {
      const attack = foreignPages(user, from, 'https');
      assert.equal((await attack('a form', '/old/unchecked')).status, 201, 'without the check of the origin');
      const request = await attack('a form', '/old/notes');
      assert.match(request.headers.cookie, /\baccessToken=/);
      assert.equal(request.status, 400);
      assert.deepEqual(notes, []);
    });
  }
});
