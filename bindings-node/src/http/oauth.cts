/** The endpoints of OAuth 2.0: token, revocation and introspection, for clients and services that speak nothing else. */
import { Readable } from 'node:stream';
import { internalsOf, type Auth } from '../auth.cjs';
import { checkArgument, detailsOf, isAnything, isFunction, isObject, type Checks } from '../arguments.cjs';
import { Catalog } from '../catalog.cjs';
import type { ClaimsSource } from '../session.cjs';
import { claimsOf } from './endpoints.cjs';
import { checkAuth, checkHandlerOptions, refuseOptions } from './guard.cjs';
import { NO_STORE, checkRequest, clientOf, headOf, methodNotAllowed, parseAnswer, toAnswer, type HttpAnswer, type HttpRequest } from './request.cjs';

/** The options of the token endpoint. */
export interface TokenOptions {
  /** As for the refresh endpoint. */
  claims?: ClaimsSource | undefined;
}

/** The options of the introspection endpoint. */
export interface IntrospectionOptions {
  /**
   * Whether the caller may introspect tokens (RFC 7662 §2.1): the claims of a token are not for everybody who finds it.
   * Others get 401.
   */
  authorize: (request: any) => boolean | Promise<boolean>;
}

const tokenChecks: Checks<TokenOptions> = { claims: isAnything };
const introspectionChecks: Checks<IntrospectionOptions> = { authorize: isFunction };

/** @throws AuthError `ERR_ARGUMENT_INVALID` */
export function checkTokenRoute(auth: Auth, options: TokenOptions): void {
  checkAuth(auth);
  checkHandlerOptions(options, tokenChecks, 'refreshCookie');
}

/** @throws AuthError `ERR_ARGUMENT_INVALID`, also without `authorize`. */
export function checkIntrospectionRoute(auth: Auth, options: IntrospectionOptions): void {
  checkAuth(auth);
  checkHandlerOptions(options, introspectionChecks, 'refreshCookie');
  checkArgument('authorize', options.authorize, isFunction, new Catalog());
}

/**
 * The response of the token endpoint for the grant `refresh_token` (RFC 6749 §6): a form with `grant_type` and
 * `refresh_token` in, `{ access_token, token_type, expires_in, refresh_token? }` out; a refused token is `invalid_grant`.
 *
 * @param request - Its body may be unread, the text of the form, or its parsed fields.
 * @throws what `claims` throws.
 */
export async function token(auth: Auth, request: HttpRequest, options: TokenOptions = {}): Promise<HttpAnswer> {
  checkTokenRoute(auth, options);
  checkRequest(request);
  return toAnswer(answerToken(auth, request, options));
}

/** The response of the token endpoint, for checked arguments. */
export async function answerToken(auth: Auth, request: HttpRequest, options: TokenOptions): Promise<HttpAnswer> {
  const { native, catalog, web } = internalsOf(auth);
  const form = await formOf(request);
  if (typeof form !== 'string') return form;
  const input = { rotate: undefined, address: detailsOf(clientOf(request)).address };
  const token = new URLSearchParams(form).get('refresh_token') ?? '';
  const { claims, identityError } = await claimsOf(auth, token, request, options.claims);
  const answer = parseAnswer(catalog.textOf(await native.tokenResponse(headOf(request, web), form, { ...input, claims })));
  if (identityError && answer.status === 200) throw identityError;
  return answer;
}

/**
 * The response of the revocation endpoint (RFC 7009): a form with a `token` in, 200 out, also for a token that is not
 * valid any more. A refresh token or an access token ends its session.
 */
export async function revoke(auth: Auth, request: HttpRequest): Promise<HttpAnswer> {
  checkAuth(auth);
  checkRequest(request);
  refuseOptions(arguments[2]);
  const { native, catalog, web } = internalsOf(auth);
  const form = await formOf(request);
  if (typeof form !== 'string') return form;
  return parseAnswer(catalog.textOf(await native.revocationResponse(headOf(request, web), form, detailsOf(clientOf(request)).address)));
}

/**
 * The response of the introspection endpoint (RFC 7662): a form with a `token` in, its claims with `active: true` out, or
 * `{ active: false }`.
 */
export async function introspect(auth: Auth, request: HttpRequest, options: IntrospectionOptions): Promise<HttpAnswer> {
  checkIntrospectionRoute(auth, options);
  checkRequest(request);
  const { native, catalog } = internalsOf(auth);
  if ((await options.authorize(request)) !== true) return UNAUTHORIZED;
  const form = await formOf(request);
  if (typeof form !== 'string') return form;
  return parseAnswer(catalog.textOf(await native.introspectionResponse(form)));
}

const UNAUTHORIZED: HttpAnswer = { status: 401, headers: { ...NO_STORE, 'WWW-Authenticate': 'Bearer' }, cookies: [], body: { error: 'invalid_client' } };

/** A form is a token and a few words. */
const MAX_FORM_BYTES = 80 * 1024;

/** The text of the form; the response to a request that has none. */
async function formOf(request: HttpRequest): Promise<string | HttpAnswer> {
  if ((request.method ?? 'POST') !== 'POST') return methodNotAllowed('POST');
  const { body } = request as { body?: unknown };
  if (typeof body === 'string') return body;
  if (ArrayBuffer.isView(body)) return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  if (body instanceof URLSearchParams) return body.toString();
  const stream = isStream(body) ? body : isStream(request) && isUnread(request) ? request : undefined;
  if (stream !== undefined) return readForm(stream);
  if (!isObject.accepts(body)) return '';
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body as object)) {
    for (const one of Array.isArray(value) ? value : [value]) if (typeof one === 'string') form.append(name, one);
  }
  return form.toString();
}

type Chunks = AsyncIterable<Uint8Array | string>;

/** Of Node.js, or the body of the Fetch API. */
function isStream(value: unknown): value is Chunks {
  return typeof (value as Partial<Chunks> | null | undefined)?.[Symbol.asyncIterator] === 'function';
}

/** Body parsers of Express 4 leave `{}` where they have read nothing. */
function isUnread({ readableEnded, body }: { readableEnded?: boolean; body?: unknown }): boolean {
  const isUnparsed = body === undefined || (isObject.accepts(body) && Object.keys(body as object).length === 0);
  return isUnparsed && readableEnded === false;
}

async function readForm(stream: Chunks): Promise<string | HttpAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  // Node.js destroys a stream whose loop is left, and a destroyed request has no socket, of which others ask the address.
  const kept = stream instanceof Readable ? stream.iterator({ destroyOnReturn: false }) : stream;
  try {
    for await (const chunk of kept as Chunks) {
      const bytes = Buffer.from(chunk as Uint8Array);
      length += bytes.length;
      if (length > MAX_FORM_BYTES) return badForm(413);
      chunks.push(bytes);
    }
  } catch {
    // The client has gone, which is no error of the app.
    return badForm(400);
  }
  return Buffer.concat(chunks).toString();
}

function badForm(status: number): HttpAnswer {
  return { status, headers: NO_STORE, cookies: [], body: { error: 'invalid_request' } };
}
