//! Medians, percentiles and the spread of repeated measurements.

use std::fmt;
use std::time::Duration;

/// Measurements of one quantity, in ascending order; never empty, never NaN.
#[derive(Clone, Debug)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    /// `None` without measurements.
    pub(crate) fn new(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        Some(Self(values))
    }

    /// The nearest-rank percentile: the smallest value that `share` (0 to 1) of all values do not exceed.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let count = self.0.len();
        let rank = (share * count as f64).ceil() as usize;
        self.0[rank.clamp(1, count) - 1]
    }

    /// The median; of an even number of values, the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let (count, half) = (self.0.len(), self.0.len() / 2);
        if count % 2 == 1 { self.0[half] } else { f64::midpoint(self.0[half - 1], self.0[half]) }
    }

    pub(crate) fn least(&self) -> f64 {
        self.0[0]
    }

    pub(crate) fn greatest(&self) -> f64 {
        self.0[self.0.len() - 1]
    }
}

/// Median and spread: `1.23 (1.20–1.31)`, with as many decimals as asked for.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = f.precision().unwrap_or(2);
        let (median, least, greatest) = (self.median(), self.least(), self.greatest());
        write!(f, "{median:.places$} ({least:.places$}–{greatest:.places$})")
    }
}

/// A duration in microseconds.
pub(crate) fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// A whole number with its digits in groups of three: `1,234,567`.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if left % 3 == 0 && text.ends_with(|c: char| c.is_ascii_digit()) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.to_vec()).unwrap()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(sample(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(sample(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert_eq!(sample(&[7.0]).median(), 7.0);
    }

    #[test]
    fn percentiles_are_measured_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let hundred = sample(&hundred);
        assert_eq!(hundred.percentile(0.5), 50.0);
        assert_eq!(hundred.percentile(0.99), 99.0);
        assert_eq!(hundred.percentile(1.0), 100.0);
        assert_eq!(hundred.percentile(0.0), 1.0);
        assert_eq!(sample(&[1.0, 9.0]).percentile(0.99), 9.0);
    }

    #[test]
    fn an_empty_sample_is_rejected() {
        assert!(Sample::new(vec![]).is_none());
        assert!(Sample::new(vec![1.0, f64::NAN]).is_none());
    }

    #[test]
    fn a_sample_shows_its_spread() {
        assert_eq!(format!("{:.1}", sample(&[1.0, 2.0, 4.0])), "2.0 (1.0–4.0)");
    }

    #[test]
    fn long_numbers_are_grouped() {
        for (number, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (1000.4, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1000.0, "-1,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
