// Serves an Express app on a free loopback port until the test ends.
import { once } from 'node:events';
import express4 from 'express4';
import express5 from 'express5';

/** Both supported major versions of Express. */
export const expressVersions = [
  { name: 'Express 4', express: express4 },
  { name: 'Express 5', express: express5 },
];

/**
 * In milliseconds: longer than a test. By default Node.js closes idle connections after 5 s, and on a busy machine `fetch`
 * would use some that the server has just closed.
 */
export const KEEP_ALIVE = 3_600_000;

/** Serves `app` until the test `t` ends. Returns a `fetch` for its paths. */
export async function serve(t, app) {
  const server = app.listen(0, '127.0.0.1');
  server.keepAliveTimeout = KEEP_ALIVE;
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    return new Promise((closed) => server.close(closed));
  });
  const { port } = server.address();
  const origin = `http://127.0.0.1:${port}`;
  const call = (path, init) => fetch(`${origin}${path}`, init);
  return Object.assign(call, { origin, post: (path, init) => call(path, { method: 'POST', ...init }) });
}

/** The cookies that a response sets: name → { value, attributes } with lower-case attribute names. */
export function setCookies(response) {
  return Object.fromEntries(
    response.headers.getSetCookie().map((line) => {
      const [pair, ...attributes] = line.split('; ');
      const [name, value] = pair.split(/=(.*)/s);
      const entries = attributes.map((attribute) => attribute.split(/=(.*)/s));
      return [
        name,
        {
          value: decodeURIComponent(value),
          attributes: Object.fromEntries(entries.map(([key, text = true]) => [key.toLowerCase(), text])),
        },
      ];
    }),
  );
}

/** Headers and body of a JSON request. */
export function json(body) {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
