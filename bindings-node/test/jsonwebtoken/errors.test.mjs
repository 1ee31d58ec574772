// The error classes: properties, inheritance and stack traces.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forBoth } from './support/both.mjs';

forBoth((jwt) => {
  const date = new Date(5000);
  const inner = new Error('inner');
  const make = () => [
    new jwt.JsonWebTokenError('message', inner),
    new jwt.TokenExpiredError('message', date),
    new jwt.NotBeforeError('message', date),
  ];

  test('errors have the names, messages and properties of npm jsonwebtoken', () => {
    const [plain, expired, early] = make();
    assert.deepEqual(Object.entries(plain), [['name', 'JsonWebTokenError'], ['message', 'message'], ['inner', inner]]);
    assert.deepEqual(Object.entries(expired), [['name', 'TokenExpiredError'], ['message', 'message'], ['expiredAt', date]]);
    assert.deepEqual(Object.entries(early), [['name', 'NotBeforeError'], ['message', 'message'], ['date', date]]);
    assert.deepEqual(Object.keys(new jwt.JsonWebTokenError('message')), ['name', 'message']);
  });

  test('errors serialize to JSON', () => {
    assert.equal(
      JSON.stringify(make()[1]),
      '{"name":"TokenExpiredError","message":"message","expiredAt":"1970-01-01T00:00:05.000Z"}',
    );
  });

  test('errors inherit from JsonWebTokenError and Error', () => {
    for (const error of make()) {
      assert.ok(error instanceof jwt.JsonWebTokenError && error instanceof Error);
      assert.equal(error.constructor.name, error.name);
      assert.equal(String(error), `${error.name}: message`);
    }
    assert.ok(!(new jwt.JsonWebTokenError('') instanceof jwt.TokenExpiredError));
    assert.ok(!(new jwt.TokenExpiredError('') instanceof jwt.NotBeforeError));
  });

  test('the stack trace begins at the caller of the constructor', () => {
    for (const error of make()) assert.match(error.stack.split('\n')[1], /\bmake\b/);
  });

  test('apps can subclass the errors with class syntax and with prototypes', () => {
    class Modern extends jwt.TokenExpiredError {}
    const modern = new Modern('message', date);
    assert.ok(modern instanceof Modern && modern instanceof jwt.JsonWebTokenError);
    assert.equal(modern.expiredAt, date);

    function Old(message) {
      jwt.JsonWebTokenError.call(this, message);
    }
    Old.prototype = Object.create(jwt.JsonWebTokenError.prototype);
    const old = new Old('message');
    assert.ok(old instanceof Old && old instanceof jwt.JsonWebTokenError);
    assert.equal(old.message, 'message');
  });
});
