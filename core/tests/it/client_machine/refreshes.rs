//! Acquiring an access token without failures.

use std::time::Duration;

use regrant::client::machine::{Event, StorageRead};
use regrant::client::{SessionState, SignOutReason, TransientError};

use crate::client_machine::fixture::{LIFETIME, MachineFixture, Reply, settings, token};

#[test]
fn a_fresh_token_is_returned_at_once() {
    let mut fixture = MachineFixture::signed_in();
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(1));
    assert!(fixture.is_idle());
    assert_eq!(fixture.states, [SessionState::SignedIn]);
}

#[test]
fn after_a_restart_the_storage_is_read_without_the_lock() {
    let mut fixture = MachineFixture::new();
    let (first, second) = (fixture.acquire(), fixture.acquire());
    fixture.finish_read_of_other(1);
    assert_eq!((fixture.reply_to(first), fixture.reply_to(second)), (token(1), token(1)));
    assert!(fixture.is_idle());
}

#[test]
fn an_empty_or_unreadable_storage_means_signed_out() {
    for (found, reason) in [
        (StorageRead::Empty, SignOutReason::NotSignedIn),
        (StorageRead::Unreadable, SignOutReason::Unreadable),
    ] {
        let mut fixture = MachineFixture::new();
        let caller = fixture.acquire();
        fixture.finish_read(found);
        assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(reason)));
        assert_eq!(fixture.states, [SessionState::SignedOut(reason)]);
        // The next call reads the storage again: another process may have signed in.
        let caller = fixture.acquire();
        fixture.finish_read_of_other(1);
        assert_eq!(fixture.reply_to(caller), token(1));
    }
}

#[test]
fn a_hundred_callers_make_one_refresh() {
    let mut fixture = MachineFixture::expired();
    let mut callers: Vec<_> = (0..50).map(|_| fixture.acquire()).collect();
    let ticket = fixture.start_refresh(1);
    callers.extend((0..50).map(|_| fixture.acquire()));
    fixture.grant(ticket, 2);
    fixture.finish_read_stored();
    assert!(fixture.replies.iter().all(|(caller, _)| !callers.contains(caller)), "not stored yet");
    fixture.finish_write(true);
    for caller in callers {
        assert_eq!(fixture.reply_to(caller), token(2));
    }
    assert!(fixture.is_idle());
}

#[test]
fn a_pair_stored_by_another_process_is_used() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    fixture.finish_lock();
    fixture.finish_read_of_other(2);
    assert_eq!(fixture.reply_to(caller), token(2));
    assert!(fixture.is_idle());
    // Also if that access token has expired meanwhile: its refresh token is the newest.
    fixture.stored = StorageRead::Pair(fixture.pair_of_other_process(3));
    fixture.wait(LIFETIME);
    let caller = fixture.acquire();
    fixture.complete_refresh(3, 4);
    assert_eq!(fixture.reply_to(caller), token(4));
}

#[test]
fn a_sign_out_by_another_process_is_followed() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    fixture.finish_lock();
    fixture.finish_read(StorageRead::Empty);
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(SignOutReason::Elsewhere)));
    assert!(fixture.is_idle());
}

#[test]
fn without_rotation_the_refresh_token_stays() {
    use regrant::client::machine::{Grant, RefreshAnswer};
    use regrant::types::AccessToken;

    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    let access = AccessToken::new("a2");
    let grant = Grant { access, refresh: None, lifetime: Some(LIFETIME), date: None };
    fixture.answer(ticket, RefreshAnswer::Granted(grant));
    fixture.finish_read_stored();
    assert_eq!(fixture.finish_write(true), ("a2".to_owned(), "r1".to_owned()));
    assert_eq!(fixture.reply_to(caller), token(2));
}

#[test]
fn early_refreshes_are_spread_over_time() {
    let mut first_renewals = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut settings = settings();
        settings.seed = seed;
        let mut fixture = MachineFixture::signed_in_with(settings.clone());
        let early = LIFETIME - settings.min_ttl - settings.min_ttl / 2;
        fixture.wait(early - Duration::from_secs(1));
        for tenth in 0.. {
            fixture.wait(Duration::from_millis(100));
            let caller = fixture.acquire();
            assert_eq!(fixture.reply_to(caller), token(1), "no caller waits");
            if !fixture.pending.is_empty() {
                first_renewals.insert(tenth);
                break;
            }
        }
        fixture.complete_refresh(1, 2);
        let caller = fixture.acquire();
        assert_eq!(fixture.reply_to(caller), token(2));
        assert!(fixture.is_idle());
    }
    assert!(first_renewals.len() > 5, "{first_renewals:?}");
    assert!(first_renewals.iter().all(|tenth| *tenth <= 160), "{first_renewals:?}");
}

#[test]
fn a_token_about_to_expire_is_refreshed_before_use() {
    let mut fixture = MachineFixture::signed_in();
    fixture.wait(LIFETIME - settings().min_ttl);
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), None);
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
}

#[test]
fn short_lived_tokens_are_not_refreshed_on_every_call() {
    let mut fixture = MachineFixture::new();
    fixture.sign_in(pair_of(Duration::from_secs(3)));
    fixture.finish_lock();
    fixture.finish_write(true);
    fixture.wait(Duration::from_millis(1400));
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(1));
    assert!(fixture.is_idle());
}

fn pair_of(lifetime: Duration) -> regrant::client::TokenPair {
    use regrant::types::{AccessToken, RefreshToken};
    regrant::client::TokenPair::new(AccessToken::new("a1"), RefreshToken::new("r1"))
        .expires_in(lifetime)
}

#[test]
fn a_refresh_continues_after_its_callers_cancel() {
    let mut fixture = MachineFixture::expired();
    let (first, second) = (fixture.acquire(), fixture.acquire());
    let ticket = fixture.start_refresh(1);
    for caller in [first, second] {
        fixture.handle(Event::Cancel { caller: regrant::client::machine::Caller(caller) });
    }
    fixture.grant(ticket, 2);
    fixture.finish_read_stored();
    fixture.finish_write(true);
    assert_eq!((fixture.reply_to(first), fixture.reply_to(second)), (None, None));
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(2));
}

#[test]
fn reports_with_an_old_ticket_are_ignored() {
    let mut fixture = MachineFixture::expired();
    fixture.acquire();
    let old = fixture.start_refresh(1);
    fixture.handle(Event::Unanswered { ticket: old });
    fixture.wake();
    let ticket = fixture.start_refresh(1);
    let before = fixture.machine.clone();
    fixture.grant(old, 7);
    fixture.handle(Event::Locked { ticket: old });
    fixture.handle(Event::LockFailed { ticket: old, cause: TransientError::StorageLocked });
    fixture.handle(Event::Unanswered { ticket: old });
    fixture.handle(Event::Written { ticket: old, done: true });
    fixture.handle(Event::Read { ticket: old, found: StorageRead::Empty });
    assert!(fixture.machine == before && fixture.pending.is_empty());
    fixture.grant(ticket, 2);
}
