//! The machine: what is known, what is under way, and which event goes where.

mod asking;
mod changing;
mod phase;
mod renewing;

use std::collections::VecDeque;
use std::time::Duration;

use crate::types::{AccessToken, RefreshToken};

use super::backoff::{Failures, Jitter};
use super::event::{Action, Caller, Event, Ticket};
use super::now::{Now, ServerClock};
use super::pair::Pair;
use super::reason::{Refusal, SignOutReason, State, Trouble};
use super::settings::Settings;
use phase::{Intent, Phase, Waiter};

/// The client's side of the flow for one storage of tokens, as a machine without I/O: it is told
/// what has happened and when, and says what to do.
///
/// However it is driven, it keeps these rules:
/// - One refresh at a time, across processes too where the storage has a lock.
/// - The storage is read before a refresh and again before it is written.
/// - Nobody is given a token, and no refresh is made with one, that is not stored.
/// - A refresh once begun goes on, whoever cancels.
/// - Only a final refusal by the server, or the user, signs out.
/// - Every caller is answered, also where a report never comes: after [`Settings::patience`], or
///   [`Settings::persist_for`] once its change of the storage has begun. All it takes is to wake
///   the machine as [`Machine::wake_at`] says.
///
/// `PartialEq` and `Hash` compare the whole of it, so that its states can be searched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    settings: Settings,
    holding: Holding,
    /// The pair that was signed out of, until the storage is known not to have it.
    over: Option<(RefreshToken, SignOutReason)>,
    /// The access token that the server refused last.
    refused: Option<AccessToken>,
    /// When a token that the server had refused was last renewed.
    refusal_renewed: Option<Duration>,
    clock: Option<ServerClock>,
    /// How much earlier than it must be the held token is renewed.
    early: Duration,
    phase: Phase,
    locked: bool,
    waiting: Vec<Waiter>,
    intents: VecDeque<Intent>,
    /// A refresh is wanted although nobody waits for it.
    background: bool,
    failures: Failures,
    jitter: Jitter,
    tickets: u64,
    told: State,
}

/// What of the storage is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holding {
    Unknown,
    Pair(Pair),
    Nothing(SignOutReason),
}

impl Machine {
    /// A machine that has not looked into its storage yet.
    pub fn new(settings: Settings) -> Self {
        let jitter = Jitter::new(settings.seed);
        Self {
            settings,
            holding: Holding::Unknown,
            over: None,
            refused: None,
            refusal_renewed: None,
            clock: None,
            early: Duration::ZERO,
            phase: Phase::Idle,
            locked: false,
            waiting: Vec::new(),
            intents: VecDeque::new(),
            background: false,
            failures: Failures::default(),
            jitter,
            tickets: 0,
            told: State::Unknown,
        }
    }

    /// Takes note of `event` and says what to do, in this order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut out = Vec::new();
        match event {
            Event::Want { caller } => self.want(caller, now, &mut out),
            Event::Refused { caller, token } => self.want_another(caller, token, now, &mut out),
            Event::Cancel { caller } => self.cancel(caller),
            // It could not be used.
            Event::SignIn { caller, pair } if !self.has_key_of(&pair) => {
                let refusal = Refusal::SignIn(SignOutReason::OtherKey);
                out.push(Action::Refuse { caller, refusal });
            }
            Event::SignIn { caller, pair } => {
                self.intend(Intent::SignIn { caller, pair, asked: now }, now, &mut out);
            }
            Event::SignOut { caller } => {
                self.signed_out(SignOutReason::ByUser, &mut out);
                self.intend(Intent::SignOut { caller, asked: now }, now, &mut out);
            }
            Event::Locked { ticket } => self.on_locked(ticket, now, &mut out),
            Event::LockFailed { ticket } => self.on_lock_failed(ticket, now, &mut out),
            Event::Read { ticket, found } => self.on_read(ticket, found, now, &mut out),
            Event::Written { ticket, done } => self.on_written(ticket, done, now, &mut out),
            Event::Answered { ticket, answer } => self.on_answer(ticket, answer, now, &mut out),
            Event::Unanswered { ticket } => self.on_unanswered(ticket, now, &mut out),
            Event::Tick => self.on_tick(now, &mut out),
        }
        self.proceed(now, &mut out);
        let state = self.state();
        if state != self.told {
            self.told = state;
            // First: whoever is answered and then looks sees what goes with the answer.
            out.insert(0, Action::State(state));
        }
        out
    }

    /// When, on the monotonic clock, the machine wants [`Event::Tick`] at the latest, unless
    /// something else happens before.
    pub fn wake_at(&self) -> Option<Duration> {
        let attempt = match &self.phase {
            Phase::Resting { until, .. } => Some(*until),
            Phase::Idle if !self.waiting.is_empty() => Some(self.failures.not_before()),
            _ => None,
        };
        let callers = self.waiting.iter().map(|waiter| waiter.until);
        let intents = self.intents.iter().map(|intent| self.patience_of(intent.asked()));
        let change = self.phase.change().filter(|change| change.caller.is_some());
        callers.chain(intents).chain(change.map(|change| change.until)).chain(attempt).min()
    }

    /// Whether somebody is signed in, as far as is known.
    pub fn state(&self) -> State {
        match &self.holding {
            Holding::Unknown => State::Unknown,
            Holding::Pair(_) => State::SignedIn,
            Holding::Nothing(reason) => State::SignedOut(*reason),
        }
    }

    /// What is known of the server's clock.
    #[cfg(feature = "client")]
    pub(in crate::client) fn server_clock(&self) -> Option<ServerClock> {
        self.clock
    }

    /// Whether nothing is under way: no report is awaited and nobody waits.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Idle && self.waiting.is_empty() && self.intents.is_empty()
    }

    /// Begins what is to be done next, if nothing is under way.
    fn proceed(&mut self, now: Now, out: &mut Vec<Action>) {
        if self.phase != Phase::Idle {
            return;
        }
        if !self.intents.is_empty() {
            return self.take_lock(out);
        }
        if self.waiting.is_empty() && !self.background || now.monotonic < self.failures.not_before()
        {
            return;
        }
        match self.holding {
            // Most often the storage has a good token, and then nobody need be locked out.
            Holding::Unknown | Holding::Nothing(_) => {
                let ticket = self.ticket();
                self.phase = Phase::Looking(ticket);
                out.push(Action::Read { ticket });
            }
            Holding::Pair(_) => self.take_lock(out),
        }
    }

    fn on_tick(&mut self, now: Now, out: &mut Vec<Action>) {
        self.resume_change(now, out);
        let refusal = self.failures.refusal(now.monotonic);
        self.waiting.retain(|waiter| {
            let waits = now.monotonic < waiter.until;
            if !waits {
                out.push(Action::Refuse { caller: waiter.caller, refusal });
            }
            waits
        });
        if let Some(change) = self.phase.change_mut()
            && now.monotonic >= change.until
        {
            refuse(change.caller.take(), Trouble::Storage, out);
        }
        while let Some(intent) = self.intents.front()
            && now.monotonic >= self.patience_of(intent.asked())
        {
            refuse(Some(intent.caller()), Trouble::Slow, out);
            self.intents.pop_front();
        }
    }

    /// The storage has `pair`, and so has the machine from here on.
    fn hold(&mut self, pair: Pair, now: Now) {
        if self.clock.is_none() {
            self.clock = Some(ServerClock::remembered(pair.skew_ms.unwrap_or(0), now));
        }
        let is_new = !matches!(&self.holding, Holding::Pair(held) if *held == pair);
        if is_new {
            self.early = self.jitter.up_to(self.margin(&pair) / 2);
            self.holding = Holding::Pair(pair);
        }
    }

    /// The storage has nothing any more, or is about to: whoever waits must sign in.
    fn signed_out(&mut self, reason: SignOutReason, out: &mut Vec<Action>) {
        if let Holding::Pair(pair) = &self.holding {
            self.over = Some((pair.refresh.clone(), reason));
        }
        self.holding = Holding::Nothing(reason);
        self.background = false;
        self.refuse_all(Refusal::SignIn(reason), out);
    }

    fn refuse_all(&mut self, refusal: Refusal, out: &mut Vec<Action>) {
        let refuse = |waiter: Waiter| Action::Refuse { caller: waiter.caller, refusal };
        out.extend(self.waiting.drain(..).map(refuse));
    }

    fn take_lock(&mut self, out: &mut Vec<Action>) {
        let ticket = self.ticket();
        self.phase = Phase::Locking(ticket);
        out.push(Action::Lock { ticket });
    }

    /// Nothing is under way any more.
    fn rest(&mut self, out: &mut Vec<Action>) {
        self.phase = Phase::Idle;
        if std::mem::take(&mut self.locked) {
            out.push(Action::Unlock);
        }
    }

    fn patience_of(&self, asked: Now) -> Duration {
        asked.monotonic.saturating_add(self.settings.patience)
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

/// Answers whoever asked for a change that was not made.
fn refuse(caller: Option<Caller>, trouble: Trouble, out: &mut Vec<Action>) {
    let refusal = Refusal::TryLater { trouble, retry_after: Duration::ZERO };
    out.extend(caller.map(|caller| Action::Refuse { caller, refusal }));
}
