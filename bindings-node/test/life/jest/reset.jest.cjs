// The package is reloaded by every test file and after every `jest.resetModules`.
const secret = 'a secret of the tests, long enough for HS256';

test('the addon works after a module reset', async () => {
  const seen = new Set();
  for (let turn = 0; turn < 5; turn += 1) {
    jest.resetModules();
    const { AuthError, TestClock, createAuth } = require('regrant');
    seen.add(AuthError);
    const clock = new TestClock(0);
    const auth = createAuth({ secret, clock, store: 'memory:' });
    const pair = await auth.login('user-1');
    const { accessToken } = await auth.refresh(pair.refreshToken);
    expect(auth.verify(accessToken).sub).toBe('user-1');
    clock.advance(901_000);
    expect(() => auth.verify(accessToken)).toThrow(AuthError);
  }
  expect(seen.size).toBe(5);
});

test('the package works in jest.isolateModules', () => {
  jest.isolateModules(() => {
    const { createAuth } = require('regrant');
    expect(() => createAuth({ secret, store: 'memory:' }).verify('rubbish')).toThrow();
  });
});

test('claims satisfy Jest object matchers', async () => {
  const { createAuth } = require('regrant');
  const jwt = require('regrant/jsonwebtoken');
  const auth = createAuth({ secret, store: 'memory:' });
  const { accessToken } = await auth.login('user-1', { claims: { roles: ['admin'] } });
  expect(auth.verify(accessToken)).toEqual(expect.objectContaining({ sub: 'user-1', roles: ['admin'] }));
  expect(jwt.verify(jwt.sign({ a: [1] }, 'secret', { noTimestamp: true }), 'secret')).toStrictEqual({ a: [1] });
});
