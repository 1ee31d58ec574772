/**
 * Reads the records that the native half writes for tokens that pass; their form is told in
 * `native/records.rs`. An object of a known shape is copied and filled in, which takes a tenth of
 * the time of `JSON.parse`.
 */
import type { AccessClaims, VerifiedAccess } from './claims.cjs';

/** As the native half numbers them. */
const enum Form {
  Text,
  Number,
  Json,
}

/** As the native half tells it. */
interface Described {
  readonly shape: number;
  readonly names: readonly string[];
  readonly forms: readonly Form[];
  readonly values: readonly unknown[];
}

interface Shape {
  readonly names: readonly string[];
  readonly forms: readonly Form[];
  /** What the first token of this shape said: it has all members, in their order. */
  readonly first: AccessClaims;
}

/** Where the numbers of the claims begin. */
const CLAIMS = 2;

export class Records {
  readonly #shapes: Shape[] = [];
  readonly #numbers: Float64Array;

  /** @param numbers - Where the native half writes those of a record. */
  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
  }

  /** Whether there is a record, and not JSON. */
  get present(): boolean {
    return (this.#numbers[0] as number) >= 0;
  }

  /** Takes in a new shape, told as JSON. */
  learn(text: string): void {
    const { shape, names, forms, values } = JSON.parse(text) as Described;
    const first = Object.fromEntries(names.map((name, n) => [name, values[n]])) as AccessClaims;
    this.#shapes[shape] = { names, forms, first };
  }

  access(texts: string): VerifiedAccess {
    const head = this.#numbers[0] as number;
    const about = this.#numbers[1] as number;
    const shape = this.#shapes[head >> 1] as Shape;
    const claims = this.#claimsOf(shape, texts);
    // Below zero it is a length: the text is the last one.
    const subject = about < 0 ? texts.slice(about) : (claims[shape.names[about] as string] as string);
    return head % 2 === 1 ? { subject, sessionId: claims.sid as string, claims } : { subject, claims };
  }

  claims(texts: string): AccessClaims {
    return this.#claimsOf(this.#shapes[(this.#numbers[0] as number) >> 1] as Shape, texts);
  }

  #claimsOf({ names, forms, first }: Shape, texts: string): AccessClaims {
    const numbers = this.#numbers;
    const claims: Record<string, unknown> = { ...first };
    let start = 0;
    for (let n = 0; n < forms.length; n += 1) {
      const form = forms[n];
      const number = numbers[CLAIMS + n] as number;
      if (form === Form.Number) {
        claims[names[n] as string] = number;
      } else if (number >= 0) {
        const text = texts.slice(start, (start += number));
        claims[names[n] as string] = form === Form.Text ? text : JSON.parse(text);
      }
    }
    return claims as AccessClaims;
  }
}
