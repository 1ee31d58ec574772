import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { AuthError, createAuth, type Auth, type TokenPair } from 'regrant';
import { authOf, authenticate, loginResponse, refreshHandler, type TokenAnswer } from 'regrant/express';
import jwt, { type JwtPayload } from 'regrant/jsonwebtoken';

interface Claims {
  role: 'admin' | 'reader';
}

const secret = 'the secret of an empty project, long enough';
const auth: Auth = createAuth({ secret, store: 'memory:', web: { path: '/' } });

const pair: TokenPair = await auth.login('user-1', { claims: { role: 'admin' } satisfies Claims });
const role: 'admin' | 'reader' = auth.verify<Claims>(pair.accessToken).role;
assert.equal(role, 'admin');
const renewed = await auth.refresh(pair.refreshToken);
assert.equal(renewed.rotated, true);
assert.throws(() => auth.verify('rubbish'), (thrown: unknown) => thrown instanceof AuthError && thrown.advice === 'reject');

const app = express();
app.post('/login', async (_req, res) => loginResponse(auth, res, await auth.login('user-2')));
app.post('/refresh', refreshHandler(auth));
app.get('/me', authenticate<Claims>(auth), (req, res) => {
  res.json(authOf<Claims>(req).subject);
});
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const login = await fetch(`${origin}/login`, { method: 'POST' });
const cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
const refreshed = await fetch(`${origin}/refresh`, { method: 'POST', headers: { cookie } });
const { accessToken } = (await refreshed.json()) as TokenAnswer;
const me = await fetch(`${origin}/me`, { headers: { authorization: `Bearer ${accessToken}` } });
assert.equal(await me.json(), 'user-2');
server.closeAllConnections();
server.close();

const token: string = jwt.sign({ id: 7 }, secret, { expiresIn: '1h' });
const payload = jwt.verify(token, secret) as JwtPayload;
assert.equal(payload['id'], 7);
console.log(`${process.version} passed`);
