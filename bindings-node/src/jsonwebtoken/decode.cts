/** What a token says, whoever wrote it. */
import { decodeCompact } from './compact.cjs';
import type { Decoded, Decoding } from './compact.cjs';

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
