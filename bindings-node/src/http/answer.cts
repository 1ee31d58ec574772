/** Answers as data, for every framework to send in its own way. */
import { AuthError } from '../auth-error.cjs';

/** What is to be sent. */
export interface HttpAnswer {
  /** The status. */
  readonly status: number;
  /** The headers, beside those of the cookies. */
  readonly headers: Readonly<Record<string, string>>;
  /** The values of `Set-Cookie`, one for each cookie. */
  readonly cookies: readonly string[];
  /** To be sent as JSON. Absent: there is no body. */
  readonly body?: object;
}

/** Forbids every cache to keep the answer (RFC 6749 §5.1). */
export const NO_STORE = { 'Cache-Control': 'no-store' } as const;

/** An answer that no cache keeps. */
export function answer(status: number, body?: object, cookies: readonly string[] = []): HttpAnswer {
  return { status, headers: NO_STORE, cookies, ...(body && { body }) };
}

/** The answer to a refusal: the error's status and headers, and `{ error: { code, advice, message } }`. */
export function refusal(error: AuthError): HttpAnswer {
  return { status: error.status, headers: { ...NO_STORE, ...error.headers }, cookies: [], body: { error } };
}

/** The answer that `work` gives, or the one to its refusal. Everything else that is thrown is the app's. */
export async function toAnswer(work: Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof AuthError) return refusal(thrown);
    throw thrown;
  }
}

/** The answer as a `Response` of the Fetch API: for Hono, Next.js and the like. */
export function toResponse({ status, headers, cookies, body }: HttpAnswer): Response {
  const all = new Headers(headers);
  for (const cookie of cookies) all.append('Set-Cookie', cookie);
  return body === undefined ? new Response(null, { status, headers: all }) : Response.json(body, { status, headers: all });
}
