/** Compact JWS as npm `jws` reads and writes it: leniently, without checking the signature. */

/**
 * Holds at most `2 × size` entries in two generations: what is found in the old one moves to the
 * young one, and when that is full the old one is dropped. A hit in the young one moves nothing.
 */
export class Lru<Value> {
  readonly #size: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(size: number) {
    this.#size = size;
  }

  get(name: string): Value | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.set(name, old);
    return old;
  }

  set(name: string, value: Value): void {
    if (this.#young.size >= this.#size) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(name, value);
  }
}

const COMPACT = /^[a-zA-Z0-9\-_]+?\.[a-zA-Z0-9\-_]+?\.([a-zA-Z0-9\-_]+)?$/;

/** What is in a token. Whether the header is an object is not known. */
export interface Decoded {
  header: any;
  payload: unknown;
  signature: string;
}

/** What is written into a segment, or taken for a token: text as it is, bytes as UTF-8, others as JSON. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || Buffer.isBuffer(value)) return value.toString();
  return JSON.stringify(value);
}

/** How to decode. */
export interface Decoding {
  /** Whether the payload is to be parsed although the header has no `typ: JWT`. */
  json?: unknown;
  /** For `JSON.parse` of the payload. */
  reviver?: unknown;
  /** Whether the header may be one that others have as well: then it is not to be given away. */
  sharedHeader?: boolean;
}

/**
 * Decodes; null when `token` is not three segments, of which the first is JSON of something.
 *
 * @throws SyntaxError when a payload that is to be parsed is not JSON.
 */
export function decodeCompact(token: unknown, { json, reviver, sharedHeader }: Decoding): Decoded | null {
  const text = textOf(token);
  if (!COMPACT.test(text)) return null;

  const dot = text.indexOf('.');
  const end = text.lastIndexOf('.');
  const first = text.slice(0, dot);
  const header = sharedHeader ? knownHeader(first) : parseHeader(first);
  if (!header) return null;

  let payload: unknown = textOfSegment(text.slice(dot + 1, end), 'utf8');
  if (header.typ === 'JWT' || json) payload = JSON.parse(payload as string, reviver as undefined);
  return { header, payload, signature: text.slice(end + 1) };
}

/** Headers that were parsed lately. Of an app's tokens there are few. */
const headers = new Lru<any>(64);

/** Longer headers are not remembered. */
const LONGEST = 512;

function knownHeader(segment: string): any {
  const known = headers.get(segment);
  if (known !== undefined) return known;
  const header = parseHeader(segment);
  if (header && segment.length <= LONGEST) headers.set(segment, header);
  return header;
}

function parseHeader(segment: string): any {
  try {
    // Bytes as characters, as it is written.
    return JSON.parse(textOfSegment(segment, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Where short segments are decoded: a `Buffer` for each would cost more than the decoding. */
const space = Buffer.allocUnsafeSlow(4096);

function textOfSegment(segment: string, encoding: 'utf8' | 'latin1'): string {
  if (segment.length > space.length) return Buffer.from(segment, 'base64').toString(encoding);
  return space.toString(encoding, 0, space.write(segment, 'base64'));
}

/** Headers with nothing but their `alg` and `typ: JWT`, encoded: one for each algorithm. */
const ordinaryHeaders = new Map<string, string>();

/** The first segment of a token with nothing in its header but `alg` and `typ: JWT`. */
export function encodeOrdinaryHeader(alg: string): string {
  let segment = ordinaryHeaders.get(alg);
  if (segment === undefined) {
    segment = encodeHeader({ alg, typ: 'JWT' });
    ordinaryHeaders.set(alg, segment);
  }
  return segment;
}

/** Headers that were written lately, encoded. */
const encodedHeaders = new Lru<string>(64);

/** The first segment of a token with this header. Characters beyond Latin-1 lose their upper bits. */
export function encodeHeader(header: object): string {
  const text = textOf(header);
  let segment = encodedHeaders.get(text);
  if (segment === undefined) {
    segment = Buffer.from(text, 'latin1').toString('base64url');
    if (segment.length <= LONGEST) encodedHeaders.set(text, segment);
  }
  return segment;
}

interface Options {
  complete?: unknown;
  json?: unknown;
  encoding?: unknown;
}

/** See `decode` of the package. */
export function decode(jwt: unknown, options?: Options | null): unknown {
  const { complete, json, encoding } = options || ({} as Options);
  const decoded = decodeToken(jwt, { json, reviver: encoding });
  if (!decoded) return null;
  return complete === true ? decoded : decoded.payload;
}

/** As {@link decodeCompact}; moreover a payload that is JSON of an object or an array becomes one. */
export function decodeToken(jwt: unknown, decoding: Decoding): Decoded | null {
  const decoded = decodeCompact(jwt, decoding);
  if (decoded && typeof decoded.payload === 'string') {
    const value = parsed(decoded.payload);
    if (value !== null && typeof value === 'object') decoded.payload = value;
  }
  return decoded;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
