/**
 * The drop-in for npm `jsonwebtoken`. Its types are in `jsonwebtoken.d.cts`.
 *
 * `any` is deliberate: npm `jsonwebtoken` accepts values of every type, and the result (sometimes a
 * TypeError that quotes the failing expression) is part of its behaviour.
 */
import type * as api from '../../jsonwebtoken.cjs';
import { decode } from './compact.cjs';
import { sign } from './sign.cjs';
import { JsonWebTokenError, NotBeforeError, TokenExpiredError, verify } from './verify.cjs';

/** A plain object, as in npm `jsonwebtoken`: test doubles replace its properties. */
const jsonwebtoken: typeof api = {
  decode: decode as typeof api.decode,
  verify,
  sign,
  JsonWebTokenError,
  NotBeforeError,
  TokenExpiredError,
};

export = jsonwebtoken;
