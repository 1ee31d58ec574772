// Claims and header parameters named `__proto__`, `constructor` and the like do not pollute prototypes.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { NOW, forBoth, freeze } from './support/both.mjs';
import { SECRET } from './support/keys.mjs';

beforeEach(freeze);
afterEach(() => mock.timers.reset());

const HEADER = '{"alg":"HS256","typ":"JWT","__proto__":{"alg":"none","admin":true}}';
const PAYLOADS = [
  `{"sub":"u","exp":${NOW + 60},"__proto__":{"admin":true}}`,
  `{"sub":"u","exp":${NOW + 60},"\\u005f_proto__":{"admin":true}}`,
  `{"sub":"u","exp":${NOW + 60},"constructor":{"prototype":{"admin":true}},"prototype":{"admin":true}}`,
  `{"sub":"u","exp":${NOW + 60},"x":[{"__proto__":{"admin":true}}],"toString":"x","hasOwnProperty":1}`,
];

function craft(header, payload) {
  const input = [header, payload].map((text) => Buffer.from(text).toString('base64url')).join('.');
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

function untouched(object) {
  assert.equal(object.admin, undefined);
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
  assert.deepEqual([{}.admin, Object.keys(Object.prototype)], [undefined, []]);
}

forBoth((jwt) => {
  for (const payload of PAYLOADS) {
    test(`verify and decode: ${payload}`, () => {
      const token = craft(HEADER, payload);
      for (const claims of [jwt.verify(token, SECRET), jwt.decode(token)]) {
        assert.deepEqual(claims, JSON.parse(payload));
        untouched(claims);
      }
      for (const whole of [jwt.verify(token, SECRET, { complete: true }), jwt.decode(token, { complete: true })]) {
        untouched(whole.payload);
        untouched(whole.header);
        assert.equal(whole.header.alg, 'HS256');
      }
    });

    // npm `jsonwebtoken` finds an inherited property in its schema and uses it as the validator.
    test(`sign throws: ${payload}`, () => {
      assert.throws(() => jwt.sign(JSON.parse(payload), SECRET, { noTimestamp: true }), TypeError);
      untouched({});
    });
  }

  test('a header option with __proto__', () => {
    const header = { alg: 'HS256', ...JSON.parse('{"__proto__":{"admin":true}}') };
    const whole = jwt.decode(jwt.sign({ sub: 'u' }, SECRET, { header }), { complete: true });
    untouched(whole.header);
    assert.equal(whole.header.alg, 'HS256');
  });

  test('inherited claims are ignored', () => {
    const token = craft(HEADER, '{"__proto__":{"exp":1,"nbf":99999999999,"iss":"a","aud":"b","sub":"c"}}');
    assert.doesNotThrow(() => jwt.verify(token, SECRET));
    for (const options of [{ issuer: 'a' }, { audience: 'b' }, { subject: 'c' }]) {
      assert.throws(() => jwt.verify(token, SECRET, options), { name: 'JsonWebTokenError' });
    }
  });

  test('an inherited alg is ignored', () => {
    const token = craft('{"__proto__":{"alg":"HS256"}}', PAYLOADS[0]);
    assert.throws(() => jwt.verify(token, SECRET), { name: 'JsonWebTokenError' });
  });
});
