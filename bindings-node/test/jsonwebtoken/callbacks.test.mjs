// Callbacks of sign and verify: timing, arguments and exceptions.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import jsonwebtoken from 'regrant/jsonwebtoken';
import { called, forBoth } from './support/both.mjs';
import { SECRET, pairs } from './support/keys.mjs';

forBoth((jwt) => {
  test('sign calls back in the next tick, in order', async () => {
    const order = [];
    const answer = new Promise((resolve) => {
      const returned = jwt.sign({ a: 1 }, SECRET, { noTimestamp: true }, (error, token) => {
        order.push('answer');
        resolve([error, token]);
      });
      assert.equal(returned, undefined);
    });
    process.nextTick(() => order.push('after'));
    order.push('at once');
    assert.deepEqual(await answer, [null, jwt.sign({ a: 1 }, SECRET, { noTimestamp: true })]);
    await wait(0);
    assert.deepEqual(order, ['at once', 'answer', 'after']);
  });

  test('sign takes a callback in place of options, and can be promisified', async () => {
    assert.equal((await called(jwt.sign, { a: 1 }, SECRET))[0], null);
    const signed = promisify(jwt.sign);
    const verified = promisify(jwt.verify);
    assert.equal((await verified(await signed({ a: 1 }, SECRET, { expiresIn: 9 }), SECRET, {})).a, 1);
    await assert.rejects(signed({ a: 1 }, ''), { message: 'secretOrPrivateKey must have a value' });
  });

  test('sign reports validation errors synchronously', () => {
    for (const [args, message] of [
      [[{}, ''], 'secretOrPrivateKey must have a value'],
      [[{}, SECRET, { algorithm: 'HS1' }], '"algorithm" must be a valid string enum value'],
      [['text', SECRET, { expiresIn: 1 }], 'invalid expiresIn option for string payload'],
    ]) {
      const answers = [];
      const returned = jwt.sign(...args, (...answer) => answers.push(answer) && 'returned');
      assert.deepEqual([answers.length, answers[0].length, answers[0][0].message], [1, 1, message]);
      assert.equal(returned, 'returned');
    }
  });

  test('sign reports serialization errors asynchronously', async () => {
    const circular = {};
    circular.self = circular;
    const [error] = await called(jwt.sign, circular, SECRET);
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /circular/);
    assert.throws(() => jwt.sign(circular, SECRET), TypeError);
  });

  test('sign with a callback rejects a payload that is neither an object nor a string', () => {
    for (const payload of [5, true]) {
      assert.throws(() => jwt.sign(payload, SECRET, () => assert.fail()), {
        name: 'TypeError',
        message: `Unexpected data type (${typeof payload})`,
      });
      assert.ok(jwt.sign(payload, SECRET));
    }
  });

  test('sign ignores an exception of its callback', async () => {
    const calls = [];
    jwt.sign({}, SECRET, (...answer) => {
      calls.push(answer);
      throw new Error('of the callback');
    });
    await wait(1);
    assert.equal(calls.length, 1);
  });

  test('sign with a callback serializes the payload in the next tick', async () => {
    const payload = { list: [1] };
    const answer = called(jwt.sign, payload, SECRET, { noTimestamp: true });
    payload.list.push(2);
    payload.late = true;
    assert.deepEqual(jwt.decode((await answer)[1]), { list: [1, 2] });
  });

  test('verify calls back synchronously and returns the result of the callback', () => {
    const token = jwt.sign({ a: 1 }, SECRET, { noTimestamp: true });
    const answers = [];
    const callback = (...answer) => answers.push(answer);
    assert.equal(jwt.verify(token, SECRET, callback), 1);
    assert.equal(jwt.verify(token, SECRET, {}, callback), 2);
    assert.equal(jwt.verify(token, SECRET, null, callback), 3);
    assert.equal(jwt.verify(token, 'another', {}, callback), 4);
    assert.deepEqual(answers.slice(0, 3), [[null, { a: 1 }], [null, { a: 1 }], [null, { a: 1 }]]);
    assert.deepEqual([answers[3].length, answers[3][0].message], [1, 'invalid signature']);
  });

  test('verify rethrows an exception of its callback', () => {
    assert.throws(() => jwt.verify(jwt.sign({}, SECRET), SECRET, () => { throw new RangeError('mine'); }), RangeError);
  });

  test('a key function gets the header', async () => {
    const token = jwt.sign({ a: 1 }, pairs.p256.privateKey, { algorithm: 'ES256', keyid: 'key-1' });
    const seen = [];
    const getKey = (header, done) => {
      seen.push(header);
      setImmediate(done, null, pairs.p256.publicKey);
    };
    const [error, payload] = await called(jwt.verify, token, getKey, { algorithms: ['ES256'] });
    assert.deepEqual([error, payload.a], [null, 1]);
    assert.deepEqual(seen, [{ alg: 'ES256', typ: 'JWT', kid: 'key-1' }]);
    const [, whole] = await called(jwt.verify, token, getKey, { complete: true });
    assert.equal(whole.header, seen[1]);
  });

  test('a key function may call back synchronously, with a key, an error or nothing', async () => {
    const token = jwt.sign({ a: 1 }, SECRET);
    const verify = (...answer) => called(jwt.verify, token, (header, done) => done(...answer));
    assert.equal((await verify(null, SECRET))[1].a, 1);
    assert.equal((await verify(new Error('gone')))[0].message, 'error in secret or public key callback: gone');
    assert.equal((await verify('text'))[0].message, 'error in secret or public key callback: undefined');
    assert.equal((await verify(null, undefined))[0].message, 'secret or public key must be provided');
    assert.equal((await verify(null, 'another'))[0].message, 'invalid signature');
  });

  test('a key function requires a callback', () => {
    assert.throws(() => jwt.verify(jwt.sign({}, SECRET), () => assert.fail()), {
      name: 'JsonWebTokenError',
      message: 'verify must be called asynchronous if secret or public key is provided as a callback',
    });
  });

  test('verify rejects a malformed token before it calls the key function', async () => {
    const never = () => assert.fail();
    assert.equal((await called(jwt.verify, 'a.b', never))[0].message, 'jwt malformed');
    assert.equal((await called(jwt.verify, 'a.b.c', never))[0].message, 'invalid token');
  });
});

describe('intentional differences from npm jsonwebtoken', () => {
  test('a callback that npm jsonwebtoken never calls is called', async () => {
    const empty = await called(jsonwebtoken.sign, '', SECRET);
    assert.deepEqual(empty, [null, jsonwebtoken.sign('', SECRET)]);
    const unsigned = await called(jsonwebtoken.sign, { a: 1 }, null, { algorithm: 'none', noTimestamp: true });
    assert.deepEqual(unsigned, [null, 'eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJhIjoxfQ.']);
  });

  test('a callback that npm jsonwebtoken calls several times is called once', async () => {
    const calls = [];
    const options = { issuer: 'i', subject: 's' };
    jsonwebtoken.sign({ iss: 'x', sub: 'x' }, SECRET, options, (...answer) => calls.push(answer));
    await wait(1);
    assert.equal(calls.length, 1);
    assert.equal(calls[0][0].message, 'Bad "options.issuer" option. The payload already has an "iss" property.');
  });
});
