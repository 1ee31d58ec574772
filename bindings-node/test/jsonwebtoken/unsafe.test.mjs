// What both packages accept although the core would reject: the list of docs/jsonwebtoken.md, "What is unsafe".
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { NOW, claimsOf, forBoth, freeze } from './support/both.mjs';
import { SECRET } from './support/keys.mjs';

beforeEach(freeze);
afterEach(() => mock.timers.reset());

const encode = (text) => Buffer.from(text).toString('base64url');
const signedBy = (secret, input) => `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
const HEADER = '{"alg":"HS256","typ":"JWT"}';
/** A token of this text, as it stands. */
const craft = (payload, header = HEADER, secret = SECRET) => signedBy(secret, `${encode(header)}.${encode(payload)}`);

forBoth((jwt) => {
  const accepts = (token, options, payload = claimsOf(token), secret = SECRET) => assert.deepEqual(jwt.verify(token, secret, options), payload);
  const hour = 3600;

  test('secrets of any length, an empty Buffer among them, but not empty text', () => {
    for (const secret of [Buffer.alloc(0), new Uint8Array(0), 'x']) accepts(craft('{"a":1}', HEADER, secret), {}, { a: 1 }, secret);
    assert.throws(() => jwt.verify(craft('{"a":1}', HEADER, ''), ''), { message: 'secret or public key must be provided' });
  });

  test('a public key without its PEM lines is a secret', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secret = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
    accepts(craft('{"a":1}', HEADER, secret), {}, { a: 1 }, secret);
  });

  test('numbers that overflow are infinite: exp never comes, nbf always has', () => {
    accepts(craft('{"exp":1e309}'), {}, { exp: Infinity });
    accepts(craft('{"nbf":-1e309}'), {}, { nbf: -Infinity });
    accepts(craft('{"iat":1e309}'), { maxAge: '1h' }, { iat: Infinity });
  });

  test('exp that sign cannot write as a number becomes null, which verify rejects', () => {
    for (const exp of [Infinity, NaN]) {
      const token = jwt.sign({ exp }, SECRET);
      assert.equal(claimsOf(token).exp, null);
      assert.throws(() => jwt.verify(token, SECRET), { message: 'invalid exp value' });
    }
  });

  test('iat in the future, also with maxAge', () => {
    accepts(craft(`{"iat":${NOW + hour}}`), { maxAge: 1 });
  });

  test('clockTolerance as text is appended to the digits of the time', () => {
    accepts(craft(`{"exp":${NOW - hour}}`), { clockTolerance: '60' });
    accepts(craft(`{"exp":${NOW - hour}}`), { clockTolerance: Infinity });
    assert.throws(() => jwt.verify(craft(`{"exp":${NOW - hour}}`), SECRET, { clockTolerance: 60 }), { message: 'jwt expired' });
  });

  test('header and payload in base64url that is not canonical, the signature only in its one form', () => {
    const payload = encode('{"a":1}');
    const other = `${payload.slice(0, -1)}${String.fromCharCode(payload.charCodeAt(payload.length - 1) + 1)}`;
    assert.notEqual(other, payload);
    accepts(signedBy(SECRET, `${encode(HEADER)}.${other}`), {}, { a: 1 });
    const token = craft('{"a":1}');
    for (const changed of [`${token}=`, `${token}\n`, ` ${token}`]) assert.throws(() => jwt.verify(changed, SECRET), { message: 'invalid token' });
  });

  test('crit and b64 are ignored', () => {
    accepts(craft('{"a":1}', '{"alg":"HS256","crit":["x"],"x":1}'));
    accepts(craft('{"a":1}', '{"alg":"HS256","b64":false,"crit":["b64"]}'));
  });

  test('any payload: text, numbers, arrays, bytes that are not UTF-8', () => {
    for (const [text, payload] of [['[1]', [1]], ['7', 7], ['{"a":1,"a":2}', { a: 2 }]]) accepts(craft(text), {}, payload);
    accepts(craft('not JSON', '{"alg":"HS256"}'), {}, 'not JSON');
    accepts(signedBy(SECRET, `${encode(HEADER)}.${encode(Buffer.from('{"a":"\xff"}', 'latin1'))}`), {}, { a: '\ufffd' });
    assert.equal(jwt.verify(craft(JSON.stringify({ a: 'x'.repeat(1 << 20) })), SECRET).a.length, 1 << 20);
  });

  test('an audience that nobody asked for, unknown options, and truthy text', () => {
    accepts(craft('{"aud":"another service"}'));
    accepts(craft('{"aud":"another service"}'), { audiance: 'ours', algorithm: ['RS256'] });
    accepts(craft('{"exp":1}'), { ignoreExpiration: 'false' });
  });

  test('an RSA key without algorithms verifies RS and PS of every size', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    for (const algorithm of ['RS256', 'RS512', 'PS384']) assert.equal(jwt.verify(jwt.sign({ a: 1 }, privateKey, { algorithm }), publicKey).a, 1);
  });
});
