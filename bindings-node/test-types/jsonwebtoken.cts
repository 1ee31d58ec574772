// The same from CommonJS, in the ways that it is imported there.
import jwt = require('regrant/jsonwebtoken');
import type { JwtPayload } from 'regrant/jsonwebtoken';

const token: string = jwt.sign({}, 'secret', { expiresIn: '1h' });
const claims: JwtPayload | string = jwt.verify(token, 'secret');
const error: jwt.JsonWebTokenError = new jwt.TokenExpiredError('jwt expired', new Date());

async function imported(): Promise<string> {
  const { sign } = await import('regrant/jsonwebtoken');
  return sign({}, 'secret');
}

void [claims, error, imported];
