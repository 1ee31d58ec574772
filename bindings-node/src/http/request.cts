/** What is read of a request, whichever framework it came through. */
import { parse } from 'cookie';

/** `TRACE` is not among them: nobody needs it. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Headers as Node.js has them, with names in lower case, or as the Fetch API has them. */
export type HttpHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | {
    /** The value of a header; null where it is absent. */
    get(name: string): string | null;
  };

/**
 * A request. Those of Express, Fastify, Koa and `node:http` are one, and so is the `Request` of the Fetch API; only
 * where tokens travel in bodies must that be one with the parsed JSON: `{ method, headers, body: await request.json() }`.
 */
export interface HttpRequest {
  /** The method, in capitals. */
  readonly method?: string | undefined;
  /** The path that was asked for, or the whole address. Only proofs of keys (DPoP) need it. */
  readonly url?: string | undefined;
  /** The path that was asked for, where a router has made another one of it (Express, Fastify). */
  readonly originalUrl?: string | undefined;
  /** The headers. */
  readonly headers: HttpHeaders;
  /** The cookies, where something has read them already. Otherwise they are read from the headers. */
  readonly cookies?: unknown;
  /** The address of the client, as Express and Fastify have it: by their settings about proxies. */
  readonly ip?: string | undefined;
  /** The connection, as Node.js has it. */
  readonly socket?: {
    /** The address at its other end: of the client, or of a proxy. */
    readonly remoteAddress?: string | undefined;
  } | undefined;
  /** The body, where it was JSON and something has read it. */
  readonly body?: unknown;
}

/** The value of a header; `undefined` where it is absent, or where Node.js has several of it. */
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

/** Whether the request only reads (RFC 9110 §9.2.1). One that becomes a WebSocket begins as a `GET` and does more. */
export function isSafe(request: HttpRequest): boolean {
  return SAFE_METHODS.has(request.method ?? '') && header(request, 'upgrade') === undefined;
}

/** The path of the request, with its query. */
export function pathOf({ originalUrl, url = '' }: HttpRequest): string {
  const asked = originalUrl ?? url;
  if (asked.startsWith('/') || !URL.canParse(asked)) return asked;
  const { pathname, search } = new URL(asked);
  return pathname + search;
}

/** The address of the client, as far as the request tells. */
export function addressOf({ ip, socket }: HttpRequest): string | undefined {
  const address = typeof ip === 'string' ? ip : socket?.remoteAddress;
  return typeof address === 'string' ? address : undefined;
}
