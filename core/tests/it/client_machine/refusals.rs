//! What the server refuses: access tokens, and refresh tokens.

use std::time::Duration;

use regrant::client::{Answer, Found, SignOutReason, State, Trouble};

use crate::client_machine::bench::{Bench, Told, token};

#[test]
fn a_refused_token_is_renewed_for_all_who_had_it() {
    let mut bench = Bench::signed_in();
    let callers = [bench.want_another("a1"), bench.want_another("a1"), bench.want()];
    bench.renews(1, 2);
    for caller in callers {
        assert_eq!(bench.told_to(caller), token(2));
    }
    // One more who comes late gets what the others got.
    let caller = bench.want_another("a1");
    assert_eq!(bench.told_to(caller), token(2));
    assert!(bench.is_at_rest());
}

#[test]
fn a_refused_token_that_another_process_has_renewed_is_not_renewed_again() {
    let mut bench = Bench::signed_in();
    let caller = bench.want_another("a1");
    bench.locks();
    bench.finds_pair(2);
    assert_eq!(bench.told_to(caller), token(2));
    assert!(bench.is_at_rest());
}

#[test]
fn a_server_that_refuses_everything_is_not_stormed() {
    let mut bench = Bench::signed_in();
    bench.want_another("a1");
    bench.renews(1, 2);
    for _ in 0..10 {
        let caller = bench.want_another("a2");
        let told = bench.told_to(caller);
        assert!(matches!(told, Some(Told::Later(Trouble::AccessRefused, _))), "{told:?}");
    }
    assert!(bench.is_at_rest());
    bench.wait(Duration::from_secs(5));
    let caller = bench.want_another("a2");
    bench.renews(2, 3);
    assert_eq!(bench.told_to(caller), token(3));
}

#[test]
fn a_final_refusal_signs_out_with_its_reason() {
    for reason in [
        SignOutReason::Expired,
        SignOutReason::Revoked(None),
        SignOutReason::Reused,
        SignOutReason::Unknown,
        SignOutReason::Rejected(None),
    ] {
        let mut bench = Bench::expired();
        let caller = bench.want();
        let ticket = bench.asks_with(1);
        bench.answers(ticket, Answer::SignedOut(reason));
        bench.finds_own();
        assert_eq!(bench.told_to(caller), Some(Told::SignIn(reason)));
        assert_eq!(bench.states.last(), Some(&State::SignedOut(reason)));
        bench.clears(true);
        assert!(bench.is_at_rest());
        let caller = bench.want();
        bench.finds(Found::Nothing);
        assert_eq!(bench.told_to(caller), Some(Told::SignIn(reason)), "it is remembered");
    }
}

#[test]
fn a_final_refusal_does_not_touch_a_newer_pair() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    bench.answers(ticket, Answer::SignedOut(SignOutReason::Unknown));
    bench.finds_pair(9);
    assert_eq!(bench.told_to(caller), token(9));
    assert!(bench.is_at_rest());
}

#[test]
fn a_storage_that_cannot_be_cleared_does_not_bring_the_session_back() {
    let mut bench = Bench::expired();
    bench.want();
    let ticket = bench.asks_with(1);
    bench.answers(ticket, Answer::SignedOut(SignOutReason::Reused));
    bench.finds_own();
    while bench.machine.wake_at().is_some() || !bench.wanted.is_empty() {
        match bench.wanted.is_empty() {
            true => bench.wake(),
            false => bench.clears(false),
        }
    }
    assert!(bench.is_at_rest());
    let caller = bench.want();
    bench.finds_own();
    assert_eq!(bench.told_to(caller), Some(Told::SignIn(SignOutReason::Reused)));
    assert!(bench.is_at_rest());
}

#[test]
fn a_superseded_token_is_replaced_by_the_stored_one() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    bench.answers(ticket, Answer::Superseded);
    bench.finds_pair(2);
    assert_eq!(bench.told_to(caller), token(2));
    // And where that is not good any more, it is renewed at once.
    let expired = Found::Pair(bench.of_another(3));
    bench.wait(crate::client_machine::bench::LIFETIME);
    let caller = bench.want();
    let ticket = bench.asks_with(2);
    bench.answers(ticket, Answer::Superseded);
    bench.stored = expired.clone();
    bench.finds_own();
    let (ticket, sent) = bench.sends();
    assert_eq!(sent, "r3");
    bench.grants(ticket, 4);
    bench.finds_own();
    bench.writes(true);
    assert_eq!(bench.told_to(caller), token(4));
}

#[test]
fn a_superseded_token_that_is_stored_still_is_tried_again_later() {
    let mut bench = Bench::expired();
    let caller = bench.want();
    let ticket = bench.asks_with(1);
    bench.answers(ticket, Answer::Superseded);
    bench.finds_own();
    assert!(bench.wanted.is_empty() && !bench.locked);
    bench.wake();
    bench.locks();
    bench.finds_pair(2);
    assert_eq!(bench.told_to(caller), token(2));
}
