// The drop-in and npm `jsonwebtoken` verify each other's tokens; deterministic algorithms give identical bytes.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import real from 'jsonwebtoken';
import ours from 'regrant/jsonwebtoken';
import { freeze } from './support/both.mjs';
import { SECRET, algorithmsOf, unusualSecrets, pairs, privateForms } from './support/keys.mjs';

beforeEach(freeze);
afterEach(() => mock.timers.reset());

const payloads = [
  { userId: 'user-1', roles: ['a', 'b'], nested: { a: { b: null } }, text: '토큰 🔑 "\\\u0000\u2028', number: 1e21 },
  {},
  { big: 'x'.repeat(10_000) },
  'text é 🔑 \ud800',
  Buffer.from([0, 255, 128]),
];

test('HMAC: tokens are identical', () => {
  for (const secret of [SECRET, ...unusualSecrets]) {
    for (const algorithm of ['HS256', 'HS384', 'HS512']) {
      for (const payload of payloads) {
        const options = typeof payload === 'object' && !Buffer.isBuffer(payload) ? { algorithm, expiresIn: '1h' } : { algorithm };
        const token = ours.sign(payload, secret, options);
        assert.equal(token, real.sign(payload, secret, options));
        assert.deepEqual(ours.verify(token, secret), real.verify(token, secret));
      }
    }
  }
});

test('RSA and ECDSA: tokens are identical or verified by the other package', () => {
  const tried = new Set();
  for (const [name, key] of privateForms) {
    for (const algorithm of algorithmsOf[name]) {
      const options = { algorithm, allowInsecureKeySizes: true, allowInvalidAsymmetricKeyTypes: name === 'secp256k1' };
      let theirs;
      try {
        theirs = real.sign(payloads[0], key, options);
      } catch (error) {
        assert.throws(() => ours.sign(payloads[0], key, options), { message: error.message });
        continue;
      }
      const mine = ours.sign(payloads[0], key, options);
      if (algorithm.startsWith('RS')) assert.equal(mine, theirs);
      const { publicKey } = pairs[name];
      assert.deepEqual(real.verify(mine, publicKey, options), ours.verify(theirs, publicKey, options));
      tried.add(`${name} ${algorithm}`);
    }
  }
  assert.ok(tried.size >= 17, [...tried].join(', '));
});

test('ES384 with a P-256 key, if allowed', () => {
  const options = { algorithm: 'ES384', allowInvalidAsymmetricKeyTypes: true };
  for (const [signer, verifier] of [[ours, real], [real, ours]]) {
    const token = signer.sign({ a: 1 }, pairs.p256.privateKey, options);
    assert.equal(token.split('.')[2].length, 128);
    assert.equal(verifier.verify(token, pairs.p256.publicKey, options).a, 1);
  }
});

test('many ECDSA signatures, some with leading zeros in r or s', () => {
  for (let round = 0; round < 400; round++) {
    for (const [name, algorithm] of [['p256', 'ES256'], ['p521', 'ES512']]) {
      if (name === 'p521' && round % 8 !== 0) continue;
      const token = ours.sign({ round }, pairs[name].privateKey, { algorithm });
      assert.equal(real.verify(token, pairs[name].publicKey).round, round);
      const theirs = real.sign({ round }, pairs[name].privateKey, { algorithm });
      assert.equal(ours.verify(theirs, pairs[name].publicKey).round, round);
    }
  }
});

test('RS256 with an RSA-PSS key, if allowed', () => {
  const options = { algorithm: 'RS256', allowInvalidAsymmetricKeyTypes: true };
  for (const [signer, verifier] of [[ours, real], [real, ours]]) {
    const token = signer.sign({ a: 1 }, pairs.pss.privateKey, options);
    assert.equal(verifier.verify(token, pairs.pss.publicKey, options).a, 1);
  }
});
