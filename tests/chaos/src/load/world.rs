//! What all clients of a scenario share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use regrant::Error;
use regrant::types::{SessionId, Subject};
use tokio::sync::watch;

use super::apps::{App, AppResponse, Apps, Pair};
use super::tally::Tally;

/// The state of a scenario.
pub(crate) struct World {
    pub(crate) apps: Apps,
    pub(crate) tally: Arc<Tally>,
    started: Instant,
    stop: watch::Receiver<bool>,
    logins: AtomicU32,
    /// The prefix of the users' names.
    name: &'static str,
}

impl World {
    pub(crate) fn new(
        apps: Apps,
        tally: Arc<Tally>,
        stop: watch::Receiver<bool>,
        name: &'static str,
    ) -> Self {
        Self { apps, tally, started: Instant::now(), stop, logins: AtomicU32::new(0), name }
    }

    pub(crate) fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits, but not longer than the load runs.
    pub(crate) async fn pause(&self, span: Duration) {
        let mut stop = self.stop.clone();
        // Either the time is up or the load is over.
        let _ = tokio::time::timeout(span, stop.wait_for(|&stop| stop)).await;
    }

    /// Waits between two requests of a client, for some tens of milliseconds.
    pub(crate) async fn think(&self, random: &mut Rng) {
        self.pause(Duration::from_millis(random.u64(10..80))).await;
    }

    /// Sends a request to one app after another until the answer is not "try again".
    pub(crate) async fn retry<T, F: Future<Output = AppResponse<T>>>(
        &self,
        random: &mut Rng,
        log: &mut EventLog,
        mut ask: impl FnMut(App) -> F,
    ) -> Result<T, Error> {
        let since = Instant::now();
        let mut tries = 0;
        loop {
            let answer = ask(self.apps.any(random)).await;
            match answer {
                AppResponse::Again => {
                    tries += 1;
                    log.note(self.now(), || "try again".to_owned());
                    // Also after the end of the load, when all faults are fixed.
                    tokio::time::sleep(Duration::from_millis(random.u64(20..100))).await;
                }
                AppResponse::Done(value) => {
                    if tries > 0 {
                        self.tally.recovered_after(since.elapsed());
                    }
                    return Ok(value);
                }
                AppResponse::Refused(error) => return Err(error),
            }
        }
    }

    /// Logs in a new user.
    pub(crate) async fn login(
        &self,
        random: &mut Rng,
        log: &mut EventLog,
    ) -> Result<(SessionId, Pair), Error> {
        let number = self.logins.fetch_add(1, Ordering::Relaxed);
        let subject = Subject::new(format!("{}-{number}", self.name))?;
        let (session, pair) = self.retry(random, log, |app| app.login(subject.clone())).await?;
        log.begin(self.now(), || format!("login of {subject}, session {session}"));
        Ok((session, pair))
    }

    /// Refreshes, with retries.
    pub(crate) async fn refresh(
        &self,
        random: &mut Rng,
        log: &mut EventLog,
        token: &str,
    ) -> Result<Pair, Error> {
        let answer = self.retry(random, log, |app| app.refresh(token)).await;
        log.note(self.now(), || match &answer {
            Ok(next) => format!("refresh of {} gave {}", position(token), position(&next.refresh)),
            Err(error) => format!("refresh of {}: {error} ({})", position(token), error.code()),
        });
        answer
    }

    /// Reports that an honest client was rejected, with its log.
    pub(crate) fn logged_out(&self, log: &EventLog, why: &str) {
        self.tally.logged_out.add(1);
        eprintln!("!!! an honest client was rejected: {why}\n{log}");
    }

    /// The time since the start of the load.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `gen.brn` of a refresh token.
fn position(token: &str) -> String {
    let decoded = regrant::token::decode_unverified(token);
    let Ok(decoded) = decoded else { return "?".to_owned() };
    let claim =
        |name: &str| decoded.claims().get(name).map_or_else(String::new, ToString::to_string);
    format!("{}.{}@{}", claim("gen"), claim("brn"), claim("iat"))
}

/// The last requests of a client, printed when it is rejected.
#[derive(Default)]
pub(crate) struct EventLog(VecDeque<(Duration, String)>);

impl EventLog {
    const ENTRIES: usize = 24;

    /// Begins a new session and drops earlier entries.
    pub(crate) fn begin(&mut self, now: Duration, what: impl FnOnce() -> String) {
        self.0.clear();
        self.note(now, what);
    }

    pub(crate) fn note(&mut self, now: Duration, what: impl FnOnce() -> String) {
        if self.0.len() == Self::ENTRIES {
            // Keep the login.
            self.0.remove(1);
        }
        self.0.push_back((now, what()));
    }
}

impl std::fmt::Display for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|(when, what)| writeln!(f, "    {:>9.3} s  {what}", when.as_secs_f64()))
    }
}
