// Code as users of `@types/jsonwebtoken` write it. It is compiled against the drop-in and, by
// tsconfig.jsonwebtoken.json, against those types: whatever compiles there compiles here.
import { createPrivateKey } from 'node:crypto';
import jwt, { JsonWebTokenError, NotBeforeError, TokenExpiredError, decode, sign, verify } from 'regrant/jsonwebtoken';
import type {
  Algorithm,
  DecodeOptions,
  GetPublicKeyOrSecret,
  Jwt,
  JwtHeader,
  JwtPayload,
  PrivateKey,
  PublicKey,
  Secret,
  SignCallback,
  SignOptions,
  SigningKeyCallback,
  VerifyCallback,
  VerifyErrors,
  VerifyOptions,
} from 'regrant/jsonwebtoken';
import * as whole from 'regrant/jsonwebtoken';

declare const pem: string;

interface Claims extends JwtPayload {
  userId: string;
}

const algorithm: Algorithm = 'RS256';
const secret: Secret = process.env['SECRET_KEY'] ?? 'secret';
const keys: [PrivateKey, PublicKey] = [{ key: pem, passphrase: 'p' }, Buffer.from(pem)];
const options: SignOptions = {
  algorithm,
  keyid: 'k',
  expiresIn: '15m',
  notBefore: 5,
  audience: ['a'],
  issuer: 'i',
  subject: undefined,
  header: { alg: 'RS256', kid: 'k', crit: ['b64'] },
  mutatePayload: true,
  allowInsecureKeySizes: false,
};

const signed: string = sign({ userId: 'user-1' }, secret, options);
const others: string[] = [
  jwt.sign('text', Buffer.from('secret')),
  jwt.sign(Buffer.from('bytes'), createPrivateKey(pem), { algorithm: 'ES256' }),
  jwt.sign({}, keys[0], { expiresIn: '2 days' }),
  jwt.sign({}, null, { algorithm: 'none' }),
  whole.sign({}, { key: pem, passphrase: 'p' }),
];

const signCallback: SignCallback = (error: Error | null, encoded?: string) => void [error, encoded];
sign({}, secret, signCallback);
sign({}, secret, {}, (error, encoded) => {
  const text: string | undefined = encoded;
  if (error === null) others.push(text ?? '');
});
sign({}, null, { algorithm: 'none' }, signCallback);

const payload: string | JwtPayload = verify(signed, secret);
const userId: string = (verify(signed, secret) as Claims).userId;
const complete: Jwt = verify(signed, secret, { complete: true });
const header: JwtHeader = complete.header;
const plain: JwtPayload | string = jwt.verify(signed, pem, { algorithms: ['RS256'], audience: /x/, issuer: ['a', 'b'], maxAge: '1d' });
const verifyOptions: VerifyOptions = { audience: ['a', /b/], clockTolerance: 5, clockTimestamp: 1, nonce: 'n', ignoreExpiration: true };
const any: Jwt | JwtPayload | string = jwt.verify(signed, secret, verifyOptions);

const getKey: GetPublicKeyOrSecret = (unverified: JwtHeader, callback: SigningKeyCallback) => {
  callback(unverified.kid === undefined ? new Error('no key') : null, pem);
};
const verifyCallback: VerifyCallback<JwtPayload | string> = (error: VerifyErrors | null, decoded) => void [error?.inner, decoded];
jwt.verify(signed, getKey, verifyCallback);
jwt.verify(signed, getKey, { algorithms: ['RS256'] }, (error, decoded) => {
  if (error instanceof TokenExpiredError) others.push(error.expiredAt.toISOString());
  const claims: string | JwtPayload | undefined = decoded;
  void claims;
});
jwt.verify(signed, secret, { complete: true }, (error, decoded) => void [error?.message, decoded?.signature]);

function explain(error: unknown): string {
  if (error instanceof TokenExpiredError) return `expired at ${error.expiredAt.getTime()}`;
  if (error instanceof NotBeforeError) return `from ${error.date.getTime()}`;
  if (error instanceof JsonWebTokenError) return `${error.name} ${error.message} ${error.inner.message}`;
  return String(error instanceof jwt.JsonWebTokenError);
}

class Rejected extends JsonWebTokenError {
  constructor() {
    super('rejected', new Error('inner'));
  }
}

const decodeOptions: DecodeOptions = { json: true };
const decoded: null | JwtPayload | string = decode(signed, decodeOptions);
const taken: null | Jwt = decode(signed, { complete: true });
const json: null | JwtPayload = jwt.decode(signed, { json: true });
const role: unknown = json?.['role'];

// @ts-expect-error No such algorithm.
sign({}, secret, { algorithm: 'HS128' });
// @ts-expect-error A function finds keys only where there is a callback for the answer.
const never: JwtPayload = verify(signed, getKey, { complete: true });
// @ts-expect-error Without a key only `none` can sign.
sign({}, null, { algorithm: 'HS256' });

void [payload, userId, header, plain, any, explain, Rejected, decoded, taken, role, never];
