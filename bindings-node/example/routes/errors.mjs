// The last handler, and the one shape of every refusal: `{ error: { code, message } }`, as regrant answers too.

import { AuthError } from 'regrant';
import { answerError } from 'regrant/express';

/** A refusal of the app's own. */
export function refuse(res, status, code, message) {
  res.status(status).json({ error: { code, message } });
}

/** Answers whatever no route answered itself. Express knows an error handler by its four parameters. */
export function answerErrors(error, req, res, next) {
  if (res.headersSent) return next(error);
  // From routes that call `auth` themselves. A store that cannot be reached, for instance: 503, try again.
  if (error instanceof AuthError) return answerError(error, req, res, next);
  if (error.expose) return refuse(res, error.status, 'BAD_REQUEST', error.message);
  console.error(error);
  refuse(res, 500, 'INTERNAL', 'Something went wrong.');
}
