//! Access tokens and refresh tokens that the server rejects.

use std::time::Duration;

use regrant::client::machine::{RefreshAnswer, StorageRead};
use regrant::client::{SessionState, SignOutReason, TransientError};

use crate::client_machine::fixture::{MachineFixture, Reply, token};

#[test]
fn a_rejected_token_is_renewed_once_for_all_callers() {
    let mut fixture = MachineFixture::signed_in();
    let callers = [fixture.renew("a1"), fixture.renew("a1"), fixture.acquire()];
    fixture.complete_refresh(1, 2);
    for caller in callers {
        assert_eq!(fixture.reply_to(caller), token(2));
    }
    // A late caller gets the same token as the others.
    let caller = fixture.renew("a1");
    assert_eq!(fixture.reply_to(caller), token(2));
    assert!(fixture.is_idle());
}

#[test]
fn a_rejected_token_renewed_by_another_process_is_not_renewed_again() {
    let mut fixture = MachineFixture::signed_in();
    let caller = fixture.renew("a1");
    fixture.finish_lock();
    fixture.finish_read_of_other(2);
    assert_eq!(fixture.reply_to(caller), token(2));
    assert!(fixture.is_idle());
}

#[test]
fn a_server_that_rejects_every_token_does_not_cause_a_refresh_storm() {
    let mut fixture = MachineFixture::signed_in();
    fixture.renew("a1");
    fixture.complete_refresh(1, 2);
    for _ in 0..10 {
        let caller = fixture.renew("a2");
        let reply = fixture.reply_to(caller);
        assert!(
            matches!(reply, Some(Reply::Later(TransientError::AccessRejected, _))),
            "{reply:?}"
        );
    }
    assert!(fixture.is_idle());
    fixture.wait(Duration::from_secs(5));
    let caller = fixture.renew("a2");
    fixture.complete_refresh(2, 3);
    assert_eq!(fixture.reply_to(caller), token(3));
}

#[test]
fn a_final_rejection_signs_out_with_its_reason() {
    for reason in [
        SignOutReason::Expired,
        SignOutReason::Revoked(None),
        SignOutReason::Reused,
        SignOutReason::Unknown,
        SignOutReason::Rejected(None),
    ] {
        let mut fixture = MachineFixture::expired();
        let caller = fixture.acquire();
        let ticket = fixture.start_refresh(1);
        fixture.answer(ticket, RefreshAnswer::SignedOut(reason));
        fixture.finish_read_stored();
        assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(reason)));
        assert_eq!(fixture.states.last(), Some(&SessionState::SignedOut(reason)));
        fixture.finish_clear(true);
        assert!(fixture.is_idle());
        let caller = fixture.acquire();
        fixture.finish_read(StorageRead::Empty);
        assert_eq!(
            fixture.reply_to(caller),
            Some(Reply::SignIn(reason)),
            "the rejection is remembered"
        );
    }
}

#[test]
fn a_final_rejection_keeps_a_newer_pair() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.answer(ticket, RefreshAnswer::SignedOut(SignOutReason::Unknown));
    fixture.finish_read_of_other(9);
    assert_eq!(fixture.reply_to(caller), token(9));
    assert!(fixture.is_idle());
}

#[test]
fn a_session_stays_ended_if_the_storage_cannot_be_cleared() {
    let mut fixture = MachineFixture::expired();
    fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.answer(ticket, RefreshAnswer::SignedOut(SignOutReason::Reused));
    fixture.finish_read_stored();
    while fixture.machine.wake_at().is_some() || !fixture.pending.is_empty() {
        match fixture.pending.is_empty() {
            true => fixture.wake(),
            false => fixture.finish_clear(false),
        }
    }
    assert!(fixture.is_idle());
    let caller = fixture.acquire();
    fixture.finish_read_stored();
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(SignOutReason::Reused)));
    assert!(fixture.is_idle());
}

#[test]
fn a_superseded_token_is_replaced_by_the_stored_one() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.answer(ticket, RefreshAnswer::Superseded);
    fixture.finish_read_of_other(2);
    assert_eq!(fixture.reply_to(caller), token(2));
    // If that token has expired, it is renewed at once.
    let expired = StorageRead::Pair(fixture.pair_of_other_process(3));
    fixture.wait(crate::client_machine::fixture::LIFETIME);
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(2);
    fixture.answer(ticket, RefreshAnswer::Superseded);
    fixture.stored = expired.clone();
    fixture.finish_read_stored();
    let (ticket, sent) = fixture.take_send();
    assert_eq!(sent, "r3");
    fixture.grant(ticket, 4);
    fixture.finish_read_stored();
    fixture.finish_write(true);
    assert_eq!(fixture.reply_to(caller), token(4));
}

#[test]
fn a_superseded_token_that_is_still_stored_is_retried_later() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.answer(ticket, RefreshAnswer::Superseded);
    fixture.finish_read_stored();
    assert!(fixture.pending.is_empty() && !fixture.locked);
    fixture.wake();
    fixture.finish_lock();
    fixture.finish_read_of_other(2);
    assert_eq!(fixture.reply_to(caller), token(2));
}
