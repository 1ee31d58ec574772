// The auth object: the flow from login to logout, on the memory store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { START, claimsOf, testAuth, withCode } from './support/auth.mjs';

const MINUTE = 60_000;

/** An error of the program, not of the token: it must not sign anybody out. */
const invalidArgument = (field) => ({ name: 'AuthError', code: 'ERR_ARGUMENT_INVALID', advice: 'fix', status: 500, field });

test('login gives a pair, and times by the clock of the configuration', async () => {
  const { auth } = testAuth();
  const pair = await auth.login('user-1', { device: 'Chrome on Linux', claims: { role: 'admin' } });
  assert.equal(pair.subject, 'user-1');
  assert.deepEqual(pair.accessExpiresAt, new Date(START + 15 * MINUTE));
  assert.equal(pair.accessExpiresIn, 900);
  assert.deepEqual(pair.refreshExpiresAt, new Date(START + 14 * 24 * 60 * MINUTE));
  assert.equal(pair.refreshExpiresIn, 14 * 24 * 3600);
});

test('verify answers with the claims; verifyAccess and verifyBearer name the subject and the session', async () => {
  const { auth } = testAuth();
  const { accessToken, sessionId } = await auth.login('user-"1"', { claims: { role: 'admin' } });
  const claims = auth.verify(accessToken);
  assert.deepEqual(claims, claimsOf(accessToken));
  assert.equal(claims.role, 'admin');
  const expected = { subject: 'user-"1"', sessionId, claims };
  assert.deepEqual(auth.verifyAccess(accessToken), expected);
  assert.deepEqual(auth.verifyBearer(`bearer ${accessToken}`), expected);
});

test('verifyAccessAsync answers as verifyAccess does, later', async () => {
  const { auth, clock } = testAuth();
  const { accessToken } = await auth.login('user-1', { claims: { role: 'admin' } });
  assert.deepEqual(await auth.verifyAccessAsync(accessToken), auth.verifyAccess(accessToken));
  await assert.rejects(auth.verifyAccessAsync(undefined), withCode('ERR_TOKEN_MISSING'));
  await assert.rejects(auth.verifyAccessAsync(`${accessToken}x`), withCode('ERR_SIGNATURE_INVALID'));
  clock.advance(15 * MINUTE);
  await assert.rejects(auth.verifyAccessAsync(accessToken), withCode('ERR_TOKEN_EXPIRED'));
});

test('a configured subject claim is issued beside sub and names the subject', async () => {
  const { auth } = testAuth({ access: { subjectClaim: 'userId' } });
  const { accessToken } = await auth.login(7);
  const { subject, claims } = auth.verifyAccess(accessToken);
  assert.deepEqual([subject, claims.userId, claims.sub], ['7', '7', '7']);
});

for (const [what, token, code] of [
  ['no token', undefined, 'ERR_TOKEN_MISSING'],
  ['null', null, 'ERR_TOKEN_MISSING'],
  ['empty text', '', 'ERR_TOKEN_MISSING'],
  ['an object', { toString: () => 'a.b.c' }, 'ERR_TOKEN_MISSING'],
  ['any text', 'hello', 'ERR_TOKEN_MALFORMED'],
  ['half a surrogate pair', '\ud800.a.b', 'ERR_TOKEN_MALFORMED'],
  ['text as long as the stack buffer', 'a'.repeat(2047), 'ERR_TOKEN_MALFORMED'],
  ['text of many bytes', '가'.repeat(1000), 'ERR_TOKEN_MALFORMED'],
  ['text beyond the limit', 'a'.repeat(9000), 'ERR_TOKEN_TOO_LARGE'],
]) {
  test(`verify refuses ${what}: ${code}`, () => {
    const { auth } = testAuth();
    assert.throws(() => auth.verify(token), withCode(code));
    assert.throws(() => auth.verifyAccess(token), withCode(code));
  });
}

test('a letter that only looks like the right one after truncation is not taken for it', async () => {
  const { auth } = testAuth();
  const { accessToken } = await auth.login('user-1');
  // U+0165 ends in the byte of "e": a reader of single bytes could not tell them apart.
  assert.throws(() => auth.verify(accessToken.replace('e', '\u0165')), withCode('ERR_TOKEN_MALFORMED'));
});

test('tokens of every length around the size of the stack buffer verify', async () => {
  const { auth } = testAuth();
  for (let size = 1300; size < 1450; size += 1) {
    const { accessToken } = await auth.login('user-1', { claims: { pad: 'x'.repeat(size) } });
    assert.equal(auth.verify(accessToken).pad.length, size);
  }
});

test('an expired access token says so, to the second', async () => {
  const { auth, clock } = testAuth();
  const { accessToken } = await auth.login('user-1');
  clock.advance(15 * MINUTE - 1);
  assert.equal(auth.verify(accessToken).sub, 'user-1');
  clock.advance(1);
  assert.throws(() => auth.verify(accessToken), { ...withCode('ERR_TOKEN_EXPIRED'), advice: 'refresh', status: 401 });
});

test('login refuses what is no user id', async () => {
  const { auth } = testAuth();
  for (const subject of [undefined, null, '', 'x'.repeat(256), {}, 1.5, NaN]) {
    await assert.rejects(auth.login(subject), invalidArgument('subject'));
    await assert.rejects(auth.sessions(subject), invalidArgument('subject'));
    await assert.rejects(auth.logoutEverywhere(subject), invalidArgument('subject'));
    await assert.rejects(auth.revokeSession(subject, 'A'.repeat(24)), invalidArgument('subject'));
  }
});

/** What is no claims of an app: no plain object, or content that JSON cannot hold. */
function unfitClaims() {
  const circular = {};
  circular.self = circular;
  return [
    'admin', 5, null, ['admin'], new Map(), new Date(), circular, { toJSON: () => 'admin' }, { toJSON: () => undefined },
    { n: 10n }, { f: () => 1 }, { s: Symbol('s') }, { n: NaN }, { map: new Map() }, { bytes: new Uint8Array(1) },
    { lone: '\ud800' },
  ];
}

test('claims that are no plain object, or that JSON cannot hold, are an invalid argument', async () => {
  const { auth } = testAuth();
  const { refreshToken } = await auth.login('user-1');
  for (const claims of [...unfitClaims(), () => ({ role: 'admin' }), Promise.resolve({ role: 'admin' })]) {
    await assert.rejects(auth.login('user-1', { claims }), invalidArgument('claims'));
  }
  for (const claims of unfitClaims()) {
    await assert.rejects(auth.refresh(refreshToken, { claims }), invalidArgument('claims'));
  }
  for (const claims of [...unfitClaims(), undefined]) {
    await assert.rejects(auth.refresh(refreshToken, { claims: () => claims }), invalidArgument('claims'));
    await assert.rejects(auth.refresh(refreshToken, { claims: async () => claims }), invalidArgument('claims'));
  }
  // What the app meant to say is not in the message, and the token is still good.
  await assert.rejects(auth.login('user-1', { claims: 'hunter2' }), (error) => !error.message.includes('hunter2'));
  const at = new Date(0);
  const { accessToken } = await auth.refresh(refreshToken, { claims: () => ({ at, none: undefined, list: [null] }) });
  const { none, list, ...claims } = auth.verify(accessToken);
  assert.deepEqual([claims.at, none, list], [at.toISOString(), undefined, [null]]);
});

test('failed refreshes count, also if a function gives the claims', async () => {
  const { auth } = testAuth({ refresh: { limiter: { failures: 2, window: '1m' } } });
  const refresh = () => auth.refresh('forged', { claims: () => ({}), address: '192.0.2.1' });
  for (let failure = 0; failure < 2; failure++) await assert.rejects(refresh(), withCode('ERR_TOKEN_MALFORMED'));
  await assert.rejects(refresh(), withCode('ERR_TOO_MANY_ATTEMPTS'));
});

test('what a claims hook throws comes through', async () => {
  const { auth } = testAuth();
  const { refreshToken } = await auth.login('user-1');
  const claims = () => {
    throw new RangeError('no such user');
  };
  await assert.rejects(auth.refresh(refreshToken, { claims }), RangeError);
});

test('an unknown option is refused with the nearest known one', async () => {
  const { auth } = testAuth();
  const cases = [
    [(options) => auth.login('user-1', options), 'devise', 'device'],
    [(options) => auth.refresh('a.b.c', options), 'sub', 'subject'],
    [(options) => auth.refresh('a.b.c', options), 'scope', undefined],
    [(options) => auth.logoutEverywhere('user-1', options), 'except', 'exceptSession'],
    [(options) => auth.sessions('user-1', options), 'curent', 'current'],
    [(options) => auth.sweepLegacyTokens(options), 'dryrun', 'dryRun'],
    [async (options) => auth.error('ERR_INTERNAL', options), 'details', 'detail'],
  ];
  for (const [call, name, near] of cases) {
    const problem = near === undefined ? /unknown option, expected one of: / : new RegExp(`unknown option, did you mean ${near}\\? Known options: `);
    for (const value of ['x', undefined]) {
      await assert.rejects(call({ [name]: value }), { ...invalidArgument(name), message: problem });
    }
    for (const options of [null, 'x', 5, [], () => {}]) {
      await assert.rejects(call(options), invalidArgument('options'));
    }
  }
});

test('an argument of another type is refused by name', async () => {
  const { auth } = testAuth();
  const { refreshToken, sessionId } = await auth.login('user-1');
  const proofs = [null, 'proof', {}, { proof: 'a.b.c', method: 'GET' }, { proof: 1, method: 'GET', path: '/' }];
  const cases = [
    ...[null, 5, {}].map((device) => [() => auth.login('user-1', { device }), 'device']),
    ...[null, {}, 1.5].map((subject) => [() => auth.refresh(refreshToken, { subject }), 'subject']),
    ...[null, 1, 'no'].map((rotate) => [() => auth.refresh(refreshToken, { rotate }), 'rotate']),
    ...[1, {}].map((address) => [() => auth.refresh(refreshToken, { address }), 'address']),
    ...[null, 0, 'now', {}, new Date(NaN)].map((before) => [() => auth.logoutEverywhere('user-1', { before }), 'before']),
    ...[null, 5, 'no id'].map((id) => [() => auth.logoutEverywhere('user-1', { exceptSession: id }), 'exceptSession']),
    ...[null, 5, 'bored'].map((reason) => [() => auth.logoutEverywhere('user-1', { reason }), 'reason']),
    ...[null, 5, 'bored'].map((reason) => [() => auth.revokeSession('user-1', sessionId, reason), 'reason']),
    ...[undefined, null, 5, 'no id'].map((id) => [() => auth.revokeSession('user-1', id), 'sessionId']),
    ...[null, 5, 'no id'].map((current) => [() => auth.sessions('user-1', { current }), 'current']),
    ...[null, 1].map((dryRun) => [() => auth.sweepLegacyTokens({ dryRun }), 'dryRun']),
    [() => auth.sweepLegacyTokens({ onProgress: 'log' }), 'onProgress'],
    ...[undefined, null, 'ajar', {}].map((whenStale) => [() => auth.verifyChecked('a.b.c', whenStale), 'whenStale']),
    ...proofs.map((proof) => [() => auth.login('user-1', { proof }), 'proof']),
    ...proofs.map((proof) => [() => auth.refresh(refreshToken, { proof }), 'proof']),
    ...proofs.map((proof) => [() => auth.verifyChecked('a.b.c', 'open', proof), 'proof']),
    ...proofs.map((proof) => [async () => auth.verifyWithProof('a.b.c', proof), 'proof']),
    ...proofs.map((proof) => [async () => auth.checkProof(proof), 'proof']),
  ];
  for (const [call, name] of cases) {
    await assert.rejects(call, invalidArgument(name), `${call}`);
  }
  assert.equal((await auth.sessions('user-1')).length, 1, 'nothing was changed');
  await auth.refresh(refreshToken);
});

test('a header that a request of the Fetch API lacks is null', async () => {
  const { auth } = testAuth();
  const client = { address: null, userAgent: new Headers().get('user-agent') };
  const { refreshToken, sessionId } = await auth.login('user-1', client);
  const { refreshToken: next } = await auth.refresh(refreshToken, client);
  assert.equal((await auth.sessions('user-1')).find((session) => session.sessionId === sessionId).createdFrom?.address, undefined);
  assert.equal(await auth.logout(next, client), true);
});

test('a client that claims to be a user whom nobody can be has the wrong token', async () => {
  const { auth } = testAuth();
  const { refreshToken } = await auth.login('user-1');
  for (const subject of ['user-2', '', 'x'.repeat(256)]) {
    await assert.rejects(auth.refresh(refreshToken, { subject }), withCode('ERR_SUBJECT_MISMATCH'));
  }
});

test('a header that is no text holds no token', () => {
  const { auth } = testAuth();
  for (const header of [undefined, null, 5, ['Bearer a.b.c'], {}]) {
    assert.throws(() => auth.bearerToken(header), withCode('ERR_TOKEN_MISSING'));
    assert.throws(() => auth.verifyBearer(header), withCode('ERR_TOKEN_MISSING'));
  }
});

test('login refuses claims that only the library writes', async () => {
  const { auth } = testAuth();
  await assert.rejects(auth.login('user-1', { claims: { sub: 'user-2' } }), invalidArgument('claims'));
});

test('a refresh rotates; the old token a moment later gets the same one again', async () => {
  const { auth, clock } = testAuth();
  const first = await auth.login('user-1');
  clock.advance(MINUTE);
  const second = await auth.refresh(first.refreshToken);
  assert.deepEqual([second.rotated, second.renewal, second.sessionId], [true, 'issued', first.sessionId]);
  assert.notEqual(second.refreshToken, first.refreshToken);
  const again = await auth.refresh(first.refreshToken);
  assert.deepEqual([again.renewal, again.refreshToken], ['reissued', second.refreshToken]);
});

test('with rotation off the refresh token stays', async () => {
  const { auth } = testAuth({ refresh: { rotation: false } });
  const { refreshToken } = await auth.login('user-1');
  const kept = await auth.refresh(refreshToken);
  assert.deepEqual([kept.rotated, kept.renewal, kept.refreshToken], [false, 'kept', refreshToken]);
  assert.equal((await auth.refresh(refreshToken, { rotate: true })).rotated, true);
});

test('a refresh compares the user that the client says it is', async () => {
  const { auth } = testAuth();
  const { refreshToken } = await auth.login('user-1');
  await assert.rejects(auth.refresh(refreshToken, { subject: 'user-2' }), withCode('ERR_SUBJECT_MISMATCH'));
  assert.equal((await auth.refresh(refreshToken, { subject: 'user-1' })).subject, 'user-1');
});

test('claims of a refresh: given, or looked up by the subject of the token', async () => {
  const { auth } = testAuth();
  const { refreshToken } = await auth.login('user-1', { claims: { role: 'admin' } });
  const given = await auth.refresh(refreshToken, { claims: { role: 'reader' } });
  assert.equal(auth.verify(given.accessToken).role, 'reader');
  const looked = await auth.refresh(given.refreshToken, { claims: async (subject) => ({ role: `of ${subject}` }) });
  assert.equal(auth.verify(looked.accessToken).role, 'of user-1');
});

test('a claims function is not asked about a token that is not ours; its own failure is passed on', async () => {
  const { auth } = testAuth();
  const { accessToken, refreshToken } = await auth.login('user-1');
  const never = () => assert.fail('asked');
  await assert.rejects(auth.refresh(accessToken, { claims: never }), withCode('ERR_TYP_MISMATCH'));
  const failure = new Error('no database');
  await assert.rejects(auth.refresh(refreshToken, { claims: () => Promise.reject(failure) }), failure);
  assert.equal((await auth.refresh(refreshToken)).renewal, 'issued', 'the failure changed nothing');
});

test('each kind of token is refused in place of the other', async () => {
  const { auth } = testAuth();
  const { accessToken, refreshToken } = await auth.login('user-1');
  assert.throws(() => auth.verify(refreshToken), { name: 'AuthError', advice: 'reject' });
  await assert.rejects(auth.refresh(accessToken), { name: 'AuthError', advice: 'reject' });
});

test('a refresh token that comes back after its child was used: theft, with an event', async () => {
  const events = [];
  const { auth, clock } = testAuth({ onEvent: (event) => events.push(event) });
  const first = await auth.login('user-1', { device: 'phone' });
  const second = await auth.refresh(first.refreshToken);
  clock.advance(MINUTE);
  const third = await auth.refresh(second.refreshToken);
  clock.advance(MINUTE);
  await assert.rejects(auth.refresh(first.refreshToken), { ...withCode('ERR_REFRESH_REUSED'), advice: 'sign_in' });
  await assert.rejects(auth.refresh(third.refreshToken), { ...withCode('ERR_SESSION_REVOKED'), reason: 'reused' });
  assert.throws(() => auth.verify(third.accessToken), withCode('ERR_ACCESS_REVOKED'));
  while (events.length < 5) await turn();
  const { sessionId } = first;
  assert.deepEqual(events.map(({ type }) => type), ['login', 'refreshed', 'refreshed', 'theft', 'refused']);
  assert.deepEqual(events[0], { type: 'login', subject: 'user-1', sessionId, device: 'phone', at: new Date(START) });
  assert.equal(typeof events[3].how, 'string');
});

test('logout ends the session once; its tokens are refused', async () => {
  const { auth } = testAuth();
  const { accessToken, refreshToken } = await auth.login('user-1');
  assert.equal(await auth.logout(refreshToken), true);
  assert.equal(await auth.logout(refreshToken), false);
  assert.throws(() => auth.verify(accessToken), withCode('ERR_ACCESS_REVOKED'));
  await assert.rejects(auth.refresh(refreshToken), { ...withCode('ERR_SESSION_REVOKED'), reason: 'logout' });
});

test('sessions: listed with device and current, ended one by one and all at once', async () => {
  const { auth, clock } = testAuth();
  const phone = await auth.login('user-1', { device: 'phone' });
  clock.advance(1000);
  const laptop = await auth.login('user-1', { device: 'laptop' });
  await auth.login('user-2');
  const listed = await auth.sessions('user-1', { current: phone.sessionId });
  assert.deepEqual(listed.map(({ device, current, state }) => [device, current, state]), [
    ['laptop', false, 'live'],
    ['phone', true, 'live'],
  ]);
  assert.deepEqual(listed[1].createdAt, new Date(START));
  assert.equal(await auth.revokeSession('user-1', laptop.sessionId), true);
  assert.equal(await auth.revokeSession('user-2', phone.sessionId), false, 'not the session of user-2');
  assert.equal(await auth.logoutEverywhere('user-1'), 1);
  const after = await auth.sessions('user-1');
  assert.deepEqual(after.map(({ device, state, reason }) => [device, state, reason]).sort(), [
    ['laptop', 'revoked', 'logout'],
    ['phone', 'revoked', 'logout_everywhere'],
  ]);
});

test('logoutEverywhere: everywhere but here, from before an instant, for a reason', async () => {
  const { auth, clock } = testAuth();
  const old = await auth.login('user-1', { device: 'old' });
  clock.advance(MINUTE);
  const instant = new Date(START + MINUTE);
  const here = await auth.login('user-1', { device: 'here' });
  const there = await auth.login('user-1', { device: 'there' });
  assert.equal(await auth.logoutEverywhere('user-1', { before: instant, reason: 'administrative' }), 1);
  assert.equal(await auth.logoutEverywhere('user-1', { exceptSession: here.sessionId }), 1);
  assert.equal(await auth.logoutEverywhere('user-1', { exceptSession: here.sessionId }), 0);
  await assert.rejects(auth.refresh(old.refreshToken), { ...withCode('ERR_SESSION_REVOKED'), reason: 'administrative' });
  await assert.rejects(auth.refresh(there.refreshToken), { ...withCode('ERR_SESSION_REVOKED'), reason: 'logout_everywhere' });
  assert.throws(() => auth.verify(there.accessToken), withCode('ERR_ACCESS_REVOKED'));
  auth.verify(here.accessToken);
  await auth.refresh(here.refreshToken);
  const [live, ...over] = await auth.sessions('user-1', { current: here.sessionId });
  assert.deepEqual([live.device, live.current, live.endedAt], ['here', true, undefined]);
  assert.deepEqual(over.map(({ endedAt }) => endedAt), [instant, instant]);
  auth.verify(here.accessToken);
});

test('one session more than there may be: the least recently refreshed gives way', async () => {
  const events = [];
  const { auth, clock } = testAuth({ refresh: { maxSessions: 2 }, onEvent: (event) => events.push(event) });
  const first = await auth.login('user-1');
  clock.advance(MINUTE);
  const second = await auth.login('user-1');
  clock.advance(MINUTE);
  await auth.refresh(first.refreshToken);
  await auth.login('user-1');
  await assert.rejects(auth.refresh(second.refreshToken), { ...withCode('ERR_SESSION_REVOKED'), reason: 'displaced' });
  assert.throws(() => auth.verify(second.accessToken), withCode('ERR_ACCESS_REVOKED'));
  while (events.length < 6) await turn();
  const { sessionId } = second;
  const at = new Date(START + 2 * MINUTE);
  assert.deepEqual(events.at(-2), { type: 'revoked', subject: 'user-1', sessionId, reason: 'displaced', at });
  assert.deepEqual(events.at(-1), { type: 'refused', subject: 'user-1', sessionId, code: 'ERR_SESSION_REVOKED', at });
});

test('revokeSession tells the client of the session why', async () => {
  const { auth } = testAuth();
  const { sessionId, refreshToken } = await auth.login('user-1');
  await auth.revokeSession('user-1', sessionId, 'administrative');
  await assert.rejects(auth.refresh(refreshToken), { reason: 'administrative' });
});

test('errors speak the language of the configuration, or the words of the app', async () => {
  const korean = testAuth({ language: 'ko' }).auth;
  assert.throws(() => korean.verify('hello'), { message: '토큰의 형식이 일치하지 않습니다.' });
  const own = testAuth({ language: 'ko', messages: { ERR_TOKEN_MISSING: 'Bitte anmelden.' } }).auth;
  assert.throws(() => own.verify(undefined), { message: 'Bitte anmelden.' });
  assert.throws(() => own.verify('hello'), { message: '토큰의 형식이 일치하지 않습니다.' });
  assert.equal(own.error('ERR_TOKEN_MISSING').message, 'Bitte anmelden.');
});

test('no error shows the token', async () => {
  const { auth, clock } = testAuth();
  const { accessToken, refreshToken } = await auth.login('user-1');
  clock.advance(365 * 24 * 60 * MINUTE);
  const errors = [];
  for (const call of [() => auth.verify(accessToken), () => auth.verify(`${accessToken}x`), () => auth.refresh(refreshToken)]) {
    await Promise.resolve().then(call).catch((error) => errors.push(error));
  }
  assert.equal(errors.length, 3);
  for (const { message, stack } of errors) {
    for (const part of [...accessToken.split('.'), ...refreshToken.split('.')]) {
      assert.ok(!`${message}${stack}`.includes(part));
    }
  }
});
