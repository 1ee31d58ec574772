// Helpers of the browser test: Chromium, and the elements of the page.

import { chromium } from 'playwright-core';
import { TestClock } from 'regrant';

/** Chromium that does not update itself or call its vendor. `args`: more of its command line. */
export function launchChromium({ args = [] } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    timeout: 180_000,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
}

/**
 * A visitor: a browser context with its own cookies, one page and a clock that can be set forward, and the errors that
 * occur in it.
 */
export async function visitor(browser, url, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(60_000);
  await context.clock.install();
  const problems = [];
  const requests = [];
  const open = async () => {
    const page = await context.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (message) => {
      // The console reports every 401 as an error; those are expected here. Anything else fails the test.
      if (message.type() === 'error' && !/status of 401|net::ERR_/.test(message.text())) problems.push(message.text());
    });
    page.on('request', (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.goto(url);
    return page;
  };
  return { context, page: await open(), open, problems, requests };
}

const PASSWORD = 'correct horse battery';

export async function signUp(page, email) {
  await page.getByRole('button', { name: 'I am new here' }).click();
  await enterCredentials(page, email);
}

export async function signIn(page, email) {
  await page.getByRole('button', { name: 'I have an account' }).click();
  await enterCredentials(page, email);
}

/** Fills in the form by keyboard and submits it with Enter. */
async function enterCredentials(page, email) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Access token' }).waitFor();
  await idle(page);
}

/** Answers the requests to `pattern` with `answer` during `run` only, also if that fails: the tests after it go on. */
export async function withRoute(page, pattern, answer, run) {
  await page.route(pattern, answer);
  try {
    await run();
  } finally {
    await page.unroute(pattern);
  }
}

/** Waits until the access token's countdown has ended. */
export const accessExpired = (page) => page.locator('#ring[data-state="expired"]').waitFor();

/** The clock of the server: the system's, set forward by `advance`. Ticks until `stop`. */
export function tickingClock() {
  const clock = new TestClock();
  let ahead = 0;
  const tick = () => clock.set(Date.now() + ahead);
  tick();
  const timer = setInterval(tick, 50);
  const advance = (ms) => {
    ahead += ms;
    tick();
  };
  return { clock, advance, stop: () => clearInterval(timer) };
}

/** Calls `look` until it returns something. */
export async function until(what, look) {
  for (const end = Date.now() + 60_000; ; ) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the last action is over: one that is told in the timeline may go on, and lists the devices or tells the server. */
const idle = (page) => page.locator('body:not([data-busy="true"])').waitFor();

/** Presses a button of the page. */
export async function press(page, name) {
  await idle(page);
  await page.getByRole('button', { name, exact: true }).click();
}

/**
 * The newest timeline entry of that title, once it is complete: `{ summary, steps: ['GET /api/me 401
 * ERR_TOKEN_EXPIRED', …] }`; a repeated request ends in ' again', a thief's begins with 'thief: '.
 */
export async function timelineEntry(page, title) {
  await idle(page);
  const complete = page.locator('.entry:not([data-state="running"])');
  return page
    .locator(`.entry[data-title="${title}"]`)
    .first()
    .and(complete)
    .evaluate((node) => ({
      state: node.dataset.state,
      summary: node.querySelector('.entry-summary').textContent,
      steps: [...node.querySelectorAll('.step:not(.step-words)')].map((step) =>
        [
          step.dataset.kind === 'thief' && 'thief:',
          step.querySelector('.method').textContent,
          step.dataset.path,
          step.dataset.status,
          step.dataset.code,
          'retry' in step.dataset && 'again',
        ]
          .filter(Boolean)
          .join(' '),
      ),
    }));
}

/** Waits for the login page and returns why it is shown: `{ title, code }`. */
export async function loginReason(page) {
  await page.locator('#reason').waitFor();
  await idle(page);
  return {
    title: await page.locator('#reason-title').textContent(),
    code: await page.locator('#reason-code').textContent(),
  };
}

/** One listed device, by its name. */
export const device = (page, name) => page.locator('.device').filter({ hasText: name });

/** The devices that the page lists, the present one first. */
export function devices(page) {
  return page.locator('.device').evaluateAll((nodes) =>
    nodes.map((node) => ({
      name: node.querySelector('.device-name').firstChild.textContent,
      current: node.querySelector('.badge') !== null,
    })),
  );
}
