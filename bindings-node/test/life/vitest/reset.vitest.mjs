// The package after `vi.resetModules` and with Vitest's fake timers.
import { afterEach, expect, test, vi } from 'vitest';

const secret = 'a secret of the tests, long enough for HS256';

afterEach(() => vi.useRealTimers());

test('the package works after a module reset', async () => {
  for (let turn = 0; turn < 3; turn += 1) {
    vi.resetModules();
    const { AuthError, createAuth } = await import('regrant');
    const auth = createAuth({ secret, store: 'memory:' });
    const pair = await auth.login('user-1');
    expect(auth.verify((await auth.refresh(pair.refreshToken)).accessToken).sub).toBe('user-1');
    expect(() => auth.verify('rubbish')).toThrow(AuthError);
  }
});

test('the drop-in uses the fake clock', async () => {
  const { default: jwt } = await import('regrant/jsonwebtoken');
  vi.useFakeTimers({ now: Date.UTC(2001, 0, 1) });
  const token = jwt.sign({ id: 1 }, 'secret', { expiresIn: '1h' });
  expect(jwt.decode(token).iat).toBe(Date.UTC(2001, 0, 1) / 1000);
  vi.advanceTimersByTime(3_600_000);
  expect(() => jwt.verify(token, 'secret')).toThrow(jwt.TokenExpiredError);
});

test('sessions do not depend on JavaScript timers', async () => {
  vi.useFakeTimers();
  const { createAuth } = await import('regrant');
  const auth = createAuth({ secret, store: 'memory:' });
  const pair = await auth.login('user-1');
  expect((await auth.refresh(pair.refreshToken)).rotated).toBe(true);
});
