// What holds for the drop-in and not for `@types/jsonwebtoken`.
import type * as real from 'jsonwebtoken';
import jwt, { sign, verify } from 'regrant/jsonwebtoken';
import type { SignOptions, VerifyOptions } from 'regrant/jsonwebtoken';

declare module 'regrant/jsonwebtoken' {
  interface JwtPayload {
    userId: string;
  }
}

// Goes wherever the other is asked for.
const asReal: typeof real = jwt;
const options = (given: real.SignOptions): SignOptions => given;
const verifyOptions = (given: real.VerifyOptions): VerifyOptions => given;

// Text of which the compiler does not know whether it is a span.
const token: string = sign({}, 'secret', { expiresIn: process.env['EXPIRES_IN'] });

const claims = verify(token, 'secret');
const userId: string | undefined = typeof claims === 'string' ? undefined : claims.userId;

void [asReal, options, verifyOptions, userId];
