// The last handler: whatever no route answered itself.

import { AuthError } from 'regrant';

/** Express knows an error handler by its four parameters. */
export function answerErrors(error, req, res, next) {
  if (res.headersSent) return next(error);
  if (error instanceof AuthError) {
    // From routes that call `auth` themselves, for instance a store that cannot be reached: 503, try again.
    return res
      .status(error.status)
      .set(error.headers)
      .json({ code: error.code, advice: error.advice, message: error.message });
  }
  const status = error.expose ? error.status : 500;
  if (status === 500) console.error(error);
  res.status(status).json({ code: status === 500 ? 'INTERNAL' : 'BAD_REQUEST', message: status === 500 ? 'Something went wrong.' : error.message });
}
