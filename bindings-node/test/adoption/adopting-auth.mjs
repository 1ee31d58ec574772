// The configuration for the migration of a legacy app.
import { createAuth } from 'regrant';

/** The user table: `<id>@example.com` is the e-mail address of the user `<id>`. */
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
