// GET /metrics: what Prometheus scrapes. Only from this machine, because it asks for no password.

import { Router } from 'express';

export function metricsRoutes({ auth }) {
  return Router().get('/', (req, res, next) => {
    if (!isLocal(req)) return next();
    res.type('text/plain; version=0.0.4').set('Cache-Control', 'no-store').send(auth.metrics());
  });
}

/** Whether the request was made on this machine. A proxy on this machine speaks for others: what it passes on does not count. */
function isLocal(req) {
  const { remoteAddress = '' } = req.socket;
  const forwarded = req.headers['x-forwarded-for'] ?? req.headers.forwarded ?? req.headers.via;
  return forwarded === undefined && /^(::1|(::ffff:)?127\.[\d.]+)$/.test(remoteAddress);
}
