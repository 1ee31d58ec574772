//! What all clients of one scenario share.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use regrant::Error;
use regrant::types::{SessionId, Subject};
use tokio::sync::watch;

use super::apps::{Answer, App, Apps, Pair};
use super::tally::Tally;

/// The world that clients live in.
pub(crate) struct World {
    pub(crate) apps: Apps,
    pub(crate) tally: Arc<Tally>,
    started: Instant,
    stop: watch::Receiver<bool>,
    logins: AtomicU32,
    /// What every user here is called first.
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
        // Where it runs out, or the load is over: both are the end of the pause.
        let _ = tokio::time::timeout(span, stop.wait_for(|&stop| stop)).await;
    }

    /// Some tens of milliseconds: between the acts of a client.
    pub(crate) async fn think(&self, random: &mut Rng) {
        self.pause(Duration::from_millis(random.u64(10..80))).await;
    }

    /// Asks one app after another until one answers with more than "try again".
    pub(crate) async fn persist<T, F: Future<Output = Answer<T>>>(
        &self,
        random: &mut Rng,
        diary: &mut Diary,
        mut ask: impl FnMut(App) -> F,
    ) -> Result<T, Error> {
        let since = Instant::now();
        let mut tries = 0;
        loop {
            let answer = ask(self.apps.any(random)).await;
            match answer {
                Answer::Again => {
                    tries += 1;
                    diary.note(self.now(), || "try again".to_owned());
                    // Not cut short by the end of the load: by then all faults are mended.
                    tokio::time::sleep(Duration::from_millis(random.u64(20..100))).await;
                }
                Answer::Done(value) => {
                    if tries > 0 {
                        self.tally.recovered_after(since.elapsed());
                    }
                    return Ok(value);
                }
                Answer::Refused(error) => return Err(error),
            }
        }
    }

    /// A login of a user that nobody else is.
    pub(crate) async fn login(
        &self,
        random: &mut Rng,
        diary: &mut Diary,
    ) -> Result<(SessionId, Pair), Error> {
        let number = self.logins.fetch_add(1, Ordering::Relaxed);
        let subject = Subject::new(format!("{}-{number}", self.name))?;
        let (session, pair) = self.persist(random, diary, |app| app.login(subject.clone())).await?;
        diary.begin(self.now(), || format!("login of {subject}, session {session}"));
        Ok((session, pair))
    }

    /// Refreshes until there is an answer.
    pub(crate) async fn refresh(
        &self,
        random: &mut Rng,
        diary: &mut Diary,
        token: &str,
    ) -> Result<Pair, Error> {
        let answer = self.persist(random, diary, |app| app.refresh(token)).await;
        diary.note(self.now(), || match &answer {
            Ok(next) => format!("refresh of {} gave {}", place(token), place(&next.refresh)),
            Err(error) => format!("refresh of {}: {error} ({})", place(token), error.code()),
        });
        answer
    }

    /// An honest client was refused: says everything that is known about how that came.
    pub(crate) fn logged_out(&self, diary: &Diary, why: &str) {
        self.tally.logged_out.add(1);
        eprintln!("!!! an honest client was refused: {why}\n{diary}");
    }

    /// Since the load began.
    pub(crate) fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

/// `gen.brn` of a refresh token.
fn place(token: &str) -> String {
    let decoded = regrant::token::decode_unverified(token);
    let Ok(decoded) = decoded else { return "?".to_owned() };
    let claim =
        |name: &str| decoded.claims().get(name).map_or_else(String::new, ToString::to_string);
    format!("{}.{}@{}", claim("gen"), claim("brn"), claim("iat"))
}

/// What a client last did, for when it is refused.
#[derive(Default)]
pub(crate) struct Diary(VecDeque<(Duration, String)>);

impl Diary {
    const ENTRIES: usize = 24;

    /// A new session: what was before is of no interest.
    pub(crate) fn begin(&mut self, now: Duration, what: impl FnOnce() -> String) {
        self.0.clear();
        self.note(now, what);
    }

    pub(crate) fn note(&mut self, now: Duration, what: impl FnOnce() -> String) {
        if self.0.len() == Self::ENTRIES {
            // The login stays.
            self.0.remove(1);
        }
        self.0.push_back((now, what()));
    }
}

impl std::fmt::Display for Diary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|(when, what)| writeln!(f, "    {:>9.3} s  {what}", when.as_secs_f64()))
    }
}
