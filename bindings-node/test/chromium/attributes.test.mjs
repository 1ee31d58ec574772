// Names with a prefix and other attributes: what Chromium drops is an error at construction, and what is accepted there
// works in Chromium. A subdomain cannot plant a `__Host-` cookie.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { presets } from 'regrant/express';
import { makeApp } from './app.mjs';
import { APP, OTHER, SIBLING, SITE, launch, startSites, visit } from './sites.mjs';

let browser;
let sites;
let user;
before(async () => {
  [browser, sites] = await Promise.all([launch(), startSites()]);
  user = await visit(browser, sites);
});
after(async () => {
  await browser?.close();
  await sites?.stop();
});
beforeEach(() => user.context.clearCookies());

const SIGNED_IN = { status: 200, subject: 'alice' };
const namesOf = async ({ context }) => (await context.cookies()).map(({ name }) => name);

describe('what Chromium drops is refused', () => {
  /** The options, and the cookie that they would make. Another one beside it shows that Chromium takes cookies at all. */
  const REFUSED = [
    [{ refreshCookie: '__Host-r', path: '/auth' }, '__Host-r=1; Path=/auth; Secure; HttpOnly'],
    [{ refreshCookie: '__Host-r', domain: APP }, `__Host-r=1; Path=/; Secure; HttpOnly; Domain=${APP}`],
    [{ refreshCookie: '__Host-r', secure: false }, '__Host-r=1; Path=/; HttpOnly'],
    [{ refreshCookie: '__host-r', secure: false }, '__host-r=1; Path=/; HttpOnly'],
    [{ refreshCookie: '__Secure-r', secure: false }, '__Secure-r=1; Path=/auth; HttpOnly'],
    [{ refreshCookie: '__Http-r', secure: false }, '__Http-r=1; Path=/auth; HttpOnly'],
    [{ refreshCookie: '__Host-Http-r', path: '/auth' }, '__Host-Http-r=1; Path=/auth; Secure; HttpOnly'],
    [{ accessCookie: '__Host-a', domain: SITE }, `__Host-a=1; Path=/; Secure; HttpOnly; Domain=${SITE}`],
    [{ accessCookie: '__Host-a', secure: false }, '__Host-a=1; Path=/; HttpOnly'],
    [{ accessCookie: '__Secure-a', secure: false }, '__Secure-a=1; Path=/; HttpOnly'],
    [{ accessCookie: '__Http-a', secure: false }, '__Http-a=1; Path=/; HttpOnly'],
    [{ domain: '127.0.0.1' }, 'r=1; Path=/auth; Secure; HttpOnly; Domain=127.0.0.1'],
    [{ domain: `https://${SITE}` }, `r=1; Path=/auth; Secure; HttpOnly; Domain=https://${SITE}`],
  ];

  for (const [web, line] of REFUSED) {
    test(JSON.stringify(web), async () => {
      await user.plant(APP, line, 'other=1; Path=/; Secure');
      assert.deepEqual(await namesOf(user), ['other']);
      assert.throws(() => makeApp({ web }), { code: 'ERR_CONFIG_INVALID' });
    });
  }

  test('on plain HTTP, where secure: auto leaves Secure out', async () => {
    const plain = await visit(browser, sites, { scheme: 'http' });
    await plain.plant(APP, 'other=1; Path=/', '__Host-r=1; Path=/; Secure', '__Host-r=1; Path=/', '__Secure-r=1; Path=/', '__Http-r=1; Path=/; HttpOnly');
    assert.deepEqual(await namesOf(plain), ['other']);
    for (const refreshCookie of ['__Host-r', '__Secure-r', '__Http-r']) {
      assert.throws(() => makeApp({ web: { refreshCookie, secure: 'auto' } }), { code: 'ERR_CONFIG_INVALID' }, refreshCookie);
    }
    await plain.close();
  });

  test('SameSite=None without Secure in the preset rtVerify', async () => {
    await user.plant(APP, 'accessToken=1; Path=/; SameSite=None', 'other=1; Path=/; SameSite=None; Secure');
    assert.deepEqual(await namesOf(user), ['other']);
    for (const options of [{ sameSite: 'none' }, { sameSite: 'none', secure: false }]) {
      assert.throws(() => presets.rtVerify(options), { code: 'ERR_ARGUMENT_INVALID' });
    }
    presets.rtVerify({ sameSite: 'none', secure: true });
    presets.rtVerify({ sameSite: 'none', secure: 'auto' });
  });
});

describe('what is accepted works', () => {
  const ACCEPTED = [
    {},
    { path: '/' },
    { path: '/auth/' },
    { domain: SITE },
    { domain: APP },
    { domain: 'Example.TEST' },
    { secure: 'auto' },
    { secure: false },
    { refreshCookie: '__Secure-r', accessCookie: '__Secure-a' },
    { refreshCookie: '__Host-r', accessCookie: '__Host-a' },
    { refreshCookie: '__Http-r', accessCookie: '__Http-a' },
    { refreshCookie: '__Host-Http-r', accessCookie: '__Host-Http-a' },
  ];

  for (const options of ACCEPTED) {
    test(JSON.stringify(options), async () => {
      const web = { accessCookie: true, ...options };
      sites.use(makeApp({ web }).app);
      await user.login('alice');
      assert.deepEqual(await user.refresh(), SIGNED_IN);
      assert.deepEqual(await user.refresh(), SIGNED_IN, 'with the cookie of the refresh');
      assert.deepEqual(await user.call('/api/notes'), { status: 200, body: { user: 'alice' } });
      const cookies = await user.context.cookies();
      assert.equal(cookies.length, 2);
      for (const cookie of cookies) assert.ok(cookie.httpOnly && cookie.secure === (web.secure !== false));
      assert.equal(await user.page.evaluate(() => document.cookie), '');
      assert.equal((await user.call('/auth/logout', { method: 'POST' })).status, 204);
      assert.deepEqual(await user.context.cookies(), []);
    });
  }

  test('secure: auto on plain HTTP', async () => {
    const plain = await visit(browser, sites, { scheme: 'http' });
    sites.use(makeApp({ web: { secure: 'auto', accessCookie: true } }).app);
    await plain.login('alice');
    assert.deepEqual(await plain.refresh(), SIGNED_IN);
    assert.deepEqual(await plain.call('/api/notes'), { status: 200, body: { user: 'alice' } });
    await plain.close();
  });

  test('a token that is too long for Chromium is an error of the login', async () => {
    sites.use(makeApp({ web: { accessCookie: true } }).app);
    await user.plant(APP, `a=${'x'.repeat(4095)}; Path=/; Secure`);
    await user.plant(APP, `b=${'x'.repeat(4096)}; Path=/; Secure`);
    assert.deepEqual(await namesOf(user), ['a']);
    await assert.rejects(user.login('x'.repeat(4000)), /answered with 500/);
  });
});

describe('a cookie that is planted in the browser of a user who is signed out', () => {
  const lines = (name, token) => [
    `${name}=${token}; Domain=${SITE}; Path=/; Secure; HttpOnly`,
    `${name}=${token}; Domain=${SITE}; Path=/auth; Secure; HttpOnly`,
    `${name}=${token}; Domain=${APP}; Path=/; Secure; HttpOnly`,
    `${name}=${token}; Domain=${SITE}; Path=/; Secure; HttpOnly; Partitioned`,
    // Without a name, so that the header looks as if it had the name.
    `=${name}=${token}; Domain=${SITE}; Path=/; Secure; HttpOnly`,
    `${name}=${token}; Path=/; Secure; HttpOnly`,
  ];

  for (const [refreshCookie, isKeptOut] of [['refreshToken', false], ['__Secure-r', false], ['__Http-r', false], ['__Host-r', true], ['__Host-Http-r', true]]) {
    test(`${refreshCookie} is ${isKeptOut ? '' : 'not '}kept out`, async () => {
      const { app, auth } = makeApp({ web: { refreshCookie } });
      sites.use(app);
      const { refreshToken } = await auth.login('mallory');
      await user.plant(OTHER, ...lines(refreshCookie, refreshToken));
      assert.deepEqual(await user.refresh(), { status: 401, code: 'ERR_TOKEN_MISSING' }, 'another site plants nothing');
      await user.plant(SIBLING, ...lines(refreshCookie, refreshToken));
      const expected = isKeptOut ? { status: 401, code: 'ERR_TOKEN_MISSING' } : { status: 200, subject: 'mallory' };
      assert.deepEqual(await user.refresh(), expected);

      await user.login('alice');
      if (isKeptOut) assert.deepEqual(await user.refresh(), SIGNED_IN);
    });
  }

  test('over plain HTTP: a subdomain does not replace a cookie of the app', async () => {
    const { app, auth } = makeApp({ web: { domain: SITE, path: '/auth' } });
    sites.use(app);
    await user.login('alice');
    const { refreshToken } = await auth.login('mallory');
    const page = await user.context.newPage();
    const line = encodeURIComponent(`refreshToken=${refreshToken}; Domain=${SITE}; Path=/auth`);
    await page.goto(`${sites.origin(SIBLING, 'http')}/plant?cookie=${line}`);
    await page.close();
    assert.deepEqual(await user.refresh(), SIGNED_IN);
  });
});
