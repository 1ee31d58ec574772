/** How refusals are answered. */
import type { NextFunction, Request, Response } from 'express';
import { AuthError } from '../auth-error.cjs';

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
  res.set('Cache-Control', 'no-store');
}

/** The default answer to a refusal. */
export function answerError(err: AuthError, _req: Request, res: Response): void {
  noStore(res);
  res.status(err.status).set({ ...err.headers }).json({ error: err });
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
