// The page end to end, in Chromium. The tests set the clocks of the server and of the pages forward.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  accessExpired,
  device,
  devices,
  launchChromium,
  loginReason,
  press,
  signIn,
  signUp,
  tickingClock,
  timelineEntry,
  until,
  visitor,
  withRoute,
} from './browser-support.mjs';
import { startExample } from './support.mjs';

const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1';
const DESK = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const CALL = 'Call the protected API';
const FIVE = 'Call it 5 times at once';
/** In seconds: far longer than a step of the tests takes on a busy machine. */
const ACCESS_TTL = 600;
const GRACE = 60;

let browser;
before(async () => (browser = await launchChromium()));
after(() => browser?.close());

describe('the page', () => {
  let example;
  let ann; // the honest user, at a desk
  let phone; // her telephone
  let time;

  before(async () => {
    time = tickingClock();
    example = await startExample({ clock: time.clock, accessTtl: ACCESS_TTL, grace: GRACE });
    ann = await visitor(browser, example.url, { userAgent: DESK });
    phone = await visitor(browser, example.url, { userAgent: IPHONE, viewport: { width: 390, height: 844 } });
  });
  after(async () => {
    await ann?.context.close();
    await phone?.context.close();
    await example?.stop();
    time?.stop();
  });

  /** Sets the clocks of the server and of both visitors forward. */
  async function pass(seconds) {
    time.advance(seconds * 1000);
    for (const { context } of [ann, phone]) await context.clock.fastForward(seconds * 1000);
  }

  /** Lets the access tokens of these pages expire. */
  async function expire(...pages) {
    await pass(ACCESS_TTL);
    await Promise.all(pages.map(accessExpired));
  }

  /** How many first uses of access tokens the store was told, which happens in the background. */
  async function usesTold() {
    const page = await (await fetch(`${example.url}/metrics`)).text();
    return Number(/^regrant_store_operation_seconds_count\{operation="confirm",outcome="ok"\} (\d+)$/m.exec(page)?.[1] ?? 0);
  }

  test('a first visitor signs up and calls the API', async () => {
    assert.deepEqual(
      ann.requests.filter((request) => request.includes('/auth/refresh')),
      [],
      'a first visit has nothing to refresh',
    );
    await signUp(ann.page, 'ann@example.org');
    assert.equal(await ann.page.locator('#who').textContent(), 'ann@example.org');
    const left = Number(await ann.page.locator('#ring-figure').textContent());
    assert.ok(left > 0 && left <= ACCESS_TTL + 1, `${left} s`);

    await press(ann.page, CALL);
    const { steps, summary } = await timelineEntry(ann.page, CALL);
    assert.deepEqual(steps, ['GET /api/me 200']);
    assert.match(summary, /no refresh was needed/);
  });

  test('the refresh token is out of reach of scripts and goes to /auth alone', async () => {
    const cookies = await ann.context.cookies();
    const [cookie] = cookies.filter(({ name }) => name === 'refreshToken');
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.path, '/auth');
    assert.equal(cookie.sameSite, 'Strict');
    const seen = await ann.page.evaluate(
      () => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }),
    );
    assert.doesNotMatch(seen, /eyJ/, 'no token where a script can read it');
  });

  test('an expired access token: one refresh, then the call', async () => {
    await expire(ann.page);
    const before = await ann.page.locator('#token-text').textContent();
    await press(ann.page, CALL);
    const { steps } = await timelineEntry(ann.page, CALL);
    assert.deepEqual(steps, ['POST /auth/refresh 200', 'GET /api/me 200']);
    assert.notEqual(await ann.page.locator('#token-text').textContent(), before);
    await ann.page.locator('#ring[data-state="live"]').waitFor();
  });

  test('five expired calls at once: one refresh', async () => {
    await expire(ann.page);
    ann.requests.length = 0;
    await press(ann.page, '5 at once');
    const { steps, summary } = await timelineEntry(ann.page, FIVE);
    const count = (step) => steps.filter((other) => other === step).length;
    assert.equal(count('GET /api/me 200'), 5);
    assert.equal(steps.length, 6);
    await ann.page.locator('.entry').first().getByText('4 more calls wait for it').waitFor();
    assert.equal(summary, '5 of 5 answered 200, after one refresh.');
    assert.equal(ann.requests.filter((request) => request === 'POST /auth/refresh').length, 1, 'as the network saw it');
  });

  test('five at once while another tab holds the lock: the line of the refresh says who waits', async () => {
    await expire(ann.page);
    await ann.page.evaluate(
      () =>
        new Promise((held) => {
          navigator.locks.request(`regrant:${location.origin}/auth/refresh`, () => {
            held();
            return new Promise((release) => (window.releaseLock = release));
          });
        }),
    );
    await press(ann.page, '5 at once');
    await ann.page.locator('.entry[data-state="running"]').waitFor();
    await ann.page.evaluate(() => window.releaseLock());
    const { summary } = await timelineEntry(ann.page, FIVE);
    assert.equal(summary, '5 of 5 answered 200, after one refresh.');
    await ann.page.locator('.entry').first().getByText('4 more calls wait for it').waitFor();
  });

  test('a reload stays signed in', async () => {
    await ann.page.reload();
    const { steps } = await timelineEntry(ann.page, 'Open the page');
    assert.deepEqual(steps, ['POST /auth/refresh 200', 'GET /api/me 200']);
  });

  test('two tabs refresh at the same time and neither is signed out', async () => {
    const tab = await ann.open();
    await timelineEntry(tab, 'Open the page');
    await expire(ann.page, tab);
    await Promise.all([press(ann.page, CALL), press(tab, CALL)]);
    for (const page of [ann.page, tab]) {
      const { steps } = await timelineEntry(page, CALL);
      assert.equal(steps.at(-1), 'GET /api/me 200');
    }
    await tab.close();
  });

  test('a refresh that gets no answer signs nobody out', async () => {
    await expire(ann.page);
    await withRoute(ann.page, '**/auth/refresh', (route) => route.abort(), async () => {
      await press(ann.page, CALL);
      const { state, steps, summary } = await timelineEntry(ann.page, CALL);
      assert.equal(state, 'failed');
      // The other tab's token may be a moment younger than the one that the ring shows: then the call is tried with it.
      const refreshes = steps.filter((step) => step !== 'GET /api/me 401 ERR_TOKEN_EXPIRED');
      assert.deepEqual(refreshes, Array(3).fill('POST /auth/refresh failed'));
      assert.match(summary, /tokens are kept/);
    });
    await ann.page.evaluate(() => dispatchEvent(new Event('online')));
    await press(ann.page, CALL);
    assert.equal((await timelineEntry(ann.page, CALL)).steps.at(-1), 'GET /api/me 200');
  });

  test('a second device is listed and logged out from the first', async () => {
    await signIn(phone.page, 'ann@example.org');
    await press(ann.page, CALL);
    await device(ann.page, 'Safari on iPhone').waitFor();
    assert.deepEqual(await devices(ann.page), [
      { name: 'Chrome on Linux', current: true },
      { name: 'Safari on iPhone', current: false },
    ]);

    const origin = device(ann.page, 'Safari on iPhone').locator('.device-origin').first();
    assert.match(await origin.textContent(), /^ from (127\.0\.0\.1|::1|::ffff:127\.0\.0\.1)$/);
    assert.match(await origin.getAttribute('title'), /iPhone/);

    await press(ann.page, 'Log out Safari on iPhone');
    await device(ann.page, 'Safari on iPhone').waitFor({ state: 'detached' });
    assert.deepEqual(await devices(ann.page), [{ name: 'Chrome on Linux', current: true }]);

    await press(phone.page, CALL);
    assert.deepEqual(await loginReason(phone.page), { title: 'This session was ended', code: 'ERR_SESSION_REVOKED' });
    assert.equal((await timelineEntry(phone.page, CALL)).steps.at(-1), 'POST /auth/refresh 401 ERR_SESSION_REVOKED');

    await press(ann.page, CALL);
    assert.match((await timelineEntry(ann.page, CALL)).steps.at(-1), /^GET \/api\/me 200/, 'the first device goes on');
  });

  test('the other devices are logged out together, and this one goes on', async () => {
    const others = ann.page.getByRole('button', { name: 'Log out my other devices' });
    assert.equal(await others.isVisible(), false, 'there is none');
    await signIn(phone.page, 'ann@example.org');
    await press(ann.page, CALL);
    await device(ann.page, 'Safari on iPhone').waitFor();
    await others.click();
    const { summary } = await timelineEntry(ann.page, 'Log out my other devices');
    assert.equal(summary, 'One other session is revoked; this one goes on.');
    assert.deepEqual(await devices(ann.page), [{ name: 'Chrome on Linux', current: true }]);
    await others.waitFor({ state: 'hidden' });

    await press(phone.page, CALL);
    assert.deepEqual(await loginReason(phone.page), { title: 'This session was ended', code: 'ERR_SESSION_REVOKED' });
    await press(ann.page, CALL);
    assert.match((await timelineEntry(ann.page, CALL)).steps.at(-1), /^GET \/api\/me 200/);
  });

  test('a theft that cannot be played leaves no half of it on the page', async () => {
    const unauthorized = (route) => route.fulfill({ status: 401, json: {} });
    await withRoute(ann.page, '**/auth/demo/refresh-token', unauthorized, async () => {
      await press(ann.page, 'Thief comes late');
      const { state, summary } = await timelineEntry(ann.page, 'Thief comes late');
      assert.deepEqual([state, summary], ['failed', 'The theft cannot be played: the server answered 401.']);
      assert.equal(await ann.page.locator('#theft-steps').isVisible(), false);
    });

    await withRoute(ann.page, '**/auth/demo/refresh-as-thief', (route) => route.abort(), async () => {
      await press(ann.page, 'Thief comes first');
      assert.match((await timelineEntry(ann.page, 'Thief comes first')).summary, /cannot be reached/);
      assert.equal(await ann.page.locator('#theft-steps').isVisible(), false);
    });
  });

  for (const [theft, expected] of [
    [
      'Thief comes late',
      [
        /^thief: POST \/auth\/demo\/refresh-token 200$/,
        /^POST \/auth\/refresh 200$/,
        /^GET \/api\/me 200$/,
        /^thief: POST \/auth\/demo\/refresh-as-thief 401 ERR_REFRESH_REUSED$/,
        /^GET \/api\/me 401 ERR_/,
        /^POST \/auth\/refresh 401 ERR_SESSION_REVOKED$/,
      ],
    ],
    [
      'Thief comes first',
      [
        /^thief: POST \/auth\/demo\/refresh-token 200$/,
        /^thief: POST \/auth\/demo\/refresh-as-thief 200$/,
        /^thief: GET \/api\/me 200$/,
        /^POST \/auth\/refresh 401 ERR_REFRESH_REUSED$/,
        /^thief: GET \/api\/me 401 ERR_ACCESS_REVOKED$/,
      ],
    ],
  ]) {
    test(`${theft}: it is detected and the session ends for both`, async () => {
      for (const { page } of [ann, phone])
        if (await page.locator('#credentials').isVisible()) await signIn(page, 'ann@example.org');
      // With a fresh access token the page refreshes only where the theft does.
      await expire(ann.page);
      const before = await usesTold();
      await press(ann.page, CALL);
      await timelineEntry(ann.page, CALL);
      await until('the call is told', async () => (await usesTold()) > before);
      await press(ann.page, theft);
      await ann.page.getByText(/^\d+\.\d s left$/).waitFor();
      // The grace begins when the use of the new token is told.
      await until('the use of the new token is told', async () => (await usesTold()) > before + 1);
      await pass(GRACE + 1);
      const { title } = await loginReason(ann.page);
      assert.equal(title, 'Your session was ended for your safety');

      const { steps, summary } = await timelineEntry(ann.page, theft);
      assert.equal(steps.length, expected.length, steps.join('\n'));
      expected.forEach((step, at) => assert.match(steps[at], step));
      assert.match(summary, /Neither the thief nor this page/);

      await press(phone.page, CALL);
      assert.match(
        (await timelineEntry(phone.page, CALL)).steps.at(-1),
        /^GET \/api\/me 200/,
        'her other device is not concerned',
      );
    });
  }

  test('after a reload the ended session stays ended', async () => {
    await ann.page.reload();
    await ann.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    assert.equal(await ann.page.locator('#reason').isVisible(), false);
  });

  test('log out everywhere ends every device', async () => {
    await signIn(ann.page, 'ann@example.org');
    await device(ann.page, 'Safari on iPhone').waitFor();
    await press(ann.page, 'Log out everywhere');
    assert.equal((await loginReason(ann.page)).title, 'You are logged out everywhere');
    await press(phone.page, CALL);
    assert.equal((await loginReason(phone.page)).code, 'ERR_SESSION_REVOKED');
  });

  test('logging out ends this device and takes the cookie away', async () => {
    await signIn(ann.page, 'ann@example.org');
    await press(ann.page, 'Log out');
    assert.equal((await loginReason(ann.page)).title, 'You are logged out');
    assert.deepEqual(await ann.context.cookies(), []);
  });

  test('what one tab does is seen in the others', async () => {
    const tab = await ann.open();
    await signIn(ann.page, 'ann@example.org');
    const { summary } = await timelineEntry(tab, 'Signed in in another tab');
    assert.match(summary, /tokens of the other one/);
    assert.equal(await tab.locator('#who').textContent(), 'ann@example.org');

    await press(tab, 'Log out');
    assert.equal((await loginReason(tab)).title, 'You are logged out');
    assert.equal((await loginReason(ann.page)).title, 'You are logged out');
    assert.match(await ann.page.locator('#reason-text').textContent(), /^You logged out in another tab\./);

    // The next user may be another one.
    await signIn(ann.page, 'ann@example.org');
    await timelineEntry(tab, 'Signed in in another tab');
    await press(tab, 'Log out');
    await loginReason(ann.page);
    await signUp(tab, 'eve@example.org');
    await ann.page.locator('#who').getByText('eve@example.org').waitFor();
    await press(ann.page, 'Log out everywhere');
    assert.equal((await loginReason(ann.page)).title, 'You are logged out everywhere');
    await loginReason(tab);
    await tab.close();
  });

  test('a wrong password is said at the form', async () => {
    await ann.page.getByLabel('E-mail address').fill('ann@example.org');
    await ann.page.getByLabel('Password').fill('wrong password');
    await ann.page.keyboard.press('Enter');
    await ann.page.getByText('E-mail address or password is wrong.').waitFor();
  });

  test('fits a narrow telephone', async () => {
    await phone.page.setViewportSize({ width: 340, height: 700 });
    await signIn(phone.page, 'ann@example.org');
    await expire(phone.page);
    await press(phone.page, '5 at once');
    await timelineEntry(phone.page, FIVE);
    const [content, window] = await phone.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${content} px of content in ${window} px`);
    const scrolling = await phone.page.evaluate(() =>
      [...document.querySelectorAll('main *')]
        .filter((node) => node.scrollHeight > node.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(node).overflowY))
        .map((node) => node.id),
    );
    assert.deepEqual(scrolling, [], 'nothing scrolls but the page');
    const shown = () => phone.page.locator('.entry').filter({ visible: true }).count();
    assert.equal(await shown(), 2, 'the newest entries');
    await press(phone.page, 'Show earlier entries');
    assert.ok((await shown()) > 2);
    assert.equal(await phone.page.getByRole('button', { name: 'Show earlier entries' }).isVisible(), false);
  });

  test('buttons fill their row, have one line of text each, and the page has one first heading', async () => {
    for (const { page } of [ann, phone]) {
      if (await page.locator('#credentials').isVisible()) await signIn(page, 'ann@example.org');
      await press(page, CALL);
      await device(page, 'Safari on iPhone').waitFor();
      const rows = await page.locator('.buttons').evaluateAll((nodes) =>
        nodes.map((node) => {
          const buttons = [...node.querySelectorAll('button')].filter((button) => button.offsetParent);
          const gap = node.getBoundingClientRect().right - Math.max(...buttons.map((button) => button.getBoundingClientRect().right));
          return { gap: Math.round(gap), tallest: Math.max(...buttons.map((button) => button.offsetHeight)) };
        }),
      );
      for (const { gap, tallest } of rows) {
        assert.equal(gap, 0);
        assert.ok(tallest < 50, `${tallest} px`);
      }
      assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
    }
  });

  test('nothing went wrong in the pages meanwhile', () => {
    assert.deepEqual(ann.problems, []);
    assert.deepEqual(phone.problems, []);
  });
});

describe('an unused session', () => {
  let example;
  let visit;

  before(async () => {
    // Cookies expire by a clock of Chromium that cannot be set: 30 s are enough to sign up on a busy machine.
    example = await startExample({ accessTtl: 10, refreshIdleTtl: 30, refreshAbsoluteTtl: 600, grace: 1 });
    visit = await visitor(browser, example.url);
  });
  after(async () => {
    await visit?.context.close();
    await example?.stop();
  });

  test('expires, and the login page says so', async () => {
    await signUp(visit.page, 'bob@example.org');
    // Chromium drops the cookie when the refresh token in it expires; that is the moment to wait for.
    const deadline = Date.now() + 120_000;
    while ((await visit.context.cookies()).length > 0) {
      assert.ok(Date.now() < deadline, 'the refresh cookie never expires');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await press(visit.page, CALL);
    const { title, code } = await loginReason(visit.page);
    assert.equal(title, 'Your session has expired');
    assert.match(code, /^ERR_(TOKEN_MISSING|REFRESH_EXPIRED)$/);
    const { steps } = await timelineEntry(visit.page, CALL);
    assert.deepEqual(steps, [`POST /auth/refresh 401 ${code}`]);
    assert.deepEqual(visit.problems, []);
  });
});
