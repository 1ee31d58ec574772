// Verification: results, keys, claims and errors.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { NOW, forBoth, freeze } from './support/both.mjs';
import { PASSWORD, SECRET, algorithmsOf, pairs, pem, publicForms, secrets } from './support/keys.mjs';

beforeEach(freeze);
afterEach(() => mock.timers.reset());

forBoth((jwt) => {
  const assertRejected = (token, key, options, message, name = 'JsonWebTokenError') =>
    assert.throws(() => jwt.verify(token, key, options), (error) => {
      assert.deepEqual([error.name, error.message], [name, message]);
      return error instanceof jwt.JsonWebTokenError && error instanceof Error;
    });
  const sign = (payload, options) => jwt.sign(payload, SECRET, options);
  const craft = (header, payload, secret = SECRET) => {
    const input = [header, payload].map((text) => Buffer.from(text).toString('base64url')).join('.');
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };

  test('verify returns the payload, or the complete token', () => {
    const token = sign({ userId: 'user-1' }, { keyid: 'k' });
    const payload = { userId: 'user-1', iat: NOW };
    assert.deepEqual(jwt.verify(token, SECRET), payload);
    assert.deepEqual(jwt.verify(token, SECRET, { complete: true }), {
      header: { alg: 'HS256', typ: 'JWT', kid: 'k' },
      payload,
      signature: token.split('.')[2],
    });
    assert.equal(jwt.verify(sign('text'), SECRET), 'text');
    assert.deepEqual(jwt.verify(sign('{"a":1}'), SECRET), { a: 1 });
    assert.deepEqual(jwt.verify(sign(Buffer.from('[1]')), SECRET), [1]);
  });

  test('each call returns a new object', () => {
    const token = sign({ roles: ['user'] });
    for (const options of [{}, { complete: true }]) {
      const first = jwt.verify(token, SECRET, options);
      (first.payload ?? first).roles.push('admin');
      if (first.header) first.header.alg = 'none';
      const second = jwt.verify(token, SECRET, options);
      assert.deepEqual((second.payload ?? second).roles, ['user']);
      if (second.header) assert.equal(second.header.alg, 'HS256');
    }
  });

  test('a key function that changes its header does not affect other calls', () => {
    const token = sign({});
    let header;
    const getKey = (given, done) => {
      header = given;
      given.alg = 'none';
      done(null, SECRET);
    };
    jwt.verify(token, SECRET);
    for (let round = 0; round < 2; round++) {
      jwt.verify(token, getKey, (error) => assert.equal(error.message, 'invalid algorithm'));
      assert.deepEqual(header, { alg: 'none', typ: 'JWT' });
      assert.deepEqual(jwt.verify(token, SECRET), { iat: NOW });
    }
  });

  test('secrets of every supported type', () => {
    for (const algorithm of ['HS256', 'HS384', 'HS512']) {
      for (const one of secrets) {
        const token = jwt.sign({ a: 1 }, one, { algorithm });
        for (const other of secrets) assert.equal(jwt.verify(token, other).a, 1);
        assertRejected(token, 'another secret', {}, 'invalid signature');
      }
    }
  });

  test('a change of a secret in place takes effect', () => {
    const secret = Buffer.from(SECRET);
    const token = jwt.sign({}, secret);
    secret[0] ^= 1;
    assertRejected(token, secret, {}, 'invalid signature');
    assert.ok(jwt.verify(token, SECRET));
  });

  test('more secrets than the key cache holds', () => {
    const secretOf = (user) => `${SECRET}, and the password of user ${user}`;
    for (let round = 0; round < 2; round++) {
      for (let user = 0; user < 300; user++) {
        const token = jwt.sign({ user }, secretOf(user));
        assert.equal(jwt.verify(token, secretOf(user)).user, user);
        assertRejected(token, secretOf(user + 1), {}, 'invalid signature');
      }
    }
  });

  test('public keys of every supported type', () => {
    const tried = new Set();
    for (const [name, key] of publicForms) {
      if (['ed25519', 'x25519', 'secp256k1', 'pss', 'pssLongSalt'].includes(name) || key.type === 'private') continue;
      for (const algorithm of algorithmsOf[name]) {
        const token = jwt.sign({ name }, pairs[name].privateKey, { algorithm, allowInsecureKeySizes: true });
        assert.equal(jwt.verify(token, key).name, name);
        assert.equal(jwt.verify(token, key, { algorithms: [algorithm] }).name, name);
        const [header, , signature] = token.split('.');
        const forged = Buffer.from('{"name":"admin"}').toString('base64url');
        assertRejected(`${header}.${forged}.${signature}`, key, {}, 'invalid signature');
        tried.add(algorithm);
      }
    }
    assert.equal(tried.size, 9);
  });

  test('encrypted private keys', () => {
    const key = { key: pem('p256-a.encrypted.private'), passphrase: PASSWORD };
    const token = jwt.sign({ a: 1 }, key, { algorithm: 'ES256' });
    assert.equal(jwt.verify(token, pem('p256-a.certificate')).a, 1);
    assert.throws(() => jwt.sign({}, { ...key, passphrase: 'wrong' }, { algorithm: 'ES256' }), {
      message: 'secretOrPrivateKey is not valid key material',
    });
    assert.ok(jwt.sign({}, key, { algorithm: 'ES256' }));
  });

  test('a public key is not accepted as an HMAC secret', () => {
    const text = pem('rsa2048-a.public');
    const forged = craft('{"alg":"HS256","typ":"JWT"}', '{"userId":"admin"}', text);
    assertRejected(forged, text, {}, 'invalid algorithm');
    assertRejected(forged, text, { algorithms: ['HS256'] }, 'secretOrPublicKey must be a symmetric key when using HS256');
    assertRejected(forged, pairs.rsa.publicKey, { algorithms: ['HS256', 'RS256'] }, 'secretOrPublicKey must be a symmetric key when using HS256');
  });

  test('the algorithm must be allowed and fit the key', () => {
    const token = sign({});
    assertRejected(token, SECRET, { algorithms: ['HS384'] }, 'invalid algorithm');
    assertRejected(token, SECRET, { algorithms: [] }, 'invalid algorithm');
    assertRejected(token, SECRET, { algorithms: ['RS256'] }, 'invalid algorithm');
    assert.ok(jwt.verify(token, SECRET, { algorithms: ['HS256', 'RS256'] }));
    const rs256 = jwt.sign({}, pairs.rsa.privateKey, { algorithm: 'RS256' });
    assertRejected(rs256, SECRET, {}, 'invalid algorithm');
    assertRejected(rs256, SECRET, { algorithms: ['RS256'] }, 'secretOrPublicKey must be an asymmetric key when using RS256');
    assertRejected(rs256, pairs.otherRsa.publicKey, {}, 'invalid signature');
    assertRejected(rs256, pairs.p256.publicKey, {}, 'invalid algorithm');
    assert.throws(() => jwt.verify(rs256, pairs.p256.publicKey, { algorithms: ['RS256'] }), {
      name: 'Error',
      message: '"alg" parameter for "ec" key type must be one of: ES256, ES384, ES512.',
    });
    assertRejected(rs256, pairs.rsa.privateKey, {}, 'secretOrPublicKey must be an asymmetric key when using RS256');
  });

  test('an ECDSA signature of the wrong size throws a TypeError', () => {
    const token = jwt.sign({}, pairs.p256.privateKey, { algorithm: 'ES256' });
    for (const [wrong, bytes] of [[token.slice(0, -2), 63], [token.slice(0, -4), 61], [`${token}AA`, 66], [`${token}A`, 65]]) {
      assert.throws(() => jwt.verify(wrong, pairs.p256.publicKey), {
        name: 'TypeError',
        message: `"ES256" signatures must be "64" bytes, saw "${bytes}"`,
      });
    }
    const zeros = `${token.slice(0, token.lastIndexOf('.') + 1)}${'A'.repeat(86)}`;
    assertRejected(zeros, pairs.p256.publicKey, {}, 'invalid signature');
  });

  test('algorithm none', () => {
    const unsigned = jwt.sign({ a: 1 }, null, { algorithm: 'none' });
    assert.equal(jwt.verify(unsigned, undefined, { algorithms: ['none'] }).a, 1);
    assertRejected(unsigned, undefined, {}, 'please specify "none" in "algorithms" to verify unsigned tokens');
    assertRejected(unsigned, SECRET, { algorithms: ['none'] }, 'jwt signature is required');
    assertRejected(`${unsigned}AA`, undefined, { algorithms: ['none'] }, 'secret or public key must be provided');
    assertRejected(`${unsigned}AA`, SECRET, { algorithms: ['none'] }, 'invalid signature');
    const stripped = sign({}).replace(/[^.]*$/, '');
    assertRejected(stripped, SECRET, {}, 'jwt signature is required');
    assertRejected(stripped, undefined, { algorithms: ['none'] }, 'invalid algorithm');
    assert.throws(() => jwt.verify(stripped, undefined, { algorithms: ['HS256'] }), TypeError);
  });

  test('input that is not a token is rejected', () => {
    for (const token of [undefined, null, '', 0]) assertRejected(token, SECRET, {}, 'jwt must be provided');
    for (const token of [5, {}, [], true, Buffer.from(sign({}))]) assertRejected(token, SECRET, {}, 'jwt must be a string');
    for (const token of ['a', 'a.b', 'a.b.c.d', '.', ' ']) assertRejected(token, SECRET, {}, 'jwt malformed');
    for (const token of ['a.b.c', '..', `${sign({})} `, sign({}).replace('.', '.='), `Bearer ${sign({})}`]) {
      assertRejected(token, SECRET, {}, 'invalid token');
    }
    assert.throws(() => jwt.verify(craft('{"alg":"HS256","typ":"JWT"}', 'no JSON'), SECRET), SyntaxError);
    assert.equal(jwt.verify(craft('{"alg":"HS256"}', 'no JSON'), SECRET), 'no JSON');
  });

  test('a change of any character is detected', () => {
    const token = sign({ userId: 'user-1' });
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let at = 0; at < token.length; at++) {
      if (token[at] === '.') continue;
      for (const step of [1, 2, 31]) {
        const other = alphabet[(alphabet.indexOf(token[at]) + step) % 64];
        assert.throws(() => jwt.verify(token.slice(0, at) + other + token.slice(at + 1), SECRET), `${at}`);
      }
    }
  });

  test('invalid keys are rejected', () => {
    for (const key of [undefined, null, '', 0]) assertRejected(sign({}), key, {}, 'secret or public key must be provided');
    for (const key of [5, true, {}, { key: 'x' }, []]) assertRejected(sign({}), key, {}, 'secretOrPublicKey is not valid key material');
  });

  test('exp and nbf are exact to the second', () => {
    const token = sign({ nbf: NOW + 10, exp: NOW + 20 });
    const at = (clockTimestamp, options) => jwt.verify(token, SECRET, { clockTimestamp, ...options });
    assert.throws(() => at(NOW + 9), { name: 'NotBeforeError', message: 'jwt not active', date: new Date((NOW + 10) * 1000) });
    assert.ok(at(NOW + 10));
    assert.ok(at(NOW + 19));
    assert.throws(() => at(NOW + 20), { name: 'TokenExpiredError', message: 'jwt expired', expiredAt: new Date((NOW + 20) * 1000) });
    assert.ok(at(NOW + 9, { clockTolerance: 1 }));
    assert.ok(at(NOW + 20, { clockTolerance: 1 }));
    assert.throws(() => at(NOW + 21, { clockTolerance: 1 }), { name: 'TokenExpiredError' });
    assert.ok(at(NOW, { ignoreNotBefore: true }));
    assert.ok(at(NOW + 99, { ignoreExpiration: true }));
  });

  test('exp and nbf must be numbers', () => {
    for (const value of ['"5"', 'null', '{}', 'true']) {
      assertRejected(craft('{"alg":"HS256"}', `{"exp":${value}}`), SECRET, {}, 'invalid exp value');
      assertRejected(craft('{"alg":"HS256"}', `{"nbf":${value}}`), SECRET, {}, 'invalid nbf value');
    }
  });

  test('verify uses the JavaScript clock, which tests can fake', () => {
    const token = sign({}, { expiresIn: '1h' });
    mock.timers.tick(3_599_000);
    assert.ok(jwt.verify(token, SECRET));
    mock.timers.tick(1_000);
    assert.throws(() => jwt.verify(token, SECRET), { name: 'TokenExpiredError' });
  });

  test('audience', () => {
    const token = sign({ aud: ['urn:one', 'urn:two'] });
    for (const audience of ['urn:one', /two$/, ['no', 'urn:two'], ['no', /^urn:/]]) assert.ok(jwt.verify(token, SECRET, { audience }));
    assertRejected(token, SECRET, { audience: 'urn' }, 'jwt audience invalid. expected: urn');
    assertRejected(token, SECRET, { audience: ['a', /b/] }, 'jwt audience invalid. expected: a or /b/');
    assertRejected(token, SECRET, { audience: [] }, 'jwt audience invalid. expected: ');
    assertRejected(sign({}), SECRET, { audience: 'a' }, 'jwt audience invalid. expected: a');
  });

  test('issuer, subject, jwtid and nonce', () => {
    const token = sign({ iss: 'i', sub: 's', jti: 'j', nonce: 'n' });
    assert.ok(jwt.verify(token, SECRET, { issuer: 'i', subject: 's', jwtid: 'j', nonce: 'n' }));
    assert.ok(jwt.verify(token, SECRET, { issuer: ['x', 'i'] }));
    assertRejected(token, SECRET, { issuer: 'x' }, 'jwt issuer invalid. expected: x');
    assertRejected(token, SECRET, { issuer: ['x', 'y'] }, 'jwt issuer invalid. expected: x,y');
    assertRejected(token, SECRET, { subject: 'x' }, 'jwt subject invalid. expected: x');
    assertRejected(token, SECRET, { jwtid: 'x' }, 'jwt jwtid invalid. expected: x');
    assertRejected(token, SECRET, { nonce: 'x' }, 'jwt nonce invalid. expected: x');
    assertRejected(sign({}), SECRET, { subject: 's' }, 'jwt subject invalid. expected: s');
    for (const nonce of ['', ' ', 5, null]) assertRejected(token, SECRET, { nonce }, 'nonce must be a non-empty string');
  });

  test('maxAge', () => {
    const token = sign({});
    const later = (seconds, options) => jwt.verify(token, SECRET, { clockTimestamp: NOW + seconds, ...options });
    assert.ok(later(59, { maxAge: '1m' }));
    assert.throws(() => later(60, { maxAge: '1m' }), { name: 'TokenExpiredError', message: 'maxAge exceeded', expiredAt: new Date((NOW + 60) * 1000) });
    assert.ok(later(60, { maxAge: 60, clockTolerance: 1 }));
    assertRejected(token, SECRET, { maxAge: 'ever' }, '"maxAge" should be a number of seconds or string representing a timespan eg: "1d", "20h", 60');
    assertRejected(sign({}, { noTimestamp: true }), SECRET, { maxAge: 60 }, 'iat required when maxAge is specified');
  });

  test('options of the wrong type are rejected', () => {
    assertRejected(sign({}), SECRET, { clockTimestamp: '5' }, 'clockTimestamp must be a number');
    assertRejected(sign({}), SECRET, { allowInvalidAsymmetricKeyTypes: 'yes' }, 'allowInvalidAsymmetricKeyTypes must be a boolean');
  });

  test('the order of the checks', () => {
    const expired = sign({ exp: NOW - 1, nbf: NOW + 1, aud: 'a' });
    assertRejected('x', undefined, { nonce: '' }, 'nonce must be a non-empty string');
    assertRejected('x', undefined, {}, 'jwt malformed');
    assertRejected(expired, 'another secret', {}, 'invalid signature');
    assertRejected(expired, SECRET, { audience: 'b' }, 'jwt not active', 'NotBeforeError');
    assertRejected(expired, SECRET, { audience: 'b', ignoreNotBefore: true }, 'jwt expired', 'TokenExpiredError');
    assertRejected(expired, SECRET, { audience: 'b', ignoreNotBefore: true, ignoreExpiration: true }, 'jwt audience invalid. expected: b');
  });

  test('verify does not change the options', () => {
    const options = Object.freeze({ issuer: 'i' });
    assert.ok(jwt.verify(sign({ iss: 'i' }), SECRET, options));
    assert.deepEqual(options, { issuer: 'i' });
  });
});
