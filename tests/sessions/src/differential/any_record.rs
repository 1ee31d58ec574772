//! Random records and tokens, including those that no history produces: a store against the pure
//! functions.

use std::time::Duration;

use regrant::session::{
    AccessTokenUse, Child, Decision, DeviceLabel, PresentedToken, Record, RefreshPolicy,
    SessionNotes, SessionState, TheftScope, TokenId, UpdatedClaims, decide_refresh, decide_use,
};
use regrant::store::Refreshed;
use regrant::types::{FamilyPosition, RevocationReason, SessionId, Subject, Timestamp};

use super::coverage::Coverage;
use super::histories::client;
use super::random::Random;
use super::stored::{Encoded, Tested};

/// The last instant of an encoded record.
const LAST: i64 = (1 << 48) - 1;
const DAY: i64 = 86_400_000;

/// Puts at least `rounds` random records into the store, with `covers_all` until every outcome has occurred, and
/// runs one operation on each.
pub async fn any_record(tested: Tested, random: &mut Random, rounds: usize) {
    let Tested { store, stored: mut bytes, clock, covers_all } = tested;
    let wanted = [Coverage::ANSWERS];
    let wanted = if covers_all { &wanted[..] } else { &[] };
    let subject = Subject::new("user").expect("a user");
    let session = SessionId::from_bytes([5; 16]);
    let mut coverage = Coverage::default();
    let mut round = 0;
    while coverage.needs_more(wanted, round, rounds) {
        let base = *random.pick(&[100_000, 1_800_000_000_000, LAST - 30_000]);
        let policy = policy(random);
        let record = record(random, base, &policy);
        let now = near(random, base, &policy);
        clock.set(now);
        bytes.put(&subject, &session, &Encoded::of(&record)).await;
        let unknown = now >= record.expires_at;

        let next = if random.chance(80) {
            let token = token(random, &record, base, &policy);
            let ours = decide_refresh(&record, &token, now, &policy);
            let (decision, discarded) = (ours.decision, ours.discarded);
            // A store tells the clients only of a session whose token was reused.
            let notes = match decision {
                Decision::Reuse(_) => record.notes.clone(),
                _ => SessionNotes { claims: record.notes.claims.clone(), ..Default::default() },
            };
            let expected = Refreshed { decision, discarded, notes };
            let answer = store
                .refresh(&subject, &session, &token, &policy, None)
                .await
                .expect("the store answers");
            let context = (round, &record, &token, now, &policy);
            assert_eq!(answer, (!unknown).then_some(expected), "{context:#?}");
            let is_discarded = answer.as_ref().is_some_and(|a| a.discarded.is_some());
            coverage.refresh(answer.map(|a| a.decision), is_discarded);
            ours.record
        } else {
            let family_position = FamilyPosition {
                generation: generation(random, record.generation),
                branch: branch(random, &record),
            };
            let token_use = AccessTokenUse { family_position, denied: random.chance(10) };
            let ours = decide_use(&record, &token_use, now);
            let answer = store
                .record_use(&subject, &session, &token_use, policy.on_theft)
                .await
                .expect("the store answers");
            let context = (round, &record, &token_use, now);
            assert_eq!(answer, (!unknown).then_some(ours.outcome), "{context:#?}");
            coverage.record_use(answer);
            ours.record
        };
        let next = next.filter(|_| !unknown).unwrap_or_else(|| record.clone());
        let stored = bytes.records(&subject).await.remove(&session).expect("still there");
        let context = (round, &record, now, &policy);
        assert_eq!(stored.decode().expect("a record"), next, "{context:#?}");
        assert_eq!(stored, Encoded::of(&next), "{context:#?}");
        round += 1;
    }
    coverage.require(wanted);
}

fn policy(random: &mut Random) -> RefreshPolicy {
    let idle = *random.pick(&[1, DAY, 300 * DAY]);
    let grace = *random.pick(&[0, 1, 10_000, 300_000]);
    let unused_grace = grace + *random.pick(&[0, grace, 60_000]);
    RefreshPolicy {
        grace: Duration::from_millis(grace),
        unused_grace: Duration::from_millis(unused_grace),
        idle_ttl: Duration::from_millis(idle.unsigned_abs()),
        rotate: random.chance(80),
        on_theft: *random.pick(&[TheftScope::Session, TheftScope::Subject]),
    }
}

/// An instant at, next to or some graces away from `base`.
fn near(random: &mut Random, base: i64, policy: &RefreshPolicy) -> Timestamp {
    let grace = *random.pick(&[policy.grace, policy.unused_grace]);
    let grace = i64::try_from(grace.as_millis()).expect("some minutes");
    let offset = random.pick(&[-1, 0, 0, 0, 1, 2]) * grace + random.pick(&[-1, 0, 0, 1]);
    let noise = if random.chance(30) { random.millis(20_000) - 10_000 } else { 0 };
    Timestamp::from_millis((base + offset + noise).clamp(0, LAST))
}

fn record(random: &mut Random, base: i64, policy: &RefreshPolicy) -> Record {
    let branch = *random.pick(&[0, 0, 1, 1, 7, u32::MAX - 1, u32::MAX]);
    let child = Child { branch, issued_at: near(random, base, policy), used: random.chance(40) };
    let state = if random.chance(15) {
        let (reason, _) = random.pick(RevocationReason::ALL);
        SessionState::Revoked(*reason)
    } else {
        SessionState::Live
    };
    let later = |random: &mut Random| {
        let ahead = *random.pick(&[0, 1, 20_000, DAY, 90 * DAY, 90 * DAY]);
        Timestamp::from_millis((base + ahead).min(LAST))
    };
    Record {
        generation: *random.pick(&[0, 1, 2, 3, 1 << 31, u32::MAX - 2, u32::MAX - 1]),
        id: TokenId::from_bytes([1; 16]),
        child: random.chance(75).then_some(child),
        confirmed_at: near(random, base, policy),
        created_at: near(random, base, policy),
        expires_at: later(random),
        idle_deadline: later(random),
        state,
        migrated: random.chance(20),
        device: DeviceLabel::new(*random.pick(&["", "노트북"])).expect("a short label"),
        notes: notes(random),
    }
}

fn notes(random: &mut Random) -> SessionNotes {
    let at = Timestamp::from_millis(random.millis(LAST));
    let json = *random.pick(&["{}", r#"{"role":"관리자 \"x\""}"#]);
    let claims = UpdatedClaims { at, json: json.into() };
    SessionNotes {
        claims: random.chance(20).then(|| Box::new(claims)),
        created_from: client(random).map(Box::new),
        refreshed_from: client(random).map(Box::new),
        ..SessionNotes::default()
    }
}

fn generation(random: &mut Random, of: u32) -> u32 {
    let offset = *random.pick(&[-2, -1, -1, 0, 0, 0, 1, 1, 1, 2, 5]);
    of.saturating_add_signed(offset)
}

fn branch(random: &mut Random, record: &Record) -> u32 {
    let of = record.child.map_or(0, |child| child.branch);
    of.saturating_add_signed(*random.pick(&[-1, 0, 0, 0, 1]))
}

fn token(
    random: &mut Random,
    record: &Record,
    base: i64,
    policy: &RefreshPolicy,
) -> PresentedToken {
    let id = |random: &mut Random| TokenId::from_bytes([*random.pick(&[1, 1, 1, 2]); 16]);
    let ahead = *random.pick(&[-1, 0, 1, 20_000, DAY, DAY, DAY, DAY]);
    PresentedToken {
        generation: generation(random, record.generation),
        branch: branch(random, record),
        id: id(random),
        parent: if random.chance(90) { Some(id(random)) } else { None },
        issued_at: near(random, base, policy),
        expires_at: Timestamp::from_millis(base + ahead),
    }
}
