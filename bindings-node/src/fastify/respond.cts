/** Sends responses and errors. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AuthError } from '../auth-error.cjs';
import { NO_STORE, refusal, type HttpAnswer } from '../http/answer.cjs';

/** How errors are sent. */
export interface ErrorOptions {
  /**
   * Sends an error in place of the default: the error's status and headers and the JSON
   * `{ error: { code, advice, message } }`. To leave it to the app's error handler, throw the error.
   */
  onError?: ((error: AuthError, request: FastifyRequest, reply: FastifyReply) => unknown) | undefined;
}

/** Sends a response. */
export function send(reply: FastifyReply, { status, headers, cookies, body }: HttpAnswer): FastifyReply {
  // Fastify appends headers of this name.
  for (const cookie of cookies) reply.header('set-cookie', cookie);
  return reply.code(status).headers({ ...headers }).send(body);
}

/** Sends an error with its status and headers and `{ error: { code, advice, message } }`. */
export function answerError(error: AuthError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return send(reply, refusal(error));
}

/** Sends an `AuthError`; any other exception is the app's and is thrown again. */
export async function fail(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { onError = answerError }: ErrorOptions,
): Promise<unknown> {
  if (!(thrown instanceof AuthError)) throw thrown;
  reply.headers(NO_STORE);
  await onError(thrown, request, reply);
  // Returning the reply tells Fastify that it was sent.
  return reply;
}
