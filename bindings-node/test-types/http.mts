// What the compiler says about requests, decisions and answers.
import { createAuth } from 'regrant';
import { authenticate, loginAnswer, logout, refresh, sessions, toResponse, type Decision, type HttpAnswer, type HttpRequest } from 'regrant/http';
import type { IncomingMessage } from 'node:http';
import type { Request as ExpressRequest } from 'express';

const auth = createAuth({ secret: 'x' });

interface AppClaims {
  role: 'admin' | 'reader';
}

export async function route(request: Request): Promise<Response> {
  const decision: Decision<AppClaims> = await authenticate<AppClaims>(auth, request, { whenStale: 'ask' });
  // @ts-expect-error it may have been refused
  decision.auth;
  if (!decision.ok) return toResponse(decision.answer);
  // @ts-expect-error it passed
  decision.answer;
  const role: 'admin' | 'reader' | undefined = decision.auth?.claims.role;
  return Response.json({ role });
}

export async function answers(request: IncomingMessage, express: ExpressRequest): Promise<HttpAnswer[]> {
  const decision = await authenticate(auth, express, { loadUser: (id, claims, req) => ({ id, exp: claims.exp, path: req.path }) });
  const body: HttpRequest = { method: 'POST', headers: new Headers(), body: {} };
  const pair = await auth.login('user-1');
  const access = auth.verifyAccess(pair.accessToken);
  return [
    ...(decision.ok ? [] : [decision.answer]),
    await refresh(auth, request, { claims: () => ({}) }),
    await logout(auth, body),
    await sessions(auth, access, request),
    loginAnswer(auth, request, pair),
  ];
}

// @ts-expect-error no headers
await refresh(auth, { method: 'POST' });
// @ts-expect-error a name that is not an option
await authenticate(auth, { headers: {} }, { cookie: 'at' });
