// Starts the example for a test, on a free port.

import { once } from 'node:events';
import { createApp } from '../app.mjs';
import { configFromEnv } from '../config.mjs';

/** Starts the app with the defaults and these overrides: fields of config.mjs, and a clock. */
export async function startExample({ clock, ...overrides } = {}) {
  const config = { ...configFromEnv({}), log: false, loginLimit: 10_000, ...overrides };
  const { app, close } = createApp(config, { clock });
  const server = app.listen(0, '127.0.0.1');
  // By default idle connections are closed after 5 s: a request on a busy machine may use one that was just closed.
  server.keepAliveTimeout = 3_600_000;
  await once(server, 'listening');
  return {
    config,
    url: `http://localhost:${server.address().port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      close();
    },
  };
}
