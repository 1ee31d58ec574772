//! Instants as people read and write them.

use std::time::Duration;

use crate::types::{Timestamp, parse_span};

/// RFC 3339 in UTC, without what is below a second: `2026-01-31T09:30:00Z`.
pub(super) fn at(instant: Timestamp) -> String {
    jiff::Timestamp::from_second(instant.as_seconds())
        .map_or_else(|_| format!("{} s", instant.as_seconds()), |instant| instant.to_string())
}

/// As [`at`], with how far it is from `now`: `2026-01-31T09:30:00Z (in 12 minutes)`.
pub(super) fn told(instant: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", at(instant), relative(instant, now))
}

/// How far an instant is from `now`: `in 12 minutes`, `3 days ago`.
pub(super) fn relative(instant: Timestamp, now: Timestamp) -> String {
    if instant > now {
        format!("in {}", length(instant.since(now)))
    } else if now.since(instant) < Duration::from_secs(1) {
        "now".to_owned()
    } else {
        format!("{} ago", length(now.since(instant)))
    }
}

/// The largest unit of which there are two or more, rounded down.
pub(super) fn length(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60)];
    let (unit, size) =
        units.into_iter().find(|(_, size)| seconds >= size * 2).unwrap_or(("second", 1));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// An instant as people give it: RFC 3339 with a zone, or how long ago as in `2h`.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let expected = "expected an instant such as 2026-01-31T09:30:00Z, or how long ago as in 2h";
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(instant.as_millisecond()));
    }
    // A bare number may be meant as seconds since 1970 just as well.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected.to_owned());
    }
    parse_span(text).map(|span| now.minus(span)).map_err(|_| expected.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn instants_are_told_in_words() {
        let told_after = |seconds: i64| told(Timestamp::from_seconds(1_800_000_000 + seconds), NOW);
        assert_eq!(told_after(0), "2027-01-15T08:00:00Z (now)");
        assert_eq!(told_after(60), "2027-01-15T08:01:00Z (in 60 seconds)");
        assert_eq!(told_after(1), "2027-01-15T08:00:01Z (in 1 second)");
        assert_eq!(told_after(-3 * 86_400 - 5), "2027-01-12T07:59:55Z (3 days ago)");
        assert_eq!(at(Timestamp::from_seconds(1 << 53)), "9007199254740 s");
    }

    #[test]
    fn instants_are_read() {
        for (text, seconds) in [
            ("2027-01-15T08:00:00Z", 1_800_000_000),
            ("2027-01-15T17:00:00+09:00", 1_800_000_000),
            ("2h", 1_800_000_000 - 7_200),
        ] {
            assert_eq!(parse(text, NOW), Ok(Timestamp::from_seconds(seconds)), "{text}");
        }
        for bad in ["", "yesterday", "1800000000", "2027-01-15", "2027-01-15T08:00:00", "-2h"] {
            assert!(parse(bad, NOW).is_err(), "{bad}");
        }
    }
}
