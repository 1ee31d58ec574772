/** Compact JWS as npm `jws` reads and writes them: leniently, and without looking at the signature. */
import type { Loose } from './loose.cjs';

const COMPACT = /^[a-zA-Z0-9\-_]+?\.[a-zA-Z0-9\-_]+?\.([a-zA-Z0-9\-_]+)?$/;

/** What is in a token. Whether the header is an object is not known. */
export interface Decoded {
  header: Loose;
  payload: unknown;
  signature: string;
}

/** What is written into a segment, or taken for a token: text as it is, bytes as UTF-8, others as JSON. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || Buffer.isBuffer(value)) return value.toString();
  return JSON.stringify(value);
}

/**
 * Decodes; null when `token` is not three segments, of which the first is JSON of something.
 *
 * @param asJson - Whether the payload is to be parsed although the header has no `typ: JWT`.
 * @param reviver - For `JSON.parse` of the payload.
 * @throws SyntaxError when a payload that is to be parsed is not JSON.
 */
export function decodeCompact(token: unknown, asJson: unknown, reviver: unknown): Decoded | null {
  const text = textOf(token);
  if (!COMPACT.test(text)) return null;

  const [first = '', second = '', signature = ''] = text.split('.');
  const header = parseHeader(first);
  if (!header) return null;

  let payload: unknown = Buffer.from(second, 'base64').toString();
  if (header.typ === 'JWT' || asJson) payload = JSON.parse(payload as string, reviver as undefined);
  return { header, payload, signature };
}

function parseHeader(segment: string): Loose {
  try {
    // Bytes as characters, as it is written.
    return JSON.parse(Buffer.from(segment, 'base64').toString('latin1'));
  } catch {
    return undefined;
  }
}

/** The first segment of a token with this header. Characters beyond Latin-1 lose their upper bits. */
export function encodeHeader(header: object): string {
  return Buffer.from(textOf(header), 'latin1').toString('base64url');
}
