//! The revocation feed is bounded, of every backend that has one.

use std::collections::HashSet;
use std::time::Duration;

use regrant::revocation::{FeedCursor, Revocation, RevocationFeed, RevocationTarget};
use regrant::types::{Clock, SessionId, Subject, Timestamp};

use super::{Fixture, HOUR};

/// How many entries one call publishes here.
fn batch(feed: &dyn RevocationFeed) -> usize {
    feed.max_entries() / 50
}

/// How many calls may have published twice. A store repeats a request whose response is late, so an
/// entry can be in the feed twice.
const REPEATED: usize = 4;

/// How much longer than necessary a store may keep entries, because clocks differ.
const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// All entries, each once: a new connection reads the last ones again.
async fn read_all(feed: &dyn RevocationFeed) -> Vec<Revocation> {
    let (mut all, mut cursor) = (Vec::new(), FeedCursor::default());
    let mut known = HashSet::new();
    loop {
        let page = feed.read(&cursor, Duration::from_millis(1)).await.expect("the store answers");
        let is_new = |entry: &Revocation| known.insert(format!("{entry:?}"));
        all.extend(page.revocations.into_iter().filter(is_new));
        cursor = page.next;
        if page.complete {
            return all;
        }
    }
}

async fn read_first(feed: &dyn RevocationFeed) -> Revocation {
    let page = feed.read(&FeedCursor::default(), Duration::from_millis(1)).await;
    page.expect("the store answers").revocations.remove(0)
}

/// Publishes entries until a cut-off time replaces them; returns how many there were before.
async fn fill(fixture: &Fixture, target: impl Fn(usize) -> RevocationTarget) -> Option<usize> {
    let feed = fixture.store.feed()?;
    let batch = batch(feed);
    let now = fixture.clock.now();
    let (soon, late) = (now.plus(Duration::from_secs(60)), now.plus(HOUR));
    let publish = async |from: usize| {
        // The first live longest, as those of another app with the same store may.
        let entry = |number| Revocation::new(target(number), if from == 0 { late } else { soon });
        let entries: Vec<_> = (from..from + batch).map(entry).collect();
        feed.publish(&entries).await.expect("the store answers");
        entries
    };
    let mut count = 0;
    let cutoff = RevocationTarget::Cutoff { issued_until: now };
    let last = loop {
        let last = publish(count).await;
        let first = read_first(feed).await;
        if first.target == cutoff {
            let until = first.expires_at;
            assert!(late <= until && until <= late.plus(CLOCK_MARGIN), "until {until:?}");
            break last;
        }
        count += batch;
        assert!(count <= feed.max_entries(), "the feed has no limit");
        if count == feed.max_entries() {
            assert_eq!(read_all(feed).await.len(), count);
        }
    };
    // What is left is the last call, or what followed the overflow in the repetition of one.
    let left = read_all(feed).await;
    assert_eq!(left[0].target, cutoff);
    assert!(left.len() > 1 && last.ends_with(&left[1..]), "{} entries are left", left.len());
    // It fills again.
    publish(count + batch).await;
    assert_eq!(read_all(feed).await.len(), left.len() + batch);
    Some(count)
}

/// Processes differ in the lifetime of access tokens, and so in how long a revocation must be known.
pub async fn entries_live_as_long_as_each_says(fixture: &Fixture) {
    let Some(feed) = fixture.store.feed() else { return };
    let now = fixture.clock.now();
    let entry = |number: u8, seconds| {
        let target = RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) };
        Revocation::new(target, now.plus(Duration::from_secs(seconds)))
    };
    let long: Vec<_> = (0..200).map(|number| entry(number, 3_000)).collect();
    feed.publish(&long).await.expect("the store answers");
    fixture.clock.advance(Duration::from_secs(2_000));
    for number in 200..=250 {
        feed.publish(&[entry(number, 2_001)]).await.expect("the store answers");
    }
    assert!(read_all(feed).await.starts_with(&long));
}

pub async fn too_many_entries_are_replaced_by_a_cutoff(fixture: &Fixture) {
    let session = |number: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        RevocationTarget::Session { session: SessionId::from_bytes(id) }
    };
    let Some(feed) = fixture.store.feed() else { return };
    let batch = batch(feed);
    let Some(count) = fill(fixture, session).await else { return };
    assert!(count + REPEATED * batch >= feed.max_entries(), "{count} entries at most");
}

pub async fn too_many_bytes_are_replaced_by_a_cutoff(fixture: &Fixture) {
    let subject = Subject::new("\"".repeat(Subject::MAX_BYTES)).expect("a user");
    let now = fixture.clock.now();
    let of_user = |number| {
        let issued_until = Timestamp::from_millis(now.as_millis() + number as i64);
        RevocationTarget::Subject { subject: subject.clone(), issued_until }
    };
    let Some(feed) = fixture.store.feed() else { return };
    let batch = batch(feed);
    let Some(count) = fill(fixture, of_user).await else { return };
    // Each quotation mark takes two bytes; what is around the user takes less than 110.
    let (shortest, longest) = (2 * Subject::MAX_BYTES, 2 * Subject::MAX_BYTES + 110);
    assert!(
        (count + (REPEATED + 1) * batch) * longest > feed.max_bytes(),
        "{count} entries at most"
    );
    assert!(count * shortest <= feed.max_bytes(), "{count} entries at most");
}
