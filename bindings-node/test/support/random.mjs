// Reproducible random choices, by seed.

/** The seed of this run: `REGRANT_SEED`, or a random seed. */
export function seedOfRun() {
  const given = process.env.REGRANT_SEED;
  if (given === undefined) return Number(process.hrtime.bigint() % 0x7fffffffn);
  if (!/^\d+$/.test(given)) throw new Error('REGRANT_SEED is not a whole number');
  return Number(given);
}

/** mulberry32: small, and sufficient for picking test cases. */
export class Random {
  #state;

  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /** A number from 0 (inclusive) to 1 (exclusive). */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 to `end` (exclusive). */
  below(end) {
    return Math.floor(this.next() * end);
  }

  /** True with probability 1/n. */
  oneIn(n) {
    return this.below(n) === 0;
  }

  pick(list) {
    return list[this.below(list.length)];
  }
}
