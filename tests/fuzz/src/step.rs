//! Decisions about refresh tokens, including records and tokens that no history produces.

use std::time::Duration;

use arbitrary::Unstructured;
use regrant::session::{
    Child, Decision, PresentedToken, Record, RefreshPolicy, RefreshTransition, SessionState,
    decide_refresh,
};
use regrant::types::Timestamp;

use crate::source::Source;

pub(crate) fn run(input: &[u8]) {
    let mut bytes = Unstructured::new(input);
    // Too few bytes for a case.
    let _ = cases(&mut bytes);
}

fn cases(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut source = Source::new(bytes)?;
    let policy = source.policy()?;
    let mut record = source.record()?;
    for _ in 0..8 {
        let token = source.token(&record)?;
        let now = source.instant()?;
        let next = decide_refresh(&record, &token, now, &policy);
        assert_eq!(kind(&next.decision), by_the_table(&record, &token, now, &policy));
        stays_in_bounds(&record, &next, now);
        converges(&record, &token, &next, now, &policy);
        record = next.record.unwrap_or(record);
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum DecisionKind {
    Rotate,
    Replay,
    Renew,
    Superseded,
    Reuse,
    Revoked,
    Expired,
}

fn kind(decision: &Decision) -> DecisionKind {
    match decision {
        Decision::Rotate(_) => DecisionKind::Rotate,
        Decision::Replay(_) => DecisionKind::Replay,
        Decision::Renew { .. } => DecisionKind::Renew,
        Decision::Superseded => DecisionKind::Superseded,
        Decision::Reuse(_) => DecisionKind::Reuse,
        Decision::Revoked(_) => DecisionKind::Revoked,
        Decision::Expired => DecisionKind::Expired,
    }
}

/// The table in the documentation of `decide_refresh`, row by row.
fn by_the_table(
    r: &Record,
    p: &PresentedToken,
    now: Timestamp,
    policy: &RefreshPolicy,
) -> DecisionKind {
    let span = |grace: Duration| i128::try_from(grace.as_millis()).expect("some minutes");
    let ms = |instant: Timestamp| i128::from(instant.as_millis());
    let (now, grace, unused_grace) = (ms(now), span(policy.grace), span(policy.unused_grace));
    let has_rotated = r.generation > 0 || r.child.is_some();
    let is_confirmed = (p.generation, p.id) == (r.generation, r.id);
    let is_legacy = r.migrated && r.generation == 0;
    let deadline = match r.state {
        SessionState::Live if is_confirmed && !is_legacy => r.idle_deadline,
        _ => p.expires_at,
    };
    if now >= ms(deadline) || now >= ms(r.expires_at) {
        return DecisionKind::Expired;
    }
    if r.state != SessionState::Live {
        return DecisionKind::Revoked;
    }
    let (generation, confirmed) = (u64::from(p.generation), u64::from(r.generation));
    let is_older =
        r.child.is_some_and(|child| ms(child.issued_at) > ms(p.issued_at) + unused_grace);
    if generation == confirmed {
        match r.child {
            _ if p.id != r.id => DecisionKind::Reuse,
            None if policy.rotate || has_rotated => DecisionKind::Rotate,
            None => DecisionKind::Renew,
            Some(child @ Child { used: true, .. })
                if now - ms(child.issued_at.max(r.confirmed_at)) > grace =>
            {
                DecisionKind::Reuse
            }
            Some(child) if now - ms(child.issued_at) <= unused_grace => DecisionKind::Replay,
            Some(child)
                if child.used
                    || now - ms(r.confirmed_at) <= grace
                        && now - ms(child.issued_at) <= unused_grace + grace =>
            {
                DecisionKind::Superseded
            }
            Some(_) => DecisionKind::Rotate,
        }
    } else if generation == confirmed + 1 {
        let discarded = r.child.is_some_and(|child| p.branch < child.branch);
        let is_reuse = p.parent != Some(r.id) || discarded || is_older;
        if is_reuse { DecisionKind::Reuse } else { DecisionKind::Rotate }
    } else if generation > confirmed {
        if is_older { DecisionKind::Reuse } else { DecisionKind::Rotate }
    } else if generation + 1 == confirmed && now - ms(r.confirmed_at) <= grace {
        DecisionKind::Superseded
    } else {
        DecisionKind::Reuse
    }
}

/// Bounds on every change of a record.
fn stays_in_bounds(record: &Record, next: &RefreshTransition, now: Timestamp) {
    let Some(changed) = &next.record else { return };
    assert_eq!((changed.expires_at, changed.created_at), (record.expires_at, record.created_at));
    assert!(changed.generation >= record.generation);
    assert_eq!(record.state, SessionState::Live, "a revoked session changed");
    let bytes = changed.encode();
    assert_eq!(&Record::decode(&bytes, changed.device.as_str()).expect("a whole record"), changed);
    match next.decision {
        Decision::Reuse(_) => {
            assert_ne!(changed.state, SessionState::Live, "theft did not revoke the session");
            assert!(changed.idle_deadline <= record.idle_deadline);
            assert!(!changed.is_live(now));
        }
        _ => assert_eq!(changed.state, SessionState::Live),
    }
    assert_eq!(
        next.discarded.is_some(),
        matches!(next.decision, Decision::Rotate(_))
            && changed.generation == record.generation
            && record.child.is_some(),
        "an unused child is discarded, and nothing else",
    );
}

/// A retry returns the same child, and that child is accepted.
fn converges(
    record: &Record,
    token: &PresentedToken,
    next: &RefreshTransition,
    now: Timestamp,
    policy: &RefreshPolicy,
) {
    let (Decision::Rotate(issued) | Decision::Replay(issued)) = next.decision else { return };
    let record = next.record.as_ref().unwrap_or(record);
    assert!(issued.expires_at <= record.expires_at);
    // The record of a child that is issued again may be of another policy.
    let is_new = matches!(next.decision, Decision::Rotate(_));
    assert!(!is_new || issued.expires_at <= record.idle_deadline || record.idle_deadline < now);
    let again = decide_refresh(record, token, now, policy);
    assert_eq!(again.decision, Decision::Replay(issued));
    assert_eq!(again.record, None, "a replay writes nothing");

    let child = PresentedToken {
        generation: issued.family_position.generation,
        branch: issued.family_position.branch,
        id: regrant::session::TokenId::from_bytes([9; 16]),
        parent: Some(record.id),
        issued_at: issued.issued_at,
        expires_at: issued.expires_at,
    };
    // One rotation per second for 60 years does not reach the last generation.
    if record.generation < u32::MAX {
        let next = decide_refresh(record, &child, now, policy);
        let expected =
            if now >= child.expires_at { DecisionKind::Expired } else { DecisionKind::Rotate };
        assert_eq!(kind(&next.decision), expected, "an honest client was rejected");
    }
}
