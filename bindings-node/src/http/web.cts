/** How tokens travel: the options of cookies and origins, and the core's rules that are made of them. */
import { NativeWeb } from '../../native.cjs';
import { isFlag, isText, type Check, type Checks } from '../arguments.cjs';
import { Catalog } from '../catalog.cjs';
import type { AccessGuard } from './authenticate.cjs';

/** Which other origins may use the cookie. */
export interface OriginOptions {
  /**
   * Origins besides the server's own whose pages may use the cookie, such as `https://app.example.com`
   * for a server at `https://api.example.com`.
   */
  allowedOrigins?: readonly string[] | undefined;
}

/** How tokens are transported. Login, refresh and logout need the same options. */
export interface TransportOptions {
  /**
   * The refresh cookie: `true` (default) for a cookie `refreshToken`, a string for a cookie of that
   * name, `false` to transport the refresh token in the JSON bodies of request and response instead.
   */
  cookie?: boolean | string | undefined;
  /**
   * The path of the refresh cookie, by default `/auth`, and `/` for a name that begins with `__Host-`. Browsers send it
   * to routes below that path only. Refresh and logout must be mounted there.
   */
  path?: string | undefined;
  /**
   * The access cookie, in addition to the JSON response: `true` for a cookie `accessToken`, a string for
   * a cookie of that name, `false` (default) for none.
   */
  accessCookie?: boolean | string | undefined;
  /**
   * Whether cookies are sent over HTTPS only; default `true`. `'auto'`: where the request came by HTTPS, which behind a
   * proxy needs the framework's setting for it (`trust proxy` of Express, `trustProxy` of Fastify). `false` is for
   * plain HTTP only.
   */
  secure?: boolean | 'auto' | undefined;
  /** The domain of the cookies; default: the host that set them, without its subdomains. */
  domain?: string | undefined;
}

/** The options of {@link webOf}: those of the endpoints, and the header of access tokens. */
interface WebOptions extends TransportOptions, OriginOptions {
  header?: string | undefined;
}

/** One for each set of options: apps may pass a literal with every request. */
const webs = new Map<string, NativeWeb>();
const MAX_WEBS = 100;

/** The rules for a transport of tokens. @throws AuthError `ERR_CONFIG_INVALID` */
export function webOf(options: WebOptions): NativeWeb {
  const { header, cookie = true, accessCookie = false, path, secure, domain, allowedOrigins } = options;
  const text = JSON.stringify({
    accessHeader: header,
    accessCookie: cookieOf(accessCookie, 'accessToken', { secure, domain }),
    refreshCookie: cookieOf(cookie, 'refreshToken', { path, secure, domain }),
    allowedOrigins,
  });
  let web = webs.get(text);
  if (web === undefined) {
    const created = NativeWeb.create(text);
    if (!(created instanceof NativeWeb)) throw new Catalog().errorOf(created);
    if (webs.size === MAX_WEBS) webs.clear();
    webs.set(text, (web = created));
  }
  return web;
}

function cookieOf(option: boolean | string, usual: string, attributes: { path?: unknown; secure: unknown; domain: unknown }) {
  if (option === false) return undefined;
  const name = option === true ? usual : option;
  // Browsers take `__Host-` with the path `/` alone.
  const path = attributes.path ?? (/^__Host-/i.test(name) ? '/' : undefined);
  return { name, ...attributes, path };
}

/** Whether the refresh token travels in JSON bodies. */
export function isByBody({ cookie }: TransportOptions): boolean {
  return cookie === false;
}

const isNameOrFlag: Check = {
  accepts: (value) => isText.accepts(value) || isFlag.accepts(value),
  expected: 'a name, true or false',
};
const isSecure: Check = { accepts: (value) => isFlag.accepts(value) || value === 'auto', expected: "true, false or 'auto'" };
export const isTexts: Check = {
  accepts: (value) => Array.isArray(value) && value.every(isText.accepts),
  expected: 'an array of strings',
};

/** The checks of {@link TransportOptions} and {@link OriginOptions}. */
export const transportChecks: Checks<TransportOptions & OriginOptions> = {
  cookie: isNameOrFlag,
  path: isText,
  accessCookie: isNameOrFlag,
  secure: isSecure,
  domain: isText,
  allowedOrigins: isTexts,
};

/** @throws AuthError `ERR_ARGUMENT_INVALID` for what is neither an auth object nor a verifier. */
export function checkGuard(auth: AccessGuard): void {
  const { verifyBearer, verifyBearerAsync, error } = (auth ?? {}) as unknown as Partial<Record<string, unknown>>;
  if (typeof error === 'function' && typeof (verifyBearer ?? verifyBearerAsync) === 'function') return;
  throw new Catalog().argumentInvalid('auth', 'expected an object of createAuth or createVerifier');
}
