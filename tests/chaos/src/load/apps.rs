//! The processes of the app: several `Auth`s, each with its own connections, or processes of Node.js.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use regrant::auth::{AuditEvent, AuditKind};
use regrant::error::{Advice, ErrorCode};
use regrant::store::StoreAddress;
use regrant::types::{Clock, SessionId, Subject};
use regrant::{Auth, Error, Login, RefreshRequest};
use serde_json::{Value, json};

use super::clock::ShiftedClock;
use super::node::{NodeApp, NodeStore};
use super::tally::Tally;

/// The grace of every session here. Like the default (10 s) it is longer than a request may take.
pub(crate) const GRACE: Duration = Duration::from_millis(1000);
/// The grace of children that nobody has used. Also longer than an operation of a custom store in Node.js may take (2 s).
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
    Refused(Refusal),
}

/// Why an app did not grant a request.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: String,
    advice: String,
    message: String,
}

impl Refusal {
    /// The app was killed before it answered, or is down.
    pub(super) fn no_answer() -> Self {
        let (code, message) = ("NO_ANSWER".to_owned(), "no answer".to_owned());
        Self { code, advice: Advice::Retry.to_string(), message }
    }

    /// What an app of Node.js answered.
    pub(super) fn parse(failure: &Value) -> Self {
        let text = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
        Self { code: text("code"), advice: text("advice"), message: text("message") }
    }

    /// The answer of an app of Node.js is not as agreed.
    pub(super) fn unexpected() -> Self {
        let (code, message) = ("UNEXPECTED".to_owned(), "an unexpected answer".to_owned());
        Self { code, advice: Advice::Fix.to_string(), message }
    }

    fn advises(&self, advice: Advice) -> bool {
        self.advice == advice.as_str()
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (code, advice) = (error.code().to_string(), error.advice().to_string());
        Self { code, advice, message: error.to_string() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

/// One process.
#[derive(Clone)]
enum Process {
    Embedded(Auth),
    Node(Arc<NodeApp>),
}

/// Several processes of one app.
pub(crate) struct Apps {
    processes: Vec<Process>,
    tally: Arc<Tally>,
    /// Whether there are replicas, so that an acknowledged revocation may be lost with the primary.
    on_replicas: bool,
    replicated: Arc<Mutex<HashMap<SessionId, bool>>>,
}

/// The configuration of every process, as JSON.
fn config() -> Value {
    let millis = |span: Duration| format!("{}ms", span.as_millis());
    json!({
        "secret": "an access secret of at least 32 bytes",
        "refresh": { "grace": millis(GRACE), "unusedGrace": millis(UNUSED_GRACE) },
    })
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
        let config = config().to_string();
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
                Ok(Process::Embedded(builder.build()?))
            })
            .collect::<Result<_>>()?;
        Ok(Self { processes, tally: Arc::clone(tally), on_replicas, replicated })
    }

    /// One process of Node.js for each of these stores, all of which lead to the same table.
    pub(crate) fn of_node(stores: &[NodeStore], tally: &Arc<Tally>) -> Result<Self> {
        let config = config();
        let mut processes = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            // The first creates the table.
            let app = NodeApp::start(store.clone(), config.clone(), number == 0)?;
            processes.push(Process::Node(Arc::new(app)));
        }
        let replicated = Arc::default();
        Ok(Self { processes, tally: Arc::clone(tally), on_replicas: false, replicated })
    }

    /// A random process, as a load balancer would choose.
    pub(crate) fn any(&self, random: &mut Rng) -> App {
        self.app(&self.processes[random.usize(..self.processes.len())])
    }

    /// All processes.
    pub(crate) fn all(&self) -> impl Iterator<Item = App> {
        self.processes.iter().map(|process| self.app(process))
    }

    fn app(&self, process: &Process) -> App {
        App { process: process.clone(), tally: Arc::clone(&self.tally) }
    }

    /// The processes that are `Auth`s of this program.
    pub(crate) fn embedded(&self) -> impl Iterator<Item = &Auth> {
        self.processes.iter().filter_map(|process| match process {
            Process::Embedded(auth) => Some(auth),
            Process::Node(_) => None,
        })
    }

    /// As [`any`](Self::any), for requests that are not counted. `None` with processes of Node.js.
    pub(crate) fn any_auth(&self, random: &mut Rng) -> Option<Auth> {
        let all: Vec<_> = self.embedded().collect();
        random.choice(all).cloned()
    }

    /// The processes of Node.js.
    pub(crate) fn node(&self) -> impl Iterator<Item = &NodeApp> {
        self.processes.iter().filter_map(|process| match process {
            Process::Embedded(_) => None,
            Process::Node(app) => Some(&**app),
        })
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

/// One process of the app, as its clients reach it.
pub(crate) struct App {
    process: Process,
    tally: Arc<Tally>,
}

impl App {
    pub(crate) async fn login(self, subject: Subject) -> AppResponse<(SessionId, Pair)> {
        let answer = match &self.process {
            Process::Embedded(auth) => login(auth, subject).await.map_err(Refusal::from),
            Process::Node(app) => app.login(&subject).await,
        };
        self.judge(answer)
    }

    pub(crate) async fn refresh(self, token: &str) -> AppResponse<Pair> {
        let answer = match &self.process {
            Process::Embedded(auth) => refresh(auth, token).await.map_err(Refusal::from),
            Process::Node(app) => app.refresh(token).await,
        };
        if answer.is_ok() {
            self.tally.refreshes.add(1);
        }
        self.judge(answer)
    }

    pub(crate) async fn logout(self, token: &str) -> AppResponse<()> {
        let answer = match &self.process {
            Process::Embedded(auth) => auth.logout(token).await.map(drop).map_err(Refusal::from),
            Process::Node(app) => app.logout(token).await,
        };
        self.judge(answer)
    }

    /// Whether an access token is accepted, or the client is told to refresh or to try again.
    pub(crate) async fn verify(&self, access: &str) -> bool {
        match self.check(access).await {
            Ok(()) => true,
            Err(it) => it.advises(Advice::Refresh) || it.advises(Advice::Retry),
        }
    }

    /// Whether an access token is accepted.
    pub(crate) async fn accepts(&self, access: &str) -> bool {
        self.check(access).await.is_ok()
    }

    async fn check(&self, access: &str) -> Result<(), Refusal> {
        match &self.process {
            Process::Embedded(auth) => Ok(auth.verify(access).map(drop)?),
            Process::Node(app) => app.verify(access).await,
        }
    }

    fn judge<T>(&self, answer: Result<T, Refusal>) -> AppResponse<T> {
        match answer {
            Ok(value) => AppResponse::Done(value),
            Err(refusal) if refusal.code == ErrorCode::RefreshSuperseded.as_str() => {
                self.tally.superseded.add(1);
                AppResponse::Again
            }
            Err(refusal) if refusal.advises(Advice::Retry) => {
                self.tally.unavailable.add(1);
                AppResponse::Again
            }
            Err(refusal) => AppResponse::Refused(refusal),
        }
    }
}

async fn login(auth: &Auth, subject: Subject) -> regrant::Result<(SessionId, Pair)> {
    let pair = auth.login(Login::new(subject)).await?;
    let access = pair.access_token.expose().to_owned();
    Ok((pair.session, Pair { access, refresh: pair.refresh_token.expose().to_owned() }))
}

async fn refresh(auth: &Auth, token: &str) -> regrant::Result<Pair> {
    let next = auth.refresh(RefreshRequest::new(token)).await?;
    // Rotation is on, so there is always a new token.
    let refresh = next.refresh_token.map_or_else(|| token.to_owned(), |it| it.expose().to_owned());
    Ok(Pair { access: next.access_token.expose().to_owned(), refresh })
}
