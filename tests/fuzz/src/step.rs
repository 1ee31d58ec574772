//! The decision about a refresh token, for records and tokens that no history leads to as well.

use arbitrary::Unstructured;
use regrant::session::{Child, Decision, Record, RefreshAttempt, RefreshPolicy, SessionState, RefreshTransition, step};
use regrant::types::Timestamp;

use crate::source::Source;

pub(crate) fn run(input: &[u8]) {
    let mut bytes = Unstructured::new(input);
    // Too few bytes make no case.
    let _ = cases(&mut bytes);
}

fn cases(bytes: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut source = Source::new(bytes)?;
    let policy = source.policy()?;
    let mut record = source.record()?;
    for _ in 0..8 {
        let presented = source.presented(&record)?;
        let now = source.instant()?;
        let next = step(&record, &presented, now, &policy);
        assert_eq!(kind(&next.decision), by_the_table(&record, &presented, now, &policy));
        stays_in_bounds(&record, &next, now);
        converges(&record, &presented, &next, now, &policy);
        record = next.record.unwrap_or(record);
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
enum Kind {
    Issue,
    Reissue,
    Keep,
    Superseded,
    Theft,
    Revoked,
    Expired,
}

fn kind(decision: &Decision) -> Kind {
    match decision {
        Decision::Rotate(_) => Kind::Issue,
        Decision::Replay(_) => Kind::Reissue,
        Decision::Renew => Kind::Keep,
        Decision::Superseded => Kind::Superseded,
        Decision::Theft(_) => Kind::Theft,
        Decision::Revoked(_) => Kind::Revoked,
        Decision::Expired => Kind::Expired,
    }
}

/// The table of the design, row by row.
fn by_the_table(r: &Record, p: &RefreshAttempt, now: Timestamp, policy: &RefreshPolicy) -> Kind {
    let grace = i64::try_from(policy.grace.as_millis()).expect("some minutes");
    let ms = |instant: Timestamp| i128::from(instant.as_millis());
    let (now, grace) = (ms(now), i128::from(grace));
    let (issue, reissue) =
        if policy.rotate { (Kind::Issue, Kind::Reissue) } else { (Kind::Keep, Kind::Keep) };
    if now >= ms(p.expires_at) || now >= ms(r.expires_at) {
        return Kind::Expired;
    }
    if r.state != SessionState::Live {
        return Kind::Revoked;
    }
    let (generation, confirmed) = (u64::from(p.generation), u64::from(r.generation));
    let is_older = r.child.is_some_and(|child| ms(child.issued_at) > ms(p.issued_at) + grace);
    if generation == confirmed {
        match r.child {
            _ if p.id != r.id => Kind::Theft,
            None => issue,
            Some(child) if now - ms(child.issued_at) <= grace => reissue,
            Some(Child { used: true, .. }) => Kind::Theft,
            Some(_) => issue,
        }
    } else if generation == confirmed + 1 {
        let abandoned = r.child.is_some_and(|child| p.branch < child.branch);
        if p.parent != Some(r.id) || abandoned || is_older { Kind::Theft } else { issue }
    } else if generation > confirmed {
        if is_older { Kind::Theft } else { issue }
    } else if generation + 1 == confirmed && now - ms(r.confirmed_at) <= grace {
        Kind::Superseded
    } else {
        Kind::Theft
    }
}

/// What no decision may do to a record.
fn stays_in_bounds(record: &Record, next: &RefreshTransition, now: Timestamp) {
    let Some(changed) = &next.record else { return };
    assert_eq!((changed.expires_at, changed.created_at), (record.expires_at, record.created_at));
    assert!(changed.generation >= record.generation);
    assert_eq!(record.state, SessionState::Live, "what is over changes no more");
    let bytes = changed.encode();
    assert_eq!(&Record::decode(&bytes, changed.device.as_str()).expect("a whole record"), changed);
    match next.decision {
        Decision::Theft(_) => {
            assert_ne!(changed.state, SessionState::Live, "a theft that goes on");
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
        "a child that is given up is denied, and nothing else is",
    );
}

/// Whoever asks again gets the same child, and whoever comes with that child is let in.
fn converges(
    record: &Record,
    presented: &RefreshAttempt,
    next: &RefreshTransition,
    now: Timestamp,
    policy: &RefreshPolicy,
) {
    let (Decision::Rotate(minted) | Decision::Replay(minted)) = next.decision else { return };
    let record = next.record.as_ref().unwrap_or(record);
    assert!(minted.expires_at <= record.expires_at);
    assert_eq!(minted.expires_at, record.idle_deadline);
    let again = step(record, presented, now, policy);
    assert_eq!(again.decision, Decision::Replay(minted));
    assert_eq!(again.record, None, "asking again changes nothing");

    let child = RefreshAttempt {
        generation: minted.family_position.generation,
        branch: minted.family_position.branch,
        id: regrant::session::TokenId::from_bytes([9; 16]),
        parent: Some(record.id),
        issued_at: minted.issued_at,
        expires_at: minted.expires_at,
    };
    // The end of all numbers is not reached by a rotation a second for 60 years.
    if record.generation < u32::MAX {
        let confirmed_at = step(record, &child, now, policy);
        let expected = if now >= child.expires_at { Kind::Expired } else { Kind::Issue };
        assert_eq!(kind(&confirmed_at.decision), expected, "an honest client was refused");
    }
}
