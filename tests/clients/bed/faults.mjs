// What a line does to the answers of refreshes, on their way from the server that has acted.

const FIELDS = {
  lose: (value) => value >= 0 && value <= 1,
  loseNext: Number.isInteger,
  delay: (value) => value >= 0,
  hold: (value) => typeof value === 'boolean',
  cut: (value) => typeof value === 'boolean',
};

/** Whoever misspells a fault is told so, instead of testing nothing. */
export function checkedFaults(faults) {
  for (const [name, value] of Object.entries(faults)) {
    if (!FIELDS[name]?.(value)) throw new Error(`no such fault: ${name} = ${JSON.stringify(value)}`);
  }
  return { lose: 0, loseNext: 0, delay: 0, hold: false, cut: false, ...faults };
}

/** Numbers between 0 and 1 that are the same in every run (mulberry32). */
export function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
