// Random choices that a seed brings back.

/** The seed of this run: `REGRANT_SEED`, or a new one. */
export function seedOfRun() {
  const given = process.env.REGRANT_SEED;
  if (given === undefined) return Number(process.hrtime.bigint() % 0x7fffffffn);
  if (!/^\d+$/.test(given)) throw new Error('REGRANT_SEED is not a whole number');
  return Number(given);
}

/** mulberry32: small, and good enough to pick cases. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number below `end`. */
  below(end) {
    return Math.floor(this.next() * end);
  }

  /** True in one of `n` cases. */
  oneIn(n) {
    return this.below(n) === 0;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}
