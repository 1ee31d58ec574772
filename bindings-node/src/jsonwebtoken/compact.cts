/** Encodes and decodes compact JWS as npm `jws` does: leniently, without checking the signature. */

/**
 * An approximate LRU cache of at most `2 × size` entries in two generations. A hit in the old
 * generation moves the entry to the young one; a full young generation replaces the old one.
 * A hit in the young generation moves nothing.
 */
export class Lru<Value> {
  readonly #size: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }
}

const COMPACT = /^[a-zA-Z0-9\-_]+?\.[a-zA-Z0-9\-_]+?\.([a-zA-Z0-9\-_]+)?$/;

/** A decoded token. The header may be JSON of any type. */
export interface Decoded {
  header: any;
  payload: unknown;
  signature: string;
}

/** Converts a segment or a token to text: strings unchanged, bytes as UTF-8, other values as JSON. */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || Buffer.isBuffer(value)) return value.toString();
  return JSON.stringify(value);
}

export interface DecodeParameters {
  /** Parse the payload as JSON even without `typ: JWT` in the header. */
  json?: unknown;
  /** The reviver for `JSON.parse` of the payload. */
  reviver?: unknown;
  /** Allow a cached header object. Cached headers are shared; do not pass them to the caller. */
  sharedHeader?: boolean;
}

/**
 * Decodes a token. Returns null unless `token` has three segments and the first one is JSON of a
 * truthy value.
 *
 * @throws SyntaxError when the payload must be JSON and is not.
 */
export function decodeCompact(token: unknown, { json, reviver, sharedHeader }: DecodeParameters): Decoded | null {
  const text = toText(token);
  if (!COMPACT.test(text)) return null;

  const dot = text.indexOf('.');
  const end = text.lastIndexOf('.');
  const first = text.slice(0, dot);
  const header = sharedHeader ? cachedHeader(first) : parseHeader(first);
  if (!header) return null;

  let payload: unknown = decodeSegment(text.slice(dot + 1, end), 'utf8');
  if (header.typ === 'JWT' || json) payload = JSON.parse(payload as string, reviver as undefined);
  return { header, payload, signature: text.slice(end + 1) };
}

/** Recently parsed headers. An app uses few different ones. */
const parsedHeaders = new Lru<any>(64);

/** Longer encoded headers are not cached. */
const MAX_CACHED_LENGTH = 512;

function cachedHeader(segment: string): any {
  const cached = parsedHeaders.get(segment);
  if (cached !== undefined) return cached;
  const header = parseHeader(segment);
  if (header && segment.length <= MAX_CACHED_LENGTH) parsedHeaders.set(segment, header);
  return header;
}

function parseHeader(segment: string): any {
  try {
    // Latin-1, as npm `jws` encodes headers.
    return JSON.parse(decodeSegment(segment, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Scratch buffer for short segments. Allocating a `Buffer` per segment costs more than decoding it. */
const scratch = Buffer.allocUnsafeSlow(4096);

function decodeSegment(segment: string, encoding: 'utf8' | 'latin1'): string {
  if (segment.length > scratch.length) return Buffer.from(segment, 'base64').toString(encoding);
  return scratch.toString(encoding, 0, scratch.write(segment, 'base64'));
}

/** Encoded headers that contain only `alg` and `typ: JWT`, by algorithm. */
const defaultHeaders = new Map<string, string>();

/** Encodes a header that contains only `alg` and `typ: JWT`. */
export function encodeDefaultHeader(alg: string): string {
  let segment = defaultHeaders.get(alg);
  if (segment === undefined) {
    segment = encodeHeader({ alg, typ: 'JWT' });
    defaultHeaders.set(alg, segment);
  }
  return segment;
}

/** Recently encoded headers, by their JSON. */
const encodedHeaders = new Lru<string>(64);

/** Encodes a header. Characters beyond Latin-1 lose their upper bits, as with npm `jws`. */
export function encodeHeader(header: object): string {
  const text = toText(header);
  let segment = encodedHeaders.get(text);
  if (segment === undefined) {
    segment = Buffer.from(text, 'latin1').toString('base64url');
    if (segment.length <= MAX_CACHED_LENGTH) encodedHeaders.set(text, segment);
  }
  return segment;
}

interface Options {
  complete?: unknown;
  json?: unknown;
  encoding?: unknown;
}

/** See `decode` in `jsonwebtoken.d.cts`. */
export function decode(jwt: unknown, options?: Options | null): unknown {
  const { complete, json, encoding } = options || ({} as Options);
  const decoded = decodeToken(jwt, { json, reviver: encoding });
  if (!decoded) return null;
  return complete === true ? decoded : decoded.payload;
}

/** Like {@link decodeCompact}, and also parses a payload that is the JSON of an object or an array. */
export function decodeToken(jwt: unknown, decoding: DecodeParameters): Decoded | null {
  const decoded = decodeCompact(jwt, decoding);
  if (decoded && typeof decoded.payload === 'string') {
    const value = tryParse(decoded.payload);
    if (value !== null && typeof value === 'object') decoded.payload = value;
  }
  return decoded;
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
