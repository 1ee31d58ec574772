/** The public keys of access tokens, for other services. */
import { createHash } from 'node:crypto';
import type { Auth } from '../auth.cjs';
import type { HttpAnswer } from './answer.cjs';
import { header, type HttpRequest } from './request.cjs';

/** How the keys are published. */
export interface JwksOptions {
  /**
   * How many seconds others may cache the response; default 300. Publish a new key for this long before
   * it signs; a removed key may be accepted for this long.
   */
  maxAge?: number | undefined;
}

/**
 * The response with the keys (RFC 7517 §5), with `Cache-Control` and `ETag`; 304 (RFC 9110 §15.4.5) if the
 * client has them already.
 */
export function jwksAnswer(auth: Auth, request: HttpRequest, { maxAge = 300 }: JwksOptions = {}): HttpAnswer {
  const body = auth.jwks();
  const etag = `"${createHash('sha256').update(JSON.stringify(body)).digest('base64url')}"`;
  const headers = { 'Cache-Control': `public, max-age=${maxAge}`, ETag: etag };
  if (hasAlready(header(request, 'if-none-match'), etag)) return { status: 304, headers, cookies: [] };
  return { status: 200, headers: { ...headers, 'Content-Type': 'application/jwk-set+json' }, cookies: [], body };
}

/** RFC 9110 §13.1.2: a list of tags, weak ones among them, or `*`. */
function hasAlready(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  return condition.split(',').some((tag) => ['*', etag, `W/${etag}`].includes(tag.trim()));
}
