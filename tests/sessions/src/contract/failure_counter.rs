//! The counters of failed refreshes.

use std::time::Duration;

use regrant::store::{FailureKey, Failures};
use regrant::types::Subject;

use super::{Fixture, MINUTE};

async fn count(fixture: &Fixture, key: &FailureKey) -> Failures {
    let failures = fixture.store.failures().expect("every backend has a failure counter");
    failures.count(key, MINUTE).await.expect("the store answers")
}

pub async fn failures_are_counted_until_their_window_ends(fixture: &Fixture) {
    let key = FailureKey::address("192.0.2.7");
    assert_eq!(count(fixture, &key).await, Failures { count: 1, left: MINUTE });
    fixture.wait(Duration::from_secs(20));
    let left = Duration::from_secs(40);
    assert_eq!(count(fixture, &key).await, Failures { count: 2, left });
    // The end of the window does not move, and is exclusive.
    fixture.wait(left - Duration::from_millis(1));
    let left = Duration::from_millis(1);
    assert_eq!(count(fixture, &key).await, Failures { count: 3, left });
    fixture.wait(left);
    assert_eq!(count(fixture, &key).await, Failures { count: 1, left: MINUTE });
}

pub async fn each_address_and_each_subject_has_its_own_failures(fixture: &Fixture) {
    let subject = Subject::new("192.0.2.7").expect("a user");
    let keys = [
        FailureKey::address("192.0.2.7"),
        FailureKey::address("192.0.2.8"),
        FailureKey::subject(&subject),
    ];
    for round in 1..4 {
        for key in &keys {
            assert_eq!(count(fixture, key).await.count, round);
        }
    }
}

pub async fn fifty_concurrent_failures_are_counted_fifty_times(fixture: &Fixture) {
    let key = FailureKey::address("192.0.2.9");
    let calls = (0..50).map(|_| {
        let store = std::sync::Arc::clone(&fixture.store);
        tokio::spawn(async move {
            let failures = store.failures().expect("every backend has a failure counter");
            failures.count(&key, MINUTE).await.expect("the store answers").count
        })
    });
    let mut counts = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        counts.push(call.await.expect("it does not panic"));
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=50).collect::<Vec<_>>());
}
