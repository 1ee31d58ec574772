//! The processes of the app: several `Auth`s, each with its own connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use regrant::auth::{AuditEvent, AuditKind};
use regrant::error::Advice;
use regrant::store::StoreAddress;
use regrant::types::{Clock, SessionId, Subject};
use regrant::{Auth, Error, Login, RefreshRequest};

use super::clock::ShiftedClock;
use super::tally::Tally;

/// The grace of every session here. Like the default (10 s) it is longer than a request may take.
pub(crate) const GRACE: Duration = Duration::from_millis(1000);
/// The grace of children that nobody has used.
pub(crate) const UNUSED_GRACE: Duration = Duration::from_millis(2500);
/// How long one operation of a store may take.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(400);

/// The tokens of a client.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The response of an app.
pub(crate) enum AppResponse<T> {
    /// Success.
    Done(T),
    /// Try again with the same token.
    Again,
    /// A final rejection.
    Refused(Error),
}

/// Several processes of one app.
pub(crate) struct Apps {
    processes: Vec<Auth>,
    tally: Arc<Tally>,
    /// Whether there are replicas, so that an acknowledged revocation may be lost with the primary.
    on_replicas: bool,
    replicated: Arc<Mutex<HashMap<SessionId, bool>>>,
}

impl Apps {
    /// One process for each address; all addresses lead to the same sessions.
    pub(crate) fn new(
        addresses: &[StoreAddress],
        on_replicas: bool,
        tally: &Arc<Tally>,
        clock: Option<Arc<ShiftedClock>>,
    ) -> Result<Self> {
        let replicated = Arc::new(Mutex::new(HashMap::new()));
        let config = format!(
            r#"{{ "secret": "an access secret of at least 32 bytes",
                 "refresh": {{ "grace": "{}ms", "unusedGrace": "{}ms" }} }}"#,
            GRACE.as_millis(),
            UNUSED_GRACE.as_millis()
        );
        let processes = addresses
            .iter()
            .map(|address| {
                let noted = Arc::clone(&replicated);
                let mut builder = Auth::from_json(&config)?
                    .store_at(address.clone().timeout(TIMEOUT))
                    .on_event(move |event| note(&noted, event));
                if let Some(clock) = &clock {
                    builder = builder.clock(Arc::clone(clock) as Arc<dyn Clock>);
                }
                Ok(builder.build()?)
            })
            .collect::<Result<_>>()?;
        Ok(Self { processes, tally: Arc::clone(tally), on_replicas, replicated })
    }

    /// A random process, as a load balancer would choose.
    pub(crate) fn any(&self, random: &mut Rng) -> App {
        App { auth: self.any_auth(random), tally: Arc::clone(&self.tally) }
    }

    /// As [`any`](Self::any), for requests that are not counted.
    pub(crate) fn any_auth(&self, random: &mut Rng) -> Auth {
        self.processes[random.usize(..self.processes.len())].clone()
    }

    /// All processes.
    pub(crate) fn all(&self) -> &[Auth] {
        &self.processes
    }

    /// Whether acknowledged entries of the feed survive every fault. They do not wait for replicas.
    pub(crate) fn keeps_revocations(&self) -> bool {
        !self.on_replicas
    }

    /// Whether an acknowledged revocation must survive every fault: it was reported to be on
    /// replicas, or is on the disk of the only server.
    pub(crate) fn is_durable(&self, session: SessionId) -> bool {
        !self.on_replicas || lock(&self.replicated).get(&session).copied().unwrap_or(false)
    }
}

fn note(noted: &Mutex<HashMap<SessionId, bool>>, event: &AuditEvent) {
    if let AuditKind::Revoked { replicated: Some(replicated), .. } = event.kind {
        *lock(noted).entry(event.session).or_default() |= replicated;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One process of the app.
pub(crate) struct App {
    auth: Auth,
    tally: Arc<Tally>,
}

impl App {
    pub(crate) async fn login(self, subject: Subject) -> AppResponse<(SessionId, Pair)> {
        let answer = self.auth.login(Login::new(subject)).await.map(|pair| {
            let tokens = Pair {
                access: pair.access_token.expose().to_owned(),
                refresh: pair.refresh_token.expose().to_owned(),
            };
            (pair.session, tokens)
        });
        self.judge(answer)
    }

    pub(crate) async fn refresh(self, token: &str) -> AppResponse<Pair> {
        let answer = self.auth.refresh(RefreshRequest::new(token)).await.map(|next| Pair {
            access: next.access_token.expose().to_owned(),
            // Rotation is on, so there is always a new token.
            refresh: next
                .refresh_token
                .map_or_else(|| token.to_owned(), |next| next.expose().to_owned()),
        });
        if answer.is_ok() {
            self.tally.refreshes.add(1);
        }
        self.judge(answer)
    }

    pub(crate) async fn logout(self, token: &str) -> AppResponse<bool> {
        let answer = self.auth.logout(token).await;
        self.judge(answer)
    }

    /// Whether an access token is accepted, or the client is told to refresh.
    pub(crate) fn verify(&self, access: &str) -> bool {
        self.auth.verify(access).map_or_else(|error| error.advice() == Advice::Refresh, |_| true)
    }

    fn judge<T>(&self, answer: regrant::Result<T>) -> AppResponse<T> {
        match answer {
            Ok(value) => AppResponse::Done(value),
            Err(Error::RefreshSuperseded) => {
                self.tally.superseded.add(1);
                AppResponse::Again
            }
            Err(error) if error.advice() == Advice::Retry => {
                self.tally.unavailable.add(1);
                AppResponse::Again
            }
            Err(error) => AppResponse::Refused(error),
        }
    }
}
