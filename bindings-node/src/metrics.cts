/** The metrics of the process as objects: their types. */

/** What all metrics have. */
interface MetricBase {
  /** As Prometheus knows it, such as `regrant_refreshes_total`. */
  readonly name: string;
  /** What it means, in one sentence. */
  readonly help: string;
}

/** A counter, which only grows, or a gauge. */
export interface NumberMetric extends MetricBase {
  /** What it can do. */
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

/** How many values were at most so large. */
export interface Bucket {
  /** The bound, which belongs to it. */
  readonly le: number;
  /** How many values. */
  readonly count: number;
}

/** How many values fell into which range. */
export interface Histogram {
  /** The labels, by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** How many values there were. */
  readonly count: number;
  /** Their sum; of times in seconds. */
  readonly sum: number;
  /** How many values were at most `le`, for each bound; cumulative. */
  readonly buckets: readonly Bucket[];
}

/** A histogram; all are of times in seconds. */
export interface HistogramMetric extends MetricBase {
  /** What it is. */
  readonly type: 'histogram';
  /** One for each combination of labels. */
  readonly values: readonly Histogram[];
}

/** A metric with its values. */
export type Metric = NumberMetric | HistogramMetric;
