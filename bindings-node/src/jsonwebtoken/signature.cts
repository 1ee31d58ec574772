/** Signs and verifies compact JWS, by algorithm name. */
import { constants, createHmac, createSign, createVerify, timingSafeEqual, type KeyObject } from 'node:crypto';
import { format } from 'node:util';
import { nativeKey } from './keys.cjs';

const SUPPORTED = ['HS', 'RS', 'PS', 'ES'].map((family) => `"${family}256", "${family}384", "${family}512"`).join(', ');

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

/** Length of an ECDSA signature in base64url, by hash size. ES512 is always left to `node:crypto`. */
const ECDSA_LENGTH: Record<string, number> = { 256: 86, 384: 128 };

interface Scheme {
  /** The algorithm as a primitive string, even if the caller passes a `String` object. */
  name: string;
  family: string;
  /** The hash size in bits, as text. */
  bits: string;
}

const schemes = new Map<unknown, Scheme>();

/** @throws TypeError for an unsupported algorithm. */
function schemeOf(algorithm: any): Scheme {
  const known = schemes.get(algorithm);
  if (known) return known;
  const match = algorithm.match(/^(RS|PS|ES|HS)(256|384|512)$|^(none)$/);
  if (!match) {
    throw new TypeError(
      format('"%s" is not a valid algorithm.\n  Supported algorithms are:\n  %s and "none".', algorithm, SUPPORTED),
    );
  }
  const scheme = { name: match[0], family: match[1] ?? 'none', bits: match[2] ?? '' };
  schemes.set(scheme.name, scheme);
  return scheme;
}

/**
 * Signs a compact JWS.
 *
 * @param encodeHeader - Returns the first segment. Called after the algorithm check.
 * @param payloadText - Returns the payload.
 * @param encoding - The encoding of the payload text, for `Buffer.from`.
 * @throws TypeError for an unsupported algorithm; errors of `node:crypto`.
 */
export function signCompact(
  algorithm: string,
  key: KeyObject,
  encodeHeader: () => string,
  payloadText: () => string,
  encoding: BufferEncoding,
): string {
  const scheme = schemeOf(algorithm);
  const header = encodeHeader();
  const payload = payloadText();
  if (scheme.family === 'HS' && encoding === 'utf8' && typeof payload === 'string') {
    const token = nativeKey(scheme.name, key)?.sign(header, payload);
    if (token) return token;
  }
  const input = `${header}.${Buffer.from(payload, encoding).toString('base64url')}`;
  return `${input}.${sign(scheme, input, key)}`;
}

function sign({ family, bits }: Scheme, input: string, key: KeyObject): string {
  if (family === 'none') return '';
  if (family === 'HS') return createHmac(`sha${bits}`, key).update(input).digest('base64url');
  const signer = createSign(`RSA-SHA${bits}`).update(input);
  if (family === 'RS') return signer.sign(key, 'base64url');
  if (family === 'PS') return signer.sign({ key, ...PSS }, 'base64url');
  return derToJose(signer.sign(key), bits).toString('base64url');
}

/**
 * Verifies the signature of a token.
 *
 * @param token - Three segments of the base64url alphabet; the third may be empty.
 * @throws TypeError for an unsupported algorithm and for an ECDSA signature of the wrong size;
 * errors of `node:crypto`.
 */
export function verifyCompact(token: string, algorithm: string, key: KeyObject): boolean {
  const { name, family, bits } = schemeOf(algorithm);
  const end = token.lastIndexOf('.');
  if (family === 'none') return end === token.length - 1;

  // An ECDSA signature of the wrong size must reach `joseToDer`, which throws the error of npm `jsonwebtoken`.
  const hasNativeSize = family !== 'ES' || token.length - end - 1 === ECDSA_LENGTH[bits];
  const verified = hasNativeSize ? nativeKey(name, key)?.verify(token) : undefined;
  if (typeof verified === 'boolean') return verified;

  const input = token.slice(0, end);
  const signature = token.slice(end + 1);
  if (family === 'HS') {
    const computed = Buffer.from(createHmac(`sha${bits}`, key).update(input).digest('base64url'));
    const given = Buffer.from(signature);
    return given.length === computed.length && timingSafeEqual(given, computed);
  }
  const verifier = createVerify(`RSA-SHA${bits}`).update(input);
  const bytes = Buffer.from(signature, 'base64');
  if (family === 'RS') return verifier.verify(key, bytes);
  if (family === 'PS') return verifier.verify({ key, ...PSS }, bytes);
  return verifier.verify(key, joseToDer(bytes, bits));
}

/** The size of `r` and of `s` in bytes, by hash size. */
const sizeOf: Record<string, number> = { 256: 32, 384: 48, 512: 66 };

const SEQUENCE = 0x30;
const INTEGER = 0x02;

/**
 * Converts an ECDSA signature from DER to the JWS format (RFC 7518 section 3.4).
 *
 * @param bits - The number in the algorithm name.
 * @throws Error when `der` is not an ECDSA signature or its integers are too large.
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
  // DER puts a zero byte before an integer whose highest bit is set, which may exceed the size by one.
  const copyRightAligned = (number: Buffer, end: number): void => {
    const fitting = number.subarray(Math.max(0, number.length - size));
    fitting.copy(jose, end - fitting.length);
  };
  // At least the tag and the length of `s` follow `r`.
  copyRightAligned(integer('r', 2), size);
  copyRightAligned(integer('s', 0), 2 * size);
  return jose;
}

/**
 * Converts an ECDSA signature from the JWS format to DER.
 *
 * @param bits - The number in the algorithm name.
 * @throws TypeError when the signature does not have the size that the algorithm requires.
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

/** Encodes a non-negative DER INTEGER without redundant leading zeros. */
function integer(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const number = first === -1 ? Buffer.alloc(1) : bytes.subarray(first);
  const sign = (number[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.from([INTEGER, sign.length + number.length, ...sign]), number]);
}
