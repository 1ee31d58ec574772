// What the compiler says about the auth object, from an ES module. Checked, never run.
import {
  AuthError,
  TestClock,
  createAuth,
  errorCodes,
  type Advice,
  type Auth,
  type AuditEvent,
  type ErrorCode,
  type LogEntry,
  type Messages,
  type Metric,
  type Renewed,
  type SessionInfo,
  type StoreHealth,
  type SweepReport,
  type TokenPair,
} from 'regrant';

/** Fails to compile unless both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(..._: Same<A, B> extends true ? [] : [never]): void;

// The environment is text or undefined; undefined is refused at run time, by name.
const auth = createAuth({
  secret: process.env['SECRET_KEY'],
  allowShortSecret: true,
  access: { ttl: '15m', subjectClaim: 'userId', legacy: { maxLifetime: 3600 }, audience: ['a', 'b'] },
  refresh: { idleTtl: '14d', grace: 10, rotation: true, onTheft: 'subject' },
  store: process.env['REDIS_URL'] ?? 'memory:',
  redis: { prefix: 'app:', caFile: 'ca.pem', sentinel: { username: 'a', password: 'b' }, replicas: 1, eviction: 'refuse' },
  migrate: { store: 'redis://127.0.0.1/0', resolve: async (value) => (value === '' ? undefined : Number(value)) },
  language: 'ko',
  messages: { ERR_TOKEN_EXPIRED: 'text' },
  clock: new TestClock(Date.now()),
  onEvent: (event) => same<typeof event, AuditEvent>(),
  onLog: (entry) => same<typeof entry, LogEntry>(),
  logLevel: 'info',
});
same<typeof auth, Auth>();
same<ReturnType<typeof auth.health>, Promise<StoreHealth>>();
same<ReturnType<typeof auth.sweepOldTokens>, Promise<SweepReport>>();
void auth.sweepOldTokens({ dryRun: true, onProgress: (soFar) => same<typeof soFar, SweepReport>() });
createAuth({ secret: Buffer.from('x'), keys: [{ alg: 'ES256', privateKey: 'pem', active: true }] });
createAuth({ refreshSecret: new Uint8Array(32), keys: [{ alg: 'RS256', kid: 'a', publicKey: 'pem' }] });

// @ts-expect-error a configuration is required
createAuth();
// @ts-expect-error a name that is not a field
createAuth({ secret: 'x', acess: {} });
// @ts-expect-error a lifetime is a number or text
createAuth({ secret: 'x', access: { ttl: new Date() } });
// @ts-expect-error not an algorithm
createAuth({ keys: [{ alg: 'none' }] });
// @ts-expect-error a key without its algorithm
createAuth({ keys: [{ secret: 'x' }] });
// @ts-expect-error not a language with texts
createAuth({ secret: 'x', language: 'fr' });
// @ts-expect-error not a code
createAuth({ secret: 'x', messages: { ERR_TYPO: 'text' } });
// @ts-expect-error not a scope
createAuth({ secret: 'x', refresh: { onTheft: 'everybody' } });
// @ts-expect-error not a level
createAuth({ secret: 'x', logLevel: 'verbose' });
// @ts-expect-error only a TestClock is a clock
createAuth({ secret: 'x', clock: { now: () => 0 } });

const plain = auth.verify('token');
same<typeof plain.exp, number>();
same<typeof plain.sub, string | undefined>();
same<(typeof plain)['role'], unknown>();

const typed = auth.verify<{ role: 'admin' | 'reader' }>('token');
same<typeof typed.role, 'admin' | 'reader'>();
same<typeof typed.exp, number>();
// @ts-expect-error claims are not to be changed
typed.exp = 5;

const access = auth.verifyBearer<{ role: string }>(undefined);
same<typeof access.claims.role, string>();
same<typeof access.subject, string>();
same<typeof access.sessionId, string | undefined>();

const pair = await auth.login('user-1', { device: 'phone', claims: { role: 'admin' } });
same<typeof pair, TokenPair>();
same<typeof pair.accessExpiresAt, Date>();
await auth.login(5);
// @ts-expect-error no user
await auth.login();
// @ts-expect-error a user that may be missing
await auth.login(undefined as string | undefined);
// @ts-expect-error claims are an object
await auth.login('user-1', { claims: 'admin' });
// @ts-expect-error a function belongs to a refresh
await auth.login('user-1', { claims: () => ({ role: 'admin' }) });

const renewed = await auth.refresh(pair.refreshToken, { subject: 'user-1', rotate: true, claims: async (subject) => ({ subject }) });
same<typeof renewed, Renewed>();
same<typeof renewed.renewal, 'issued' | 'reissued' | 'kept'>();
// @ts-expect-error a claims function answers with an object
await auth.refresh(pair.refreshToken, { claims: () => 'admin' });

same<ReturnType<typeof auth.metrics>, string>();
same<ReturnType<typeof auth.metricsSnapshot>, Metric[]>();
for (const metric of auth.metricsSnapshot()) {
  if (metric.type === 'histogram') same<(typeof metric.values)[number]['sum'], number>();
  else same<(typeof metric.values)[number]['value'], number>();
}

const sessions = await auth.sessions('user-1', { current: access.sessionId });
same<typeof sessions, SessionInfo[]>();
same<Awaited<ReturnType<Auth['logoutEverywhere']>>, number>();
same<Awaited<ReturnType<Auth['revokeSession']>>, boolean>();
same<(typeof sessions)[number]['endedAt'], Date | undefined>();
await auth.logoutEverywhere(5, { exceptSession: access.sessionId, before: new Date(), reason: 'administrative' });
// @ts-expect-error an instant is a Date
await auth.logoutEverywhere('user-1', { before: 5 });
// @ts-expect-error a name that is not an option
await auth.logoutEverywhere('user-1', { except: access.sessionId });
// @ts-expect-error a number, or false
createAuth({ refresh: { maxSessions: 'many' } });
createAuth({ refresh: { maxSessions: false } });
createAuth({ refresh: { limiter: { failures: 5, window: '1m' }, maxInFlight: 100 } });
createAuth({ refresh: { limiter: false } });
// @ts-expect-error limits, or false
createAuth({ refresh: { limiter: 'on' } });
// @ts-expect-error not a reason
await auth.revokeSession('user-1', 'id', 'bored');

// Advice is a closed list: a switch over it needs no default.
function next(advice: Advice): string {
  switch (advice) {
    case 'refresh':
    case 'sign_in':
    case 'reject':
    case 'retry':
    case 'fix':
      return advice;
  }
}

try {
  auth.verify('token');
} catch (thrown) {
  if (thrown instanceof AuthError) {
    same<typeof thrown.code, ErrorCode>();
    same<typeof thrown.headers, Readonly<Record<string, string>>>();
    next(thrown.advice);
    // @ts-expect-error there is no such code
    if (thrown.code === 'ERR_TYPO') next(thrown.advice);
  }
}
new AuthError('ERR_TOKEN_MISSING', { cause: new Error('x') });
// @ts-expect-error there is no such code
new AuthError('ERR_TYPO');

function audit(event: AuditEvent): string {
  if (event.type === 'revoked') return event.reason;
  if (event.type === 'login') return event.device;
  // @ts-expect-error only a revocation has a reason
  return event.reason;
}
audit({ type: 'reissued', at: new Date(), subject: 'user-1', sessionId: 'id' });

const texts: Messages = Object.fromEntries(errorCodes.map(({ code, messages }) => [code, messages.ko]));
void texts;
