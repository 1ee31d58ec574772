// A suite: the cases of one class, which become one file.
import { NOW, segments } from './tokens.mjs';

/** `why` and `verifier` hold for every case that does not say otherwise. */
export function suite(name, about, { why, verifier = 'HS256' }, fill) {
  const cases = [];
  const add = (title, token, expect, options = {}) => {
    const { now = NOW, ...rest } = { why, verifier, ...options };
    cases.push({ name: title, why: rest.why, verifier: rest.verifier, now, token, expect });
  };
  fill({
    /** A token that is refused with `code`. */
    refuse: (title, token, code, options) => add(title, token, { code }, options),
    /** A token that is accepted, with its claims as they are signed. */
    accept: (title, token, { subject = 'user-7', ...options } = {}) => {
      const payload = Buffer.from(segments(token)[1], 'base64url').toString();
      add(title, token, { subject, payload }, options);
    },
  });
  return { name, about, cases };
}

/** How a text is called in the name of a case. */
export const shown = (text) => {
  const visible = JSON.stringify(text).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return visible.length > 60 ? `${visible.slice(0, 57)}…` : visible;
};

export const MALFORMED = 'ERR_TOKEN_MALFORMED';
export const ALG = 'ERR_ALG_NOT_ALLOWED';
export const SIGNATURE = 'ERR_SIGNATURE_INVALID';
export const TYP = 'ERR_TYP_MISMATCH';
export const CRIT = 'ERR_CRIT_UNSUPPORTED';
export const KEY = 'ERR_KEY_NOT_FOUND';
export const INVALID = 'ERR_CLAIM_INVALID';
export const MISSING = 'ERR_CLAIM_MISSING';
export const EXPIRED = 'ERR_TOKEN_EXPIRED';
export const EARLY = 'ERR_TOKEN_NOT_YET_VALID';
export const ISSUER = 'ERR_ISSUER_MISMATCH';
export const AUDIENCE = 'ERR_AUDIENCE_MISMATCH';
export const LARGE = 'ERR_TOKEN_TOO_LARGE';
