/** The DPoP proof of a request (RFC 9449 §7.1). */
import type { RequestProof } from '../proof.cjs';
import { header, pathOf, type HttpRequest } from './request.cjs';

const SCHEME = /^dpop +/i;

/**
 * Returns the proof of a request, for `auth.login(user, { proof })` and `auth.refresh(token, { proof })`, which check
 * it; `undefined` if there is none.
 */
export function proofOf(request: HttpRequest): RequestProof | undefined {
  const proof = header(request, 'dpop');
  if (proof === undefined) return undefined;
  return { proof, method: request.method ?? '', path: pathOf(request) };
}

/** The token in an `Authorization` header with the scheme `DPoP`; `undefined` with another scheme. */
export function boundToken(value: string | undefined): string | undefined {
  if (value === undefined || !SCHEME.test(value)) return undefined;
  return value.replace(SCHEME, '');
}
