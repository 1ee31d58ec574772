/** Sends responses and errors. */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AuthError } from '../auth-error.cjs';
import { NO_STORE, refusal, type HttpAnswer } from '../http/answer.cjs';

/** Sends an error in the app's own way, or passes it to `next`. */
export type OnError = (err: AuthError, req: Request, res: Response, next: NextFunction) => void;

/** How errors are sent. */
export interface ErrorOptions {
  /**
   * Sends an error in place of the default: the error's status and headers and the JSON
   * `{ error: { code, advice, message } }`.
   */
  onError?: OnError | undefined;
}

/** Forbids caching of the response (RFC 6749 §5.1). */
export function noStore(res: Response): void {
  res.set(NO_STORE);
}

/** Adds cookies to those that the app has set. */
export function setCookies(res: Response, cookies: readonly string[]): void {
  for (const cookie of cookies) res.append('Set-Cookie', cookie);
}

/** Sends a response. */
export function send(res: Response, { status, headers, cookies, body }: HttpAnswer): void {
  setCookies(res, cookies);
  res.status(status).set({ ...headers });
  if (body === undefined) res.end();
  else res.json(body);
}

/** Sends an error with its status and headers and `{ error: { code, advice, message } }`. */
export function answerError(err: AuthError, _req: Request, res: Response): void {
  send(res, refusal(err));
}

/** A route that sends the response of `answer`, or its error. */
export function handler(answer: (req: Request) => Promise<HttpAnswer>, options: ErrorOptions): RequestHandler {
  return (req, res, next) => {
    answer(req).then((given) => send(res, given)).catch(failureOf(options, req, res, next));
  };
}

/**
 * A function that takes any exception: an `AuthError` is sent, anything else is the app's and goes to
 * `next`.
 */
export function failureOf({ onError = answerError }: ErrorOptions, req: Request, res: Response, next: NextFunction) {
  return (thrown: unknown): void => {
    if (!(thrown instanceof AuthError)) return next(thrown);
    noStore(res);
    onError(thrown, req, res, next);
  };
}
