//! Sign-outs that the server is told of.

use std::time::Duration;

use regrant::client::machine::{Event, RevocationAnswer, StorageRead};
use regrant::client::{
    SessionSettings, SessionState, SignOutOutcome, SignOutReason, TransientError,
};

use crate::client_machine::fixture::{LIFETIME, MachineFixture, Reply, pair, settings, token};

const UNAVAILABLE: RevocationAnswer = RevocationAnswer::Unavailable { retry_after: None };

fn revoking() -> SessionSettings {
    let mut settings = settings();
    settings.revoke_on_sign_out = true;
    settings
}

fn outcome(outcome: SignOutOutcome) -> Option<Reply> {
    Some(Reply::SignedOut(outcome))
}

fn answer(fixture: &mut MachineFixture, answer: RevocationAnswer) {
    let (ticket, sent) = fixture.take_revoke();
    assert_eq!(sent, "r1");
    fixture.handle(Event::Revoked { ticket, answer });
}

/// Signed out; the request to the server is pending.
fn signed_out() -> (MachineFixture, u64) {
    let mut fixture = MachineFixture::signed_in_with(revoking());
    let caller = fixture.sign_out();
    fixture.finish_lock();
    fixture.finish_read_stored();
    assert_eq!(fixture.finish_retire(true), "r1");
    assert!(!fixture.locked, "the request needs no lock");
    assert_eq!(fixture.reply_to(caller), None);
    (fixture, caller)
}

/// Removes the note after the server has answered.
fn forget(fixture: &mut MachineFixture) {
    fixture.finish_lock();
    fixture.finish_read_stored();
    fixture.finish_clear(true);
    assert_eq!(fixture.stored, StorageRead::Empty);
    assert!(fixture.is_idle());
}

#[test]
fn a_sign_out_revokes_the_session_and_says_so() {
    for (reported, expected) in [
        (RevocationAnswer::Revoked, SignOutOutcome::Revoked),
        (RevocationAnswer::Refused, SignOutOutcome::Local),
    ] {
        let (mut fixture, caller) = signed_out();
        answer(&mut fixture, reported);
        assert_eq!(fixture.reply_to(caller), None, "the note is still there");
        forget(&mut fixture);
        assert_eq!(fixture.reply_to(caller), outcome(expected));
        // There is nothing left to revoke.
        let caller = fixture.sign_out();
        fixture.finish_lock();
        fixture.finish_read_stored();
        fixture.finish_clear(true);
        assert_eq!(fixture.reply_to(caller), outcome(SignOutOutcome::Local));
    }
}

#[test]
fn a_sign_out_without_a_network_is_told_later() {
    let (mut fixture, caller) = signed_out();
    answer(&mut fixture, UNAVAILABLE);
    assert_eq!(fixture.reply_to(caller), outcome(SignOutOutcome::Pending));
    assert!(fixture.is_idle());
    fixture.wake();
    answer(&mut fixture, RevocationAnswer::Revoked);
    forget(&mut fixture);
    assert_eq!(fixture.states.last(), Some(&SessionState::SignedOut(SignOutReason::ByUser)));
}

#[test]
fn the_next_run_of_the_app_tells_the_server() {
    let (mut first, _) = signed_out();
    answer(&mut first, UNAVAILABLE);
    let mut fixture = MachineFixture::with(revoking());
    fixture.stored = first.stored.clone();
    fixture.handle(Event::Start);
    fixture.finish_read_stored();
    assert_eq!(fixture.states, [SessionState::SignedOut(SignOutReason::NotSignedIn)]);
    answer(&mut fixture, RevocationAnswer::Revoked);
    forget(&mut fixture);
}

#[test]
fn attempts_are_limited_in_one_run() {
    let (mut fixture, _) = signed_out();
    let mut attempts = 0;
    loop {
        answer(&mut fixture, UNAVAILABLE);
        attempts += 1;
        if fixture.machine.wake_at().is_none() {
            break;
        }
        fixture.wake();
    }
    assert_eq!(attempts, 8);
}

/// The next login does not wait for the server, and its tokens are not deleted.
#[test]
fn a_login_during_a_revocation_is_kept() {
    let (mut fixture, caller) = signed_out();
    let login = fixture.sign_in(pair(2));
    let (ticket, _) = fixture.take_revoke();
    fixture.finish_lock();
    fixture.finish_write(true);
    assert_eq!(fixture.reply_to(login), Some(Reply::Done));
    fixture.handle(Event::Revoked { ticket, answer: RevocationAnswer::Revoked });
    fixture.finish_lock();
    fixture.finish_read_stored();
    assert_eq!(fixture.reply_to(caller), outcome(SignOutOutcome::Revoked));
    assert!(fixture.is_idle());
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(2));
}

/// The stored pair is newer than the held one.
#[test]
fn the_stored_pair_is_revoked() {
    let mut fixture = MachineFixture::signed_in_with(revoking());
    fixture.sign_out();
    fixture.finish_lock();
    fixture.finish_read_of_other(9);
    assert_eq!(fixture.finish_retire(true), "r9");
}

#[test]
fn nothing_is_revoked_without_tokens() {
    for found in [StorageRead::Empty, StorageRead::Unreadable, StorageRead::Lost] {
        let mut fixture = MachineFixture::with(revoking());
        let caller = fixture.sign_out();
        fixture.finish_lock();
        fixture.finish_read(found);
        fixture.finish_clear(true);
        assert_eq!(fixture.reply_to(caller), outcome(SignOutOutcome::Local));
        assert!(fixture.is_idle());
    }
}

/// The reply does not depend on the driver's report.
#[test]
fn a_caller_has_its_reply_although_the_server_never_answers() {
    let (mut fixture, caller) = signed_out();
    let started = fixture.now.monotonic;
    fixture.wake();
    assert_eq!(fixture.reply_to(caller), outcome(SignOutOutcome::Pending));
    assert!(fixture.now.monotonic - started <= settings().wait_timeout);
}

/// The held pair is revoked if the storage cannot be read, and also if the note cannot be written.
#[test]
fn a_broken_storage_does_not_prevent_a_revocation() {
    let mut fixture = MachineFixture::signed_in_with(revoking());
    let caller = fixture.sign_out();
    fixture.finish_lock();
    fixture.finish_read(StorageRead::Failed);
    assert_eq!(fixture.finish_retire(false), "r1");
    fixture.wait(settings().persist_timeout);
    fixture.handle(Event::Tick);
    assert!(matches!(fixture.reply_to(caller), Some(Reply::Later(..))));
    answer(&mut fixture, RevocationAnswer::Revoked);
}

/// Another process signed out: the child of a refresh is not stored.
#[test]
fn a_refresh_ends_at_a_signed_out_storage() {
    let mut fixture = MachineFixture::signed_in_with(revoking());
    fixture.wait(LIFETIME);
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.grant(ticket, 2);
    let StorageRead::Pair(stored) = fixture.stored.clone() else { panic!() };
    fixture.finish_read(StorageRead::Retired(stored));
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(SignOutReason::Elsewhere)));
    fixture.wait(Duration::from_secs(1));
    assert!(fixture.is_idle());
}

/// The caller was told that it timed out; the user is signed out all the same, and the server must know.
#[test]
fn a_sign_out_that_timed_out_before_the_lock_is_told_when_it_comes() {
    let mut fixture = MachineFixture::signed_in_with(revoking());
    let caller = fixture.sign_out();
    while fixture.reply_to(caller).is_none() {
        fixture.wake();
    }
    assert!(matches!(fixture.reply_to(caller), Some(Reply::Later(TransientError::Timeout, _))));
    fixture.finish_lock();
    fixture.finish_read_stored();
    fixture.finish_read_stored();
    assert_eq!(fixture.finish_retire(true), "r1");
    answer(&mut fixture, RevocationAnswer::Revoked);
    forget(&mut fixture);
    assert_eq!(fixture.states.last(), Some(&SessionState::SignedOut(SignOutReason::ByUser)));
}
