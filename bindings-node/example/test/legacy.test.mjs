// The legacy routes, as the legacy front end uses them.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { PASSWORD, ask, newUser } from './requests.mjs';
import { startExample } from './support.mjs';

const SECRET = 'the old app’s key, which both apps share';

let example;
before(async () => (example = await startExample({ secret: SECRET })));
after(() => example?.stop());

describe('the shape of the old app', () => {
  let ann;
  let annId;
  let old; // { accessToken, refreshToken }, each 'Bearer <jwt>', as the old front end keeps them
  let ben;

  before(async () => {
    ann = await newUser(example, 'ann.old@example.org');
    ben = await newUser(example, 'ben.old@example.org');
    annId = (await ask(example, 'GET', '/api/me', { token: ann.accessToken })).body.user.id;
    const answer = await ask(example, 'POST', '/api/users/login', { body: { email: ann.email, password: PASSWORD } });
    assert.equal(answer.status, 200);
    old = answer.body;
  });
  const rtVerify = (refreshtoken, userid) =>
    ask(example, 'GET', '/api/users/rtVerify', { headers: { refreshtoken, userid } });

  test('the header accesstoken is taken', async () => {
    const answer = await ask(example, 'GET', '/api/users/me', { headers: { accesstoken: old.accessToken } });
    assert.equal(answer.status, 200);
    assert.equal(answer.body.user.email, ann.email);
  });

  test('a token that the old app signed is accepted', async () => {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const unsigned = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ userId: annId, iat: now, exp: now + 60 })}`;
    const token = `${unsigned}.${createHmac('sha256', SECRET).update(unsigned).digest('base64url')}`;
    const answer = await ask(example, 'GET', '/api/users/me', { headers: { accesstoken: `Bearer ${token}` } });
    assert.deepEqual([answer.status, answer.body.user?.email], [200, ann.email]);
  });

  for (const [what, headers, status, message] of [
    ['no token', {}, 400, 'Access Token이 존재하지 않습니다.'],
    ['a token without Bearer', { accesstoken: 'nonsense' }, 419, 'Access Token이 유효하지 않습니다.'],
    ['a token that does not verify', { accesstoken: 'Bearer a.b.c' }, 403, 'Access Token이 만료되었습니다.'],
  ]) {
    test(`${what}: ${status} with the old message`, async () => {
      const answer = await ask(example, 'GET', '/api/users/me', { headers });
      assert.deepEqual([answer.status, answer.body.message], [status, message]);
    });
  }

  test('rtVerify answers a new access token, in JSON and as a cookie', async () => {
    const answer = await rtVerify(old.refreshToken, annId);
    assert.equal(answer.status, 200);
    assert.deepEqual(Object.keys(answer.body), ['accessToken']);
    assert.match(answer.body.accessToken, /^Bearer eyJ/);
    assert.equal(decodeURIComponent(answer.cookies.accessToken.split(';')[0]), answer.body.accessToken);
    const again = await ask(example, 'GET', '/api/users/me', { headers: { accesstoken: answer.body.accessToken } });
    assert.equal(again.status, 200);
  });

  test('rtVerify does not rotate: the old front end keeps its refresh token', async () => {
    for (let times = 0; times < 3; times += 1) assert.equal((await rtVerify(old.refreshToken, annId)).status, 200);
  });

  test('rtVerify mints nothing for another user, nor for an access token', async () => {
    const benId = (await ask(example, 'GET', '/api/me', { token: ben.accessToken })).body.user.id;
    for (const answer of [await rtVerify(old.refreshToken, benId), await rtVerify(old.accessToken, annId)]) {
      assert.equal(answer.status, 419);
      assert.equal(answer.body.accessToken, undefined);
      assert.equal(answer.cookies.accessToken, undefined);
    }
  });

  test('rtVerify without Bearer: 419 with the old message', async () => {
    const answer = await rtVerify('nonsense', annId);
    assert.deepEqual([answer.status, answer.body.message], [419, 'refreshToken의 형식이 일치하지 않습니다.']);
    assert.equal(typeof answer.body.failedApi, 'string');
  });
});
