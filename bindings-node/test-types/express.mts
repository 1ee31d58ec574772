// What the compiler says about the Express half; run against the types of Express 4 and of Express 5.
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import { createAuth } from 'regrant';
import {
  authOf,
  authRouter,
  authenticate,
  clientOf,
  loginResponse,
  logoutHandler,
  presets,
  refreshHandler,
  requireClaims,
  requireScopes,
  sessionsHandler,
  type AuthedRequest,
  type RtVerifyError,
} from 'regrant/express';

const auth = createAuth({
  secret: 'x',
  web: { refreshCookie: 'rt', accessCookie: true, accessHeader: 'x-access-token', path: '/auth', secure: 'auto', allowedOrigins: ['https://a.example'] },
});
const app = express();

interface AppClaims {
  role: 'admin' | 'reader';
}

const gate: RequestHandler = authenticate<AppClaims>(auth, {
  subjectClaim: 'userId',
  optional: true,
  loadUser: async (subject, claims, req) => ({ subject: subject.trim(), role: claims.role, path: req.path }),
  onError: (err, _req, res, next) => (err.advice === 'retry' ? next(err) : res.status(err.status).json(err)),
});

app.get('/me', gate, (req, res) => {
  const { subject, sessionId, claims } = authOf<AppClaims>(req);
  res.json({ subject, sessionId: sessionId?.trim(), admin: claims.role === 'admin' });
  // @ts-expect-error not a role
  if (claims.role === 'guest') res.end();
});

// Nothing global is changed: an ordinary request has no `auth`.
app.get('/plain', (req, res) => {
  // @ts-expect-error use AuthedRequest or authOf
  res.json(req.auth);
});

function me(req: AuthedRequest<AppClaims>, res: Response): void {
  const role: 'admin' | 'reader' = req.auth.claims.role;
  res.json({ role, method: req.method });
}
app.get('/cast', gate, (req, res) => me(req as AuthedRequest<AppClaims>, res));

// @ts-expect-error an auth object is required
authenticate();
// @ts-expect-error loadUser is a function
authenticate(auth, { loadUser: 'users' });
// @ts-expect-error a name that is not an option
authenticate(auth, { optionall: true });
// @ts-expect-error an option of web
authenticate(auth, { cookie: 'accessToken' });
// @ts-expect-error not a value of secure
createAuth({ secret: 'x', web: { secure: 'always' } });

app.post('/login', async (_req, res) => loginResponse(auth, res, await auth.login('user-1')));
app.post('/auth/refresh', refreshHandler(auth, { claims: () => ({}), rotate: false, address: (req) => req.ip }));
app.post('/auth/logout', logoutHandler(auth, { address: (req) => req.ip }));
app.post('/role', gate, async (req) => {
  await auth.logout('token', clientOf(req));
  await auth.logoutEverywhere(5, clientOf(req));
  await auth.revokeSession(5, 'id', 'logout', clientOf(req));
  await auth.updateSession(5, 'id', { claims: {}, ...clientOf(req) });
});
app.delete('/things/:id', authenticate(auth), requireScopes(auth, 'write'), requireClaims(auth, { role: 'admin' }), async (req) => {
  await auth.revokeSession('user-1', req.params.id);
});
app.use('/mobile', authRouter(auth.withWeb({ refreshCookie: false })));
app.get('/sessions', gate, sessionsHandler(auth));
// @ts-expect-error a pair is required
loginResponse(auth, {} as Response, { accessToken: 'x' });

const old = presets.rtVerify({ language: 'ko', messageStyle: 'plain', failedApi: { rtVerify: '/rt' } });
app.get('/old', old.authenticate(auth, { loadUser: (userId) => ({ userId }) }));
app.get('/rt', old.rtVerify(auth, { claims: (subject) => ({ subject }) }));
app.post('/old-login', async (_req, res) => old.loginResponse(res, await auth.login(1)));
app.use((err: RtVerifyError, _req: Request, res: Response, _next: NextFunction) => {
  res.status(err.statusCode).json({ message: err.text, failedApi: err.failedApi, code: err.cause.code });
});
// @ts-expect-error not a style
presets.rtVerify({ messageStyle: 'shouted' });
