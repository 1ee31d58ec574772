// The HTTP interface of the legacy app, so that its front end needs no change: tokens as `Bearer <jwt>`
// in the headers `accesstoken` and `refreshtoken` or the cookie `accessToken`, Korean messages, statuses 400,
// 419 and 403, no rotation.

import { Router } from 'express';
import { clientOf, presets } from 'regrant/express';
import { deviceLabel } from '../device.mjs';
import { passwordMatches } from '../passwords.mjs';
import { credentials } from './account.mjs';

export function legacyRoutes({ auth, users, config, limitLogin }) {
  const old = presets.rtVerify({ language: 'ko', secure: config.secureCookies });
  const routes = Router();

  routes.post('/login', limitLogin, async (req, res) => {
    const input = credentials(req.body);
    const user = input.problem ? undefined : users.findForLogin(input.email);
    if (input.problem || !(await passwordMatches(user?.passwordHash, input.password))) {
      return res.status(401).json({ message: '이메일 또는 비밀번호가 일치하지 않습니다.' });
    }
    const pair = await auth.login(user.id, { device: deviceLabel(req), ...clientOf(req) });
    old.loginResponse(res, pair);
  });

  routes.get('/me', old.authenticate(auth, { loadUser: (id) => users.findById(id) }), (req, res) => {
    res.json({ user: res.locals.user });
  });

  routes.get('/rtVerify', old.rtVerify(auth));

  // The legacy app's error handler: it splits messages at the slash, `419/refreshToken의 …`.
  routes.use((error, req, res, next) => {
    if (res.headersSent || error.name !== 'RtVerifyError') return next(error);
    const [status, message] = error.message.split('/');
    res.status(Number(status)).json({ message, failedApi: error.failedApi });
  });

  return routes;
}
