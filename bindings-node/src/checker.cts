/**
 * Access tokens that pass, as objects. The core keeps verified tokens and says by number which one
 * it is; beside each lies here what its text said, so that it is read once and not with every
 * request. Whether the token still passes is asked of the core every time.
 */
import type { AccessClaims, VerifiedAccess } from './claims.cjs';
import { Records } from './records.cjs';

/** The native function; see `native/checker.rs`. */
export interface Check {
  (text: string, inFull?: boolean): number | string | undefined;
  readonly numbers: Float64Array;
}

interface Kept {
  readonly number: number;
  readonly subject: string;
  readonly sessionId: string | undefined;
  readonly claims: AccessClaims;
  /** No claim is an object or an array. */
  readonly flat: boolean;
}

export class Checker {
  readonly #check: Check;
  readonly #places: number;
  readonly #records: Records;
  #kept: (Kept | undefined)[] = [];

  constructor(check: Check, places: number) {
    this.#check = check;
    this.#places = places;
    this.#records = new Records(check.numbers);
  }

  /** What the token says; nothing where it is refused. Each caller gets an object of its own. */
  access(text: string): VerifiedAccess | undefined {
    const answer = this.#check(text);
    if (typeof answer === 'number') {
      const kept = this.#kept[this.#placeOf(answer)];
      if (kept !== undefined && kept.number === answer) return accessOf(kept);
      return this.#keep(text, answer);
    }
    return answer === undefined ? undefined : this.#read(text, answer);
  }

  /** Its claims alone. */
  claims(text: string): AccessClaims | undefined {
    const answer = this.#check(text);
    if (typeof answer === 'number') {
      const kept = this.#kept[this.#placeOf(answer)];
      if (kept !== undefined && kept.number === answer) return claimsOf(kept);
      return this.#keep(text, answer)?.claims;
    }
    if (answer === undefined) return undefined;
    return this.#records.present ? this.#records.claims(answer) : this.#read(text, answer)?.claims;
  }

  /** The number modulo that of places, a power of two: `%` of large numbers takes several times as long. */
  #placeOf(number: number): number {
    return number - Math.floor(number / this.#places) * this.#places;
  }

  #read(text: string, answer: string): VerifiedAccess | undefined {
    if (this.#records.present) return this.#records.access(answer);
    if (!answer.startsWith(SHAPE)) return parse(answer);
    this.#records.learn(answer);
    const again = this.#check(text, true);
    return typeof again === 'string' ? this.#read(text, again) : undefined;
  }

  #keep(text: string, number: number): VerifiedAccess | undefined {
    const answer = this.#check(text, true);
    const access = typeof answer === 'string' ? this.#read(text, answer) : undefined;
    if (access === undefined) return undefined;
    const { subject, sessionId, claims } = access;
    const kept = { number, subject, sessionId, claims, flat: Object.values(claims).every(isPlain) };
    // All places at once, so that the array stays one.
    if (this.#kept.length === 0) this.#kept = new Array<undefined>(this.#places).fill(undefined);
    this.#kept[this.#placeOf(number)] = kept;
    return accessOf(kept);
  }
}

/** What JSON begins with that tells a shape. */
const SHAPE = '{';

/** Of `[subject, sessionId, claims]`. */
export function parse(text: string): VerifiedAccess {
  const [subject, sessionId, claims] = JSON.parse(text) as [string, string | null, AccessClaims];
  return sessionId === null ? { subject, claims } : { subject, sessionId, claims };
}

function accessOf(kept: Kept): VerifiedAccess {
  const { subject, sessionId } = kept;
  const claims = claimsOf(kept);
  return sessionId === undefined ? { subject, claims } : { subject, sessionId, claims };
}

function claimsOf(kept: Kept): AccessClaims {
  return kept.flat ? { ...kept.claims } : (copy(kept.claims) as AccessClaims);
}

/** Of what `JSON.parse` makes. */
function copy(value: unknown): unknown {
  if (isPlain(value)) return value;
  if (Array.isArray(value)) return value.map(copy);
  const copied = { ...(value as Record<string, unknown>) };
  for (const name of Object.keys(copied)) {
    // Not an assignment: a claim may be called `__proto__`.
    if (!isPlain(copied[name])) Object.defineProperty(copied, name, own(copy(copied[name])));
  }
  return copied;
}

function own(value: unknown): PropertyDescriptor {
  return { value, enumerable: true, configurable: true, writable: true };
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'object' || value === null;
}
