/**
 * ECDSA signatures between the form of a JWS (`r ‖ s`, RFC 7518 §3.4) and DER.
 *
 * Node converts too, but only for the size of the key's own curve; with
 * `allowInvalidAsymmetricKeyTypes` a key may be of another one than the algorithm says.
 */

/** The bytes of `r`, and of `s`. */
const sizeOf: Record<string, number> = { 256: 32, 384: 48, 512: 66 };

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * @param bits - The number in the name of the algorithm.
 * @throws Error when `der` is not an ECDSA signature or one of too large numbers.
 */
export function derToJose(der: Buffer, bits: string): Buffer {
  const size = sizeOf[bits] ?? 0;
  let offset = 0;
  if (der[offset++] !== SEQUENCE) throw new Error('Could not find expected "seq"');
  let length = der[offset++] ?? 0;
  if (length === 0x81) length = der[offset++] ?? 0;
  if (der.length - offset < length) {
    throw new Error(`"seq" specified length of "${length}", only "${der.length - offset}" remaining`);
  }

  const integer = (name: string, after: number): Buffer => {
    if (der[offset++] !== INTEGER) throw new Error(`Could not find expected "int" for "${name}"`);
    const bytes = der[offset++] ?? 0;
    const rest = der.length - offset - after;
    if (name === 'r' && rest < bytes) {
      throw new Error(`"${name}" specified length of "${bytes}", only "${rest}" available`);
    }
    if (name === 's' && rest !== bytes) {
      throw new Error(`"${name}" specified length of "${bytes}", expected "${rest}"`);
    }
    if (bytes > size + 1) {
      throw new Error(`"${name}" specified length of "${bytes}", max of "${size + 1}" is acceptable`);
    }
    offset += bytes;
    return der.subarray(offset - bytes, offset);
  };

  const jose = Buffer.alloc(2 * size);
  // A number that begins with a set bit has a zero before it in DER, which may be one byte too many.
  const place = (number: Buffer, end: number): void => {
    const fitting = number.subarray(Math.max(0, number.length - size));
    fitting.copy(jose, end - fitting.length);
  };
  // At least the two bytes that every number begins with follow `r`.
  place(integer('r', 2), size);
  place(integer('s', 0), 2 * size);
  return jose;
}

/**
 * @param bits - The number in the name of the algorithm.
 * @throws TypeError when the signature has not the size that the algorithm says.
 */
export function joseToDer(jose: Buffer, bits: string): Buffer {
  const size = sizeOf[bits] ?? 0;
  if (jose.length !== 2 * size) {
    throw new TypeError(`"ES${bits}" signatures must be "${2 * size}" bytes, saw "${jose.length}"`);
  }
  const numbers = Buffer.concat([integer(jose.subarray(0, size)), integer(jose.subarray(size))]);
  const head = numbers.length < 0x80 ? [SEQUENCE, numbers.length] : [SEQUENCE, 0x81, numbers.length];
  return Buffer.concat([Buffer.from(head), numbers]);
}

/** A non-negative number, without needless zeros before it. */
function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const number = first === -1 ? Buffer.alloc(1) : bytes.subarray(first);
  const sign = (number[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.from([INTEGER, sign.length + number.length, ...sign]), number]);
}
