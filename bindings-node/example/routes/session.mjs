// Refresh and logout.

import { Router } from 'express';
import { logoutHandler, refreshHandler } from 'regrant/express';

export function sessionRoutes({ auth }) {
  const routes = Router();
  routes.post('/refresh', refreshHandler(auth));
  routes.post('/logout', logoutHandler(auth));
  return routes;
}
