// An Express app with one route, guarded by the middleware that its first argument names. Sends its port to its parent,
// and its processor time whenever it is asked.
import { createSecretKey } from 'node:crypto';
import express from 'express';
import { createVerifier } from 'fast-jwt';
import jsonwebtoken from 'jsonwebtoken';
import { authenticate } from '../../../../bindings-node/express.mjs';
import { AUDIENCE, ISSUER, SECRET, authWith, keysFor } from '../verify/tokens.mjs';

const GUARDS = {
  'no auth': () => (req, res, next) => next(),
  jsonwebtoken: () => byHand((token) => jsonwebtoken.verify(token, SECRET, RULES)),
  'jsonwebtoken, KeyObject': () => {
    const key = createSecretKey(Buffer.from(SECRET));
    return byHand((token) => jsonwebtoken.verify(token, key, RULES));
  },
  'fast-jwt': () => byHand(createVerifier({ ...FAST, cache: false })),
  'fast-jwt, cache': () => byHand(createVerifier({ ...FAST, cache: true })),
  regrant: () => authenticate(authWith(keysFor('HS256'), false)),
  'regrant, cache': () => authenticate(authWith(keysFor('HS256'))),
};

const RULES = { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE };
const FAST = { key: SECRET, algorithms: ['HS256'], allowedIss: ISSUER, allowedAud: AUDIENCE };

/** The middleware that apps write. */
function byHand(verify) {
  return (req, res, next) => {
    const [scheme, token] = (req.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || token === undefined) return res.status(401).end();
    try {
      req.user = verify(token);
    } catch {
      return res.status(401).end();
    }
    next();
  };
}

const app = express();
app.disable('etag');
app.get('/', GUARDS[process.argv[2]](), (req, res) => res.json({ hello: 'world' }));
const server = app.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('message', () => process.send(process.cpuUsage()));
process.on('disconnect', () => process.exit(0));
