/** The metrics of the process as objects. */

/** What every metric has. */
interface MetricBase {
  /** The name in Prometheus, for example `regrant_refreshes_total`. */
  readonly name: string;
  /** The meaning, in one sentence. */
  readonly help: string;
}

/** A counter, which only grows, or a gauge. */
export interface NumberMetric extends MetricBase {
  /** The kind of metric. */
  readonly type: 'counter' | 'gauge';
  /** One for each combination of labels. */
  readonly values: readonly NumberValue[];
}

/** The value for one combination of labels. */
export interface NumberValue {
  /** The labels, by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** The value; of times in seconds. */
  readonly value: number;
}

/** A bucket of a histogram; cumulative. */
export interface Bucket {
  /** The upper bound, inclusive. */
  readonly le: number;
  /** The number of values up to the bound. */
  readonly count: number;
}

/** The distribution of values for one combination of labels. */
export interface Histogram {
  /** The labels, by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** The number of values. */
  readonly count: number;
  /** Their sum; of times in seconds. */
  readonly sum: number;
  /** The buckets, by bound. */
  readonly buckets: readonly Bucket[];
}

/** A histogram; all are of times in seconds. */
export interface HistogramMetric extends MetricBase {
  /** The kind of metric. */
  readonly type: 'histogram';
  /** One for each combination of labels. */
  readonly values: readonly Histogram[];
}

/** A metric and its values. */
export type Metric = NumberMetric | HistogramMetric;
