//! Lifetimes as people write them: `900`, `"15m"`, `"14d"`.

use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};

/// The longest lifetime that is accepted: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a lifetime: a whole number with a unit `ms`, `s`, `m`, `h`, `d` or `w`, or a bare
/// number of seconds.
///
/// # Errors
/// Text that says why it is not a lifetime.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(regrant::time::parse_span("15m"), Ok(Duration::from_secs(900)));
/// assert_eq!(regrant::time::parse_span("90"), Ok(Duration::from_secs(90)));
/// assert!(regrant::time::parse_span("soon").is_err());
/// ```
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor_ms: u64 = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return Err("expected seconds or text such as \"15m\", \"12h\", \"14d\"".to_owned()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "expected seconds or text such as \"15m\", \"12h\", \"14d\"".to_owned())?;
    let span = number.checked_mul(factor_ms).map(Duration::from_millis);
    span.filter(|span| *span <= LONGEST).ok_or_else(|| "longer than a hundred years".to_owned())
}

/// Writes a lifetime as [`parse_span`] reads it, in the largest unit that holds it exactly.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(regrant::time::format_span(Duration::from_secs(900)), "15m");
/// assert_eq!(regrant::time::format_span(Duration::from_secs(90)), "90s");
/// ```
pub fn format_span(span: Duration) -> String {
    let ms = span.as_millis();
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let fits = |(_, factor): &&(&str, u128)| ms >= *factor && ms.is_multiple_of(*factor);
    match units.iter().find(fits) {
        Some((unit, factor)) => format!("{}{unit}", ms / factor),
        None => "0s".to_owned(),
    }
}

/// Deserializes a lifetime from a number of seconds or from text; for `#[serde(deserialize_with)]`.
///
/// # Errors
/// What [`parse_span`] refuses, negative numbers and other types.
pub fn span_seconds_or_text<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    struct Span;

    impl Visitor<'_> for Span {
        type Value = Duration;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("seconds or text such as \"15m\", \"12h\", \"14d\"")
        }

        fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
            parse_span(&seconds.to_string()).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Duration, E> {
            Err(E::custom("must not be negative"))
        }

        fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Duration, E> {
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|span| *span <= LONGEST)
                .ok_or_else(|| E::custom("not a lifetime in seconds"))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse_span(text).map_err(E::custom)
        }
    }

    input.deserialize_any(Span)
}
