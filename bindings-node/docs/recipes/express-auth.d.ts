import type { RequestAuth } from 'regrant/express';

declare global {
  namespace Express {
    interface Request {
      auth: RequestAuth;
    }
  }
}
