'use strict';
// The common program of every project, independent of the import style.
const assert = require('node:assert/strict');
const { once } = require('node:events');

module.exports = async ({ createAuth, AuthError }, { authenticate, loginResponse, refreshHandler }, jwt, express) => {
  const secret = 'the secret of an empty project, long enough';
  const auth = createAuth({ secret, store: 'memory:', web: { path: '/' } });

  const pair = await auth.login('user-1', { claims: { role: 'admin' } });
  assert.equal(auth.verify(pair.accessToken).role, 'admin');
  const renewed = await auth.refresh(pair.refreshToken);
  assert.equal(auth.verify(renewed.accessToken).sub, 'user-1');
  assert.notEqual(renewed.refreshToken, pair.refreshToken);
  assert.throws(() => auth.verify('rubbish'), AuthError);

  const app = express();
  app.post('/login', (req, res, next) => {
    auth.login('user-2').then((second) => loginResponse(auth, res, second), next);
  });
  app.post('/refresh', refreshHandler(auth));
  app.get('/me', authenticate(auth), (req, res) => res.json(req.auth.subject));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const call = (method, path, headers) => fetch(`http://127.0.0.1:${server.address().port}${path}`, { method, headers });
  const login = await call('POST', '/login');
  const [cookie] = login.headers.getSetCookie()[0].split(';');
  const refreshed = await call('POST', '/refresh', { cookie });
  const { accessToken } = await refreshed.json();
  const me = await call('GET', '/me', { authorization: `Bearer ${accessToken}` });
  assert.deepEqual([me.status, await me.json()], [200, 'user-2']);
  assert.equal((await call('GET', '/me')).status, 401);
  server.closeAllConnections();
  server.close();

  const token = jwt.sign({ id: 7 }, secret, { expiresIn: '1h' });
  assert.equal(jwt.verify(token, secret).id, 7);
  assert.throws(() => jwt.verify(token, 'another secret'), jwt.JsonWebTokenError);
  console.log(`${process.version} passed`);
};
