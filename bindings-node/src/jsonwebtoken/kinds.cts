/** What counts as a string, a number, a boolean and a plain object: boxed ones do, as lodash has it. */

const tagOf = (value: unknown): string => Object.prototype.toString.call(value) as string;
const isBoxed = (value: unknown, tag: string): boolean => typeof value === 'object' && value !== null && tagOf(value) === tag;

export function isString(value: unknown): boolean {
  return typeof value === 'string' || (!Array.isArray(value) && isBoxed(value, '[object String]'));
}

/** NaN and the infinities are numbers. */
export function isNumber(value: unknown): boolean {
  return typeof value === 'number' || isBoxed(value, '[object Number]');
}

export function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean' || isBoxed(value, '[object Boolean]');
}

const objectSource = Function.prototype.toString.call(Object);

/** Made by `{}`, `Object` or `Object.create(null)`, in whatever realm: by its source, not its identity. */
export function isPlainObject(value: unknown): boolean {
  if (!isBoxed(value, '[object Object]')) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  // Nearly always: the source of a function is made anew whenever it is asked for.
  if (prototype === Object.prototype && prototype.constructor === Object) return true;
  const maker: unknown = Object.hasOwn(prototype, 'constructor') && prototype.constructor;
  return typeof maker === 'function' && Function.prototype.toString.call(maker) === objectSource;
}
