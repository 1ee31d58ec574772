/** HTTP requests and responses as plain data: how one is read, whose page sent it, and how the other is built. */
import { parse } from 'cookie';
import { AuthError } from '../catalog.cjs';
import type { RequestProof } from '../session.cjs';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Headers of Node.js, with names in lower case, or of the Fetch API. */
export type HttpHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | {
    /** The value of a header; null if it is absent. */
    get(name: string): string | null;
  };

/**
 * A request of Express, Fastify, Koa, `node:http` or the Fetch API. With the Fetch API and tokens in bodies, pass an
 * object with the parsed JSON: `{ method, headers, body: await request.json() }`.
 */
export interface HttpRequest {
  /** The method, in capitals. */
  readonly method?: string | undefined;
  /** The path, or the full URL. Only DPoP proofs need it. */
  readonly url?: string | undefined;
  /** The original path, if a router has rewritten `url` (Express, Fastify). */
  readonly originalUrl?: string | undefined;
  /** The headers. */
  readonly headers: HttpHeaders;
  /** The parsed cookies. If absent, they are parsed from the headers. */
  readonly cookies?: unknown;
  /** The address of the client, from Express and Fastify with their proxy settings. */
  readonly ip?: string | undefined;
  /** The connection of Node.js. */
  readonly socket?: {
    /** The address of the peer: the client or a proxy. */
    readonly remoteAddress?: string | undefined;
  } | undefined;
  /** The parsed JSON body. */
  readonly body?: unknown;
}

/** The value of a header; `undefined` if it is absent or repeated. */
export function header({ headers }: HttpRequest, name: string): string | undefined {
  const { get } = headers;
  const value = typeof get === 'function' ? get.call(headers, name) : (headers as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}

/** The value of a cookie. */
export function readCookie(request: HttpRequest, name: string): string | undefined {
  const parsed = request.cookies as Record<string, unknown> | undefined;
  // `cookies` of a `NextRequest` is an object with methods, not the parsed cookies.
  const isRecord = parsed && typeof parsed['get'] !== 'function';
  const value = isRecord ? parsed[name] : parse(header(request, 'cookie') ?? '')[name];
  return typeof value === 'string' ? value : undefined;
}

/** Whether the method is safe (RFC 9110 §9.2.1). A WebSocket upgrade is a `GET`, but not safe. */
export function isSafe(request: HttpRequest): boolean {
  return SAFE_METHODS.has(request.method ?? '') && header(request, 'upgrade') === undefined;
}

/** The path of the request, with the query. */
export function pathOf({ originalUrl, url = '' }: HttpRequest): string {
  const target = originalUrl ?? url;
  if (target.startsWith('/') || !URL.canParse(target)) return target;
  const { pathname, search } = new URL(target);
  return pathname + search;
}

/** The address of the client, if known. */
export function addressOf({ ip, socket }: HttpRequest): string | undefined {
  const address = typeof ip === 'string' ? ip : socket?.remoteAddress;
  return typeof address === 'string' ? address : undefined;
}

/** Which other origins may use the cookie. */
export interface OriginOptions {
  /**
   * Origins besides the server's own whose pages may use the cookie, such as `https://app.example.com`
   * for a server at `https://api.example.com`.
   */
  allowedOrigins?: readonly string[] | undefined;
}

/**
 * Browsers send the origin of a request in `Sec-Fetch-Site`, older ones in `Origin`; a page can forge
 * neither. A request with neither is not from a browser, so no cookie can be abused.
 */
export function isOwnPage(request: HttpRequest, { allowedOrigins = [] }: OriginOptions): boolean {
  const origin = header(request, 'origin');
  if (origin !== undefined && allowedOrigins.includes(origin)) return true;
  const site = header(request, 'sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || hostOf(origin) === header(request, 'host');
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

const SCHEME = /^dpop +/i;

/**
 * Returns the proof of a request, for `auth.login(user, { proof })` and `auth.refresh(token, { proof })`, which check
 * it; `undefined` if there is none.
 */
export function proofOf(request: HttpRequest): RequestProof | undefined {
  const proof = header(request, 'dpop');
  if (proof === undefined) return undefined;
  return { proof, method: request.method ?? '', path: pathOf(request) };
}

/** The token in an `Authorization` header with the scheme `DPoP`; `undefined` with another scheme. */
export function boundToken(value: string | undefined): string | undefined {
  if (value === undefined || !SCHEME.test(value)) return undefined;
  return value.replace(SCHEME, '');
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

/** An answer that no cache keeps. */
export function answer(status: number, body?: object, cookies: readonly string[] = []): HttpAnswer {
  return { status, headers: NO_STORE, cookies, ...(body && { body }) };
}

/** The answer to a refusal: the error's status and headers, and `{ error: { code, advice, message } }`. */
export function refusal(error: AuthError): HttpAnswer {
  return { status: error.status, headers: { ...NO_STORE, ...error.headers }, cookies: [], body: { error } };
}

/** The answer that `work` gives, or the one to its refusal. Everything else that is thrown is the app's. */
export async function toAnswer(work: Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await work;
  } catch (thrown) {
    if (thrown instanceof AuthError) return refusal(thrown);
    throw thrown;
  }
}

/** The answer as a `Response` of the Fetch API: for Hono, Next.js and the like. */
export function toResponse({ status, headers, cookies, body }: HttpAnswer): Response {
  const all = new Headers(headers);
  for (const cookie of cookies) all.append('Set-Cookie', cookie);
  return body === undefined ? new Response(null, { status, headers: all }) : Response.json(body, { status, headers: all });
}
