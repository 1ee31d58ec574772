// Conversion of ECDSA signatures between DER and the JWS format, with boundary values of `r` and `s`.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { derToJose, joseToDer } from '../../dist/jsonwebtoken/signature.cjs';

const require = createRequire(import.meta.url);
// The implementation that npm `jsonwebtoken` uses.
const theirs = createRequire(require.resolve('jws'))('ecdsa-sig-formatter');

const SIZES = { 256: 32, 384: 48, 512: 66 };
/** The first bytes of an integer; the rest is 0xab. */
const BEGINNINGS = [[1], [0x7f], [0x80], [0xff], [0, 1], [0, 0x7f], [0, 0x80], [0, 0, 0xff], [0, 0, 0, 1]];

test('integers with and without the highest bit and leading zeros convert both ways', () => {
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

test('zero converts both ways', () => {
  assert.equal(joseToDer(Buffer.alloc(64), '256').toString('hex'), '3006020100020100');
  assert.equal(derToJose(Buffer.from('3006020100020100', 'hex'), '256').toString('hex'), '0'.repeat(128));
});

test('malformed DER is rejected with the messages of ecdsa-sig-formatter', () => {
  const good = joseToDer(Buffer.alloc(64, 0x7a), '256');
  const messageOf = (run) => {
    try {
      return `result ${run()}`;
    } catch (error) {
      return error.message;
    }
  };
  let rejected = 0;
  for (let at = 0; at < good.length; at++) {
    for (const byte of [0, 1, 2, 0x30, 0x7f, 0x80, 0x81, 0xff]) {
      for (const length of [good.length, good.length - 1, 40, 6]) {
        const der = Buffer.from(good);
        der[at] = byte;
        const given = der.subarray(0, length);
        const mine = messageOf(() => derToJose(given, '256').toString('base64url'));
        assert.equal(mine, messageOf(() => theirs.derToJose(given, 'ES256')), given.toString('hex'));
        if (!mine.startsWith('result')) rejected += 1;
      }
    }
  }
  assert.ok(rejected > 1000, `${rejected}`);
});
