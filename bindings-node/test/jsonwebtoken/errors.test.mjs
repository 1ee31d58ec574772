// What the errors are, also to code that looks closely.
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

  test('names, messages and properties', () => {
    const [plain, expired, early] = make();
    assert.deepEqual(Object.entries(plain), [['name', 'JsonWebTokenError'], ['message', 'message'], ['inner', inner]]);
    assert.deepEqual(Object.entries(expired), [['name', 'TokenExpiredError'], ['message', 'message'], ['expiredAt', date]]);
    assert.deepEqual(Object.entries(early), [['name', 'NotBeforeError'], ['message', 'message'], ['date', date]]);
    assert.deepEqual(Object.keys(new jwt.JsonWebTokenError('message')), ['name', 'message']);
  });

  test('as JSON, as apps answer with them', () => {
    assert.equal(
      JSON.stringify(make()[1]),
      '{"name":"TokenExpiredError","message":"message","expiredAt":"1970-01-01T00:00:05.000Z"}',
    );
  });

  test('ancestors', () => {
    for (const error of make()) {
      assert.ok(error instanceof jwt.JsonWebTokenError && error instanceof Error);
      assert.equal(error.constructor.name, error.name);
      assert.equal(String(error), `${error.name}: message`);
    }
    assert.ok(!(new jwt.JsonWebTokenError('') instanceof jwt.TokenExpiredError));
    assert.ok(!(new jwt.TokenExpiredError('') instanceof jwt.NotBeforeError));
  });

  test('the stack begins where the error was made', () => {
    for (const error of make()) assert.match(error.stack.split('\n')[1], /\bmake\b/);
  });

  test('they can be inherited from, in both ways', () => {
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
