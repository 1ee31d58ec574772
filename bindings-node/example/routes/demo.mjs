// DEMO ONLY. Never copy these routes into an app: they exist so that a visitor can play the thief.
//
// In a real app nothing can read the refresh token but the server: it is in an HttpOnly cookie. A thief gets it
// from a stolen laptop, a backup of the browser profile, malware or a proxy's log. None of these can be shown by
// a page, so here the server hands the token out (`refresh-token`) and takes it back in a body, as the thief's
// own tool would send it (`refresh-as-thief`).

import { Router } from 'express';
import { refreshHandler } from 'regrant/express';
import { refuse } from './errors.mjs';

export function demoRoutes({ auth, config }) {
  const routes = Router();

  // What the page needs to know for its explanations; seconds.
  routes.get('/lifetimes', (req, res) => {
    const { accessTtl, refreshIdleTtl, grace } = config;
    res.json({ accessTtl, refreshIdleTtl, grace });
  });

  // The theft: the page's own refresh token, as a second holder would have it. POST, so that no link can ask for
  // it.
  routes.post('/refresh-token', (req, res) => {
    const cookie = req.get('cookie')?.match(/(?:^|;\s*)refreshToken=([^;]+)/)?.[1];
    if (!cookie) return refuse(res, 404, 'NO_REFRESH_COOKIE', 'There is no refresh cookie.');
    res.set('Cache-Control', 'no-store').json({ refreshToken: decodeURIComponent(cookie) });
  });

  // The thief's refresh: the same handler, reading `{ refreshToken }` from the body instead of the victim's
  // cookie.
  routes.post('/refresh-as-thief', refreshHandler(auth, { cookie: false }));

  return routes;
}
