// Signing: claims, headers, payloads, keys and validation errors.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { NOW, called, claimsOf, forBoth, freeze, headerOf } from './support/both.mjs';
import { SECRET, pairs, pem } from './support/keys.mjs';

beforeEach(freeze);
afterEach(() => mock.timers.reset());

forBoth((jwt) => {
  test('sign creates the expected token', () => {
    const token = jwt.sign({ foo: 'bar' }, 'shhhhh');
    assert.equal(
      token,
      'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJmb28iOiJiYXIiLCJpYXQiOjE3NjcyMjU2MDB9.pZdzkQVAPl3uqHJQfSsjX8sD--XPGmFgyX_JmA1wFlw',
    );
  });

  test('options become claims', () => {
    const options = {
      expiresIn: 60, notBefore: '10s', audience: ['a', 'b'], issuer: 'i', subject: 's', jwtid: 'j', keyid: 'k',
    };
    const token = jwt.sign({ own: true }, SECRET, options);
    assert.deepEqual(headerOf(token), { alg: 'HS256', typ: 'JWT', kid: 'k' });
    assert.deepEqual(claimsOf(token), {
      own: true, iat: NOW, nbf: NOW + 10, exp: NOW + 60, aud: ['a', 'b'], iss: 'i', sub: 's', jti: 'j',
    });
  });

  test('timespans', () => {
    const exp = (expiresIn) => claimsOf(jwt.sign({}, SECRET, { expiresIn })).exp - NOW;
    const spans = { '1d': 86_400, '2 days': 172_800, '10h': 36_000, '1y': 31_557_600, '120': 0, '1500ms': 1, '-1h': -3600, '.5m': 30 };
    for (const [text, seconds] of Object.entries(spans)) assert.equal(exp(text), seconds, text);
    assert.equal(exp(0), 0);
    assert.equal(exp(-10), -10);
  });

  test('timespans are relative to the iat of the payload', () => {
    assert.deepEqual(claimsOf(jwt.sign({ iat: 1000 }, SECRET, { expiresIn: '1m', notBefore: 5 })), { iat: 1000, exp: 1060, nbf: 1005 });
  });

  test('invalid timespans are rejected', () => {
    const message = (name) => `"${name}" should be a number of seconds or string representing a timespan`;
    for (const name of ['expiresIn', 'notBefore']) {
      for (const value of ['', 1.5, NaN, Infinity, null, undefined, true, {}, [], ['1d'], new Date()]) {
        assert.throws(() => jwt.sign({}, SECRET, { [name]: value }), { name: 'Error', message: message(name) });
      }
      for (const value of ['never', '1 month', ' ', '1d 2h', new String('1d')]) {
        assert.throws(() => jwt.sign({}, SECRET, { [name]: value }), { message: `${message(name)} eg: "1d", "20h", 60` });
      }
    }
  });

  test('noTimestamp removes iat', () => {
    assert.deepEqual(claimsOf(jwt.sign({ a: 1 }, SECRET, { noTimestamp: true })), { a: 1 });
    assert.deepEqual(claimsOf(jwt.sign({ iat: 5 }, SECRET, { noTimestamp: true, expiresIn: 1 })), { exp: 6 });
  });

  test('mutatePayload adds the claims to the payload object', () => {
    const payload = { a: 1 };
    jwt.sign(payload, SECRET, { expiresIn: 10 });
    assert.deepEqual(payload, { a: 1 });
    jwt.sign(payload, SECRET, { expiresIn: 10, issuer: 'i', mutatePayload: true });
    assert.deepEqual(payload, { a: 1, iat: NOW, exp: NOW + 10, iss: 'i' });
  });

  test('the header option takes precedence', () => {
    const header = { typ: 'at+jwt', kid: 'mine', alg: 'HS512' };
    const token = jwt.sign({}, SECRET, { keyid: 'other', header });
    assert.deepEqual(headerOf(token), header);
    assert.equal(token.split('.')[2].length, 86);
  });

  test('strings and bytes are signed unchanged', () => {
    for (const [payload, text] of [['text', 'text'], [Buffer.from('bytes'), 'bytes'], [5, '5'], [true, 'true'], ['', '']]) {
      const [header, segment] = jwt.sign(payload, SECRET).split('.');
      assert.equal(Buffer.from(header, 'base64url').toString(), '{"alg":"HS256"}');
      assert.equal(Buffer.from(segment, 'base64url').toString(), text);
    }
    const latin1 = jwt.sign('é', SECRET, { encoding: 'latin1' }).split('.')[1];
    assert.equal(Buffer.from(latin1, 'base64url').toString('latin1'), 'é');
    assert.throws(() => jwt.sign({}, SECRET, { encoding: 'nonsense' }), { code: 'ERR_UNKNOWN_ENCODING' });
  });

  test('claim options are rejected for a payload that is not an object', () => {
    for (const payload of ['text', Buffer.from('bytes')]) {
      for (const options of [{ expiresIn: 1 }, { notBefore: 1 }, { noTimestamp: true }, { audience: 'a' }, { issuer: 'i' }]) {
        const message = `invalid ${Object.keys(options)[0]} option for ${typeof payload} payload`;
        assert.throws(() => jwt.sign(payload, SECRET, options), { message });
      }
    }
    assert.throws(() => jwt.sign('text', SECRET, { subject: 's', issuer: 'i' }), {
      message: 'invalid issuer,subject option for string payload',
    });
  });

  test('a payload must be a plain object', () => {
    class Payload {}
    for (const payload of [null, [], new Date(), new Payload(), new Map(), new Uint8Array(1), new String('x')]) {
      assert.throws(() => jwt.sign(payload, SECRET), { message: 'Expected "payload" to be a plain object.' });
    }
    assert.throws(() => jwt.sign(undefined, SECRET), { message: 'payload is required' });
  });

  test('registered claims of the wrong type are rejected', () => {
    for (const claim of ['iat', 'exp', 'nbf']) {
      for (const value of ['5', true, null, undefined, {}, []]) {
        assert.throws(() => jwt.sign({ [claim]: value }, SECRET), { message: `"${claim}" should be a number of seconds` });
      }
    }
  });

  test('a claim and an option for it are rejected', () => {
    const bad = (option, claim) => `Bad "options.${option}" option. The payload already has an "${claim}" property.`;
    for (const [option, claim] of [['audience', 'aud'], ['issuer', 'iss'], ['subject', 'sub'], ['jwtid', 'jti']]) {
      assert.throws(() => jwt.sign({ [claim]: 'x' }, SECRET, { [option]: 'x' }), { message: bad(option, claim) });
    }
    assert.throws(() => jwt.sign({ exp: 1 }, SECRET, { expiresIn: 1 }), {
      message: 'Bad "options.expiresIn" option the payload already has an "exp" property.',
    });
    assert.throws(() => jwt.sign({ nbf: 1 }, SECRET, { notBefore: 1 }), {
      message: 'Bad "options.notBefore" option the payload already has an "nbf" property.',
    });
  });

  test('options of the wrong type and unknown options are rejected', () => {
    const messages = {
      audience: '"audience" must be a string or array',
      algorithm: '"algorithm" must be a valid string enum value',
      header: '"header" must be an object',
      encoding: '"encoding" must be a string',
      issuer: '"issuer" must be a string',
      subject: '"subject" must be a string',
      jwtid: '"jwtid" must be a string',
      noTimestamp: '"noTimestamp" must be a boolean',
      keyid: '"keyid" must be a string',
      mutatePayload: '"mutatePayload" must be a boolean',
      allowInsecureKeySizes: '"allowInsecureKeySizes" must be a boolean',
      allowInvalidAsymmetricKeyTypes: '"allowInvalidAsymmetricKeyTypes" must be a boolean',
      other: '"other" is not allowed in "options"',
    };
    for (const [option, message] of Object.entries(messages)) {
      assert.throws(() => jwt.sign({}, SECRET, { [option]: 5, ...(option === 'algorithm' && { algorithm: 'HS1' }) }), { message });
    }
    assert.throws(() => jwt.sign({}, SECRET, 'options'), { message: 'Expected "options" to be a plain object.' });
  });

  test('invalid keys are rejected', () => {
    for (const key of [undefined, null, '', 0, false]) {
      assert.throws(() => jwt.sign({}, key), { message: 'secretOrPrivateKey must have a value' });
    }
    for (const key of [5, true, {}, [], { key: 'x' }, Symbol('s')]) {
      assert.throws(() => jwt.sign({}, key), { message: 'secretOrPrivateKey is not valid key material' });
    }
  });

  test('keys that do not fit the algorithm are rejected', () => {
    const assertRejected = (key, algorithm, message) => assert.throws(() => jwt.sign({}, key, { algorithm }), { message });
    assertRejected(pem('rsa2048-a.private'), 'HS256', 'secretOrPrivateKey must be a symmetric key when using HS256');
    assertRejected(SECRET, 'RS256', 'secretOrPrivateKey must be an asymmetric key when using RS256');
    assertRejected(pairs.rsa.publicKey, 'PS256', 'secretOrPrivateKey must be an asymmetric key when using PS256');
    assertRejected(pairs.smallRsa.privateKey, 'RS256', 'secretOrPrivateKey has a minimum key size of 2048 bits for RS256');
    assertRejected(pairs.p256.privateKey, 'RS256', '"alg" parameter for "ec" key type must be one of: ES256, ES384, ES512.');
    assertRejected(pairs.p256.privateKey, 'ES384', '"alg" parameter "ES384" requires curve "secp384r1".');
    assertRejected(pairs.secp256k1.privateKey, 'ES256', '"alg" parameter "ES256" requires curve "prime256v1".');
    assertRejected(pairs.ed25519.privateKey, 'ES256', 'Unknown key type "ed25519".');
    assertRejected(pairs.pss.privateKey, 'RS256', '"alg" parameter for "rsa-pss" key type must be one of: PS256, PS384, PS512.');
    assertRejected(
      pairs.pss512.privateKey,
      'PS256',
      'Invalid key for this operation, its RSA-PSS parameters do not meet the requirements of "alg" PS256.',
    );
    assertRejected(
      pairs.pssLongSalt.privateKey,
      'PS256',
      'Invalid key for this operation, its RSA-PSS parameter saltLength does not meet the requirements of "alg" PS256.',
    );
  });

  test('options allow insecure key sizes and invalid key types', () => {
    const small = jwt.sign({}, pairs.smallRsa.privateKey, { algorithm: 'RS256', allowInsecureKeySizes: true });
    assert.equal(small.split('.')[2].length, 171);
    const allowed = { algorithm: 'ES256', allowInvalidAsymmetricKeyTypes: true };
    assert.equal(jwt.sign({}, pairs.secp256k1.privateKey, allowed).split('.')[2].length, 86);
    // A short signature reveals a key that is not RSA.
    assert.throws(() => jwt.sign({}, pairs.p256.privateKey, { ...allowed, algorithm: 'RS256' }), {
      message: 'secretOrPrivateKey has a minimum key size of 2048 bits for RS256',
    });
    assert.throws(() => jwt.sign({}, pairs.p384.privateKey, allowed), {
      message: /^"r" specified length of "4\d", max of "33" is acceptable$/,
    });
  });

  test('algorithm none', async () => {
    const token = jwt.sign({ a: 1 }, null, { algorithm: 'none', noTimestamp: true });
    assert.equal(token, 'eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJhIjoxfQ.');
    assert.equal(jwt.sign({ a: 1 }, 'any secret', { algorithm: 'none', noTimestamp: true }), token);
    assert.deepEqual(await called(jwt.sign, { a: 1 }, 'any secret', { algorithm: 'none', noTimestamp: true }), [null, token]);
  });
});
