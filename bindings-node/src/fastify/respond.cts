/** How answers are sent, and refusals answered. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AuthError } from '../auth-error.cjs';
import { NO_STORE, refusal, type HttpAnswer } from '../http/answer.cjs';

/** How refusals are answered. */
export interface ErrorOptions {
  /**
   * Answers a refusal in place of the default: the error's status and headers and the JSON
   * `{ error: { code, advice, message } }`. To leave it to the app's error handler, throw the error.
   */
  onError?: ((error: AuthError, request: FastifyRequest, reply: FastifyReply) => unknown) | undefined;
}

/** Sends an answer. */
export function send(reply: FastifyReply, { status, headers, cookies, body }: HttpAnswer): FastifyReply {
  // Fastify puts several headers of this name beside each other.
  for (const cookie of cookies) reply.header('set-cookie', cookie);
  return reply.code(status).headers({ ...headers }).send(body);
}

/** The default answer to a refusal. */
export function answerError(error: AuthError, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return send(reply, refusal(error));
}

/** Answers a refusal; everything else that was thrown is the app's, and thrown again. */
export async function fail(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { onError = answerError }: ErrorOptions,
): Promise<unknown> {
  if (!(thrown instanceof AuthError)) throw thrown;
  reply.headers(NO_STORE);
  await onError(thrown, request, reply);
  // Fastify waits for the reply, and for nothing after it.
  return reply;
}
