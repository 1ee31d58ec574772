// Renewing and ending the present session. Both read the refresh token from where `delivery` says.

import { Router } from 'express';
import { logoutHandler, refreshHandler } from 'regrant/express';

export function sessionRoutes({ auth }, delivery) {
  const routes = Router();
  routes.post('/refresh', refreshHandler(auth, delivery));
  routes.post('/logout', logoutHandler(auth, delivery));
  return routes;
}
