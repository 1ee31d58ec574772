/**
 * The drop-in for npm `jsonwebtoken`. Its types are in `jsonwebtoken.d.cts`.
 *
 * `any` is meant where it stands: npm `jsonwebtoken` accepts values of every type, and what comes of
 * it (at times a TypeError with the text of its expression) is part of its behaviour.
 */
import type * as api from '../../jsonwebtoken.cjs';
import { decode } from './compact.cjs';
import { sign } from './sign.cjs';
import { JsonWebTokenError, NotBeforeError, TokenExpiredError, verify } from './verify.cjs';

/** A plain object, as there: test doubles replace its properties. */
const jsonwebtoken: typeof api = {
  decode: decode as typeof api.decode,
  verify,
  sign,
  JsonWebTokenError,
  NotBeforeError,
  TokenExpiredError,
};

export = jsonwebtoken;
