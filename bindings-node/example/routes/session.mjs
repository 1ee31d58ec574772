// Refresh and logout. `delivery` says where the refresh token is.

import { Router } from 'express';
import { logoutHandler, refreshHandler } from 'regrant/express';

export function sessionRoutes({ auth }, delivery) {
  const routes = Router();
  routes.post('/refresh', refreshHandler(auth, delivery));
  routes.post('/logout', logoutHandler(auth, delivery));
  return routes;
}
