// Decoding without verification.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forBoth } from './support/both.mjs';
import { SECRET } from './support/keys.mjs';

const compact = (header, payload) => `${[header, payload].map((text) => Buffer.from(text).toString('base64url')).join('.')}.c2ln`;

forBoth((jwt) => {
  test('decode returns the payload, or the complete token', () => {
    const token = jwt.sign({ userId: 'user-1' }, SECRET, { noTimestamp: true });
    assert.deepEqual(jwt.decode(token), { userId: 'user-1' });
    assert.deepEqual(jwt.decode(token, { complete: true }), {
      header: { alg: 'HS256', typ: 'JWT' },
      payload: { userId: 'user-1' },
      signature: token.split('.')[2],
    });
    assert.deepEqual(jwt.decode(token, { complete: 'yes' }), { userId: 'user-1' });
    assert.deepEqual(jwt.decode(Buffer.from(token)), { userId: 'user-1' });
  });

  test('decode returns null for input that is not a token', () => {
    for (const token of [undefined, null, '', 'a', 'a.b.c', 5, {}, [], true, 'null', 'a.b.c.d', compact('null', '{}'), compact('', '{}')]) {
      assert.equal(jwt.decode(token), null);
      assert.equal(jwt.decode(token, { complete: true }), null);
    }
  });

  test('decode does not check the signature, which may be missing', () => {
    assert.deepEqual(jwt.decode(compact('{"alg":"HS256"}', '{"a":1}')), { a: 1 });
    const token = compact('{"alg":"none"}', '{"a":1}').replace(/\.c2ln$/, '.');
    assert.equal(jwt.decode(token, { complete: true }).signature, '');
  });

  test('payloads that are JSON, and payloads that are not', () => {
    assert.equal(jwt.decode(compact('{}', 'text')), 'text');
    assert.equal(jwt.decode(compact('{}', '5')), '5');
    assert.equal(jwt.decode(compact('{"typ":"JWT"}', '5')), 5);
    assert.equal(jwt.decode(compact('{}', '5'), { json: true }), 5);
    assert.deepEqual(jwt.decode(compact('{"typ":"JWT"}', '"{\\"a\\":1}"')), { a: 1 });
    assert.throws(() => jwt.decode(compact('{"typ":"JWT"}', 'text')), SyntaxError);
    assert.throws(() => jwt.decode(compact('{}', 'text'), { json: true }), SyntaxError);
  });

  test('the payload is UTF-8, the header Latin-1', () => {
    const token = compact('{"kid":"é"}', '{"name":"토큰 🔑"}');
    assert.deepEqual(jwt.decode(token), { name: '토큰 🔑' });
    assert.equal(jwt.decode(token, { complete: true }).header.kid, 'Ã©');
    const back = jwt.sign({ name: '토큰 🔑' }, SECRET, { keyid: 'é' });
    assert.equal(jwt.decode(back, { complete: true }).header.kid, 'é');
  });
});
