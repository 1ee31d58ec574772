// The client in a simulated browser: fetch, odd answers of servers, what other tabs learn, and the life of a page.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Browser, ORIGIN } from './browser.mjs';

const TTL = 900_000;
const MINUTE = 60_000;
const isRefresh = ({ path }) => path === '/auth/refresh';
const json = (status, body, headers = {}) => ({ status, headers: { 'content-type': 'application/json', ...headers }, cookies: [], body });
const html = (status, headers = {}) => ({ status, headers: { 'content-type': 'text/html', ...headers }, cookies: [], body: '<!doctype html><title>a page</title>' });

async function signedIn({ tabs = 1, surroundings, ...options } = {}) {
  const browser = new Browser(options);
  const opened = Array.from({ length: tabs }, () => browser.open(undefined, surroundings));
  await browser.value(opened[0].client.signIn(await browser.login()));
  await browser.advance(10);
  return { browser, tabs: opened, tab: opened[0], client: opened[0].client };
}

/** Answers refreshes with this response, or treats them like this. */
const refreshesAre = (browser, how) => {
  browser.network = (request) => (isRefresh(request) ? ('status' in how ? { response: how } : how) : {});
};

/** Objects of a tab have prototypes of their own. */
const same = (actual, expected) => assert.deepEqual(structuredClone(actual), expected);

const sent = (browser, path = '/api/me') => browser.requests.filter((request) => request.path === path);

describe('fetch', () => {
  test('adds the token, and renews it once for all callers', async () => {
    const { browser, client } = await signedIn();
    assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
    assert.match(sent(browser)[0].headers.get('authorization'), /^Bearer ey/);
    await browser.advance(TTL);
    const responses = await browser.value(Promise.all(Array.from({ length: 20 }, () => client.fetch('/api/me'))));
    assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200]);
    assert.equal(browser.refreshes().length, 1);
    assert.deepEqual([...new Set(sent(browser).map(({ status }) => status))], [200]);
  });

  test('a rejected token is renewed, and the request repeated once with its body', async () => {
    const { browser, client } = await signedIn();
    const { fetch } = client;
    let rejections = 1;
    browser.network = ({ path }) => (path === '/api/notes' && rejections-- > 0 ? { response: html(401) } : {});
    const response = await browser.value(fetch('/api/notes', { method: 'POST', body: '{"text":"a"}', headers: { 'x-own': '1' } }));
    assert.equal(response.status, 200);
    const notes = sent(browser, '/api/notes');
    assert.equal(notes.length, 2);
    assert.notEqual(notes[0].headers.get('authorization'), notes[1].headers.get('authorization'));
    for (const { method, body, headers } of notes) assert.deepEqual([method, body, headers.get('x-own')], ['POST', { text: 'a' }, '1']);
    assert.equal(browser.refreshes().length, 1);
  });

  test('a server that rejects every token: one repetition, one refresh, and its response', async () => {
    const { browser, client } = await signedIn();
    browser.network = ({ path }) => (path === '/api/me' ? { response: json(401, { message: 'wrong password' }) } : {});
    const responses = [];
    for (let call = 0; call < 5; call++) responses.push(await browser.value(client.fetch('/api/me')));
    for (const response of responses) {
      assert.equal(response.status, 401);
      assert.deepEqual(await response.json(), { message: 'wrong password' });
    }
    assert.equal(browser.refreshes().length, 1);
    assert.equal(sent(browser).length, 6);
    assert.equal(client.state.status, 'signed_in');
  });

  test('a body that cannot be sent twice is sent once, and the token is renewed for the next call', async () => {
    const { browser, client } = await signedIn();
    let rejections = 1;
    browser.network = ({ path }) => (path === '/api/upload' && rejections-- > 0 ? { response: json(401, {}) } : {});
    const stream = new ReadableStream({ start: (controller) => controller.close() });
    const response = await browser.value(client.fetch('/api/upload', { method: 'POST', body: stream, duplex: 'half' }));
    assert.equal(response.status, 401);
    await browser.advance(1_000);
    assert.equal(sent(browser, '/api/upload').length, 1);
    assert.equal(browser.refreshes().length, 1);
  });

  for (const [what, body] of Object.entries({ text: 'a', form: new URLSearchParams({ a: '1' }), data: new FormData(), blob: new Blob(['a']), buffer: new ArrayBuffer(1), bytes: new Uint8Array(1) })) {
    test(`a body that can be sent twice: ${what}`, async () => {
      const { browser, client } = await signedIn();
      let rejections = 1;
      browser.network = ({ path }) => (path === '/api/upload' && rejections-- > 0 ? { response: json(401, {}) } : {});
      await browser.value(client.fetch('/api/upload', { method: 'POST', body }));
      const uploads = sent(browser, '/api/upload');
      assert.equal(uploads.length, 2);
      assert.deepEqual(uploads.map((one) => one.body), [body, body]);
    });
  }

  test('a Request is cloned, because sending consumes it', async () => {
    const { browser, client } = await signedIn();
    let rejections = 1;
    browser.network = ({ path }) => (path === '/api/upload' && rejections-- > 0 ? { response: json(401, {}) } : {});
    const request = new Request('https://app.example/api/upload', { method: 'PUT', body: 'a', headers: { 'x-own': '1' } });
    assert.equal((await browser.value(client.fetch(request))).status, 200);
    assert.deepEqual(sent(browser, '/api/upload').map(({ method, headers }) => [method, headers.get('x-own')]), [['PUT', '1'], ['PUT', '1']]);
    await request.text();
  });

  test('after a redirect the client repeats only what is safe, and a response of another server says nothing', async () => {
    for (const [method, from, times, refreshes] of [
      ['GET', '/api/elsewhere', 2, 1],
      ['POST', '/api/elsewhere', 1, 1],
      ['GET', 'https://other.example/api/moved', 1, 0],
      ['POST', 'https://other.example/api/moved', 1, 0],
      ['POST', '/api/moved', 2, 1],
    ]) {
      const { browser, client } = await signedIn();
      let rejections = 1;
      const response = { ...json(401, {}), url: new URL(from, ORIGIN).href };
      browser.network = ({ path }) => (path === '/api/moved' && rejections-- > 0 ? { response } : {});
      await browser.value(client.fetch('/api/moved#part', { method }));
      assert.equal(sent(browser, '/api/moved').length, times, `${method} ${from}`);
      assert.equal(browser.refreshes().length, refreshes, `${method} ${from}`);
    }
  });

  test('a response of a service worker has no URL: the client repeats the request', async () => {
    for (const url of ['', null]) {
      const { browser, client } = await signedIn();
      let rejections = 1;
      browser.network = ({ path }) => (path === '/api/me' ? { response: rejections-- > 0 ? { ...json(401, {}), url } : json(200, {}) } : {});
      assert.equal((await browser.value(client.fetch('/api/me', { method: 'POST' }))).status, 200);
      assert.equal(sent(browser).length, 2);
    }
  });

  test('the token goes to the own origin and to those allowed alone', async () => {
    const browser = new Browser();
    const tab = browser.open({ refresh: 'https://api.example/auth/refresh', allowedOrigins: ['https://files.example:8443'] });
    await browser.value(tab.client.signIn(await browser.login()));
    const token = await browser.value(tab.token);
    for (const [url, isOwn] of [
      ['/api/me', true],
      ['https://app.example/api/me', true],
      ['https://APP.example:443/api/me', true],
      [new URL('https://api.example/me'), true],
      ['https://files.example:8443/me', true],
      ['https://files.example/me', false],
      ['http://app.example/api/me', false],
      ['https://app.example.evil.test/', false],
      ['https://app.example@evil.test/', false],
      ['https://evil.test\\@app.example/', false],
      ['//evil.test/', false],
      ['\t//evil.test/', false],
      ['https://user:pw@app.example/', false],
    ]) {
      browser.network = () => ({ response: json(200, {}) });
      const from = browser.requests.length;
      await browser.outcome(tab.client.fetch(url));
      const [request] = browser.requests.slice(from);
      assert.equal(request?.headers.get('authorization') ?? null, isOwn ? `Bearer ${token}` : null, String(url));
    }
  });

  test('a header Authorization of the app is left alone', async () => {
    const { browser, client } = await signedIn();
    const response = await browser.value(client.fetch('/api/me', { headers: { authorization: 'Basic YTpi' } }));
    assert.equal(response.status, 401);
    assert.equal(sent(browser)[0].headers.get('authorization'), 'Basic YTpi');
    assert.equal(browser.refreshes().length, 0);
  });

  test('a caller that aborts stops waiting; the refresh goes on', async () => {
    const { browser, client } = await signedIn();
    await browser.advance(TTL);
    const controller = new AbortController();
    const call = browser.outcome(client.fetch('/api/me', { signal: controller.signal }));
    await browser.advance(60);
    controller.abort();
    assert.equal((await call).error.name, 'AbortError');
    assert.equal((await browser.outcome(client.fetch('/api/me', { signal: AbortSignal.abort() }))).error.name, 'AbortError');
    await browser.advance(1_000);
    assert.equal(browser.refreshes().length, 1);
    assert.equal(sent(browser).length, 0);
  });
});

describe('a signal without a reason, as in React Native', () => {
  /** A signal that has the events and the flag alone. */
  class OldSignal extends EventTarget {
    aborted = false;

    abort() {
      this.aborted = true;
      this.dispatchEvent(new Event('abort'));
    }
  }

  for (const [what, abortsFirst] of [['before the call', true], ['while it waits', false]]) {
    test(what, async () => {
      const { browser, client } = await signedIn();
      await browser.advance(TTL);
      const signal = new OldSignal();
      if (abortsFirst) signal.abort();
      const calls = [client.fetch('/api/me', { signal }), client.accessToken({ signal })].map((call) => browser.outcome(call));
      if (!abortsFirst) signal.abort();
      for (const { error } of await Promise.all(calls)) assert.equal(error?.name, 'AbortError');
    });
  }
});

describe('odd answers to a refresh keep the tokens', () => {
  for (const [what, how] of Object.entries({
    '401 with HTML': html(401),
    '401 with another JSON': json(401, { message: 'no' }),
    '403 of a gateway': json(403, { error: 'forbidden' }),
    '200 of a captive portal': html(200),
    '200 without a token': json(200, { ok: true }),
    '204': { status: 204, headers: {}, cookies: [] },
    // With `redirect: 'error'` a browser rejects it, and never asks where it leads.
    'a redirect': { redirect: true },
    '404': html(404),
    '500': json(500, { error: { code: 'ERR_INTERNAL', advice: 'fix' } }),
    '503': json(503, { error: { code: 'ERR_STORE_UNAVAILABLE', advice: 'retry' } }),
    '503 with Retry-After': json(503, {}, { 'retry-after': '120' }),
    'a rejected DPoP proof': json(401, { error: { code: 'ERR_DPOP_PROOF_MISSING', advice: 'reject' } }),
    'no network': { lost: 'request' },
    'lost answers': { lost: 'response' },
    'no answer at all': { lost: 'hangs' },
  })) {
    test(what, async () => {
      const { browser, client } = await signedIn();
      await browser.advance(TTL);
      refreshesAre(browser, how);
      const { error } = await browser.outcome(client.fetch('/api/me'));
      assert.deepEqual([error?.name, error?.advice], ['SessionError', 'retry']);
      assert.equal(client.state.status, 'signed_in');
      // All that a page with many callers does in ten minutes.
      const from = browser.time;
      for (let second = 0; second < 600; second += 5) {
        for (let caller = 0; caller < 5; caller++) client.accessToken().catch(() => {});
        await browser.advance(5_000);
      }
      const attempts = browser.refreshes(from).length;
      assert.ok(attempts < 25, `${attempts} refreshes in ten minutes`);
      browser.network = () => ({});
      await browser.advance(61_000);
      assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
    });
  }

  test('Retry-After is honoured, in seconds and as a date', async () => {
    for (const value of [() => '120', (browser) => new Date(browser.wall + 120_000).toUTCString()]) {
      const { browser, client } = await signedIn();
      await browser.advance(TTL);
      refreshesAre(browser, json(429, { error: { code: 'ERR_TOO_MANY_ATTEMPTS', advice: 'retry' } }, { 'retry-after': value(browser) }));
      const { error } = await browser.outcome(client.accessToken());
      assert.deepEqual([error.reason, error.advice], ['server', 'retry']);
      assert.equal(error.status, 429);
      assert.equal(error.code, 'ERR_TOO_MANY_ATTEMPTS');
      // At once: the next attempt is beyond the patience of a caller.
      assert.ok(error.retryAfter > 110, `${error.retryAfter} seconds`);
      await browser.advance(110_000);
      assert.equal(browser.refreshes().length, 1);
      browser.network = () => ({});
      await browser.advance(10_000);
      assert.ok(await browser.value(client.accessToken()));
    }
  });

  test('a superseded refresh is repeated with the newest cookie', async () => {
    const { browser, client } = await signedIn();
    await browser.advance(TTL);
    refreshesAre(browser, json(409, { error: { code: 'ERR_REFRESH_SUPERSEDED', advice: 'retry' } }));
    const token = browser.value(client.accessToken());
    await browser.advance(100);
    browser.network = () => ({});
    assert.ok(await token);
  });

  for (const [code, body, state] of [
    ['ERR_REFRESH_EXPIRED', {}, { reason: 'expired' }],
    ['ERR_SESSION_UNKNOWN', {}, { reason: 'unknown' }],
    ['ERR_SESSION_REVOKED', { reason: 'displaced' }, { reason: 'revoked', revocation: 'displaced' }],
    ['ERR_SESSION_REVOKED', { reason: 'reused' }, { reason: 'reused', revocation: 'reused' }],
    ['ERR_REFRESH_REUSED', {}, { reason: 'reused' }],
    ['ERR_SIGNATURE_INVALID', {}, { reason: 'rejected' }],
    ['ERR_OF_A_LATER_VERSION', {}, { reason: 'rejected' }],
  ]) {
    test(`a final rejection signs out: ${code} ${body.reason ?? ''}`, async () => {
      const { browser, client, tabs } = await signedIn({ tabs: 2 });
      await browser.advance(TTL);
      refreshesAre(browser, json(401, { error: { code, advice: 'sign_in', ...body } }));
      const { error } = await browser.outcome(client.accessToken());
      assert.deepEqual([error.name, error.advice, error.reason, error.code], ['SessionError', 'sign_in', state.reason, code]);
      await browser.advance(10);
      for (const tab of tabs) {
        assert.equal(tab.client.state.status, 'signed_out');
        assert.equal(tab.client.state.reason, state.reason);
        assert.equal(tab.client.state.revocation, state.revocation);
      }
      for (let call = 0; call < 10; call++) await browser.outcome(tabs[call % 2].token);
      assert.equal(browser.refreshes().length, 1, 'no further refresh');
    });
  }
});

describe('several tabs', () => {
  test('a new token reaches all tabs', async () => {
    const { browser, tabs } = await signedIn({ tabs: 5 });
    await browser.advance(TTL);
    const tokens = await browser.value(Promise.all(tabs.map((tab) => tab.token)));
    assert.equal(new Set(tokens).size, 1);
    assert.equal(browser.refreshes().length, 1);
    const opened = browser.open();
    assert.equal(await browser.value(opened.token), tokens[0]);
    assert.equal(browser.refreshes().length, 1);
  });

  test('tabs that wait for the lock give it on at once, because they have heard of the token', async () => {
    const { browser, tabs } = await signedIn({ tabs: 5 });
    await browser.advance(TTL);
    const tokens = tabs.map((tab) => tab.token);
    await browser.advance(200);
    assert.equal(new Set(await Promise.all(tokens)).size, 1);
    assert.equal([...browser.locks.values()].flat().length, 0);
  });

  test('a login reaches all tabs, with its user', async () => {
    const { browser, tabs } = await signedIn({ tabs: 2 });
    same(tabs[1].client.state, { status: 'signed_in', subject: 'alice' });
    await browser.advance(2_000);
    await browser.value(tabs[0].client.signIn(await browser.login('bob')));
    await browser.advance(10);
    same(tabs[1].client.state, { status: 'signed_in', subject: 'bob' });
    assert.equal(await browser.value(tabs[1].token), await browser.value(tabs[0].token));
  });

  test('a sign-out reaches all tabs, and the server', async () => {
    const { browser, tabs } = await signedIn({ tabs: 3 });
    same(await browser.value(tabs[1].client.signOut()), { revoked: true });
    await browser.advance(10);
    same(tabs.map(({ client }) => client.state.reason), ['elsewhere', 'by_user', 'elsewhere']);
    assert.equal(browser.jar.size, 0);
    const [session] = await browser.auth.sessions('alice');
    assert.equal(session.state, 'revoked');
    for (const tab of tabs) assert.equal((await browser.outcome(tab.token)).error.advice, 'sign_in');
    assert.equal(browser.refreshes().length, 0);
  });

  test('a sign-out while another tab refreshes: no cookie is left', async () => {
    const { browser, tabs } = await signedIn({ tabs: 2 });
    await browser.advance(TTL);
    refreshesAre(browser, { toClient: 5_000 });
    tabs[0].token.catch(() => {});
    await browser.advance(1_000);
    same(await browser.value(tabs[1].client.signOut()), { revoked: true });
    await browser.advance(MINUTE);
    assert.equal(browser.jar.size, 0);
    assert.deepEqual(tabs.map(({ client }) => client.state.status), ['signed_out', 'signed_out']);
  });

  test('a login while a refresh of the previous session is in flight keeps its cookie', async () => {
    const { browser, client } = await signedIn();
    await browser.advance(TTL);
    refreshesAre(browser, { toClient: 5_000 });
    client.accessToken().catch(() => {});
    await browser.advance(1_000);
    await browser.value(client.signIn(await browser.login('bob')));
    await browser.advance(TTL);
    browser.network = () => ({});
    const response = await browser.value(client.fetch('/api/me'));
    assert.equal((await response.json()).user, 'bob');
  });

  test('a tab that hangs with the lock does not stop the others for ever', async () => {
    for (const hasLocks of [true, false]) {
      const { browser, tabs } = await signedIn({ tabs: 2 });
      browser.hasLocks = hasLocks;
      const [first, second] = hasLocks ? tabs : [browser.open(), browser.open()];
      await browser.advance(TTL);
      refreshesAre(browser, { lost: 'hangs' });
      first.token.catch(() => {});
      await browser.advance(500);
      first.freeze();
      browser.network = () => ({});
      const { error } = await browser.outcome(second.token);
      assert.deepEqual([error.advice, error.reason], ['retry', 'timeout']);
      assert.ok(browser.time < TTL + MINUTE, 'the caller gets an answer');
      await browser.advance(2 * MINUTE);
      assert.ok(await browser.value(second.token), `locks: ${hasLocks}`);
    }
  });

  test('a closed tab gives its lock back', async () => {
    const { browser, tabs } = await signedIn({ tabs: 2 });
    await browser.advance(TTL);
    refreshesAre(browser, { lost: 'hangs' });
    tabs[0].token.catch(() => {});
    await browser.advance(500);
    tabs[0].close();
    browser.network = () => ({});
    const from = browser.time;
    assert.ok(await browser.value(tabs[1].token));
    assert.ok(browser.time - from < 1_000);
  });

  test('a hidden tab with late timers keeps the lock until its request is over', async () => {
    for (const hasLocks of [true, false]) {
      const browser = new Browser();
      browser.hasLocks = hasLocks;
      const [hidden, visible] = [browser.open(), browser.open()];
      await browser.value(hidden.client.signIn(await browser.login()));
      await browser.advance(TTL + 1_000);
      let isFirst = true;
      browser.network = (request) => {
        if (!isRefresh(request) || !isFirst) return {};
        isFirst = false;
        hidden.isHidden = true;
        return { toClient: 55_000 };
      };
      hidden.token.catch(() => {});
      await browser.advance(1_000);
      visible.token.catch(() => {});
      await browser.advance(3 * MINUTE);
      for (let round = 0; round < 3; round++) {
        await browser.advance(TTL);
        assert.ok(await browser.value(visible.token));
      }
      assert.deepEqual((await browser.auth.sessions('alice')).map(({ state }) => state), ['live']);
    }
  });
});

describe('the life of a page', () => {
  test('after a reload the refresh cookie brings a token', async () => {
    const { browser, tab } = await signedIn();
    tab.close();
    const reloaded = browser.open();
    same(reloaded.client.state, { status: 'unknown' });
    assert.ok(await browser.value(reloaded.token));
    same(reloaded.states, ['signed_in']);
    assert.equal(browser.refreshes().length, 1);
  });

  test('a reload during a refresh', async () => {
    const { browser, tab } = await signedIn();
    await browser.advance(TTL);
    refreshesAre(browser, { toClient: 300 });
    tab.token.catch(() => {});
    await browser.advance(200);
    tab.fire('pagehide', { persisted: false });
    tab.close();
    const reloaded = browser.open();
    assert.ok(await browser.value(reloaded.token));
  });

  test('from the back-forward cache: the server says whether the session goes on', async () => {
    for (const isSignedOut of [false, true]) {
      const { browser, tabs: [cached, other] } = await signedIn({ tabs: 2 });
      cached.hide();
      if (isSignedOut) await browser.value(other.client.signOut());
      other.close();
      cached.show();
      await browser.advance(1_000);
      assert.equal(cached.client.state.status, isSignedOut ? 'signed_out' : 'signed_in');
    }
  });

  test('from the back-forward cache, signed out: the user may have signed in meanwhile', async () => {
    for (const signsIn of [true, false]) {
      const { browser, tabs: [cached, other] } = await signedIn({ tabs: 2 });
      await browser.value(other.client.signOut());
      await browser.advance(10);
      assert.equal(cached.client.state.status, 'signed_out');
      cached.hide();
      if (signsIn) await browser.value(other.client.signIn(await browser.login('bob')));
      other.close();
      cached.show();
      await browser.advance(1_000);
      assert.equal(cached.client.state.subject, signsIn ? 'bob' : undefined);
      assert.equal((await browser.outcome(cached.token)).error?.advice, signsIn ? undefined : 'sign_in');
    }
  });

  test('a login while an earlier sign-out is told keeps its cookie, in whichever tab', async () => {
    for (const index of [0, 1]) {
      const { browser, tabs } = await signedIn({ tabs: 2 });
      browser.network = () => ({ lost: 'request' });
      same(await browser.value(tabs[0].client.signOut()), { revoked: false });
      browser.network = ({ path }) => (path === '/auth/logout' ? { toClient: 2_000 } : {});
      tabs[0].fire('online');
      await browser.advance(100);
      assert.equal(sent(browser, '/auth/logout').length, 1);
      await browser.value(tabs[index].client.signIn(await browser.login()));
      await browser.advance(TTL);
      for (const tab of tabs) assert.ok(await browser.value(tab.token));
      assert.equal(browser.refreshes().length, 1);
    }
  });

  test('a refresh in flight is given up when the page is cached', async () => {
    const { browser, tabs: [cached, other] } = await signedIn({ tabs: 2 });
    await browser.advance(TTL);
    refreshesAre(browser, { toClient: 20_000 });
    cached.token.catch(() => {});
    await browser.advance(100);
    cached.hide();
    browser.network = () => ({});
    assert.ok(await browser.value(other.token, 5_000));
    for (let round = 0; round < 2; round++) {
      await browser.advance(TTL);
      assert.ok(await browser.value(other.token));
    }
  });

  test('after sleep the token is renewed before its use', async () => {
    const { browser, client } = await signedIn();
    // The monotonic clock stood still meanwhile.
    browser.skew += 8 * 60 * MINUTE;
    browser.clock.set(browser.wall + browser.skew);
    const wall = browser.wall;
    Object.defineProperty(browser, 'wall', { get: () => wall + 8 * 60 * MINUTE });
    browser.skew = 0;
    assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
    assert.deepEqual(browser.requests.map(({ path, status }) => `${path} ${status}`), ['/auth/refresh 200', '/api/me 200']);
  });

  test('offline the tokens are kept; online there is no wait', async () => {
    const { browser, tab, client } = await signedIn();
    await browser.advance(TTL);
    browser.network = () => ({ lost: 'request' });
    for (let call = 0; call < 8; call++) {
      const { error } = await browser.outcome(client.accessToken());
      assert.deepEqual([error.advice, error.reason], ['retry', 'network']);
      await browser.advance(20_000);
    }
    browser.network = () => ({});
    tab.fire('online');
    const from = browser.time;
    assert.ok(await browser.value(client.accessToken()));
    assert.ok(browser.time - from < 500);
  });

  test('a sign-out offline is told later, and a reload does not sign in again', async () => {
    const { browser, tab, client } = await signedIn();
    browser.network = () => ({ lost: 'request' });
    same(await browser.value(client.signOut()), { revoked: false });
    tab.close();
    const reloaded = browser.open();
    assert.equal((await browser.outcome(reloaded.token)).error.advice, 'sign_in');
    assert.equal(browser.refreshes().length, 0);
    await browser.advance(MINUTE);
    browser.network = () => ({});
    reloaded.fire('online');
    await browser.advance(1_000);
    assert.equal((await browser.auth.sessions('alice'))[0].state, 'revoked');
    assert.equal(browser.items.size, 0);
    await browser.value(reloaded.client.signIn(await browser.login()));
    assert.equal(reloaded.client.state.status, 'signed_in');
  });

  test('a sign-out that is told later does not end the session of a later login', async () => {
    const { browser, tab, client } = await signedIn();
    browser.network = () => ({ lost: 'request' });
    same(await browser.value(client.signOut()), { revoked: false });
    tab.close();
    // A login by a form, or at another site that leads back.
    await browser.login();
    browser.network = () => ({});
    const { client: later, token } = browser.open();
    await browser.value(token);
    await browser.advance(MINUTE);
    assert.equal(later.state.status, 'signed_in');
    same(sent(browser, '/auth/logout').map(({ status }) => status), [401]);
    assert.equal(browser.items.size, 0);
    await browser.advance(TTL);
    assert.equal((await browser.value(later.fetch('/api/me'))).status, 200);
  });

  test('a rejected cookie was another one, until the next answer says that there is none', async () => {
    const { browser, client } = await signedIn();
    await browser.advance(TTL);
    const answers = [json(401, { error: { code: 'ERR_SUBJECT_MISMATCH', advice: 'reject' } })];
    browser.network = (request) => (isRefresh(request) && answers.length > 0 ? { response: answers.shift() } : {});
    assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
    assert.equal(client.state.status, 'signed_in');
    await browser.advance(TTL);
    answers.push(json(401, { error: { code: 'ERR_SIGNATURE_INVALID', advice: 'reject' } }));
    answers.push(json(401, { error: { code: 'ERR_TOKEN_MISSING', advice: 'sign_in' } }));
    assert.equal((await browser.outcome(client.fetch('/api/me'))).error.reason, 'not_signed_in');
  });

  test('a sign-out that the server cannot process is told again, a minute later or when the server says', async () => {
    for (const [what, response, delay] of [
      ['503', json(503, {}), 60_000],
      ['503 with Retry-After', json(503, {}, { 'retry-after': '120' }), 120_000],
      ['429', json(429, {}, { 'retry-after': '1' }), 60_000],
      ['429 for a year', json(429, {}, { 'retry-after': '31536000' }), 300_000],
      ['401 with HTML', html(401), 60_000],
      ['a rejected DPoP proof', json(401, { error: { code: 'ERR_DPOP_PROOF_MISSING', advice: 'reject' } }), 60_000],
    ]) {
      const { browser, client } = await signedIn();
      browser.network = ({ path }) => (path === '/auth/logout' ? { response } : {});
      same(await browser.value(client.signOut()), { revoked: false });
      assert.equal(browser.items.size, 1, what);
      await browser.advance(delay - 5_000);
      assert.equal(sent(browser, '/auth/logout').length, 1, what);
      browser.network = () => ({});
      await browser.advance(10_000);
      assert.equal((await browser.auth.sessions('alice'))[0].state, 'revoked', what);
      assert.equal(browser.items.size, 0, what);
      await browser.advance(10 * MINUTE);
      assert.equal(sent(browser, '/auth/logout').length, 2, what);
    }
  });

  test('a sign-out that the server refuses is not told again', async () => {
    for (const [what, response, revoked] of [
      ['404', html(404), false],
      ['405', html(405), false],
      ['410', html(410), false],
      ['501', html(501), false],
      ['400 with JSON', json(400, { message: 'no' }), false],
      ['an error of the app', json(500, { error: { code: 'ERR_ARGUMENT_INVALID', advice: 'fix' } }), false],
      ['a session that is over', json(401, { error: { code: 'ERR_SESSION_REVOKED', advice: 'sign_in' } }), true],
    ]) {
      const { browser, client } = await signedIn();
      browser.network = ({ path }) => (path === '/auth/logout' ? { response } : {});
      same(await browser.value(client.signOut()), { revoked });
      assert.equal(browser.items.size, 0, what);
      browser.open();
      await browser.advance(10 * MINUTE);
      assert.equal(sent(browser, '/auth/logout').length, 1, what);
    }
  });

  test('a sign-out without network is told in one request a minute, until the user signs in again', async () => {
    const { browser, tab, client } = await signedIn();
    let logouts = 0;
    browser.network = ({ path }) => {
      if (path === '/auth/logout') logouts++;
      return { lost: 'request' };
    };
    same(await browser.value(client.signOut()), { revoked: false });
    for (let times = 0; times < 5; times++) {
      tab.fire('online');
      await browser.advance(5_000);
    }
    logouts = 0;
    await browser.advance(10 * MINUTE);
    assert.ok(logouts > 5 && logouts <= 10, `${logouts} requests in ten minutes`);
    browser.network = () => ({});
    await browser.value(client.signIn(await browser.login()));
    await browser.advance(5 * MINUTE);
    assert.equal(sent(browser, '/auth/logout').length, 0);
    assert.equal(client.state.status, 'signed_in');
  });

  test('the session is named in the query of the logout URL, also if it has one', async () => {
    for (const [logout, expected] of [
      [undefined, /^\?session=[\w-]+$/],
      ['/auth/logout?tenant=7', /^\?tenant=7&session=[\w-]+$/],
      ['/auth/logout#top', /^\?session=[\w-]+$/],
    ]) {
      const browser = new Browser();
      const tab = browser.open({ refresh: '/auth/refresh', logout });
      await browser.value(tab.client.signIn(await browser.login()));
      same(await browser.value(tab.client.signOut()), { revoked: true });
      assert.match(sent(browser, '/auth/logout')[0].search, expected);
    }
  });

  test('a sign-out is bounded', async () => {
    const { browser, client } = await signedIn();
    browser.network = () => ({ lost: 'hangs' });
    const from = browser.time;
    const results = await browser.value(Promise.all([client.signOut(), client.signOut()]));
    same(results, [{ revoked: false }, { revoked: false }]);
    assert.ok(browser.time - from < 6_000, `${browser.time - from} ms`);
  });

  for (const skew of [-3_600_000, 3_600_000, -10 * 365 * 86_400_000]) {
    test(`a device whose clock is off by ${skew / 60_000} minutes`, async () => {
      const { browser, client } = await signedIn();
      browser.skew = skew;
      await browser.value(client.signIn(await browser.login()));
      for (let call = 0; call < 3; call++) assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
      assert.equal(browser.refreshes().length, 0);
      await browser.advance(TTL - 20_000);
      assert.equal((await browser.value(client.fetch('/api/me'))).status, 200);
      assert.equal(browser.refreshes().length, 1);
      assert.deepEqual(sent(browser).map(({ status }) => status), [200, 200, 200, 200]);
    });
  }

  test('listeners hear of each state once; one that throws stops nobody', async () => {
    const { browser, tab, client } = await signedIn();
    const heard = [];
    const stop = client.subscribe((state) => heard.push(state));
    await browser.advance(TTL);
    await browser.value(tab.token);
    assert.deepEqual(heard, [], 'a new token is not a new state');
    await browser.value(client.signOut());
    assert.deepEqual(heard.map(({ status }) => status), ['signed_out']);
    assert.equal(heard[0], client.state);
    stop();
    await browser.value(client.signIn(await browser.login()));
    assert.equal(heard.length, 1);
  });
});
