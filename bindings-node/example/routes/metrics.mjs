// GET /metrics for Prometheus. Served on loopback only, because it has no authentication.

import { Router } from 'express';

export function metricsRoutes({ auth }) {
  return Router().get('/', (req, res, next) => {
    if (!isLocal(req)) return next();
    res.type('text/plain; version=0.0.4').set('Cache-Control', 'no-store').send(auth.metrics());
  });
}

/** Whether the request comes from this machine and was not forwarded by a proxy on it. */
function isLocal(req) {
  const { remoteAddress = '' } = req.socket;
  const forwarded = req.headers['x-forwarded-for'] ?? req.headers.forwarded ?? req.headers.via;
  return forwarded === undefined && /^(::1|(::ffff:)?127\.[\d.]+)$/.test(remoteAddress);
}
