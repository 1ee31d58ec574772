// Sinon's fake timers. A separate process, because they would also stop the timers of the test runner.
const assert = require('node:assert/strict');
const sinon = require('sinon');
const jwt = require('regrant/jsonwebtoken');

const clock = sinon.useFakeTimers(Date.UTC(2001, 0, 1));
const token = jwt.sign({ id: 1 }, 'secret', { expiresIn: '1h' });
assert.equal(jwt.decode(token).iat, Date.UTC(2001, 0, 1) / 1000);
clock.tick(3_599_000);
assert.equal(jwt.verify(token, 'secret').id, 1);
clock.tick(1000);
assert.throws(() => jwt.verify(token, 'secret'), jwt.TokenExpiredError);
clock.restore();
console.log('passed');
