//! What passes: networks, servers and storages that fail for a while.

use std::time::Duration;

use regrant::client::{Action, Answer, Event, Found, State, Trouble};

use crate::client_machine::bench::{Bench, LIFETIME, Told, settings, token};

const BUSY: Trouble = Trouble::Server { status: 503, code: None };

fn fails(bench: &mut Bench) {
    let ticket = bench.asks_with(1);
    bench.event(Event::Unanswered { ticket });
    assert!(!bench.locked, "others may try meanwhile");
}

#[test]
fn callers_wait_out_a_short_trouble() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    for _ in 0..settings().failures_to_open - 1 {
        fails(&mut bench);
        assert_eq!(bench.told_to(caller), None);
        bench.wake();
    }
    bench.renews(1, 2);
    assert_eq!(bench.told_to(caller), token(2));
    assert_eq!(bench.states, [State::SignedIn]);
}

#[test]
fn a_long_trouble_opens_the_circuit() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    for _ in 0..settings().failures_to_open - 1 {
        fails(&mut bench);
        bench.wake();
    }
    fails(&mut bench);
    let told = bench.told_to(caller);
    let Some(Told::Later(Trouble::Network, retry_after)) = told else { panic!("{told:?}") };
    for _ in 0..100 {
        let caller = bench.want();
        assert_eq!(bench.told_to(caller), Some(Told::Later(Trouble::Network, retry_after)));
    }
    assert!(bench.is_at_rest());
    // Half open: one attempt, and what it finds decides.
    bench.wait(retry_after);
    let callers = [bench.want(), bench.want()];
    fails(&mut bench);
    for caller in callers {
        assert!(matches!(bench.told_to(caller), Some(Told::Later(..))));
    }
    bench.wait(settings().longest_backoff);
    let caller = bench.want();
    bench.renews(1, 2);
    assert_eq!(bench.told_to(caller), token(2));
    bench.wait(LIFETIME);
    let caller = bench.want();
    let ticket = bench.asks_with(2);
    bench.event(Event::Unanswered { ticket });
    assert_eq!(bench.told_to(caller), None, "closed again");
}

#[test]
fn a_server_is_left_alone_for_as_long_as_it_asks() {
    let mut bench = Bench::expired();
    bench.want();
    let ticket = bench.asks_with(1);
    let retry_after = Some(Duration::from_secs(20));
    bench.answers(ticket, Answer::Unavailable { trouble: BUSY, retry_after });
    bench.wait(Duration::from_millis(19_999));
    bench.event(Event::Tick);
    assert!(bench.wanted.is_empty());
    bench.wait(Duration::from_millis(1));
    bench.event(Event::Tick);
    assert!(matches!(bench.wanted[0], Action::Lock { .. }));
}

#[test]
fn an_old_token_that_is_still_accepted_is_better_than_none() {
    let mut bench = Bench::signed_in();
    bench.wait(LIFETIME - Duration::from_secs(20));
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), None);
    fails(&mut bench);
    assert_eq!(bench.told_to(caller), token(1));
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), token(1), "at once, until the next attempt is due");
    assert!(bench.is_at_rest());
    // But not one that the server has refused.
    let caller = bench.want_another("a1");
    bench.wake();
    fails(&mut bench);
    assert_eq!(bench.told_to(caller), None);
}

#[test]
fn nobody_waits_for_ever() {
    // At the lock, the storage, the server; reports that never come.
    let stuck: [fn(&mut Bench); 5] = [
        |_| {},
        |bench| bench.locks(),
        |bench| {
            bench.asks_with(1);
        },
        |bench| {
            let ticket = bench.asks_with(1);
            bench.grants(ticket, 2);
        },
        |bench| {
            let ticket = bench.asks_with(1);
            bench.grants(ticket, 2);
            bench.finds_own();
        },
    ];
    for (place, go) in stuck.into_iter().enumerate() {
        let mut bench = Bench::expired();
        let first = bench.want();
        go(&mut bench);
        bench.wait(Duration::from_secs(10));
        let second = bench.want();
        let leaves = bench.sign_out();
        let started = bench.now.monotonic;
        while bench.machine.wake_at().is_some() {
            bench.wake();
        }
        for caller in [first, second, leaves] {
            assert!(bench.told_to(caller).is_some(), "{caller} at {place}");
        }
        let took = bench.now.monotonic - started;
        assert!(took <= settings().patience, "{took:?} at {place}");
    }
}

#[test]
fn a_caller_that_waits_too_long_is_told_while_the_refresh_goes_on() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    bench.wake();
    assert_eq!(bench.told_to(caller), Some(Told::Later(Trouble::Slow, Duration::ZERO)));
    bench.grants(ticket, 2);
    bench.finds_own();
    bench.writes(true);
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), token(2));
}

#[test]
fn a_storage_that_cannot_be_read_signs_nobody_out() {
    let mut bench = Bench::new();
    let caller = bench.want();
    bench.finds(Found::Failed);
    assert_eq!((bench.told_to(caller), bench.states.as_slice()), (None, [].as_slice()));
    bench.wake();
    bench.finds_pair(1);
    assert_eq!(bench.told_to(caller), token(1));

    bench.wait(LIFETIME);
    let caller = bench.want();
    bench.locks();
    bench.finds(Found::Failed);
    bench.wake();
    bench.renews(1, 2);
    assert_eq!(bench.told_to(caller), token(2));
}

#[test]
fn a_lock_that_cannot_be_had_is_tried_again() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    let Some(Action::Lock { ticket }) = bench.wanted.pop_front() else { panic!("no lock") };
    bench.event(Event::LockFailed { ticket });
    assert!(bench.wanted.is_empty());
    bench.wake();
    bench.renews(1, 2);
    assert_eq!(bench.told_to(caller), token(2));
}
