//! Timestamps, durations as text, and the injected clock.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// All arithmetic saturates, and every value stays within ±(2^53 − 1), so that Lua, JavaScript
/// and JSON hold it exactly.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(i64);

const LIMIT: i64 = (1 << 53) - 1;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// `ms` milliseconds since the epoch, clamped to ±(2^53 − 1).
    pub const fn from_millis(ms: i64) -> Self {
        Self(if ms > LIMIT {
            LIMIT
        } else if ms < -LIMIT {
            -LIMIT
        } else {
            ms
        })
    }

    /// `seconds` seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: a NumericDate (RFC 7519 §2).
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The timestamp `span` later.
    pub fn plus(self, span: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(millis(span)))
    }

    /// The timestamp `span` earlier.
    pub fn minus(self, span: Duration) -> Self {
        Self::from_millis(self.0.saturating_sub(millis(span)))
    }

    /// The time since `earlier`; zero when that is later than `self`.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(LIMIT)
}

/// A source of the current time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current time.
    fn now(&self) -> Timestamp;

    /// The current time, possibly some milliseconds old: cheaper, for callers on every request that
    /// compare whole seconds.
    fn coarse(&self) -> Timestamp {
        self.now()
    }

    /// The time since some fixed instant by a clock that nobody can set, to tell whether
    /// [`now`](Self::now) has jumped; `None` where there is no such clock.
    fn elapsed(&self) -> Option<Duration> {
        None
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since_epoch)
    }

    fn elapsed(&self) -> Option<Duration> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        Some(START.elapsed())
    }

    /// The time of the kernel's last tick, at a fifth of the cost.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn coarse(&self) -> Timestamp {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
        let seconds = time.tv_sec.saturating_mul(1000);
        Timestamp::from_millis(seconds.saturating_add(time.tv_nsec / 1_000_000).max(0))
    }
}

/// A clock for tests. It moves only when it is set or advanced.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    /// Sets the current time.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().plus(span));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The longest accepted duration: a hundred years.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// A random duration of at most `bound`, so that processes do not all retry at once.
#[cfg(feature = "server")]
pub(crate) fn jitter(bound: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without a random number the longest wait is safe.
    let share = getrandom::fill(&mut bytes).map_or(u16::MAX, |()| u16::from_ne_bytes(bytes));
    bound * u32::from(share) / u32::from(u16::MAX)
}

/// Parses a duration: a whole number with a unit `ms`, `s`, `m`, `h`, `d` or `w`, or a bare number
/// of seconds.
///
/// # Errors
/// A text that says what is wrong.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(regrant::internal::parse_span("15m"), Ok(Duration::from_secs(900)));
/// assert_eq!(regrant::internal::parse_span("90"), Ok(Duration::from_secs(90)));
/// assert!(regrant::internal::parse_span("soon").is_err());
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

/// Formats a duration for [`parse_span`], in the largest unit that represents it exactly.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(regrant::internal::format_span(Duration::from_secs(900)), "15m");
/// assert_eq!(regrant::internal::format_span(Duration::from_secs(90)), "90s");
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

/// Deserializes a duration from a number of seconds or from text; for
/// `#[serde(deserialize_with)]`.
///
/// A bare number that can only be milliseconds by habit is rejected, in text too: `900000` for 15 minutes
/// would be more than ten days.
///
/// # Errors
/// Text that [`parse_span`] rejects, negative numbers and other types.
pub fn span_seconds_or_text<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    const DAY: u64 = 24 * 3600;
    /// 3 hours in milliseconds, 125 days in seconds. A number that is whole minutes as milliseconds and whole
    /// days as seconds, such as 90 days, is usually less.
    const WHOLE_HOURS: u64 = 10_800_000;

    struct Span;

    /// More than a day, and rounder in milliseconds than in seconds.
    fn seems_to_be_milliseconds(number: u64) -> bool {
        let is_whole_days = number.is_multiple_of(DAY) && !number.is_multiple_of(WHOLE_HOURS);
        number > DAY && number.is_multiple_of(1000) && !is_whole_days
    }

    impl Visitor<'_> for Span {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("seconds or text such as \"15m\", \"12h\", \"14d\"")
        }

        fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
            if seems_to_be_milliseconds(seconds) {
                let problem = "a number is in seconds, and this one seems to be in milliseconds: write text such as \"15m\"";
                return Err(E::custom(problem));
            }
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
            match text.trim().parse() {
                Ok(seconds) => self.visit_u64(seconds),
                Err(_) => parse_span(text).map_err(E::custom),
            }
        }
    }

    input.deserialize_any(Span)
}
