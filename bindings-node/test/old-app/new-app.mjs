// The same app with the preset mounted, as docs/moving-an-existing-app.md says.
import cookieParser from 'cookie-parser';
import { createAuth } from 'regrant';
import { presets } from 'regrant/express';
import { ACCESS_TTL, sendError, sendUser } from './old-app.mjs';

/** @param options as for `oldApp`, with `url`, the address of its Redis, in place of the client */
export function newApp({ express, secret, users, url, stored, idType }) {
  const byEmail = { resolve: async (value) => (await users.findByAnyEmail(value))?.userId };
  const auth = createAuth({
    secret,
    allowShortSecret: true,
    access: { ttl: ACCESS_TTL, subjectClaim: 'userId', numericSubject: idType === 'number', legacy: true },
    refresh: { rotation: false, idleTtl: '14d', absoluteTtl: '14d' },
    store: url,
    migrate: stored === 'email' ? byEmail : {},
  });
  const old = presets.rtVerify();
  const app = express();
  app.use(cookieParser());

  app.post('/api/users/login', express.json(), async (req, res, next) => {
    try {
      const user = await users.findByEmail(req.body.email);
      old.loginResponse(res, await auth.login(user.userId));
    } catch (error) {
      next(error);
    }
  });
  app.get('/api/users/rtVerify', old.rtVerify(auth));
  app.post('/api/users/logout', async (req, res) => {
    const [, token] = (req.headers.refreshtoken ?? '').split(' ');
    if (token) await auth.logout(token).catch(() => {});
    res.json({ message: '로그아웃 되었습니다.' });
  });
  app.get('/api/users/me', old.authenticate(auth, { loadUser: (userId) => users.findById(userId) }), sendUser);
  app.use(sendError);
  return app;
}
