/** A configuration on its way to the core, which takes JSON. */
import { types } from 'node:util';
import type { Catalog } from './catalog.cjs';

/**
 * The configuration as JSON text; bytes become `{ base64 }`.
 *
 * @throws AuthError `ERR_CONFIG_INVALID` for a value that JSON cannot hold: it would be
 * dropped or changed without a word.
 */
export function encodeConfig(config: object, catalog: Catalog): string {
  return JSON.stringify(encode(config, '', catalog));
}

function encode(value: unknown, path: string, catalog: Catalog): unknown {
  if (types.isUint8Array(value)) {
    return { base64: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
  }
  if (Array.isArray(value)) {
    return value.map((item, place) => encode(item, `${path}[${place}]`, catalog));
  }
  if (isPlain(value)) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return Object.fromEntries(
      fields.map(([name, field]) => [name, encode(field, path ? `${path}.${name}` : name, catalog)]),
    );
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) {
    return value;
  }
  throw catalog.configInvalid(path || 'config', `cannot be ${describe(value)}`);
}

/** Whether the content of `value` is in its properties, unlike that of a `Map` or a `Date`. */
function isPlain(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function describe(value: unknown): string {
  if (typeof value === 'object' && value !== null) return `an object of class ${value.constructor.name}`;
  return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
}
