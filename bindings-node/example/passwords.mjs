// Passwords are hashed with Argon2id, at the library's defaults (19 MiB, 2 passes: OWASP's first choice).

import { hash, verify } from '@node-rs/argon2';

/** Shortest and longest password accepted, in characters. The upper bound caps the work a request can cause. */
export const PASSWORD_LENGTH = { min: 8, max: 200 };

/** Hashes a new password; the answer carries its own salt and parameters. */
export const hashPassword = (password) => hash(password);

/**
 * Whether the password belongs to the hash. Without a hash (nobody has that e-mail address) the same
 * work is done and the answer is no, so that the time taken does not tell who has an account.
 */
export async function passwordMatches(storedHash, password) {
  const matches = await verify(storedHash ?? (await placeholder()), password);
  return storedHash !== undefined && matches;
}

let cached;
const placeholder = () => (cached ??= hash('nobody has this password'));
