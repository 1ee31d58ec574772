//! Mutants: the real functions, each with one rule broken.

use regrant::Result;
use regrant::internal::check_binding;
use regrant::keys::Thumbprint;
use regrant::revocation::{Revocation, RevocationTarget};
use regrant::session::{
    AccessTokenUse, Child, Decision, DiscardedChild, IssuedChild, PresentedToken, Record,
    RefreshPolicy, RefreshTransition, ReuseEvidence, SessionState, TokenId, TokenSecret,
    UseOutcome, UseTransition, decide_refresh, decide_use,
};
use regrant::types::{Realms, RevocationReason, Subject, Timestamp};

use super::binding::BindingChecks;
use super::machine::Machine;
use super::realms::RealmRules;

/// A machine with one rule broken.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// What is broken.
    pub name: &'static str,
    /// The machine.
    pub machine: Machine,
}

type DecideRefreshFn = fn(&Record, &PresentedToken, Timestamp, &RefreshPolicy) -> RefreshTransition;
type DecideUseFn = fn(&Record, &AccessTokenUse, Timestamp) -> UseTransition;

const fn deciding(name: &'static str, decide_refresh: DecideRefreshFn) -> Mutant {
    Mutant { name, machine: Machine { decide_refresh, ..Machine::REAL } }
}

const fn binding(name: &'static str, bindings: BindingChecks) -> Mutant {
    Mutant { name, machine: Machine { bindings, ..Machine::REAL } }
}

const fn deciding_use(name: &'static str, decide_use: DecideUseFn) -> Mutant {
    Mutant { name, machine: Machine { decide_use, ..Machine::REAL } }
}

/// Mutants that violate an invariant.
pub const LOAD_BEARING: &[Mutant] = &[
    deciding("no grace: no used child is replayed", |r, p, now, policy| {
        decide_refresh(r, p, now, &RefreshPolicy { grace: std::time::Duration::ZERO, ..*policy })
    }),
    deciding("a replay restarts the grace", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let (Decision::Replay(issued_child), Some(child)) = (&mut next.decision, r.child) {
            issued_child.issued_at = now;
            next.record =
                Some(Record { child: Some(Child { issued_at: now, ..child }), ..r.clone() });
        }
        next
    }),
    deciding("an unused child has no longer grace than a used one", |r, p, now, policy| {
        decide_refresh(r, p, now, &RefreshPolicy { unused_grace: policy.grace, ..*policy })
    }),
    deciding(
        "an unused child is discarded as soon as it is no longer given again",
        |r, p, now, policy| {
            let next = decide_refresh(r, p, now, policy);
            let is_between =
                r.child.is_some_and(|child| !child.used) && p.generation == r.generation;
            if !is_between || next.decision != Decision::Superseded {
                return next;
            }
            // As the real functions do at the end of the pause.
            let policy = RefreshPolicy { grace: std::time::Duration::ZERO, ..*policy };
            decide_refresh(r, p, now, &policy)
        },
    ),
    deciding("a used child is no longer superseded than given again", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        let is_parent = r.child.is_some_and(|child| child.used) && p.generation == r.generation;
        if is_parent && next.decision == Decision::Superseded {
            return reuse(r, ReuseEvidence::ParentReturned, now);
        }
        next
    }),
    deciding(
        "it is not noted that a child was given at the end of its grace",
        |r, p, now, policy| {
            let next = decide_refresh(r, p, now, policy);
            match next.decision {
                Decision::Replay(_) => RefreshTransition { record: None, ..next },
                _ => next,
            }
        },
    ),
    deciding("a used child has the grace of an unused one", |r, p, now, policy| {
        let is_confirmed = p.generation == r.generation;
        let grace = if is_confirmed { policy.unused_grace } else { policy.grace };
        decide_refresh(r, p, now, &RefreshPolicy { grace, ..*policy })
    }),
    deciding("the grace of a used child begins with its issue", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        let child = r.child.filter(|child| child.used);
        let is_late = child.is_some_and(|child| now > child.issued_at.plus(policy.grace));
        if is_late && matches!(next.decision, Decision::Replay(_)) {
            return reuse(r, ReuseEvidence::ParentReturned, now);
        }
        next
    }),
    deciding("after a rollback a late response is theft", |r, p, now, policy| {
        let is_confirmed = p.generation == r.generation;
        let unused_grace = if is_confirmed { policy.unused_grace } else { policy.grace };
        decide_refresh(r, p, now, &RefreshPolicy { unused_grace, ..*policy })
    }),
    deciding("a discarded child is denied within the shorter grace only", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let (Some(discarded), Some(child)) = (&mut next.discarded, r.child) {
            discarded.issued_until = child.issued_at.plus(policy.grace);
        }
        next
    }),
    deciding("a discarded child is not denied to the verifiers", |r, p, now, policy| {
        RefreshTransition { discarded: None, ..decide_refresh(r, p, now, policy) }
    }),
    deciding("a session is renewed although it has a child", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        let has_child = r.child.is_some() && (p.generation, r.generation) == (0, 0);
        if has_child && !policy.rotate { renewed(r, next) } else { next }
    }),
    deciding("a session of a later generation is renewed", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        let is_later = p.generation > 0;
        if is_later && r.child.is_none() && !policy.rotate { renewed(r, next) } else { next }
    }),
    deciding("a token newer than the record is renewed", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        let is_newer = p.generation > r.generation;
        if is_newer && !policy.rotate { renewed(r, next) } else { next }
    }),
    deciding("a returning parent is tolerated", |r, p, now, policy| {
        decide_refresh(&map_child(r, |child| Child { used: false, ..child }), p, now, policy)
    }),
    deciding("the child after a discarded one has the same position", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if next.discarded.is_some() {
            on_branch(next, r.child.map_or(0, |child| child.branch))
        } else {
            next
        }
    }),
    deciding("a different token at the confirmed position is accepted", |r, p, now, policy| {
        let id = if p.generation == r.generation { r.id } else { p.id };
        decide_refresh(r, &PresentedToken { id, ..*p }, now, policy)
    }),
    deciding("a discarded child is accepted, whatever came later", |r, p, now, policy| {
        decide_refresh(r, &as_latest_child(r, p), now, policy)
    }),
    deciding(
        "an older token must be older than the latest child, without the grace",
        |r, p, now, policy| {
            let next = decide_refresh(r, p, now, policy);
            let older = r.child.is_some_and(|child| child.issued_at > p.issued_at);
            if p.generation > r.generation && next.record.is_some() && older {
                return reuse(r, ReuseEvidence::OlderToken, now);
            }
            next
        },
    ),
    deciding("a token newer than the record is theft", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if p.generation > r.generation + 1 && next.record.is_some() {
            return reuse(r, ReuseEvidence::OlderToken, now);
        }
        next
    }),
    deciding("a superseded token is theft", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if next.decision == Decision::Superseded {
            reuse(r, ReuseEvidence::OlderToken, now)
        } else {
            next
        }
    }),
    deciding("a superseded token gets a token", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        match (next.decision, r.child) {
            (Decision::Superseded, Some(child)) => {
                let family_position = regrant::types::FamilyPosition {
                    generation: r.generation + 1,
                    branch: child.branch,
                };
                let issued_child = IssuedChild {
                    family_position,
                    issued_at: child.issued_at,
                    expires_at: r.idle_deadline,
                };
                RefreshTransition { decision: Decision::Replay(issued_child), ..next }
            }
            _ => next,
        }
    }),
    deciding("an older token is superseded forever", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if p.generation < r.generation && matches!(next.decision, Decision::Reuse(_)) {
            return RefreshTransition {
                decision: Decision::Superseded,
                record: None,
                discarded: None,
            };
        }
        next
    }),
    deciding("the grace of superseded tokens begins at the login", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let Some(record) = &mut next.record {
            record.confirmed_at = r.confirmed_at;
        }
        next
    }),
    deciding("a child may be issued before its parent", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let (Decision::Rotate(issued_child), Some(record)) =
            (&mut next.decision, &mut next.record)
        {
            issued_child.issued_at = now;
            record.child = record.child.map(|child| Child { issued_at: now, ..child });
        }
        next
    }),
    deciding("use of a child does not confirm it", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if p.generation > r.generation && next.record.is_some() {
            return RefreshTransition { record: None, ..next };
        }
        next
    }),
    deciding("expires_at moves", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let Some(record) = &mut next.record {
            record.expires_at = record.expires_at.plus(policy.idle_ttl);
        }
        next
    }),
    deciding("a replay moves the idle deadline", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if !matches!(next.decision, Decision::Replay(_)) {
            return next;
        }
        let idle_deadline = now.plus(policy.idle_ttl).min(r.expires_at);
        RefreshTransition { record: Some(Record { idle_deadline, ..r.clone() }), ..next }
    }),
    deciding("a renewal does not move the idle deadline", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let (Decision::Renew { .. }, Some(record)) = (next.decision, &mut next.record) {
            record.idle_deadline = r.idle_deadline;
        }
        next
    }),
    deciding("a clock that is behind moves the idle deadline back", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        let is_granted = matches!(next.decision, Decision::Rotate(_) | Decision::Renew { .. });
        if let (true, Some(record)) = (is_granted, &mut next.record) {
            record.idle_deadline = now.plus(policy.idle_ttl).min(r.expires_at);
        }
        next
    }),
    deciding("a renewal by a clock that is behind moves the deadline back", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let (Decision::Renew { .. }, Some(record)) = (next.decision, &mut next.record) {
            record.idle_deadline = now.plus(policy.idle_ttl).min(r.expires_at);
        }
        next
    }),
    deciding("a clock that is behind shortens the life of a child", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let Decision::Rotate(child) = &mut next.decision {
            child.expires_at = now.plus(policy.idle_ttl).min(r.expires_at);
        }
        next
    }),
    deciding("the idle deadline may pass expires_at", |r, p, now, policy| {
        let mut next = decide_refresh(r, p, now, policy);
        if let (Decision::Rotate(_), Some(record)) = (next.decision, &mut next.record) {
            record.idle_deadline = now.plus(policy.idle_ttl);
        }
        next
    }),
    deciding("an expired token is accepted", |r, p, now, policy| {
        decide_refresh(
            r,
            &PresentedToken { expires_at: now.plus(policy.idle_ttl), ..*p },
            now,
            policy,
        )
    }),
    deciding("with rotation off theft is not detected", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if !policy.rotate && matches!(next.decision, Decision::Reuse(_)) {
            let decision = Decision::Renew { expires_at: r.idle_deadline };
            return RefreshTransition { decision, record: None, discarded: None };
        }
        next
    }),
    deciding("a revoked session counts as live", |r, p, now, policy| {
        decide_refresh(&Record { state: SessionState::Live, ..r.clone() }, p, now, policy)
    }),
    deciding("a detected theft is not stored", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if matches!(next.decision, Decision::Reuse(_)) {
            RefreshTransition { record: None, ..next }
        } else {
            next
        }
    }),
    deciding_use("a use is never recorded", |r, token_use, now| {
        let next = decide_use(r, token_use, now);
        if next.outcome == UseOutcome::ChildInUse {
            return UseTransition { outcome: UseOutcome::Unchanged, record: None };
        }
        next
    }),
    deciding_use("use of a discarded child is not theft", |r, token_use, now| {
        if decide_use(r, token_use, now).outcome == UseOutcome::Reuse {
            return UseTransition { outcome: UseOutcome::Unchanged, record: None };
        }
        decide_use(r, token_use, now)
    }),
    deciding_use("use of any earlier child is theft", |r, token_use, now| {
        if r.state == SessionState::Live && token_use.family_position.generation < r.generation {
            let record = Some(revoked(r, now));
            return UseTransition { outcome: UseOutcome::Reuse, record };
        }
        decide_use(r, token_use, now)
    }),
    binding(
        "a refresh needs no proof",
        BindingChecks { refresh: if_present, ..BindingChecks::REAL },
    ),
    binding("a logout needs no proof", BindingChecks { logout: if_present, ..BindingChecks::REAL }),
    binding(
        "an access token needs no proof",
        BindingChecks { access: if_present, ..BindingChecks::REAL },
    ),
    binding(
        "a use is reported before its proof is checked",
        BindingChecks { report: |_, _| Ok(()), ..BindingChecks::REAL },
    ),
    binding(
        "the key of a proof is not compared",
        BindingChecks::all(|bound, proven| check_binding(bound, proven.and(bound))),
    ),
    Mutant {
        name: "a denial covers a position forever",
        machine: Machine {
            was_issued_with: |child: &DiscardedChild, family_position, _| {
                child.family_position == family_position
            },
            ..Machine::REAL
        },
    },
    Mutant {
        name: "a token id is half of the secret",
        machine: Machine {
            id: |secret| {
                let (half, _) = secret.expose().split_first_chunk::<16>().expect("32 bytes");
                TokenId::from_bytes(*half)
            },
            ..Machine::REAL
        },
    },
    Mutant {
        name: "a child has its parent's secret",
        machine: Machine { child: |secret, _, _| secret.clone(), ..Machine::REAL },
    },
];

/// Mutants of rules that back each other up: with any single one of them every invariant still holds
/// in every search space, and with both of a pair one is violated (see [`LOAD_BEARING`]). The rules
/// stay because they name the theft correctly, or apply where the report or the deny list is late.
pub const REDUNDANT: &[Mutant] = &[
    deciding("a child of another parent is accepted", |r, p, now, policy| {
        let next = decide_refresh(r, p, now, policy);
        if next.decision == Decision::Reuse(ReuseEvidence::Fork) && p.generation > r.generation {
            return decide_refresh(r, &PresentedToken { parent: Some(r.id), ..*p }, now, policy);
        }
        next
    }),
    deciding("a discarded branch is distinguished by its issue time alone", |r, p, now, policy| {
        let branch = as_latest_child(r, p).branch;
        decide_refresh(r, &PresentedToken { branch, ..*p }, now, policy)
    }),
    deciding("the issue time of the latest child does not matter", |r, p, now, policy| {
        let issued_at = as_latest_child(r, p).issued_at;
        decide_refresh(r, &PresentedToken { issued_at, ..*p }, now, policy)
    }),
    deciding_use("a discarded child is detected by the deny list only", |r, token_use, now| {
        let latest = r.child.map_or(0, |child| child.branch);
        if token_use.denied
            || token_use.family_position.branch >= latest
            || r.state != SessionState::Live
        {
            return decide_use(r, token_use, now);
        }
        UseTransition { outcome: UseOutcome::Unchanged, record: None }
    }),
    deciding_use("a discarded child is detected by the record only", |r, token_use, now| {
        decide_use(r, &AccessTokenUse { denied: false, ..*token_use }, now)
    }),
    Mutant {
        name: "a child's secret does not depend on its branch",
        machine: Machine {
            child: |secret, _, issued_child| TokenSecret::child(secret, 0, issued_child),
            ..Machine::REAL
        },
    },
];

/// A proof is checked only where there is one.
fn if_present(bound: Option<Thumbprint>, proven: Option<Thumbprint>) -> Result<()> {
    if proven.is_none() { Ok(()) } else { check_binding(bound, proven) }
}

/// Rules of realms, each with one broken.
pub const REALM_RULES: &[(&str, RealmRules)] = &[
    (
        "the secret is not derived by the realm",
        RealmRules { keys: |keys, _| keys.clone(), ..RealmRules::REAL },
    ),
    (
        "tokens of previous realms are not accepted",
        RealmRules {
            keys: |keys, realms| (RealmRules::REAL.keys)(keys, &without_previous(realms)),
            ..RealmRules::REAL
        },
    ),
    (
        "sessions of previous realms are not found",
        RealmRules { looked_in: without_previous, ..RealmRules::REAL },
    ),
    (
        "the realm is not part of the name of a user",
        RealmRules { name: unqualified, ..RealmRules::REAL },
    ),
    (
        "a revocation does not name its realm",
        RealmRules {
            mark: |revocation| Revocation { realm: None, ..revocation },
            ..RealmRules::REAL
        },
    ),
    (
        "the revocation of one session concerns one realm",
        RealmRules {
            mark: |revocation| {
                let of_session = matches!(revocation.target, RevocationTarget::Session { .. });
                let realm = if of_session { Some("a realm".into()) } else { revocation.realm };
                Revocation { realm, ..revocation }
            },
            ..RealmRules::REAL
        },
    ),
];

fn without_previous(realms: &Realms) -> Realms {
    Realms { current: realms.current.clone(), previous: Vec::new() }
}

/// The user's id, without the realm in front of it.
fn unqualified(name: &Subject) -> Subject {
    let id = name.as_str().rsplit('\u{1f}').next();
    Subject::new(id.unwrap_or_default()).expect("an id")
}

fn reuse(record: &Record, evidence: ReuseEvidence, now: Timestamp) -> RefreshTransition {
    let record = revoked(record, now);
    RefreshTransition { decision: Decision::Reuse(evidence), record: Some(record), discarded: None }
}

/// What the transition would be without rotation.
fn renewed(record: &Record, next: RefreshTransition) -> RefreshTransition {
    let record = match (next.decision, next.record) {
        (Decision::Rotate(_), Some(next)) => {
            let child = record.child.filter(|_| next.generation == record.generation);
            Record { child, ..next }
        }
        (Decision::Replay(_), _) => record.clone(),
        (decision, record) => return RefreshTransition { decision, record, ..next },
    };
    let decision = Decision::Renew { expires_at: record.idle_deadline };
    RefreshTransition { decision, record: Some(record), discarded: None }
}

fn revoked(record: &Record, now: Timestamp) -> Record {
    let state = SessionState::Revoked(RevocationReason::Reused);
    Record { state, idle_deadline: record.idle_deadline.min(now), ..record.clone() }
}

fn map_child(record: &Record, change: fn(Child) -> Child) -> Record {
    Record { child: record.child.map(change), ..record.clone() }
}

/// A newer token, with at least the branch and issue time of the latest child.
fn as_latest_child(record: &Record, token: &PresentedToken) -> PresentedToken {
    match record.child {
        Some(child) if token.generation > record.generation => PresentedToken {
            branch: token.branch.max(child.branch),
            issued_at: token.issued_at.max(child.issued_at),
            ..*token
        },
        _ => *token,
    }
}

fn on_branch(mut step: RefreshTransition, branch: u32) -> RefreshTransition {
    if let (Decision::Rotate(issued_child), Some(record)) = (&mut step.decision, &mut step.record) {
        issued_child.family_position.branch = branch;
        record.child = record.child.map(|child| Child { branch, ..child });
    }
    step
}
