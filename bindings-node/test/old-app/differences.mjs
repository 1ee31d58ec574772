// Where the preset does not answer as the legacy app, and why: the table of docs/moving-an-existing-app.md.
// `requests` name those of requests.mjs. `preset` may depend on what the Redis of the legacy app holds.
const REFUSED = '403 Access Token이 만료되었습니다.';
const UNKNOWN = '419 refreshToken의 정보가 서버에 존재하지 않습니다.';
const INVALID = '419 refreshToken이 유효하지 않습니다.';

const headerAndCookie = (token) => [`access: header, a token ${token}`, `access: cookie, a token ${token}`];

export const differences = [
  {
    what: 'refresh with the `userid` of another user, or with none',
    requests: [
      'refresh: the userid of another user',
      'refresh: the userid of another user, token of the legacy app',
      'refresh: userid absent',
      'refresh: userid empty',
      'refresh: userid junk',
    ],
    old: '200',
    preset: INVALID,
    reason: 'Security: the legacy app issues a token for whatever user the header names.',
  },
  {
    what: 'refresh with a `userid` in another spelling, such as `01`, `1.0` or `0x1`',
    requests: [
      ...['01', '1.0', '+1', '1e0', '0x1', '-1', '1,1', 'NaN', '[object Object]', '%31'].map((userid) => `refresh: userid ${userid}`),
      'refresh: userid 01, token of the legacy app',
      'refresh: userid 1.0, token of the legacy app',
      'refresh: userid twice',
    ],
    old: '200',
    preset: INVALID,
    reason: 'Security: ids are compared as text. The legacy app makes a number of it, `NaN` too, and issues a token for that.',
  },
  {
    what: 'refresh with a key of Redis whose value names another user than the `userid`',
    requests: ['refresh: stored with another user'],
    old: '200',
    preset: INVALID,
    reason: 'Security: the user is the one whom Redis names. The legacy app does not read the value.',
  },
  {
    what: 'refresh with a key of Redis whose value names no user',
    requests: ['a blank', 'the value null', 'the value 0', 'the value false', 'a user who does not exist'].map((what) => `refresh: stored with ${what}`),
    old: '200',
    preset: { id: INVALID, email: UNKNOWN },
    reason: 'Security: as above. Where Redis holds e-mail addresses, `migrate.resolve` finds nobody.',
  },
  {
    what: 'refresh with a key of Redis whose value is no text, or too long for an id',
    requests: ['refresh: stored with a very long value', 'refresh: stored with bytes that are no text'],
    old: '200',
    preset: UNKNOWN,
    reason: 'Security: as above.',
  },
  {
    what: 'refresh with a key of Redis that holds a list, a hash or a set',
    requests: ['refresh: stored with a list in place of a value'],
    old: '500 서버 오류',
    preset: UNKNOWN,
    reason: 'The legacy app crashes on a key of another type.',
  },
  {
    what: 'access token signed with HS384 or HS512',
    requests: headerAndCookie('signed with HS512'),
    old: '200',
    preset: REFUSED,
    reason: 'Security: a key belongs to one algorithm (RFC 8725 §3.1).',
  },
  {
    what: 'refresh token signed with HS384 or HS512',
    requests: ['refresh: stored, signed with HS512'],
    old: '200',
    preset: UNKNOWN,
    reason: 'Security: a key belongs to one algorithm; the legacy app signs with HS256 alone.',
  },
  {
    what: 'access token of the legacy app without `exp`',
    requests: headerAndCookie('without exp'),
    old: '200',
    preset: REFUSED,
    reason: 'Security: it would be valid for ever, and could not be revoked.',
  },
  {
    what: 'access token of the legacy app that lives for more than 24 hours',
    requests: headerAndCookie('that lives for 2 days'),
    old: '200',
    preset: REFUSED,
    reason: 'Security: a refresh token must not pass as an access token. Set `access.legacy.maxLifetime` if yours live longer.',
  },
  {
    what: 'access token with an `aud`',
    requests: headerAndCookie('with an iss and an aud'),
    old: '200',
    preset: REFUSED,
    reason: 'Security: it is for another service (RFC 7519 §4.1.3). Set `access.audience` if it is yours.',
  },
  {
    what: 'access token with a `jti`, `iss` or `kid` that is no string, another `typ`, `crit`, or bound to a key (`cnf`)',
    requests: [
      ...headerAndCookie('with a jti that is a number'),
      ...headerAndCookie('with an iss that is a number'),
      ...headerAndCookie('with a kid that is a number'),
      ...headerAndCookie('with a typ that is JWS'),
      ...headerAndCookie('with crit'),
      ...headerAndCookie('that is bound to a key'),
    ],
    old: '200',
    preset: REFUSED,
    reason: 'Security: what the token says cannot be kept (RFC 7515 §4.1, RFC 7519 §4.1, RFC 9449 §6). npm `jsonwebtoken` writes no such token unless the app asks for it.',
  },
  {
    what: 'access token after the logout of its session',
    requests: ['access: after the logout'],
    old: '200',
    preset: REFUSED,
    reason: 'Security: a logout also ends the access tokens of the session.',
  },
  {
    what: 'access token of a user without a row',
    requests: [
      ...headerAndCookie('of a user who does not exist'),
      ...['is empty', 'is a fraction', 'is negative', 'is 0', 'is too large for a number', 'has another type than the column']
        .flatMap((userId) => headerAndCookie(`whose userId ${userId}`)),
      'access: the user was deleted',
    ],
    old: '500 서버 오류',
    preset: REFUSED,
    reason: 'The legacy app goes on without a user, and the route fails or, worse, does not.',
  },
  {
    what: 'access token whose `userId` is neither text nor a number',
    requests: ['is true', 'is an array', 'is an object'].flatMap((userId) => headerAndCookie(`whose userId ${userId}`)),
    old: '500 서버 오류',
    preset: REFUSED,
    reason: 'The legacy app asks its database for such an id.',
  },
  {
    what: 'cookie with JSON of cookie-parser (`j:{…}`)',
    requests: ['access: cookie with JSON of cookie-parser'],
    old: '500 서버 오류',
    preset: '400 Access Token이 존재하지 않습니다.',
    reason: 'The legacy app crashes on a value that is not text.',
  },
  {
    what: 'refresh with a key of Redis that is no token signed by `SECRET_KEY`',
    requests: ['refresh: stored, of another key', 'refresh: stored, not a JWT'],
    old: INVALID,
    preset: UNKNOWN,
    reason: 'The store is only asked for tokens whose signature is valid. The status is the same.',
  },
];

/** What the preset answers, where the legacy app's Redis holds ids or e-mail addresses. */
export const presetAnswer = ({ preset }, stored) => (typeof preset === 'string' ? preset : preset[stored]);

/** The row of the guide. */
export function tableRow({ what, old, preset, reason }) {
  const answer = typeof preset === 'string' ? preset : `${preset.id}; with e-mail addresses ${preset.email}`;
  return `| ${what} | ${old} | ${answer} | ${reason} |`;
}
