// The configuration that an app of the old shape moves in with.
import { createAuth } from 'regrant';

/** The table of users: `<id>@example.com` is the address of the user `<id>`. */
export async function userOf(value) {
  await new Promise((found) => setImmediate(found));
  const id = value.replace(/@example\.com$/, '');
  return id === 'gone' ? undefined : id;
}

export function adoptingAuth({ SECRET_KEY, REDIS_URL, resolve = userOf }) {
  return createAuth({
    secret: SECRET_KEY,
    allowShortSecret: true,
    access: { subjectClaim: 'userId', legacy: true },
    refresh: { rotation: false },
    store: REDIS_URL,
    migrate: { resolve },
  });
}
