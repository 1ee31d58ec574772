/** How answers are sent, and refusals answered. */
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { AuthError } from '../auth-error.cjs';
import { NO_STORE, refusal, type HttpAnswer } from '../http/answer.cjs';

/** Answers a refusal in the app's own way, or hands it to `next`. */
export type OnError = (err: AuthError, req: Request, res: Response, next: NextFunction) => void;

/** How refusals are answered. */
export interface ErrorOptions {
  /**
   * Answers a refusal in place of the default: the error's status and headers and the JSON
   * `{ error: { code, advice, message } }`.
   */
  onError?: OnError | undefined;
}

/** Forbids every cache to keep the answer (RFC 6749 §5.1). */
export function noStore(res: Response): void {
  res.set(NO_STORE);
}

/** Sets cookies beside those that the app has set. */
export function setCookies(res: Response, cookies: readonly string[]): void {
  for (const cookie of cookies) res.append('Set-Cookie', cookie);
}

/** Sends an answer. */
export function send(res: Response, { status, headers, cookies, body }: HttpAnswer): void {
  setCookies(res, cookies);
  res.status(status).set({ ...headers });
  if (body === undefined) res.end();
  else res.json(body);
}

/** The default answer to a refusal. */
export function answerError(err: AuthError, _req: Request, res: Response): void {
  send(res, refusal(err));
}

/** A route that sends the answer that `answer` gives, or the one to its refusal. */
export function handler(answer: (req: Request) => Promise<HttpAnswer>, options: ErrorOptions): RequestHandler {
  return (req, res, next) => {
    answer(req).then((given) => send(res, given)).catch(failureOf(options, req, res, next));
  };
}

/**
 * A function that takes whatever was thrown: refusals are answered, everything else is the app's
 * and goes to `next`.
 */
export function failureOf({ onError = answerError }: ErrorOptions, req: Request, res: Response, next: NextFunction) {
  return (thrown: unknown): void => {
    if (!(thrown instanceof AuthError)) return next(thrown);
    noStore(res);
    onError(thrown, req, res, next);
  };
}
