//! Storing and clearing, and what happens when that fails.

use std::time::Duration;

use regrant::client::{Action, Event, Found, SignOutReason, State, Trouble};

use crate::client_machine::bench::{Bench, LIFETIME, Told, pair, pair_tokens, settings, token};

/// The server granted pair 2, and the first write of it failed.
fn unwritten() -> (Bench, u64) {
    let mut bench = Bench::expired();
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    bench.grants(ticket, 2);
    bench.finds_own();
    bench.writes(false);
    (bench, caller)
}

#[test]
fn a_pair_that_cannot_be_stored_is_kept_and_not_used() {
    let (mut bench, first) = unwritten();
    for _ in 0..3 {
        assert!(bench.locked, "nobody else may refresh meanwhile");
        let caller = bench.want();
        assert_eq!((bench.told_to(first), bench.told_to(caller)), (None, None));
        bench.wake();
        bench.finds_own();
        assert_eq!(bench.writes(false), pair_tokens(2));
    }
    bench.wake();
    bench.finds_own();
    bench.writes(true);
    assert_eq!(bench.told_to(first), token(2));
    assert!(bench.is_at_rest());
}

#[test]
fn the_storage_is_read_before_a_write_is_repeated() {
    // It had worked after all.
    let (mut bench, caller) = unwritten();
    let Some(Action::Write { pair: written, .. }) = ({
        let mut other = bench.clone();
        other.wake();
        other.finds_own();
        other.wanted.pop_front()
    }) else {
        panic!("no write");
    };
    let mut other = bench.clone();
    other.wake();
    other.finds(Found::Pair(written));
    assert_eq!(other.told_to(caller), token(2));
    assert!(other.is_at_rest());
    // Another process without regard for the lock has stored another pair.
    let mut other = bench.clone();
    other.wake();
    other.finds_pair(3);
    assert_eq!(other.told_to(caller), token(3));
    assert!(other.is_at_rest());
    // Or has signed out.
    bench.wake();
    bench.finds(Found::Nothing);
    assert_eq!(bench.told_to(caller), Some(Told::SignIn(SignOutReason::Elsewhere)));
    assert!(bench.is_at_rest());
}

#[test]
fn a_pair_that_cannot_be_stored_at_all_is_given_up_for_its_parent() {
    let (mut bench, caller) = unwritten();
    let since = bench.now.monotonic;
    while bench.locked {
        bench.wake();
        if bench.locked {
            bench.finds_own();
            bench.writes(false);
        }
    }
    assert!(bench.now.monotonic - since <= settings().persist_for);
    assert_eq!(bench.told_to(caller), None);
    // The parent asks again, once the wait for that is over.
    bench.wake();
    bench.renews(1, 3);
    assert_eq!(bench.told_to(caller), token(3));
}

#[test]
fn a_write_that_is_long_past_is_not_repeated() {
    let (mut bench, _) = unwritten();
    bench.wait(Duration::from_secs(3600));
    bench.event(Event::Tick);
    assert!(bench.wanted.is_empty() && !bench.locked);
    let caller = bench.want();
    bench.wake();
    bench.renews(1, 3);
    assert_eq!(bench.told_to(caller), token(3));
}

#[test]
fn a_sign_out_whose_clear_is_never_reported_is_told() {
    let mut bench = Bench::signed_in();
    let leaves = bench.sign_out();
    bench.locks();
    bench.wake();
    assert_eq!(bench.told_to(leaves), Some(Told::Later(Trouble::Storage, Duration::ZERO)));
    bench.clears(true);
    assert!(bench.is_at_rest());
}

#[test]
fn the_token_before_may_be_used_while_the_next_cannot_be_stored() {
    let mut bench = Bench::signed_in();
    bench.wait(LIFETIME - Duration::from_secs(20));
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    bench.grants(ticket, 2);
    bench.finds_own();
    bench.writes(false);
    assert_eq!(bench.told_to(caller), token(1));
}

#[test]
fn a_sign_in_ends_a_refresh_of_the_session_before() {
    let mut bench = Bench::expired();
    let waits = bench.want();
    let ticket = bench.asks_with(1);
    let signs_in = bench.sign_in(pair(10));
    bench.grants(ticket, 2);
    assert_eq!(bench.writes(true), pair_tokens(10));
    assert_eq!(bench.told_to(signs_in), Some(Told::Done));
    assert_eq!(bench.told_to(waits), token(10));
    assert!(bench.is_at_rest());
}

#[test]
fn a_sign_in_that_cannot_be_stored_fails() {
    let mut bench = Bench::new();
    let caller = bench.sign_in(pair(1));
    bench.locks();
    while bench.told_to(caller).is_none() {
        match bench.wanted.is_empty() {
            true => bench.wake(),
            false => drop(bench.writes(false)),
        }
    }
    let told = bench.told_to(caller);
    assert_eq!(told, Some(Told::Later(Trouble::Storage, Duration::ZERO)));
    while !bench.wanted.is_empty() {
        bench.writes(false);
    }
    assert!(bench.is_at_rest());
    assert_eq!(bench.states, []);
}

#[test]
fn a_sign_out_takes_effect_at_once() {
    let out = SignOutReason::ByUser;
    let mut bench = Bench::expired();
    let waits = bench.want();
    let ticket = bench.asks_with(1);
    let leaves = bench.sign_out();
    assert_eq!(bench.told_to(waits), Some(Told::SignIn(out)));
    assert_eq!(bench.states, [State::SignedIn, State::SignedOut(out)]);
    bench.grants(ticket, 2);
    assert_eq!(bench.told_to(leaves), None, "not cleared yet");
    bench.clears(true);
    assert_eq!(bench.told_to(leaves), Some(Told::Done));
    assert!(bench.is_at_rest());
    let caller = bench.want();
    bench.finds(Found::Nothing);
    assert_eq!(bench.told_to(caller), Some(Told::SignIn(out)));
}

#[test]
fn a_sign_out_comes_after_a_write_that_is_under_way() {
    for done in [true, false] {
        let mut bench = Bench::expired();
        bench.want();
        let ticket = bench.asks_with(1);
        bench.grants(ticket, 2);
        bench.finds_own();
        let leaves = bench.sign_out();
        bench.writes(done);
        bench.clears(true);
        assert_eq!(bench.told_to(leaves), Some(Told::Done));
        assert_eq!(bench.states.last(), Some(&State::SignedOut(SignOutReason::ByUser)));
        assert!(bench.is_at_rest());
    }
}

#[test]
fn a_pair_is_not_stored_any_more_once_the_user_has_signed_out() {
    let mut bench = Bench::expired();
    bench.want();
    let ticket = bench.asks_with(1);
    bench.grants(ticket, 2);
    bench.sign_out();
    bench.finds_own();
    bench.clears(true);
    assert!(bench.is_at_rest());
}

#[test]
fn who_signs_out_and_in_again_is_signed_in() {
    let mut bench = Bench::signed_in();
    let leaves = bench.sign_out();
    let comes = bench.sign_in(pair(2));
    let waits = bench.want();
    bench.locks();
    bench.clears(true);
    bench.writes(true);
    assert_eq!(bench.told_to(leaves), Some(Told::Done));
    assert_eq!(bench.told_to(comes), Some(Told::Done));
    assert_eq!(bench.told_to(waits), token(2));
    assert_eq!(bench.states.last(), Some(&State::SignedIn));
    assert!(bench.is_at_rest());
}

#[test]
fn a_sign_out_without_the_lock_is_told() {
    let mut bench = Bench::signed_in();
    let leaves = bench.sign_out();
    let Some(Action::Lock { ticket }) = bench.wanted.pop_front() else { panic!("no lock") };
    bench.event(Event::LockFailed { ticket });
    assert_eq!(bench.told_to(leaves), Some(Told::Later(Trouble::Lock, Duration::ZERO)));
    assert!(bench.is_at_rest());
    // What is stored still does not bring the session back here.
    bench.wait(settings().longest_backoff);
    let caller = bench.want();
    bench.finds_own();
    assert_eq!(bench.told_to(caller), Some(Told::SignIn(SignOutReason::ByUser)));
}
