// The same types from CommonJS.
import regrant = require('regrant');
import handlers = require('regrant/express');

const auth: regrant.Auth = regrant.createAuth({ secret: 'x' });
const gate = handlers.authenticate(auth, { loadUser: (id: string) => id });
void gate;

async function errors(): Promise<regrant.ErrorCode | undefined> {
  const { AuthError } = await import('regrant');
  try {
    auth.verify(undefined);
  } catch (thrown) {
    // One class, however it is imported.
    if (thrown instanceof AuthError && thrown instanceof regrant.AuthError) return thrown.code;
  }
  return undefined;
}
void errors;
