// The error handler. All error responses have regrant's format: `{ error: { code, message } }`.

import { AuthError } from 'regrant';
import { answerError } from 'regrant/express';

/** Sends an error of the app. */
export function refuse(res, status, code, message) {
  res.status(status).json({ error: { code, message } });
}

/** The last error handler. Express recognises it by its four parameters. */
export function answerErrors(error, req, res, next) {
  if (res.headersSent) return next(error);
  // From routes that call `auth` themselves: for example 503 if the store cannot be reached.
  if (error instanceof AuthError) return answerError(error, req, res, next);
  if (error.expose) return refuse(res, error.status, 'BAD_REQUEST', error.message);
  console.error(error);
  refuse(res, 500, 'INTERNAL', 'Something went wrong.');
}
