//! Asking for an access token when all goes well.

use std::time::Duration;

use regrant::client::{Event, Found, SignOutReason, State};

use crate::client_machine::bench::{Bench, LIFETIME, Told, settings, token};

#[test]
fn a_good_token_is_given_at_once() {
    let mut bench = Bench::signed_in();
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), token(1));
    assert!(bench.is_at_rest());
    assert_eq!(bench.states, [State::SignedIn]);
}

#[test]
fn after_a_start_the_storage_is_read_without_the_lock() {
    let mut bench = Bench::new();
    let (first, second) = (bench.want(), bench.want());
    bench.finds_pair(1);
    assert_eq!((bench.told_to(first), bench.told_to(second)), (token(1), token(1)));
    assert!(bench.is_at_rest());
}

#[test]
fn nobody_is_signed_in_where_nothing_is_stored() {
    for (found, reason) in [
        (Found::Nothing, SignOutReason::NotSignedIn),
        (Found::Unreadable, SignOutReason::Unreadable),
    ] {
        let mut bench = Bench::new();
        let caller = bench.want();
        bench.finds(found);
        assert_eq!(bench.told_to(caller), Some(Told::SignIn(reason)));
        assert_eq!(bench.states, [State::SignedOut(reason)]);
        // The next one looks again: another process may have signed in.
        let caller = bench.want();
        bench.finds_pair(1);
        assert_eq!(bench.told_to(caller), token(1));
    }
}

#[test]
fn a_hundred_callers_make_one_refresh() {
    let mut bench = Bench::expired();
    let mut callers: Vec<_> = (0..50).map(|_| bench.want()).collect();
    let ticket = bench.asks_with(1);
    callers.extend((0..50).map(|_| bench.want()));
    bench.grants(ticket, 2);
    bench.finds_own();
    assert!(bench.told.iter().all(|(caller, _)| !callers.contains(caller)), "not stored yet");
    bench.writes(true);
    for caller in callers {
        assert_eq!(bench.told_to(caller), token(2));
    }
    assert!(bench.is_at_rest());
}

#[test]
fn what_another_process_has_stored_is_used() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    bench.locks();
    bench.finds_pair(2);
    assert_eq!(bench.told_to(caller), token(2));
    assert!(bench.is_at_rest());
    // Also where that one has expired meanwhile: its refresh token is the newest.
    bench.stored = Found::Pair(bench.of_another(3));
    bench.wait(LIFETIME);
    let caller = bench.want();
    bench.renews(3, 4);
    assert_eq!(bench.told_to(caller), token(4));
}

#[test]
fn another_process_that_signed_out_is_followed() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    bench.locks();
    bench.finds(Found::Nothing);
    assert_eq!(bench.told_to(caller), Some(Told::SignIn(SignOutReason::Elsewhere)));
    assert!(bench.is_at_rest());
}

#[test]
fn with_rotation_off_the_refresh_token_stays() {
    use regrant::client::{Answer, Grant};
    use regrant::types::AccessToken;

    let mut bench = Bench::expired();
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    let access = AccessToken::new("a2");
    let grant = Grant { access, refresh: None, lifetime: Some(LIFETIME), date: None };
    bench.answers(ticket, Answer::Granted(grant));
    bench.finds_own();
    assert_eq!(bench.writes(true), ("a2".to_owned(), "r1".to_owned()));
    assert_eq!(bench.told_to(caller), token(2));
}

#[test]
fn a_token_is_renewed_before_it_expires_and_not_by_all_at_once() {
    let mut first_renewals = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut settings = settings();
        settings.seed = seed;
        let mut bench = Bench::signed_in_with(settings.clone());
        let early = LIFETIME - settings.min_ttl - settings.min_ttl / 2;
        bench.wait(early - Duration::from_secs(1));
        for tenth in 0.. {
            bench.wait(Duration::from_millis(100));
            let caller = bench.want();
            assert_eq!(bench.told_to(caller), token(1), "nobody waits");
            if !bench.wanted.is_empty() {
                first_renewals.insert(tenth);
                break;
            }
        }
        bench.renews(1, 2);
        let caller = bench.want();
        assert_eq!(bench.told_to(caller), token(2));
        assert!(bench.is_at_rest());
    }
    assert!(first_renewals.len() > 5, "{first_renewals:?}");
    assert!(first_renewals.iter().all(|tenth| *tenth <= 160), "{first_renewals:?}");
}

#[test]
fn a_token_that_lives_too_short_is_waited_out() {
    let mut bench = Bench::signed_in();
    bench.wait(LIFETIME - settings().min_ttl);
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), None);
    bench.renews(1, 2);
    assert_eq!(bench.told_to(caller), token(2));
}

#[test]
fn tokens_of_seconds_are_not_renewed_all_the_time() {
    let mut bench = Bench::new();
    bench.sign_in(pair_of(Duration::from_secs(3)));
    bench.locks();
    bench.writes(true);
    bench.wait(Duration::from_millis(1400));
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), token(1));
    assert!(bench.is_at_rest());
}

fn pair_of(lifetime: Duration) -> regrant::client::Pair {
    use regrant::types::{AccessToken, RefreshToken};
    regrant::client::Pair::new(AccessToken::new("a1"), RefreshToken::new("r1")).expires_in(lifetime)
}

#[test]
fn a_refresh_goes_on_without_its_caller() {
    let mut bench = Bench::expired();
    let (first, second) = (bench.want(), bench.want());
    let ticket = bench.asks_with(1);
    for caller in [first, second] {
        bench.event(Event::Cancel { caller: regrant::client::Caller(caller) });
    }
    bench.grants(ticket, 2);
    bench.finds_own();
    bench.writes(true);
    assert_eq!((bench.told_to(first), bench.told_to(second)), (None, None));
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), token(2));
}

#[test]
fn reports_of_old_actions_are_ignored() {
    let mut bench = Bench::expired();
    bench.want();
    let old = bench.asks_with(1);
    bench.event(Event::Unanswered { ticket: old });
    bench.wake();
    let ticket = bench.asks_with(1);
    let before = bench.machine.clone();
    bench.grants(old, 7);
    bench.event(Event::Locked { ticket: old });
    bench.event(Event::LockFailed { ticket: old });
    bench.event(Event::Unanswered { ticket: old });
    bench.event(Event::Written { ticket: old, done: true });
    bench.event(Event::Read { ticket: old, found: Found::Nothing });
    assert!(bench.machine == before && bench.wanted.is_empty());
    bench.grants(ticket, 2);
}
