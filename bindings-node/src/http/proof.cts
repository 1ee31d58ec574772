/** The proof of a key in a request (DPoP, RFC 9449 §7.1). */
import type { RequestProof } from '../proof.cjs';
import { header, pathOf, type HttpRequest } from './request.cjs';

const SCHEME = /^dpop +/i;

/**
 * The proof that came with a request, for `auth.login(user, { proof })` and `auth.refresh(token, { proof })`; nothing
 * where there is none. It is checked there.
 */
export function proofOf(request: HttpRequest): RequestProof | undefined {
  const proof = header(request, 'dpop');
  if (proof === undefined) return undefined;
  return { proof, method: request.method ?? '', path: pathOf(request) };
}

/** The token in the value of an `Authorization` header with the scheme `DPoP`; nothing with another scheme. */
export function boundToken(value: string | undefined): string | undefined {
  if (value === undefined || !SCHEME.test(value)) return undefined;
  return value.replace(SCHEME, '');
}
