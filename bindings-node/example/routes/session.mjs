// Renewing and ending the present session. Both read the refresh token from its cookie.

import { Router } from 'express';
import { logoutHandler, refreshHandler } from 'regrant/express';
import { cookieOptions } from './cookies.mjs';

export function sessionRoutes({ auth, config }) {
  const routes = Router();
  routes.post('/refresh', refreshHandler(auth, cookieOptions(config)));
  routes.post('/logout', logoutHandler(auth, cookieOptions(config)));
  return routes;
}
