// The faults that a proxy applies to the responses to refreshes, after the server has acted.

const FIELDS = {
  lose: (value) => value >= 0 && value <= 1,
  loseNext: Number.isInteger,
  delay: (value) => value >= 0,
  hold: (value) => typeof value === 'boolean',
  cut: (value) => typeof value === 'boolean',
};

/** Rejects unknown faults, so that a misspelled one does not go unnoticed. */
export function checkedFaults(faults) {
  for (const [name, value] of Object.entries(faults)) {
    if (!FIELDS[name]?.(value)) throw new Error(`no such fault: ${name} = ${JSON.stringify(value)}`);
  }
  return { lose: 0, loseNext: 0, delay: 0, hold: false, cut: false, ...faults };
}

/** Reproducible random numbers between 0 and 1 (mulberry32). */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
