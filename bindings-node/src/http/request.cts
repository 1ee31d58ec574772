/** HTTP requests and responses as plain data: how a request is read, and how a response is built. */
import { checkArgument, isObject, isWellFormedText, type Check } from '../arguments.cjs';
import { Catalog, isAuthError, type AuthError } from '../catalog.cjs';
import { emitOnce } from '../monitoring.cjs';
import type { ClientDetails, RequestProof } from '../session.cjs';
import type { Web } from '../web.cjs';

/** Headers of Node.js, with names in any case, or of the Fetch API. */
export type HttpHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | {
    /** The value of a header; null if it is absent. */
    get(name: string): string | null;
  };

/**
 * A request of Express, Fastify, Koa, `node:http` or the Fetch API. With the Fetch API and tokens in bodies, pass an
 * object with the parsed JSON: `{ method, url, headers, body: await request.json() }`.
 */
export interface HttpRequest {
  /** The method, in capitals. */
  readonly method?: string | undefined;
  /** The path, or the full URL. */
  readonly url?: string | undefined;
  /** The original path, if a router has rewritten `url` (Express, Fastify). */
  readonly originalUrl?: string | undefined;
  /** The headers. */
  readonly headers: HttpHeaders;
  /** Names and values in turn, as the client sent them (Node.js). */
  readonly rawHeaders?: readonly string[] | undefined;
  /** The request of Node.js that a framework wraps (Fastify). */
  readonly raw?: {
    /** Names and values in turn, as the client sent them. */
    readonly rawHeaders?: readonly string[] | undefined;
  } | undefined;
  /** `http` or `https`, from Express and Fastify with their proxy settings. */
  readonly protocol?: string | undefined;
  /** Whether the client used HTTPS, from frameworks without `protocol`. */
  readonly secure?: boolean | undefined;
  /** Cookies that were parsed already. They count only where the headers have none. */
  readonly cookies?: unknown;
  /** The address of the client, from Express and Fastify with their proxy settings. */
  readonly ip?: string | undefined;
  /** The connection of Node.js. */
  readonly socket?: {
    /** The address of the peer: the client or a proxy. */
    readonly remoteAddress?: string | undefined;
    /** Whether the connection is TLS. */
    readonly encrypted?: boolean | undefined;
  } | undefined;
  /** The parsed JSON body. */
  readonly body?: unknown;
}

/** @throws AuthError `ERR_ARGUMENT_INVALID` if `request` is not a request. */
export function checkRequest(request: HttpRequest): void {
  const headers: unknown = (request as HttpRequest | null | undefined)?.headers;
  if (typeof headers === 'object' && headers !== null) return;
  throw new Catalog().argumentInvalid('request', 'expected an object with headers');
}

/**
 * The value of a header, in an array of one too; `undefined` if it is absent or repeated.
 *
 * @param name - In lower case, as Node.js has it. Headers whose names have another case are read by the core only.
 */
export function header({ headers }: HttpRequest, name: string): string | undefined {
  const { get } = headers;
  const value = typeof get === 'function' ? get.call(headers, name) : (headers as Record<string, unknown>)[name];
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.length === 1 && typeof value[0] === 'string' ? value[0] : undefined;
  return undefined;
}

/**
 * Whether the client sent a header more than once. `headers` of Node.js has only the first `Authorization`.
 *
 * @param name - In lower case.
 */
export function isRepeated({ rawHeaders, raw }: HttpRequest, name: string): boolean {
  const list: unknown = rawHeaders ?? raw?.rawHeaders;
  if (!Array.isArray(list)) return false;
  let alike = 0;
  for (let index = 0; index < list.length; index += 2) {
    // Only the length, because this runs with every request: few have two names of the same length.
    if ((list[index] as string | null | undefined)?.length === name.length) alike += 1;
  }
  return alike > 1 && isNamedTwice(list, name);
}

function isNamedTwice(list: readonly unknown[], name: string): boolean {
  const names = list.filter((_, index) => index % 2 === 0);
  return names.filter((sent) => typeof sent === 'string' && sent.toLowerCase() === name).length > 1;
}

/** The head of a request for the core: `[method, target, scheme, name, value, …]` as JSON. */
export function headOf(request: HttpRequest, { accessHeader, requestHeaders }: Web): string {
  const head: string[] = [textOr(request.method), textOr(request.originalUrl ?? request.url), schemeOf(request)];
  const { headers } = request;
  if (typeof headers.get === 'function') {
    const get = (headers as { get(name: string): unknown }).get.bind(headers);
    for (const name of requestHeaders) {
      // `Headers` of the Fetch API throws at the name of a pseudo-header.
      const value = name.startsWith(':') ? undefined : get(name);
      if (typeof value === 'string') head.push(name, value);
    }
  } else {
    for (const key of Object.keys(headers)) {
      const name = key.toLowerCase();
      if (!requestHeaders.has(name)) continue;
      const value: unknown = (headers as Record<string, unknown>)[key];
      for (const one of Array.isArray(value) ? value : [value]) if (typeof one === 'string') head.push(name, one);
      // The core refuses a header that it gets twice.
      if (name === accessHeader && typeof value === 'string' && isRepeated(request, name)) head.push(name, value);
    }
  }
  if (request.cookies !== undefined && !head.includes('cookie', 3)) {
    const cookies = cookieHeaderOf(request.cookies);
    if (cookies !== '') head.push('cookie', cookies);
  }
  return JSON.stringify(head);
}

function textOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The scheme that the framework reports, by its proxy settings; empty if unknown, as with the Fetch API, whose URL has it. */
function schemeOf({ protocol, secure, socket }: HttpRequest): string {
  if (protocol === 'http' || protocol === 'https') return protocol;
  if (typeof secure === 'boolean') return secure ? 'https' : 'http';
  return socket?.encrypted === true ? 'https' : '';
}

/** The header of cookies that are only there parsed. */
function cookieHeaderOf(cookies: unknown): string {
  if (typeof cookies !== 'object' || cookies === null) return '';
  return cookiePairs(cookies)
    // Neither a token nor its cookie's name has lone surrogates, which cannot be encoded.
    .filter((pair): pair is [string, string] => pair.length === 2 && pair.every(isWellFormedText.accepts))
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('; ');
}

/**
 * The names and values: of an object with `getAll` (`NextRequest`), of pairs such as those of a `Map` or a `CookieMap`,
 * or of a record.
 */
export function cookiePairs(cookies: object): unknown[][] {
  const { getAll } = cookies as { getAll?: unknown };
  const list: unknown = typeof getAll === 'function' ? getAll.call(cookies) : cookies;
  if (!isIterable(list)) return Object.entries(cookies);
  return [...list].map((cookie) => {
    if (Array.isArray(cookie)) return cookie as unknown[];
    const { name, value } = (cookie ?? {}) as { name?: unknown; value?: unknown };
    return [name, value];
  });
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function';
}

/** The path of the request, with the query. */
export function pathOf({ originalUrl, url }: HttpRequest): string {
  const target = textOr(originalUrl ?? url);
  if (target.startsWith('/') || !URL.canParse(target)) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

/** The address of the client, if known. */
export function addressOf({ ip, socket }: HttpRequest): string | undefined {
  const address = typeof ip === 'string' ? ip : socket?.remoteAddress;
  return typeof address === 'string' ? address : undefined;
}

/**
 * Where a request came from, for `auth.login(user, clientOf(request))` and `auth.refresh`: the address that Express and
 * Fastify report with their proxy settings, else that of the peer, and the user agent. The `Request` of the Fetch API has
 * no address.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` if `request` is not a request.
 */
export function clientOf(request: HttpRequest): ClientDetails {
  checkRequest(request);
  const address = addressOf(request);
  const [userAgent] = headerInAnyCase(request, 'user-agent');
  return {
    ...(address !== undefined && isWellFormedText.accepts(address) && { address }),
    ...(userAgent !== undefined && isWellFormedText.accepts(userAgent) && { userAgent }),
  };
}

/**
 * Returns the proof of a request, for `auth.login(user, { proof })` and `auth.refresh(token, { proof })`, which check
 * it; `undefined` if there is none.
 *
 * @throws AuthError `ERR_ARGUMENT_INVALID` if `request` is not a request.
 */
export function proofOf(request: HttpRequest): RequestProof | undefined {
  checkRequest(request);
  // Several proofs, joined as Node.js joins them, are no valid proof (RFC 9449 §4.3).
  const proof = headerInAnyCase(request, 'dpop').join(', ');
  if (proof === '') return undefined;
  return { proof, method: textOr(request.method), path: pathOf(request) };
}

/** All values of a header, whatever the case of its name. */
function headerInAnyCase({ headers }: HttpRequest, name: string): string[] {
  if (typeof headers.get === 'function') {
    const value: unknown = (headers as { get(name: string): unknown }).get(name);
    return typeof value === 'string' ? [value] : [];
  }
  const entries = Object.entries(headers as Record<string, unknown>);
  const values = entries.filter(([key]) => key.toLowerCase() === name).flatMap(([, value]) => value);
  return values.filter((value) => typeof value === 'string');
}

/** What is to be sent. */
export interface HttpAnswer {
  /** The status. */
  readonly status: number;
  /** The headers, beside those of the cookies. */
  readonly headers: Readonly<Record<string, string>>;
  /** The values of `Set-Cookie`, one for each cookie. */
  readonly cookies: readonly string[];
  /** To be sent as JSON. Absent: there is no body. */
  readonly body?: object;
}

/** Forbids every cache to keep the answer (RFC 6749 §5.1). */
export const NO_STORE = { 'Cache-Control': 'no-store' } as const;

/** 405 for a method that is not among `allow` (RFC 9110 §15.5.6). */
export function methodNotAllowed(allow: string): HttpAnswer {
  return { status: 405, headers: { ...NO_STORE, Allow: allow }, cookies: [] };
}

const isAnswer: Check = {
  accepts: (value) => {
    const { status, headers, cookies } = (value ?? {}) as Partial<HttpAnswer>;
    return Number.isInteger(status) && isObject.accepts(headers) && Array.isArray(cookies);
  },
  expected: 'an answer of this package',
};
/** Not `instanceof`: the error may be that of another copy of this package. */
const isError: Check = {
  accepts: (value) => value instanceof Error && Number.isInteger((value as Partial<AuthError>).status),
  expected: 'an AuthError',
};

/** The answer to a refusal: the error's status, headers and cookies, and `{ error: { code, advice, message } }`. */
export function refusal(error: AuthError): HttpAnswer {
  checkArgument('error', error, isError, new Catalog());
  // Clients see none of its details and can do nothing about it.
  if (error.advice === 'fix') emitOnce(error.message, error.message, error.code);
  return { status: error.status, headers: { ...NO_STORE, ...error.headers }, cookies: error.cookies ?? [], body: { error } };
}

/** The answer that `work` gives, or the one to its refusal. Everything else that is thrown is the app's. */
export async function toAnswer(work: Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await work;
  } catch (thrown) {
    if (isAuthError(thrown)) return refusal(thrown);
    throw appError(thrown);
  }
}

/**
 * The session that a request names; `undefined` for all. An empty name, as in `DELETE /sessions/`, is that of no session,
 * whatever the router makes of it: a client whose variable is empty must not end all of them.
 */
export function sessionIdOf(request: HttpRequest, id: unknown): string | undefined {
  if (typeof id === 'string' && id !== '') return id;
  return request.method === 'DELETE' && pathOf(request).split('?')[0]!.endsWith('/') ? '' : undefined;
}

/** A response that the core has made, as JSON. */
export function parseAnswer(text: string): HttpAnswer {
  type Written = { status: number; headers: [string, string][]; cookies: string[]; body: object | null };
  const { status, headers, cookies, body } = JSON.parse(text) as Written;
  return { status, headers: Object.fromEntries(headers), cookies, ...(body && { body }) };
}

/**
 * What an app has thrown, as a value that Express takes for an error: `next(undefined)` and `next('route')` mean to go
 * on.
 */
export function appError(thrown: unknown): unknown {
  if (!isReadable(thrown)) return new Error('the app has thrown a proxy that cannot be read');
  if (thrown && thrown !== 'route' && thrown !== 'router') return thrown;
  return new Error(`the app has thrown ${thrown ? 'a string' : String(thrown)} in place of an error`, { cause: thrown });
}

/** Whether error handlers can look at a value: not at a revoked proxy, for example. */
function isReadable(value: unknown): boolean {
  try {
    return value instanceof Error || String((value as { stack?: unknown } | null | undefined)?.stack).length >= 0;
  } catch {
    return false;
  }
}

/** The answer as a `Response` of the Fetch API: for Hono, Next.js and the like. */
export function toResponse(answer: HttpAnswer): Response {
  checkArgument('answer', answer, isAnswer, new Catalog());
  const { status, headers, cookies, body } = answer;
  const all = new Headers(headers);
  for (const cookie of cookies) all.append('Set-Cookie', cookie);
  return body === undefined ? new Response(null, { status, headers: all }) : Response.json(body, { status, headers: all });
}
