// Several sites on loopback, over HTTPS and HTTP, and Chromium, which takes their names for real ones.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import express from 'express';
// Needs the packages of the example: `npm ci` in its folder.
import { launchChromium } from '../../example/test/browser-support.mjs';

/** The host of the app. */
export const APP = 'app.example.test';
/** Another host of the same site: it gets `SameSite` cookies and can set cookies for all of `example.test`. */
export const SIBLING = 'evil.example.test';
/** A host of another site. */
export const OTHER = 'other.test';
/** The domain that `APP` and `SIBLING` share. */
export const SITE = 'example.test';

/** Chromium in which all names below `test` are this machine. */
export const launch = () => launchChromium({ args: ['--host-resolver-rules=MAP *.test 127.0.0.1'] });

const certificate = {
  key: readFileSync(new URL('../../../tests/vectors/keys/test-only-p256-a.private.pem', import.meta.url)),
  // Self-signed: the browser contexts ignore certificate errors.
  cert: readFileSync(new URL('certificate.pem', import.meta.url)),
};

/** Starts the sites. `use(app)` replaces the app; the other hosts serve `foreignApp`. */
export async function startSites() {
  const foreign = foreignApp();
  let app = foreign;
  const received = [];
  const listener = (req, res) => {
    const { hostname, pathname } = new URL(req.url, `http://${req.headers.host}`);
    res.once('finish', () =>
      received.push({
        host: hostname,
        method: req.method,
        path: pathname,
        headers: req.headers,
        status: res.statusCode,
        cookies: [res.getHeader('set-cookie') ?? []].flat(),
      }));
    (hostname === APP && pathname !== '/plant' ? app : foreign)(req, res);
  };
  const servers = { https: https.createServer(certificate, listener), http: http.createServer(listener) };
  for (const server of Object.values(servers)) await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    servers,
    use: (next) => void (app = next),
    origin: (host, scheme = 'https') => `${scheme}://${host}:${servers[scheme].address().port}`,
    /** Waits for the next request for `path` of the app, from now on; returns it with its response. */
    async arrival(path, cause) {
      const from = received.length;
      await cause();
      return until(() => received.slice(from).find((one) => one.host === APP && one.path === path), `a request for ${path}`);
    },
    async stop() {
      for (const server of Object.values(servers)) {
        server.closeAllConnections();
        await new Promise((closed) => server.close(closed));
      }
    },
  };
}

/** Pages of a foreign host. That which sets the cookies of the query is one of the app's host too. */
function foreignApp() {
  const app = express();
  app.get('/', (req, res) => res.send('<!doctype html><title>foreign</title>'));
  app.get('/plant', (req, res) => {
    res.append('Set-Cookie', [req.query.cookie].flat()).send('<!doctype html><title>planted</title>');
  });
  // Keeps the method and the body.
  app.all('/redirect', (req, res) => res.redirect(307, req.query.to));
  return app;
}

/** Calls `look` until it returns something. */
export async function until(look, what) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within a minute`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** A browser with its own cookies, at the page of the app. */
export async function visit(browser, sites, { scheme = 'https' } = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  await page.goto(`${sites.origin(APP, scheme)}/`);

  /** A request of the app's own page: `{ status, body }`. */
  const call = (path, init) =>
    page.evaluate(async ([to, options]) => {
      const response = await fetch(to, options);
      const text = await response.text();
      return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    }, [path, init]);

  return {
    context,
    page,
    call,
    async login(user) {
      const { status, body } = await call(`/login?user=${user}`, { method: 'POST' });
      if (status !== 200) throw new Error(`the login of ${user} was answered with ${status}`);
      return body.accessToken;
    },
    /** Refreshes as the page does: `{ status, code, subject }`. `accessToken`: sent in the header. */
    async refresh({ accessToken, path = '/auth/refresh' } = {}) {
      const headers = accessToken ? { authorization: `Bearer ${accessToken}` } : {};
      const { status, body } = await call(path, { method: 'POST', headers });
      return status === 200 ? { status, subject: subjectOf(body.accessToken) } : { status, code: body.error?.code };
    },
    /** The cookies of this name: `example.test/auth = value`, the host's own without the domain. */
    async cookies(name) {
      const all = await context.cookies();
      return all
        .filter((cookie) => cookie.name === name)
        .map(({ domain, path, value, partitionKey }) => ({
          place: `${domain === APP ? '' : domain.replace(/^\./, '')}${path}${partitionKey ? ' partitioned' : ''}`,
          value,
        }))
        .sort((a, b) => a.place.localeCompare(b.place));
    },
    /** Visits a host whose response sets these cookies. */
    async plant(host, ...lines) {
      const visited = await context.newPage();
      const query = lines.map((line) => `cookie=${encodeURIComponent(line)}`).join('&');
      await visited.goto(`${sites.origin(host, scheme)}/plant?${query}`);
      await visited.close();
    },
    close: () => context.close(),
  };
}

/** The user of an access token, not verified. */
export function subjectOf(accessToken) {
  return JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url').toString()).sub;
}
