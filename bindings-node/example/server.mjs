// Starts the example: configuration → app → listen.

import { createApp } from './app.mjs';
import { configFromEnv } from './config.mjs';

const config = configFromEnv();
const { app, close } = createApp(config);

const server = app.listen(config.port, config.host, (error) => {
  if (error) {
    console.error(`Cannot listen on ${config.host}:${config.port}: ${error.message}`);
    process.exit(1);
  }
  const { address, port, family } = server.address();
  const host = ['127.0.0.1', '::1'].includes(address) ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  console.log(`regrant example: http://${host}:${port}`);
  console.log(
    `Access tokens live ${config.accessTtl} s, refresh tokens ${config.refreshIdleTtl} s unused; grace ${config.grace} s.`,
  );
  if (config.secretIsRandom) {
    console.log('No SECRET_KEY in the environment: a random one was made, so a restart signs everybody out.');
  }
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(() => {
      close();
      process.exit(0);
    });
    server.closeAllConnections();
  });
}
