// ECDSA signatures in DER and in the form of a JWS, at the edges of their numbers.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { derToJose, joseToDer } from '../../dist/jsonwebtoken/signature.cjs';

const require = createRequire(import.meta.url);
// What npm `jsonwebtoken` has for it.
const theirs = createRequire(require.resolve('jws'))('ecdsa-sig-formatter');

const SIZES = { 256: 32, 384: 48, 512: 66 };
/** How a number begins, the rest of it being 0xab. */
const BEGINNINGS = [[1], [0x7f], [0x80], [0xff], [0, 1], [0, 0x7f], [0, 0x80], [0, 0, 0xff], [0, 0, 0, 1]];

test('numbers with and without their highest bit, with and without zeros before', () => {
  for (const [bits, size] of Object.entries(SIZES)) {
    const numbers = BEGINNINGS.map((first) => Buffer.concat([Buffer.from(first), Buffer.alloc(size - first.length, 0xab)]));
    for (const r of numbers) {
      for (const s of numbers) {
        const jose = Buffer.concat([r, s]);
        const der = joseToDer(jose, bits);
        assert.equal(der.toString('hex'), theirs.joseToDer(jose, `ES${bits}`).toString('hex'));
        assert.equal(derToJose(der, bits).toString('hex'), jose.toString('hex'));
      }
    }
  }
});

test('zero is a number', () => {
  assert.equal(joseToDer(Buffer.alloc(64), '256').toString('hex'), '3006020100020100');
  assert.equal(derToJose(Buffer.from('3006020100020100', 'hex'), '256').toString('hex'), '0'.repeat(128));
});

test('what is not a signature is refused in the same words', () => {
  const good = joseToDer(Buffer.alloc(64, 0x7a), '256');
  const messageOf = (run) => {
    try {
      return `made ${run()}`;
    } catch (error) {
      return error.message;
    }
  };
  let refused = 0;
  for (let at = 0; at < good.length; at++) {
    for (const byte of [0, 1, 2, 0x30, 0x7f, 0x80, 0x81, 0xff]) {
      for (const length of [good.length, good.length - 1, 40, 6]) {
        const der = Buffer.from(good);
        der[at] = byte;
        const given = der.subarray(0, length);
        const mine = messageOf(() => derToJose(given, '256').toString('base64url'));
        assert.equal(mine, messageOf(() => theirs.derToJose(given, 'ES256')), given.toString('hex'));
        if (!mine.startsWith('made')) refused += 1;
      }
    }
  }
  assert.ok(refused > 1000, `${refused}`);
});
