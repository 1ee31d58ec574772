// DEMO ONLY. Do not copy these routes into an app: they exist so that a visitor can play the thief.
//
// In a real app no script can read the refresh token, because it is in an HttpOnly cookie. A thief gets it
// from a stolen laptop, a backup of the browser profile, malware or a proxy's log. A page cannot show any of
// these, so here the server returns the token (`refresh-token`) and accepts it in a body, as the thief's
// tool would send it (`refresh-as-thief`).

import { Router } from 'express';
import { authenticate, refreshHandler } from 'regrant/express';
import { refuse } from './errors.mjs';

export function demoRoutes({ auth, users, config }) {
  const routes = Router();

  // The lifetimes that the page displays, in seconds.
  routes.get('/lifetimes', (req, res) => {
    const { accessTtl, refreshIdleTtl, grace } = config;
    res.json({ accessTtl, refreshIdleTtl, grace });
  });

  // Gives the visitor another role, as an administrator would in a real app.
  routes.post('/role', authenticate(auth), (req, res) => {
    const role = req.body.role === 'editor' ? 'editor' : 'reader';
    users.setRole(req.auth.subject, role);
    res.json({ role });
  });

  // The theft: returns the page's own refresh token. POST, so that no link can trigger it.
  routes.post('/refresh-token', (req, res) => {
    const cookie = req.get('cookie')?.match(/(?:^|;\s*)refreshToken=([^;]+)/)?.[1];
    if (!cookie) return refuse(res, 404, 'NO_REFRESH_COOKIE', 'There is no refresh cookie.');
    res.set('Cache-Control', 'no-store').json({ refreshToken: decodeURIComponent(cookie) });
  });

  // The thief's refresh: the same handler, reading `{ refreshToken }` from the body instead of the victim's
  // cookie.
  routes.post('/refresh-as-thief', refreshHandler(auth.withWeb({ refreshCookie: false })));

  return routes;
}
