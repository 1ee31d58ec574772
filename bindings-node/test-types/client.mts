// The types of regrant/client: without the DOM library, with those of Node.js.
import { createClient, rtVerify, SessionError, storedTokens, type Client, type ItemStorage, type SessionState } from 'regrant/client';

const client: Client = createClient({ refresh: '/auth/refresh', logout: '/auth/logout', allowedOrigins: ['https://files.example'], fetch });
const response: Response = await client.fetch('/api/me', { method: 'POST', body: 'a' });
const token: string = await client.accessToken({ rejected: 'a', signal: AbortSignal.timeout(5) });
await client.signIn({ accessToken: token, expiresIn: 900 });
const { revoked }: { revoked: boolean } = await client.signOut();
const stop: () => void = client.subscribe((state: SessionState) => {
  if (state.status === 'signed_out' && state.reason === 'reused') stop();
});

const storage: ItemStorage = { getItem: async () => null, setItem: async () => {}, removeItem: () => {} };
createClient({ refresh: 'https://api.example/auth/refresh', tokens: storedTokens(storage) });
createClient({ refresh: 'https://api.example/api/users/rtVerify', tokens: rtVerify(storage, { userId: 'id' }) });

// @ts-expect-error an unknown option
createClient({ refresh: '/auth/refresh', refreshUrl: '/' });
// @ts-expect-error without the URL
createClient({});
// @ts-expect-error an unknown key
rtVerify(storage, { token: 'a' });
// @ts-expect-error no login
await client.signIn({});

const wait = (error: unknown) => (error instanceof SessionError && error.advice === 'retry' ? error.retryAfter ?? 0 : undefined);

export { response, revoked, wait };
