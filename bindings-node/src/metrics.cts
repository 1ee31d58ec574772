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
  readonly type: 'counter' | 'gauge';
  /** One for each combination of labels. */
  readonly values: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[];
}

/** How many values fell into which range. */
export interface Histogram {
  readonly labels: Readonly<Record<string, string>>;
  /** How many values there were. */
  readonly count: number;
  /** Their sum; of times in seconds. */
  readonly sum: number;
  /** How many values were at most `le`, for each bound; cumulative. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
}

/** A histogram; all are of times in seconds. */
export interface HistogramMetric extends MetricBase {
  readonly type: 'histogram';
  /** One for each combination of labels. */
  readonly values: readonly Histogram[];
}

/** A metric with its values. */
export type Metric = NumberMetric | HistogramMetric;
