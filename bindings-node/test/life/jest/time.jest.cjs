// Jest's fake timers: the drop-in uses `Date`, and the store uses no JavaScript timers.
const jwt = require('regrant/jsonwebtoken');
const { createAuth } = require('regrant');

afterEach(() => jest.useRealTimers());

test('the drop-in uses the fake clock', () => {
  jest.useFakeTimers({ now: Date.UTC(2001, 0, 1) });
  const token = jwt.sign({ id: 1 }, 'secret', { expiresIn: '1h' });
  expect(jwt.decode(token).iat).toBe(Date.UTC(2001, 0, 1) / 1000);
  jest.advanceTimersByTime(3_599_000);
  expect(jwt.verify(token, 'secret').id).toBe(1);
  jest.advanceTimersByTime(1000);
  expect(() => jwt.verify(token, 'secret')).toThrow(jwt.TokenExpiredError);
});

test('sessions do not depend on JavaScript timers', async () => {
  jest.useFakeTimers();
  const auth = createAuth({ secret: 'a secret of the tests, long enough for HS256', store: 'memory:' });
  const pair = await auth.login('user-1');
  expect((await auth.refresh(pair.refreshToken)).rotated).toBe(true);
});
