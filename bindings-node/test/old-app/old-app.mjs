// The app that regrant replaces: Express, npm jsonwebtoken and npm redis. It is wrong wherever such apps are wrong.
import cookieParser from 'cookie-parser';
import jwt from 'jsonwebtoken';

/** How long its tokens live. */
export const ACCESS_TTL = '2h';
export const REFRESH_TTL = '14d';

/**
 * @param options `express`: the framework; `secret`: the app's `SECRET_KEY`; `users`: its table; `redis`: a client of
 * npm redis; `stored`: what Redis holds for a token, `'id'` or `'email'`
 */
export function oldApp({ express, secret, users, redis, stored }) {
  const app = express();
  app.use(cookieParser());

  app.post('/api/users/login', express.json(), async (req, res, next) => {
    try {
      const user = await users.findByEmail(req.body.email);
      const accessToken = `Bearer ${jwt.sign({ userId: user.userId }, secret, { expiresIn: ACCESS_TTL })}`;
      const refreshToken = jwt.sign({}, secret, { expiresIn: REFRESH_TTL });
      await redis.set(refreshToken, String(stored === 'email' ? user.email : user.userId));
      res.cookie('accessToken', accessToken);
      res.json({ accessToken, refreshToken: `Bearer ${refreshToken}`, userId: user.userId });
    } catch (error) {
      next(error);
    }
  });

  app.get('/api/users/rtVerify', async (req, res, next) => {
    try {
      const { refreshtoken, userid } = req.headers;
      const [type, token] = (refreshtoken ?? '').split(' ');
      if (type !== 'Bearer' || !token) throw new Error('419/refreshToken의 형식이 일치하지 않습니다.');
      if (!(await redis.get(token))) throw new Error('419/refreshToken의 정보가 서버에 존재하지 않습니다.');
      try {
        jwt.verify(token, secret);
      } catch {
        throw new Error('419/refreshToken이 유효하지 않습니다.');
      }
      const accessToken = `Bearer ${jwt.sign({ userId: users.idOf(userid) }, secret, { expiresIn: ACCESS_TTL })}`;
      res.cookie('accessToken', accessToken);
      res.json({ accessToken });
    } catch (error) {
      error.failedApi = 'refreshToken 검증';
      next(error);
    }
  });

  app.post('/api/users/logout', async (req, res) => {
    const [, token] = (req.headers.refreshtoken ?? '').split(' ');
    if (token) await redis.del(token);
    res.json({ message: '로그아웃 되었습니다.' });
  });

  app.get('/api/users/me', authenticate, sendUser);
  app.use(sendError);
  return app;

  async function authenticate(req, res, next) {
    try {
      const value = req.headers.accesstoken || req.cookies.accessToken;
      if (!value) throw new Error('400/Access Token이 존재하지 않습니다.');
      const [type, token] = value.split(' ');
      if (type !== 'Bearer' || !token) throw new Error('419/Access Token이 유효하지 않습니다.');
      let userId;
      try {
        ({ userId } = jwt.verify(token, secret));
        if (userId === undefined || userId === null) throw new Error('no userId');
      } catch {
        throw new Error('403/Access Token이 만료되었습니다.');
      }
      res.locals.user = await users.findById(userId);
      next();
    } catch (error) {
      next(error);
    }
  }
}

/** A route behind the middleware, as both apps have it. */
export function sendUser(req, res) {
  const { user } = res.locals;
  res.json({ userId: user.userId, type: typeof user.userId, nickname: user.nickname });
}

/** The error middleware, as both apps have it: the message is `<status>/<text>`. */
export function sendError(err, req, res, _next) {
  const [status, text] = err.message.split('/');
  if (!Number(status)) return res.status(500).json({ success: false, message: '서버 오류', failedApi: err.failedApi });
  res.status(Number(status)).json({ success: false, message: text, failedApi: err.failedApi });
}
