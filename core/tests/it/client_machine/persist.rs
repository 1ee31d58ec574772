//! Writing and clearing the storage, and failures of both.

use std::time::Duration;

use regrant::client::machine::{Action, Event, StorageRead};
use regrant::client::{SessionState, SignOutReason, TransientError};

use crate::client_machine::fixture::{
    LIFETIME, MachineFixture, Reply, pair, pair_tokens, settings, token,
};

/// The server granted pair 2, and the first write of it failed.
fn unwritten() -> (MachineFixture, u64) {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.grant(ticket, 2);
    fixture.finish_read_stored();
    fixture.finish_write(false);
    (fixture, caller)
}

#[test]
fn a_pair_that_cannot_be_stored_is_held_back_and_retried() {
    let (mut fixture, first) = unwritten();
    for _ in 0..3 {
        assert!(fixture.locked, "no other process may refresh meanwhile");
        let caller = fixture.acquire();
        assert_eq!((fixture.reply_to(first), fixture.reply_to(caller)), (None, None));
        fixture.wake();
        fixture.finish_read_stored();
        assert_eq!(fixture.finish_write(false), pair_tokens(2));
    }
    fixture.wake();
    fixture.finish_read_stored();
    fixture.finish_write(true);
    assert_eq!(fixture.reply_to(first), token(2));
    assert!(fixture.is_idle());
}

#[test]
fn the_storage_is_read_before_a_write_is_repeated() {
    // The write had succeeded after all.
    let (mut fixture, caller) = unwritten();
    let Some(Action::Write { pair: written, .. }) = ({
        let mut other = fixture.clone();
        other.wake();
        other.finish_read_stored();
        other.pending.pop_front()
    }) else {
        panic!("no write");
    };
    let mut other = fixture.clone();
    other.wake();
    other.finish_read(StorageRead::Pair(written));
    assert_eq!(other.reply_to(caller), token(2));
    assert!(other.is_idle());
    // Another process that ignores the lock has stored another pair.
    let mut other = fixture.clone();
    other.wake();
    other.finish_read_of_other(3);
    assert_eq!(other.reply_to(caller), token(3));
    assert!(other.is_idle());
    // Or it has signed out.
    fixture.wake();
    fixture.finish_read(StorageRead::Empty);
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(SignOutReason::Elsewhere)));
    assert!(fixture.is_idle());
}

#[test]
fn a_pair_that_cannot_be_stored_is_dropped_and_its_parent_refreshed_again() {
    let (mut fixture, caller) = unwritten();
    let since = fixture.now.monotonic;
    while fixture.locked {
        fixture.wake();
        if fixture.locked {
            fixture.finish_read_stored();
            fixture.finish_write(false);
        }
    }
    assert!(fixture.now.monotonic - since <= settings().persist_timeout);
    assert_eq!(fixture.reply_to(caller), None);
    // The parent token is sent again after the backoff.
    fixture.wake();
    fixture.complete_refresh(1, 3);
    assert_eq!(fixture.reply_to(caller), token(3));
}

#[test]
fn a_write_past_its_deadline_is_not_retried() {
    let (mut fixture, _) = unwritten();
    fixture.wait(Duration::from_secs(3600));
    fixture.handle(Event::Tick);
    assert!(fixture.pending.is_empty() && !fixture.locked);
    let caller = fixture.acquire();
    fixture.wake();
    fixture.complete_refresh(1, 3);
    assert_eq!(fixture.reply_to(caller), token(3));
}

#[test]
fn a_sign_out_whose_clear_is_never_reported_times_out() {
    let mut fixture = MachineFixture::signed_in();
    let leaves = fixture.sign_out();
    fixture.finish_lock();
    fixture.wake();
    assert_eq!(
        fixture.reply_to(leaves),
        Some(Reply::Later(TransientError::Storage, Duration::ZERO))
    );
    fixture.finish_clear(true);
    assert!(fixture.is_idle());
}

#[test]
fn the_previous_token_is_used_while_the_next_cannot_be_stored() {
    let mut fixture = MachineFixture::signed_in();
    fixture.wait(LIFETIME - Duration::from_secs(20));
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.grant(ticket, 2);
    fixture.finish_read_stored();
    fixture.finish_write(false);
    assert_eq!(fixture.reply_to(caller), token(1));
}

#[test]
fn a_sign_in_replaces_a_refresh_in_progress() {
    let mut fixture = MachineFixture::expired();
    let waits = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    let signs_in = fixture.sign_in(pair(10));
    fixture.grant(ticket, 2);
    assert_eq!(fixture.finish_write(true), pair_tokens(10));
    assert_eq!(fixture.reply_to(signs_in), Some(Reply::Done));
    assert_eq!(fixture.reply_to(waits), token(10));
    assert!(fixture.is_idle());
}

#[test]
fn a_sign_in_that_cannot_be_stored_fails() {
    let mut fixture = MachineFixture::new();
    let caller = fixture.sign_in(pair(1));
    fixture.finish_lock();
    while fixture.reply_to(caller).is_none() {
        match fixture.pending.is_empty() {
            true => fixture.wake(),
            false => drop(fixture.finish_write(false)),
        }
    }
    let reply = fixture.reply_to(caller);
    assert_eq!(reply, Some(Reply::Later(TransientError::Storage, Duration::ZERO)));
    while !fixture.pending.is_empty() {
        fixture.finish_write(false);
    }
    assert!(fixture.is_idle());
    assert_eq!(fixture.states, []);
}

#[test]
fn a_sign_out_takes_effect_at_once() {
    let out = SignOutReason::ByUser;
    let mut fixture = MachineFixture::expired();
    let waits = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    let leaves = fixture.sign_out();
    assert_eq!(fixture.reply_to(waits), Some(Reply::SignIn(out)));
    assert_eq!(fixture.states, [SessionState::SignedIn, SessionState::SignedOut(out)]);
    fixture.grant(ticket, 2);
    assert_eq!(fixture.reply_to(leaves), None, "not cleared yet");
    fixture.finish_clear(true);
    assert_eq!(fixture.reply_to(leaves), Some(Reply::Done));
    assert!(fixture.is_idle());
    let caller = fixture.acquire();
    fixture.finish_read(StorageRead::Empty);
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(out)));
}

#[test]
fn a_sign_out_waits_for_a_write_in_progress() {
    for done in [true, false] {
        let mut fixture = MachineFixture::expired();
        fixture.acquire();
        let ticket = fixture.start_refresh(1);
        fixture.grant(ticket, 2);
        fixture.finish_read_stored();
        let leaves = fixture.sign_out();
        fixture.finish_write(done);
        fixture.finish_clear(true);
        assert_eq!(fixture.reply_to(leaves), Some(Reply::Done));
        assert_eq!(fixture.states.last(), Some(&SessionState::SignedOut(SignOutReason::ByUser)));
        assert!(fixture.is_idle());
    }
}

#[test]
fn a_granted_pair_is_not_stored_after_a_sign_out() {
    let mut fixture = MachineFixture::expired();
    fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.grant(ticket, 2);
    fixture.sign_out();
    fixture.finish_read_stored();
    fixture.finish_clear(true);
    assert!(fixture.is_idle());
}

#[test]
fn a_sign_in_after_a_sign_out_wins() {
    let mut fixture = MachineFixture::signed_in();
    let leaves = fixture.sign_out();
    let comes = fixture.sign_in(pair(2));
    let waits = fixture.acquire();
    fixture.finish_lock();
    fixture.finish_clear(true);
    fixture.finish_write(true);
    assert_eq!(fixture.reply_to(leaves), Some(Reply::Done));
    assert_eq!(fixture.reply_to(comes), Some(Reply::Done));
    assert_eq!(fixture.reply_to(waits), token(2));
    assert_eq!(fixture.states.last(), Some(&SessionState::SignedIn));
    assert!(fixture.is_idle());
}

#[test]
fn a_sign_out_fails_if_the_lock_cannot_be_taken() {
    let mut fixture = MachineFixture::signed_in();
    let leaves = fixture.sign_out();
    let Some(Action::Lock { ticket }) = fixture.pending.pop_front() else { panic!("no lock") };
    fixture.handle(Event::LockFailed { ticket, cause: TransientError::StorageLocked });
    assert_eq!(
        fixture.reply_to(leaves),
        Some(Reply::Later(TransientError::StorageLocked, Duration::ZERO))
    );
    assert!(fixture.is_idle());
    // The pair that is still stored does not revive the session.
    fixture.wait(settings().max_backoff);
    let caller = fixture.acquire();
    fixture.finish_read_stored();
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(SignOutReason::ByUser)));
}
