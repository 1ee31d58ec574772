/** Reads requests of any framework. */
import { parse } from 'cookie';

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
  const value = parsed ? parsed[name] : parse(header(request, 'cookie') ?? '')[name];
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
