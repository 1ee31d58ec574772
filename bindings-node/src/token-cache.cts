/**
 * Verified access tokens as objects. The native function verifies with every call; what a token says it returns only
 * once for as long as the token stays in its cache, and that is kept here, under the same id.
 */
import type { ErrorDto, NativeAuth } from '../native.cjs';
import type { Catalog } from './catalog.cjs';
import type { AccessClaims, VerifiedAccess } from './claims.cjs';
import { errorCodes, type ErrorInfo } from './error-codes.cjs';

/** The native function; `native/verify.rs` documents its results. */
export type VerifyFunction = ReturnType<NativeAuth['tokenVerifier']>;

/** In place of a cache id: the string is an error as JSON. */
const ERROR = -2;

interface Entry {
  /** The cache id; negative for a token that is not cached. */
  readonly id: number;
  readonly subject: string;
  readonly sessionId: string | undefined;
  /** The claims as JSON text. */
  readonly payload: string;
  /** The parsed claims, for a token that came again. */
  claims?: AccessClaims;
  /** Whether no claim is an object or an array, so that a shallow copy is a copy. */
  isFlat?: boolean;
}

export class TokenCache {
  readonly #verify: VerifyFunction;
  readonly #slots: number;
  readonly #catalog: Catalog;
  #entries: (Entry | undefined)[] = [];

  /** @param slots - The number of slots of the native cache, a power of two; 0 without a cache. */
  constructor(verify: VerifyFunction, slots: number, catalog: Catalog) {
    this.#verify = verify;
    this.#slots = slots;
    this.#catalog = catalog;
  }

  /**
   * Verifies a token. Each caller gets an object of its own.
   *
   * @throws AuthError
   */
  access(text: string): VerifiedAccess {
    const result = this.#verify(text);
    if (typeof result === 'number') return accessOf(this.#find(text, result));
    const { subject, sessionId, payload } = this.#receive(result);
    return withLazyClaims(sessionId === undefined ? { subject } : { subject, sessionId }, payload);
  }

  /**
   * As {@link TokenCache.access}, the claims alone.
   *
   * @throws AuthError
   */
  claims(text: string): AccessClaims {
    const result = this.#verify(text);
    return typeof result === 'number' ? claimsOf(this.#find(text, result)) : parse(this.#receive(result).payload);
  }

  /** The entry that the native function names by its id. */
  #find(text: string, id: number): Entry {
    if (id < 0) throw this.#catalog.error((errorCodes[-1 - id] as ErrorInfo).code);
    const entry = this.#entries[this.#slotOf(id)];
    // It is missing only where the stack overflowed or memory ran out after it was returned.
    return entry?.id === id ? entry : this.#receive(this.#verify(text, true) as string | undefined);
  }

  /** What the native function returned about a token that is not in `#entries`. */
  #receive(text: string | undefined): Entry {
    if (text === undefined) throw this.#catalog.error('ERR_INTERNAL', { detail: 'the verification panicked' });
    const numbers = this.#verify.numbers;
    const id = numbers[0] as number;
    if (id === ERROR) throw this.#catalog.errorOf(JSON.parse(text) as ErrorDto);
    const payload = text.slice(0, numbers[1]);
    const subject = text.slice(numbers[2], numbers[3]);
    const sessionId = numbers[5] === 0 ? undefined : text.slice(numbers[4], numbers[5]);
    const entry = { id, subject, sessionId, payload };
    if (id >= 0) this.#keep(entry);
    return entry;
  }

  #keep(entry: Entry): void {
    // All slots at once, so that the array has no holes.
    if (this.#entries.length === 0) this.#entries = new Array<undefined>(this.#slots).fill(undefined);
    this.#entries[this.#slotOf(entry.id)] = entry;
  }

  /** The id modulo the number of slots; `%` takes several times as long with large numbers. */
  #slotOf(id: number): number {
    return id - Math.floor(id / this.#slots) * this.#slots;
  }
}

/** A token in the JSON form `[subject, sessionId, claims]`. */
export function parseTuple(text: string): VerifiedAccess {
  const [subject, sessionId, claims] = JSON.parse(text) as [string, string | null, AccessClaims];
  return sessionId === null ? { subject, claims } : { subject, sessionId, claims };
}

function accessOf(entry: Entry): VerifiedAccess {
  const { subject, sessionId } = entry;
  const claims = claimsOf(entry);
  return sessionId === undefined ? { subject, claims } : { subject, sessionId, claims };
}

function claimsOf(entry: Entry): AccessClaims {
  if (entry.claims === undefined) {
    entry.claims = parse(entry.payload);
    entry.isFlat = Object.values(entry.claims).every((claim) => typeof claim !== 'object' || claim === null);
  }
  return entry.isFlat ? { ...entry.claims } : parse(entry.payload);
}

function parse(payload: string): AccessClaims {
  return JSON.parse(payload) as AccessClaims;
}

/** A superclass whose constructor returns the given object, so that its subclass adds private fields to that. */
const PrivateFieldsOn = function PrivateFieldsOn(object: object): object {
  return object;
} as unknown as new (object: object) => object;

/** Gives an object the claims of a token, which are parsed when they are first read. */
class LazyClaims extends PrivateFieldsOn {
  readonly #payload: string;
  #claims: AccessClaims | undefined;

  constructor(object: object, payload: string) {
    super(object);
    this.#payload = payload;
    // An own property, so that the object is spread, compared, cloned and sent as JSON as if the claims were there. It
    // takes 0.3 µs for a token that is not in the cache; a getter on a prototype would take none, but would be lost when
    // the object is spread or cloned. The same descriptor for all, so that V8 gives all objects the same hidden class.
    Object.defineProperty(this, 'claims', LazyClaims.#property);
  }

  static readonly #property: PropertyDescriptor & ThisType<LazyClaims> = {
    enumerable: true,
    configurable: true,
    get() {
      return (this.#claims ??= parse(this.#payload));
    },
    set(claims: AccessClaims) {
      this.#claims = claims;
    },
  };
}

function withLazyClaims(access: Omit<VerifiedAccess, 'claims'>, payload: string): VerifiedAccess {
  return new LazyClaims(access, payload) as unknown as VerifiedAccess;
}
