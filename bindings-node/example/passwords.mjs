// Passwords are hashed with Argon2id, at the library's defaults (19 MiB, 2 passes: OWASP's first choice).

import { hash, verify } from '@node-rs/argon2';

/** Shortest and longest password accepted, in characters. The upper bound caps the work a request can cause. */
export const PASSWORD_LENGTH = { min: 8, max: 200 };

/** Hashes a new password. The result contains salt and parameters. */
export const hashPassword = (password) => hash(password);

/**
 * Whether the password matches the hash. Without a hash (there is no such account) it does the same
 * work and returns false, so that the response time does not reveal who has an account.
 */
export async function passwordMatches(storedHash, password) {
  const matches = await verify(storedHash ?? (await placeholder()), password);
  return storedHash !== undefined && matches;
}

let cached;
const placeholder = () => (cached ??= hash('nobody has this password'));
