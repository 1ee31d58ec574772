/** A configuration on its way to the core, which takes JSON. */
import { types } from 'node:util';
import type { AuthError } from './auth-error.cjs';
import type { Texts } from './texts.cjs';

/**
 * The configuration as JSON text; bytes become `{ base64 }`.
 *
 * @throws {@link AuthError} `ERR_CONFIG_INVALID` for a value that JSON cannot hold: it would be
 * dropped or changed without a word.
 */
export function encodeConfig(config: object, texts: Texts): string {
  return JSON.stringify(encode(config, '', texts));
}

function encode(value: unknown, path: string, texts: Texts): unknown {
  if (types.isUint8Array(value)) {
    return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  }
  if (Array.isArray(value)) {
    return value.map((item, place) => encode(item, `${path}[${place}]`, texts));
  }
  if (isPlain(value)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(
      fields.map(([name, field]) => [name, encode(field, path ? `${path}.${name}` : name, texts)]),
    );
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
    return value;
  }
  throw configInvalid(texts, path || 'config', `cannot be ${describe(value)}`);
}

/** An `ERR_CONFIG_INVALID` that names `field`. */
export function configInvalid(texts: Texts, field: string, problem: string): AuthError {
  return texts.error('ERR_CONFIG_INVALID', { field, detail: `${field}: ${problem}` });
}

/** Whether the content of `value` is in its properties, unlike that of a `Map` or a `Date`. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an object of class ${value.constructor.name}`;
  return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
}
