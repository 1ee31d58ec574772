/**
 * The claims that the options of `sign` ask for, behind those of the payload, as text: an object
 * that is copied and added to takes longer than all the rest of signing.
 */
import { timespan } from './timespan.cjs';

/**
 * What gives the JSON of a plain object as payload, with the claims of the options behind its own;
 * nothing where that may be another text, or an error, than by way of an object.
 */
export function appended(payload: any, options: any): (() => string) | undefined {
  const { noTimestamp, mutatePayload, notBefore, expiresIn, audience, issuer, subject, jwtid } = options;
  if (noTimestamp || mutatePayload || isSpecial(payload) || 'iat' in payload) return undefined;

  const iat = Math.floor(Date.now() / 1000);
  let claims = `"iat":${iat}`;
  // Written out: a loop over these takes a fifth of the whole call.
  if (notBefore !== undefined) {
    const nbf = instantOf(notBefore, iat);
    if (nbf === undefined || 'nbf' in payload) return undefined;
    claims += `,"nbf":${nbf}`;
  }
  if (expiresIn !== undefined) {
    const exp = instantOf(expiresIn, iat);
    if (exp === undefined || 'exp' in payload) return undefined;
    claims += `,"exp":${exp}`;
  }
  if (audience !== undefined) {
    if ('aud' in payload) return undefined;
    claims += `,"aud":${JSON.stringify(audience)}`;
  }
  if (issuer !== undefined) {
    if ('iss' in payload) return undefined;
    claims += `,"iss":${JSON.stringify(issuer)}`;
  }
  if (subject !== undefined) {
    if ('sub' in payload) return undefined;
    claims += `,"sub":${JSON.stringify(subject)}`;
  }
  if (jwtid !== undefined) {
    if ('jti' in payload) return undefined;
    claims += `,"jti":${JSON.stringify(jwtid)}`;
  }
  return () => {
    const text = JSON.stringify(payload);
    return text === '{}' ? `{${claims}}` : `${text.slice(0, -1)},${claims}}`;
  };
}

/** It would not be written as its copy is. */
function isSpecial(payload: any): boolean {
  return payload.toJSON !== undefined || Object.hasOwn(payload, '__proto__');
}

/** In seconds; nothing for what is no span of time, or none that JSON has a number for. */
function instantOf(span: any, from: number): number | undefined {
  try {
    const instant: unknown = timespan(span, from);
    return Number.isFinite(instant) ? (instant as number) : undefined;
  } catch {
    return undefined;
  }
}
