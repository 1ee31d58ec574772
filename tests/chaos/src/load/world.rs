//! What all clients of a scenario share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use regrant::Login;
use regrant::types::{SessionId, Subject};
use tokio::sync::watch;

use super::apps::{App, AppResponse, Apps, Pair, Refusal};
use super::tally::Tally;

/// The state of a scenario.
pub(crate) struct World {
    pub(crate) apps: Apps,
    pub(crate) tally: Arc<Tally>,
    started: Instant,
    stop: watch::Receiver<bool>,
    held: watch::Receiver<bool>,
    logins: AtomicU32,
    /// How often all sessions were lost with their server.
    losses: AtomicU32,
    no_logins: AtomicBool,
    quiet: AtomicBool,
    /// The prefix of the users' names.
    name: &'static str,
}

impl World {
    pub(crate) fn new(
        apps: Apps,
        tally: Arc<Tally>,
        stop: watch::Receiver<bool>,
        held: watch::Receiver<bool>,
        name: &'static str,
    ) -> Self {
        Self {
            apps,
            tally,
            started: Instant::now(),
            stop,
            held,
            logins: AtomicU32::new(0),
            losses: AtomicU32::new(0),
            no_logins: AtomicBool::new(false),
            quiet: AtomicBool::new(false),
            name,
        }
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
        self.while_held().await;
    }

    /// Waits while no request is to be sent.
    async fn while_held(&self) {
        let mut held = self.held.clone();
        // Fails only when the load is dropped.
        let _ = held.wait_for(|&held| !held).await;
    }

    /// Other users log in, list their sessions and log out, in each process.
    pub(crate) async fn visit(&self, users: usize) {
        for auth in self.apps.embedded() {
            for _ in 0..users {
                let number = self.logins.fetch_add(1, Ordering::Relaxed);
                let visited = async {
                    let subject = Subject::new(format!("{}-visitor-{number}", self.name))?;
                    let pair = auth.login(Login::new(subject.clone())).await?;
                    auth.sessions(&subject, None).await?;
                    auth.logout(pair.refresh_token.expose()).await
                };
                if let Err(error) = visited.await {
                    self.logged_out(&EventLog::default(), &format!("a visitor: {error}"));
                }
            }
        }
    }

    /// Sends a request to one app after another until the answer is not "try again".
    pub(crate) async fn retry<T, F: Future<Output = AppResponse<T>>>(
        &self,
        random: &mut Rng,
        log: &mut EventLog,
        mut ask: impl FnMut(App) -> F,
    ) -> Result<T, Refusal> {
        let since = Instant::now();
        let mut tries = 0;
        loop {
            self.while_held().await;
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

    /// Another user.
    pub(crate) fn new_user(&self) -> Result<Subject, Refusal> {
        let number = self.logins.fetch_add(1, Ordering::Relaxed);
        Ok(Subject::new(format!("{}-{number}", self.name))?)
    }

    /// Logs in a new user.
    pub(crate) async fn login(
        &self,
        random: &mut Rng,
        log: &mut EventLog,
    ) -> Result<(SessionId, Pair), Refusal> {
        self.login_as(&self.new_user()?, random, log).await
    }

    /// Logs in a user, who may have other sessions.
    pub(crate) async fn login_as(
        &self,
        user: &Subject,
        random: &mut Rng,
        log: &mut EventLog,
    ) -> Result<(SessionId, Pair), Refusal> {
        while self.no_logins.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (session, pair) = self.retry(random, log, |app| app.login(user.clone())).await?;
        log.begin(self.now(), || format!("login of {user}, session {session}"));
        log.losses = self.losses.load(Ordering::Relaxed);
        Ok((session, pair))
    }

    /// Refreshes, with retries.
    pub(crate) async fn refresh(
        &self,
        random: &mut Rng,
        log: &mut EventLog,
        token: &str,
    ) -> Result<Pair, Refusal> {
        let answer = self.retry(random, log, |app| app.refresh(token)).await;
        log.note(self.now(), || match &answer {
            Ok(next) => format!("refresh of {} gave {}", position(token), position(&next.refresh)),
            Err(error) => format!("refresh of {}: {error}", position(token)),
        });
        answer
    }

    /// All sessions of before are lost with their server: their clients must log in again.
    pub(crate) fn lose_sessions(&self) {
        self.losses.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the session of this log was lost with its server.
    pub(crate) fn has_lost(&self, log: &EventLog) -> bool {
        log.losses < self.losses.load(Ordering::Relaxed)
    }

    /// Lets nobody log in, or everybody again.
    pub(crate) fn stop_logins(&self, stop: bool) {
        self.no_logins.store(stop, Ordering::Relaxed);
    }

    /// Reports that an honest client was rejected, with its log.
    pub(crate) fn logged_out(&self, log: &EventLog, why: &str) {
        if self.has_lost(log) {
            self.tally.lost.add(1);
            return;
        }
        self.tally.logged_out.add(1);
        self.complain(&format!("an honest client was rejected: {why}\n{log}"));
    }

    /// Prints what must not be, unless it is to be expected.
    pub(crate) fn complain(&self, what: &str) {
        if !self.quiet.load(Ordering::Relaxed) {
            eprintln!("!!! {what}");
        }
    }

    /// How long after the last fault every process must know of every revocation.
    pub(crate) fn feed_lag(&self) -> Duration {
        // A store that is broken on purpose does not recover.
        Duration::from_secs(if self.quiet.load(Ordering::Relaxed) { 2 } else { 60 })
    }

    /// Prints no complaints: the store is broken on purpose.
    pub(crate) fn expect_complaints(&self) {
        self.quiet.store(true, Ordering::Relaxed);
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
pub(crate) struct EventLog {
    last: VecDeque<(Duration, String)>,
    /// How often all sessions had been lost before this one began.
    losses: u32,
}

impl EventLog {
    const ENTRIES: usize = 24;

    /// Begins a new session and drops earlier entries.
    pub(crate) fn begin(&mut self, now: Duration, what: impl FnOnce() -> String) {
        self.last.clear();
        self.note(now, what);
    }

    pub(crate) fn note(&mut self, now: Duration, what: impl FnOnce() -> String) {
        if self.last.len() == Self::ENTRIES {
            // Keep the login.
            self.last.remove(1);
        }
        self.last.push_back((now, what()));
    }
}

impl std::fmt::Display for EventLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.last
            .iter()
            .try_for_each(|(when, what)| writeln!(f, "    {:>9.3} s  {what}", when.as_secs_f64()))
    }
}
