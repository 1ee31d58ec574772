//! When key sets are fetched.

use std::time::Duration;

use crate::error::{Error, Result};

/// How often an issuer is asked for its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwksSchedule {
    pub(super) cool_down: Duration,
    pub(super) max_age: Duration,
    pub(super) max_stale: Duration,
    pub(super) timeout: Duration,
}

/// The longest that keys are kept because the issuer says so.
pub(super) const LONGEST_MAX_AGE: Duration = Duration::from_secs(24 * 3600);

const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl JwksSchedule {
    /// Starts from the default.
    pub fn builder() -> JwksScheduleBuilder {
        JwksScheduleBuilder(Self::default())
    }

    /// How long the issuer is left alone after it was asked, whatever tokens say.
    pub const fn cool_down(&self) -> Duration {
        self.cool_down
    }

    /// How long a set is good where its answer has no `Cache-Control: max-age`.
    pub const fn max_age(&self) -> Duration {
        self.max_age
    }

    /// How much longer it is good while the issuer cannot be reached.
    pub const fn max_stale(&self) -> Duration {
        self.max_stale
    }

    /// How long an answer may take.
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl Default for JwksSchedule {
    fn default() -> Self {
        Self {
            cool_down: Duration::from_secs(30),
            max_age: Duration::from_secs(10 * 60),
            max_stale: Duration::from_secs(3600),
            timeout: Duration::from_secs(5),
        }
    }
}

/// Collects the times; [`build`](Self::build) checks them together.
#[derive(Clone, Copy, Debug)]
pub struct JwksScheduleBuilder(JwksSchedule);

impl JwksScheduleBuilder {
    /// How long the issuer is left alone after it was asked: a token with an unknown `kid` makes
    /// it be asked again, so this is what keeps forged ones from making it a storm. 1 second to 30
    /// days, 30 seconds by default.
    #[must_use]
    pub const fn cool_down(mut self, cool_down: Duration) -> Self {
        self.0.cool_down = cool_down;
        self
    }

    /// How long a set is good where its answer has no `Cache-Control: max-age`; what that says
    /// counts otherwise, from the cool-down up to a day. A key that an issuer has withdrawn is
    /// accepted for so long at most. Up to 30 days, 10 minutes by default.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.0.max_age = max_age;
        self
    }

    /// How much longer a set is good while the issuer cannot be reached. 0 to 30 days, one hour by
    /// default.
    #[must_use]
    pub const fn max_stale(mut self, max_stale: Duration) -> Self {
        self.0.max_stale = max_stale;
        self
    }

    /// How long an answer may take. 5 seconds by default.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = timeout;
        self
    }

    /// The schedule.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] whose field is `keySets.coolDown`, `keySets.maxAge`,
    /// `keySets.maxStale` or `keySets.timeout`.
    pub fn build(self) -> Result<JwksSchedule> {
        let schedule = self.0;
        let second = Duration::from_secs(1);
        let check = |value: Duration, least: Duration, field: &str| {
            if (least..=LONGEST).contains(&value) {
                return Ok(());
            }
            Err(Error::config(field, "is too short or too long"))
        };
        check(schedule.cool_down, second, "keySets.coolDown")?;
        check(schedule.max_age, schedule.cool_down, "keySets.maxAge")?;
        check(schedule.max_stale, Duration::ZERO, "keySets.maxStale")?;
        check(schedule.timeout, Duration::from_millis(1), "keySets.timeout")?;
        Ok(schedule)
    }
}
