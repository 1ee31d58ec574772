// What front ends, and those who attack them, send to the legacy app and to the app that replaces it.
import jwt from 'jsonwebtoken';

const now = () => Math.floor(Date.now() / 1000);
const HOUR = 3600;
const DAY = 24 * HOUR;
const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** The values that may be where `Bearer <jwt>` is expected. `good`: an access or a refresh token. */
const shapes = {
  'empty': () => '',
  'Bearer alone': () => 'Bearer',
  'Bearer in lower case': (good) => `bearer ${good}`,
  'Bearer in capitals': (good) => `BEARER ${good}`,
  'another scheme': (good) => `Basic ${good}`,
  'a token without a scheme': (good) => good,
  'two blanks': (good) => `Bearer  ${good}`,
  'text after the token': (good) => `Bearer ${good} more`,
  'two tokens with a comma': (good) => `Bearer ${good}, Bearer ${good}`,
  'no blank': (good) => `Bearer${good}`,
  'not a JWT': () => 'Bearer junk',
  'two dots': () => 'Bearer ..',
  'null': () => 'Bearer null',
  'undefined': () => 'Bearer undefined',
  'a very long token': () => `Bearer ${'a'.repeat(9000)}`,
  'the signature cut off': (good) => `Bearer ${good.slice(0, good.lastIndexOf('.') + 1)}`,
  'a forged signature': (good) => `Bearer ${good.slice(0, good.lastIndexOf('.'))}.${'A'.repeat(43)}`,
  'good': (good) => `Bearer ${good}`,
};

/** Access tokens that the legacy app, or somebody else, signed. */
const accessTokens = {
  'of the legacy app': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h' }),
  'of a user who does not exist': ({ sign, id }) => sign({ userId: id(99) }, { expiresIn: '2h' }),
  'expired': ({ sign, id }) => sign({ userId: id(1), iat: now() - 3 * HOUR }, { expiresIn: '2h' }),
  'expired a second ago': ({ sign, id }) => sign({ userId: id(1), iat: now() - 2 * HOUR - 1 }, { expiresIn: '2h' }),
  'valid later': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', notBefore: '1h' }),
  'of another key': ({ id }) => jwt.sign({ userId: id(1) }, 'another key', { expiresIn: '2h' }),
  'unsigned (alg none)': ({ id }) => jwt.sign({ userId: id(1) }, '', { algorithm: 'none', expiresIn: '2h' }),
  'alg None, with a signature': ({ sign, id }) => {
    const [, payload, signature] = sign({ userId: id(1) }, { expiresIn: '2h' }).split('.');
    return [base64url({ alg: 'None', typ: 'JWT' }), payload, signature].join('.');
  },
  'signed with HS512': ({ sign, id }) => sign({ userId: id(1) }, { algorithm: 'HS512', expiresIn: '2h' }),
  'without userId': ({ sign }) => sign({ nickname: 'x' }, { expiresIn: '2h' }),
  'userId null': ({ sign }) => sign({ userId: null }, { expiresIn: '2h' }),
  'with other claims': ({ sign, id }) => sign({ userId: id(1), nickname: 'x', role: ['a'] }, { expiresIn: '2h' }),
  'without exp': ({ sign, id }) => sign({ userId: id(1) }),
  'that lives for 2 days': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2d' }),
  'without typ': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', header: { typ: undefined } }),
  'with a kid': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', keyid: 'x' }),
  'with an iss and an aud': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', issuer: 'a', audience: 'b' }),
  'of a refresh (no claims)': ({ sign }) => sign({}, { expiresIn: '14d' }),
  'with a changed payload': ({ sign, id }) => {
    const [header, , signature] = sign({ userId: id(1) }, { expiresIn: '2h' }).split('.');
    return [header, base64url({ userId: id(2), exp: now() + HOUR }), signature].join('.');
  },
  'with a jti that is a number': ({ sign, id }) => sign({ userId: id(1), jti: 7 }, { expiresIn: '2h' }),
  'with an iss that is a number': ({ sign, id }) => sign({ userId: id(1), iss: 7 }, { expiresIn: '2h' }),
  'with a kid that is a number': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', header: { kid: 7 } }),
  'with a typ that is JWS': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', header: { typ: 'JWS' } }),
  'with crit': ({ sign, id }) => sign({ userId: id(1) }, { expiresIn: '2h', header: { crit: ['x'], x: 1 } }),
  'that is bound to a key': ({ sign, id }) => sign({ userId: id(1), cnf: { jkt: 'x'.repeat(43) } }, { expiresIn: '2h' }),
  'whose payload is text': ({ sign }) => sign('text'),
  'whose userId is empty': ({ sign }) => sign({ userId: '' }, { expiresIn: '2h' }),
  'whose userId is a fraction': ({ sign }) => sign({ userId: 1.5 }, { expiresIn: '2h' }),
  'whose userId is negative': ({ sign }) => sign({ userId: -1 }, { expiresIn: '2h' }),
  'whose userId is 0': ({ sign }) => sign({ userId: 0 }, { expiresIn: '2h' }),
  'whose userId is too large for a number': ({ sign }) => sign({ userId: 2 ** 60 }, { expiresIn: '2h' }),
  'whose userId is true': ({ sign }) => sign({ userId: true }, { expiresIn: '2h' }),
  'whose userId is an array': ({ sign, id }) => sign({ userId: [id(1)] }, { expiresIn: '2h' }),
  'whose userId is an object': ({ sign, id }) => sign({ userId: { id: id(1) } }, { expiresIn: '2h' }),
  'whose userId has another type than the column': ({ sign, id }) =>
    sign({ userId: typeof id(1) === 'number' ? String(id(1)) : 1 }, { expiresIn: '2h' }),
};

/** What Redis may hold for a refresh token in place of the user's id or e-mail address. */
const oddValues = {
  'an empty value': (redis, token) => redis.set(token, ''),
  'a blank': (redis, token) => redis.set(token, ' '),
  'the value null': (redis, token) => redis.set(token, 'null'),
  'the value 0': (redis, token) => redis.set(token, '0'),
  'the value false': (redis, token) => redis.set(token, 'false'),
  'a user who does not exist': (redis, token) => redis.set(token, 'nobody'),
  'another user': (redis, token, app) => app.store(token, 2),
  'a very long value': (redis, token) => redis.set(token, 'x'.repeat(100_000)),
  'a value with a time to live': async (redis, token) => redis.expire(token, 600),
  'bytes that are no text': (redis, token) => redis.set(token, Buffer.from([0xff, 0xfe])),
  'a list in place of a value': async (redis, token) => {
    await redis.del(token);
    await redis.rPush(token, '1');
  },
};

const bearer = (token) => `Bearer ${token}`;
const me = (app, { header, cookie, ...more } = {}) => app.call('/api/users/me', {
  headers: {
    ...more,
    ...(header !== undefined && { accesstoken: header }),
    ...(cookie !== undefined && { cookie: `accessToken=${encodeURIComponent(cookie)}` }),
  },
});
const rtVerify = (app, refreshtoken, userid = String(app.id(1)), more = {}) => app.call('/api/users/rtVerify', {
  headers: {
    ...more,
    ...(refreshtoken !== undefined && { refreshtoken }),
    ...(userid !== null && { userid }),
  },
});
const logout = (app, refreshtoken) => app.call('/api/users/logout', { method: 'POST', headers: { refreshtoken } });

/** `[name, send]`: `send(app)` gives the response, or several. */
export const requests = [
  ['login', (app) => app.login(1)],
  ['access: no header, no cookie', (app) => me(app)],
  ['access: Authorization alone', (app) => me(app, { authorization: bearer(app.own.access) })],
  ...Object.entries(shapes).flatMap(([name, of]) => [
    [`access: header ${name}`, (app) => me(app, { header: of(app.own.access) })],
    [`access: cookie ${name}`, (app) => me(app, { cookie: of(app.own.access) })],
    [`refresh: header ${name}`, (app) => rtVerify(app, of(app.own.refresh))],
    [`refresh: header ${name}, token of the legacy app`, (app) => rtVerify(app, of(app.legacy))],
  ]),
  ['access: cookie Bearer and a blank', (app) => me(app, { cookie: 'Bearer ' })],
  ...Object.entries(accessTokens).flatMap(([name, of]) => [
    [`access: header, a token ${name}`, (app) => me(app, { header: bearer(of(app)) })],
    [`access: cookie, a token ${name}`, (app) => me(app, { cookie: bearer(of(app)) })],
  ]),
  ['access: header empty, cookie good', (app) => me(app, { header: '', cookie: bearer(app.own.access) })],
  ['access: header junk, cookie good', (app) => me(app, { header: 'Bearer junk', cookie: bearer(app.own.access) })],
  ['access: header of another scheme, cookie good', (app) => me(app, { header: 'Basic x', cookie: bearer(app.own.access) })],
  ['access: header good, cookie junk', (app) => me(app, { header: bearer(app.own.access), cookie: 'junk' })],
  ['access: header good, cookie empty', (app) => me(app, { header: bearer(app.own.access), cookie: '' })],
  ['access: header empty, cookie empty', (app) => me(app, { header: '', cookie: '' })],
  ['access: cookie in quotes', (app) => app.call('/api/users/me', { headers: { cookie: `accessToken="Bearer ${app.own.access}"` } })],
  ['access: cookie twice', (app) => app.call('/api/users/me', { headers: { cookie: `accessToken=Bearer%20${app.own.access}; accessToken=x` } })],
  ['access: cookie with JSON of cookie-parser', (app) => me(app, { cookie: 'j:{"a":1}' })],
  ['access: the same token 5 times', (app) => Promise.all(Array.from({ length: 5 }, () => me(app, { header: bearer(app.own.access) })))],
  ['access: the refresh token', (app) => me(app, { header: bearer(app.own.refresh) })],

  ['refresh: no header', (app) => rtVerify(app, undefined)],
  ['refresh: neither header nor userid', (app) => rtVerify(app, undefined, null)],
  ['refresh: the token in Authorization', (app) => rtVerify(app, undefined, undefined, { authorization: bearer(app.own.refresh) })],
  ['refresh: the token in a cookie', (app) => rtVerify(app, undefined, undefined, { cookie: `refreshToken=Bearer%20${app.own.refresh}` })],
  ['refresh: the access token', (app) => rtVerify(app, bearer(app.own.access))],
  ['refresh: an access token of the legacy app', (app) => rtVerify(app, bearer(app.sign({ userId: app.id(1) }, { expiresIn: '2h' })))],
  ['refresh: 5 times', async (app) => [await rtVerify(app, bearer(app.own.refresh)), ...(await Promise.all(Array.from({ length: 4 }, () => rtVerify(app, bearer(app.own.refresh)))))]],
  ['refresh: 5 times, token of the legacy app', (app) => Promise.all(Array.from({ length: 5 }, () => rtVerify(app, bearer(app.legacy))))],
  ['refresh: the userid of another user', (app) => rtVerify(app, bearer(app.own.refresh), String(app.id(2)))],
  ['refresh: the userid of another user, token of the legacy app', (app) => rtVerify(app, bearer(app.legacy), String(app.id(2)))],
  ['refresh: userid absent', (app) => rtVerify(app, bearer(app.own.refresh), null)],
  ['refresh: userid empty', (app) => rtVerify(app, bearer(app.own.refresh), '')],
  ['refresh: userid junk', (app) => rtVerify(app, bearer(app.own.refresh), 'junk')],
  ...['01', '1.0', '+1', '1e0', '0x1', '-1', '1,1', 'NaN', '[object Object]', '%31'].map((userid) =>
    [`refresh: userid ${userid}`, (app) => rtVerify(app, bearer(app.own.refresh), userid)]),
  ...['01', '1.0'].map((userid) =>
    [`refresh: userid ${userid}, token of the legacy app`, (app) => rtVerify(app, bearer(app.legacy), userid)]),
  ['refresh: userid with blanks around it', (app) => rtVerify(app, bearer(app.own.refresh), `  ${app.id(1)} `)],
  ['refresh: userid twice', (app) => rtVerify(app, bearer(app.own.refresh), `${app.id(1)}, ${app.id(1)}`)],
  ...Object.entries(oddValues).map(([name, of]) => [`refresh: stored with ${name}`, async (app) => {
    const token = await app.keep(1);
    await of(app.redis, token, app);
    return rtVerify(app, bearer(token));
  }]),
  ['refresh: never stored', (app) => rtVerify(app, bearer(app.sign({ iat: now() - 77 }, { expiresIn: '14d' })))],
  ['refresh: never stored, of another key', (app) => rtVerify(app, bearer(jwt.sign({}, 'another key', { expiresIn: '14d' })))],
  ['refresh: never stored, unsigned', (app) => rtVerify(app, bearer(jwt.sign({}, '', { algorithm: 'none' })))],
  ['refresh: never stored, expired', (app) => rtVerify(app, bearer(app.sign({ iat: now() - 15 * DAY }, { expiresIn: '14d' })))],
  ['refresh: stored, expired', async (app) => rtVerify(app, bearer(await app.keep(1, { iat: now() - 15 * DAY })))],
  ['refresh: stored, valid later', async (app) => rtVerify(app, bearer(await app.keep(1, {}, { notBefore: '1h' })))],
  ['refresh: stored, of another key', async (app) => {
    const token = jwt.sign({}, 'another key', { expiresIn: '14d' });
    await app.store(token, 1);
    return rtVerify(app, bearer(token));
  }],
  ['refresh: stored, not a JWT', async (app) => {
    await app.store('junk-in-store', 1);
    return rtVerify(app, 'Bearer junk-in-store');
  }],
  ['refresh: stored, signed with HS512', async (app) => rtVerify(app, bearer(await app.keep(1, {}, { algorithm: 'HS512' })))],
  ['refresh: stored, without exp', async (app) => rtVerify(app, bearer(await app.keep(1, {}, { expiresIn: undefined })))],
  ['refresh: stored, with claims', async (app) => rtVerify(app, bearer(await app.keep(1, { userId: app.id(1), a: 1 })))],
  ['refresh: stored, for 90 days', async (app) => rtVerify(app, bearer(await app.keep(1, {}, { expiresIn: '90d' })))],
  ['access: with the token of a refresh', async (app) => {
    const { accessToken } = await (await rtVerify(app, bearer(app.legacy))).json();
    return me(app, { header: accessToken });
  }],
  ['refresh: the e-mail address has changed since', async (app) => {
    const token = await app.keep(3);
    app.users.changeEmail(app.id(3), 'new@example.com');
    return [await rtVerify(app, bearer(token), String(app.id(3))), await rtVerify(app, bearer(token), String(app.id(3)))];
  }],
  ['refresh: 40 dead tokens of the legacy app from one address', async (app) => {
    const tokens = Array.from({ length: 40 }, (_, n) => app.sign({ iat: now() - 1000 - n }, { expiresIn: '14d' }));
    return Promise.all(tokens.map((token) => rtVerify(app, bearer(token))));
  }],
  ['refresh: one dead token of the legacy app 40 times', async (app) => {
    const token = app.sign({ iat: now() - 2000 }, { expiresIn: '14d' });
    const responses = [];
    for (let n = 0; n < 40; n += 1) responses.push(await rtVerify(app, bearer(token)));
    return responses;
  }],
  ['refresh: junk 40 times', async (app) => {
    const responses = [];
    for (let n = 0; n < 40; n += 1) responses.push(await rtVerify(app, `Bearer junk${n}`));
    return responses;
  }],
  ['refresh: good after all that', (app) => rtVerify(app, bearer(app.own.refresh))],
  ['refresh: token of the legacy app after its logout', async (app) => {
    const token = await app.keep(1);
    return [await rtVerify(app, bearer(token)), await logout(app, bearer(token)), await rtVerify(app, bearer(token))];
  }],
  ['refresh: token of the legacy app after a logout before its first refresh', async (app) => {
    const token = await app.keep(1);
    return [await logout(app, bearer(token)), await rtVerify(app, bearer(token))];
  }],
  ['refresh: token of the legacy app, expired, after its logout', async (app) => {
    const token = await app.keep(1, { iat: now() - 15 * DAY });
    return [await logout(app, bearer(token)), await rtVerify(app, bearer(token))];
  }],
  ['refresh: after the logout', async (app) => [await logout(app, bearer(app.own.refresh)), await rtVerify(app, bearer(app.own.refresh))]],
  ['access: after the logout', (app) => me(app, { header: bearer(app.own.access) })],
  ['logout: again', (app) => logout(app, bearer(app.own.refresh))],
  ['logout: junk', (app) => logout(app, 'Bearer junk')],
  ['login: again', (app) => app.login(1)],
  ['access: the user was deleted', async (app) => {
    const { access } = await app.tokensOf(4);
    app.users.remove(app.id(4));
    return me(app, { header: bearer(access) });
  }],
];
