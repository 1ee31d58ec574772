// The middleware of the apps that do it by hand: an access token is valid until it expires.
import jwt from 'jsonwebtoken';
import { SECRET } from '../http.mjs';

export function authenticate(req, res, next) {
  try {
    req.user = jwt.verify((req.headers.authorization ?? '').slice('Bearer '.length), SECRET, { algorithms: ['HS256'] }).sub;
  } catch {
    return res.status(401).json({ error: 'invalid access token' });
  }
  next();
}
