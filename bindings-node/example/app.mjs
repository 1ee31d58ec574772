// The app: one `auth` object, one user table, and the routes that use them.

import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import { createAuth } from 'regrant';
import { accountRoutes } from './routes/account.mjs';
import { demoRoutes } from './routes/demo.mjs';
import { deviceRoutes } from './routes/devices.mjs';
import { answerErrors, refuse } from './routes/errors.mjs';
import { legacyRoutes } from './routes/legacy.mjs';
import { metricsRoutes } from './routes/metrics.mjs';
import { protectedRoutes } from './routes/protected.mjs';
import { sessionRoutes } from './routes/session.mjs';
import { openUsers } from './users.mjs';

const PAGE = fileURLToPath(new URL('./public', import.meta.url));
/** regrant/client, for a page without a bundler. */
const CLIENT = fileURLToPath(import.meta.resolve('regrant/client'));

/**
 * Builds the app from a configuration (config.mjs). `close` releases the database.
 * `clock` is a `TestClock` of regrant, for tests that must not wait.
 */
export function createApp(config, { clock } = {}) {
  const users = openUsers(config.database);
  const auth = createAuth({
    secret: config.secret,
    // The legacy app's SECRET_KEY may have less than 32 bytes.
    allowShortSecret: true,
    // `legacy` accepts access tokens of the legacy app, with its claim `userId`.
    access: { ttl: config.accessTtl, subjectClaim: 'userId', legacy: true },
    refresh: {
      idleTtl: config.refreshIdleTtl,
      absoluteTtl: config.refreshAbsoluteTtl,
      grace: config.grace,
      unusedGrace: config.unusedGrace,
      rotation: true,
    },
    dpop: { origin: config.origins },
    store: config.store,
    // The refresh token is in a cookie that no script can read. Browsers send it to /auth only, so it never accompanies
    // an ordinary request.
    web: { refreshCookie: true, path: '/auth', secure: config.secureCookies },
    clock,
    // A real app would write events to its audit log. No event contains a token.
    onEvent: ({ type, sessionId, reason = '' }) => {
      if (config.log) console.log(['session', sessionId, type, reason].join(' ').trim());
    },
  });

  // Limits the guessing of passwords.
  const limitLogin = rateLimit({
    windowMs: 5 * 60 * 1000,
    limit: config.loginLimit,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    handler: (req, res) => refuse(res, 429, 'RATE_LIMITED', 'Too many attempts. Wait a few minutes and try again.'),
  });

  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', config.trustProxy);
  app.use(
    helmet({
      // The page holds an access token in memory: no script but its own may run there.
      contentSecurityPolicy: {
        directives: { 'script-src': ["'self'"], 'style-src': ["'self'"], 'upgrade-insecure-requests': null },
      },
    }),
  );
  app.use(express.static(PAGE));
  app.get('/regrant-client.js', (req, res) => res.type('js').sendFile(basename(CLIENT), { root: dirname(CLIENT) }));
  app.use(express.json({ limit: '10kb' }));

  const context = { auth, users, config, limitLogin };
  app.use('/auth', accountRoutes(context), sessionRoutes(context));
  // A mobile app receives and sends the refresh token as JSON.
  const mobile = { ...context, auth: auth.withWeb({ refreshCookie: false }) };
  app.use('/mobile', accountRoutes(mobile), sessionRoutes(mobile));
  app.use('/api', protectedRoutes(context));
  app.use('/api', deviceRoutes(context));
  app.use('/api/users', legacyRoutes(context));
  app.use('/metrics', metricsRoutes(context));
  if (config.demoRoutes) app.use('/auth/demo', demoRoutes(context));
  app.use(answerErrors);

  return { app, close: () => users.close() };
}
