/**
 * What a caller handed over and nobody checked.
 *
 * Here `any` is meant: npm `jsonwebtoken` looks into values of every type, and what comes of it
 * (which is at times a TypeError with the text of its expression) is part of how it behaves.
 */
export type Loose = any;
