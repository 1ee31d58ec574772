//! Schedules of the machine, `tests/vectors/client/traces.json`: events in, actions out. Other
//! implementations of the machine, such as the npm package's client for web pages, must do the same
//! in all of them. `REGRANT_UPDATE_VECTORS=1` rewrites the file.
//!
//! Tickets number the actions that are reported back, from one. Times are in milliseconds.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::client::machine::{
    Action, Caller, DeviceTime, Event, Grant, Machine, RefreshAnswer, StorageRead, Ticket,
};
use regrant::client::{SessionError, SessionState, SignOutReason, TokenPair, TransientError};
use regrant::types::{AccessToken, RefreshToken, Timestamp};
use serde_json::{Map, Value, json};

use crate::client_machine::fixture::settings;
use crate::support::check_rows;

const SCHEDULES: u64 = 100;
const EVENTS: usize = 40;

/// Reproducible choices (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// A machine, what its driver knows, and the trace.
struct Schedule {
    machine: Machine,
    random: Random,
    now: DeviceTime,
    /// The wall clock of the server.
    server: Timestamp,
    stored: StorageRead,
    /// The last action that is to be reported, and its number.
    pending: Option<(Action, Ticket, u64)>,
    tickets: u64,
    callers: u64,
    tokens: u64,
    /// The last access token that a caller received.
    given: Option<AccessToken>,
    steps: Vec<Value>,
}

impl Schedule {
    fn new(seed: u64) -> Self {
        let mut settings = settings();
        settings.seed = seed;
        let wall = Timestamp::from_seconds(1_700_000_000);
        let mut random = Random(seed);
        let off = i64::try_from(random.below(3)).unwrap() - 1;
        Self {
            machine: Machine::new(settings),
            now: DeviceTime {
                monotonic: Duration::from_secs(5),
                wall: Timestamp::from_millis(wall.as_millis() + off * 600_000),
            },
            server: wall,
            random,
            stored: StorageRead::Empty,
            pending: None,
            tickets: 0,
            callers: 0,
            tokens: 0,
            given: None,
            steps: Vec::new(),
        }
    }

    /// An access token that is opaque, or a JWT with its times, or with `exp` alone.
    fn access(&mut self) -> AccessToken {
        self.tokens += 1;
        if self.random.percent(50) {
            return AccessToken::new(format!("a{}", self.tokens));
        }
        let iat = self.server.as_millis() / 1000;
        let mut claims = json!({ "iat": iat, "exp": iat + 900, "n": self.tokens });
        if self.random.percent(30) {
            claims = json!({ "exp": iat + 20, "n": self.tokens });
        }
        let claims = claims.to_string();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        AccessToken::new(format!("{}.{}.{}", part(r#"{"alg":"none"}"#), part(&claims), part("s")))
    }

    fn pair(&mut self) -> TokenPair {
        let pair = TokenPair::new(self.access(), RefreshToken::new(format!("r{}", self.tokens)));
        // A multiple of six seconds: thirds and halves of it are whole milliseconds.
        let lifetime = [900, 60, 24][usize::try_from(self.random.below(3)).unwrap()];
        if self.random.percent(90) { pair.expires_in(Duration::from_secs(lifetime)) } else { pair }
    }

    fn wait(&mut self, span: Duration) {
        self.now.wall = self.now.wall.plus(span);
        self.server = self.server.plus(span);
        // The device slept.
        if span < Duration::from_secs(100) || self.random.percent(70) {
            self.now.monotonic += span;
        }
    }

    /// Hands an event to the machine, and notes it and what comes out.
    fn handle(&mut self, event: Event, named: Value) {
        let mut out = Vec::new();
        for action in self.machine.handle(self.now, event) {
            let ticket = match &action {
                Action::Lock { ticket }
                | Action::Read { ticket }
                | Action::Write { ticket, .. }
                | Action::Clear { ticket }
                | Action::Send { ticket, .. } => Some(*ticket),
                _ => None,
            };
            if let Some(ticket) = ticket {
                self.tickets += 1;
                self.pending = Some((action.clone(), ticket, self.tickets));
            }
            if let Action::Give { token, .. } = &action {
                self.given = Some(token.clone());
            }
            out.extend(action_json(&action, self.tickets));
        }
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap();
        self.steps.push(json!({
            "at": [millis(self.now.monotonic), self.now.wall.as_millis()],
            "event": named,
            "actions": out,
            "state": state_json(self.machine.state()),
            "wakeAt": self.machine.wake_at().map(millis),
        }));
    }

    fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }

    fn sign_in(&mut self, caller: Caller) {
        let pair = self.pair();
        let named = json!(["signIn", caller.0, pair_json(&pair)]);
        self.handle(Event::SignIn { caller, pair }, named);
    }

    /// One more event: usually the report that the machine waits for.
    fn step(&mut self) {
        let pause = [0, 40, 700, 6_000, 31_000, 400_000, 1_000_000];
        let index = usize::try_from(self.random.below(20)).unwrap();
        self.wait(Duration::from_millis(pause.get(index).copied().unwrap_or(20)));
        let due = self.machine.wake_at().is_some_and(|at| at <= self.now.monotonic);
        if due && self.random.percent(80) {
            return self.handle(Event::Tick, json!(["tick"]));
        }
        if self.pending.is_some() && self.random.percent(85) {
            return self.report();
        }
        let caller = self.caller();
        match self.random.below(40) {
            _ if self.steps.is_empty() => self.sign_in(caller),
            0..=21 => self.handle(Event::Acquire { caller }, json!(["acquire", caller.0])),
            22..=31 => {
                let given = self.given.clone();
                let rejected = given.unwrap_or_else(|| AccessToken::new("unknown"));
                let named = json!(["renew", caller.0, rejected.expose()]);
                self.handle(Event::Renew { caller, rejected }, named);
            }
            32 => {
                let caller = Caller(self.random.below(caller.0));
                self.handle(Event::Cancel { caller }, json!(["cancel", caller.0]));
            }
            33 | 34 => self.sign_in(caller),
            35 => self.handle(Event::SignOut { caller }, json!(["signOut", caller.0])),
            36 | 37 => {
                // Another process signed in, or out.
                let pair = self.pair();
                let is_login = self.random.percent(85);
                self.stored = if is_login { StorageRead::Pair(pair) } else { StorageRead::Empty };
            }
            _ => self.handle(Event::Tick, json!(["tick"])),
        }
    }

    /// Performs the pending action, or fails it.
    fn report(&mut self) {
        let Some((action, ticket, number)) = self.pending.clone() else { return };
        // A few reports come twice.
        if self.random.percent(95) {
            self.pending = None;
        }
        match action {
            Action::Lock { .. } => {
                self.handle(Event::Locked { ticket }, json!(["report", number, true]))
            }
            Action::Read { .. } => {
                let found = match self.random.below(20) {
                    0 => StorageRead::Failed,
                    1 => StorageRead::Unreadable,
                    _ => self.stored.clone(),
                };
                let named = match &found {
                    StorageRead::Pair(pair) => pair_json(pair),
                    StorageRead::Empty => Value::Null,
                    StorageRead::Unreadable => json!("unreadable"),
                    StorageRead::Failed => json!("failed"),
                    StorageRead::Retired(_) | StorageRead::Lost => unreachable!("not here"),
                };
                self.handle(Event::Read { ticket, found }, json!(["report", number, named]));
            }
            Action::Write { .. } | Action::Clear { .. } => {
                let done = self.random.percent(75);
                // An outcome that is unknown may be either.
                if done || self.random.percent(30) {
                    self.stored = match action {
                        Action::Write { pair, .. } => StorageRead::Pair(pair),
                        _ => StorageRead::Empty,
                    };
                }
                self.handle(Event::Written { ticket, done }, json!(["report", number, done]));
            }
            Action::Send { .. } => self.answer(ticket, number),
            _ => {}
        }
    }

    fn answer(&mut self, ticket: Ticket, number: u64) {
        let (answer, named) = match self.random.below(20) {
            0..=10 => {
                let access = self.access();
                let refresh = format!("r{}", self.tokens);
                let refresh = self.random.percent(80).then_some(refresh);
                let lifetime = self.random.percent(80).then_some(Duration::from_secs(900));
                let date = self.random.percent(80).then_some(self.server);
                let named = json!({ "granted": {
                    "access": access.expose(),
                    "refresh": refresh,
                    "lifetime": lifetime.map(|lifetime| lifetime.as_secs() * 1000),
                    "date": date.map(Timestamp::as_millis),
                } });
                let refresh = refresh.map(RefreshToken::new);
                (RefreshAnswer::Granted(Grant { access, refresh, lifetime, date }), named)
            }
            11 => (RefreshAnswer::Superseded, json!({ "superseded": true })),
            12 | 13 => {
                let reason = if self.random.percent(50) {
                    SignOutReason::Reused
                } else {
                    SignOutReason::Revoked(None)
                };
                let named = json!({ "signedOut": { "reason": reason.as_str() } });
                (RefreshAnswer::SignedOut(reason), named)
            }
            14..=16 => {
                let cause = TransientError::Server { status: 503, code: None };
                let after = self.random.percent(50).then_some(Duration::from_secs(400));
                let after =
                    after.filter(|_| self.random.percent(50)).or(after.map(|span| span / 10));
                let named = json!({
                    "failure": { "reason": "server", "status": 503 },
                    "retryAfter": after.map(|span| span.as_secs() * 1000),
                });
                (RefreshAnswer::Unavailable { cause, retry_after: after }, named)
            }
            _ => {
                let named = json!(["report", number]);
                return self.handle(Event::Unanswered { ticket }, named);
            }
        };
        self.handle(Event::Answered { ticket, answer }, json!(["report", number, named]));
    }
}

/// The stored form, without what is absent.
fn pair_json(pair: &TokenPair) -> Value {
    let mut stored: Map<String, Value> = serde_json::from_slice(&pair.to_bytes().unwrap()).unwrap();
    stored.retain(|name, value| !value.is_null() && name != "version");
    Value::Object(stored)
}

fn state_json(state: SessionState) -> &'static str {
    match state {
        SessionState::Unknown => "unknown",
        SessionState::SignedIn => "signed_in",
        SessionState::SignedOut(reason) => reason.as_str(),
    }
}

/// A change of the state is noted beside the actions.
fn action_json(action: &Action, number: u64) -> Option<Value> {
    Some(match action {
        Action::Give { caller, token } => json!(["give", caller.0, token.expose()]),
        Action::Done { caller } => json!(["done", caller.0]),
        Action::Fail { caller, error: SessionError::SignIn(reason) } => {
            json!(["fail", caller.0, reason.as_str()])
        }
        Action::Fail { caller, error: SessionError::Retry { cause, retry_after } } => {
            let reason = match cause {
                TransientError::Network => "network",
                TransientError::Server { .. } => "server",
                TransientError::Superseded => "superseded",
                TransientError::Storage => "storage",
                TransientError::AccessRejected => "access_rejected",
                TransientError::Timeout => "timeout",
                other => unreachable!("{other:?}"),
            };
            let after = u64::try_from(retry_after.as_millis()).unwrap();
            json!(["fail", caller.0, reason, after])
        }
        Action::Lock { .. } => json!(["lock", number]),
        Action::Unlock => json!(["unlock"]),
        Action::Read { .. } => json!(["read", number]),
        Action::Write { pair, .. } => json!(["write", number, pair_json(pair)]),
        Action::Clear { .. } => json!(["clear", number]),
        Action::Send { pair, .. } => json!(["send", number, pair.refresh_token().expose()]),
        Action::StateChanged(_) => return None,
        // `revoke_on_sign_out` is off.
        Action::SignedOut { .. } | Action::Retire { .. } | Action::Revoke { .. } => unreachable!(),
    })
}

#[test]
fn the_traces_are_those_of_the_machine() {
    let traces = (1..=SCHEDULES).map(|seed| {
        let mut schedule = Schedule::new(seed);
        while schedule.steps.len() < EVENTS {
            schedule.step();
        }
        json!({ "seed": seed, "steps": schedule.steps })
    });
    check_rows("client/traces.json", &traces.collect::<Vec<_>>());
}
