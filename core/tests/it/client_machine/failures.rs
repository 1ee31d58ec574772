//! Transient failures of networks, servers and storages.

use std::time::Duration;

use regrant::client::machine::{Action, Caller, Event, RefreshAnswer, StorageRead};
use regrant::client::{SessionState, SignOutReason, TransientError};

use crate::client_machine::fixture::{LIFETIME, MachineFixture, Reply, pair, settings, token};

const BUSY: TransientError = TransientError::Server { status: 503, code: None };

fn fails(fixture: &mut MachineFixture) {
    let ticket = fixture.start_refresh(1);
    fixture.handle(Event::Unanswered { ticket });
    assert!(!fixture.locked, "others may try meanwhile");
}

#[test]
fn callers_wait_through_a_short_outage() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    for _ in 0..settings().failure_threshold - 1 {
        fails(&mut fixture);
        assert_eq!(fixture.reply_to(caller), None);
        fixture.wake();
    }
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
    assert_eq!(fixture.states, [SessionState::SignedIn]);
}

#[test]
fn a_long_outage_opens_the_circuit_breaker() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    for _ in 0..settings().failure_threshold - 1 {
        fails(&mut fixture);
        fixture.wake();
    }
    fails(&mut fixture);
    let reply = fixture.reply_to(caller);
    let Some(Reply::Later(TransientError::Network, retry_after)) = reply else {
        panic!("{reply:?}")
    };
    for _ in 0..100 {
        let caller = fixture.acquire();
        assert_eq!(
            fixture.reply_to(caller),
            Some(Reply::Later(TransientError::Network, retry_after))
        );
    }
    assert!(fixture.is_idle());
    // Half open: the result of one attempt decides.
    fixture.wait(retry_after);
    let callers = [fixture.acquire(), fixture.acquire()];
    fails(&mut fixture);
    for caller in callers {
        assert!(matches!(fixture.reply_to(caller), Some(Reply::Later(..))));
    }
    fixture.wait(settings().max_backoff);
    let caller = fixture.acquire();
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
    fixture.wait(LIFETIME);
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(2);
    fixture.handle(Event::Unanswered { ticket });
    assert_eq!(fixture.reply_to(caller), None, "closed again");
}

#[test]
fn retry_after_is_honoured() {
    let mut fixture = MachineFixture::expired();
    fixture.acquire();
    let ticket = fixture.start_refresh(1);
    let retry_after = Some(Duration::from_secs(20));
    fixture.answer(ticket, RefreshAnswer::Unavailable { cause: BUSY, retry_after });
    fixture.wait(Duration::from_millis(19_999));
    fixture.handle(Event::Tick);
    assert!(fixture.pending.is_empty());
    fixture.wait(Duration::from_millis(1));
    fixture.handle(Event::Tick);
    assert!(matches!(fixture.pending[0], Action::Lock { .. }));
}

/// Waiting for the next attempt would only end in a timeout.
#[test]
fn a_retry_after_beyond_the_patience_is_answered_at_once() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    let retry_after = settings().wait_timeout + Duration::from_secs(1);
    fixture
        .answer(ticket, RefreshAnswer::Unavailable { cause: BUSY, retry_after: Some(retry_after) });
    for caller in [caller, fixture.acquire()] {
        assert_eq!(fixture.reply_to(caller), Some(Reply::Later(BUSY, retry_after)));
    }
    assert!(fixture.is_idle());
    // Once the next attempt is near enough, callers wait for it.
    fixture.wait(Duration::from_secs(2));
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), None);
    fixture.wake();
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
}

#[test]
fn the_start_reads_the_storage_and_sends_nothing() {
    let mut fixture = MachineFixture::new();
    let pair = fixture.pair_of_other_process(1);
    fixture.handle(Event::Start);
    fixture.finish_read(StorageRead::Pair(pair.clone()));
    assert_eq!(fixture.states, [SessionState::SignedIn]);
    assert!(fixture.is_idle());
    // Not even if the access token has expired.
    let mut fixture = MachineFixture::new();
    fixture.wait(LIFETIME);
    fixture.handle(Event::Start);
    fixture.finish_read(StorageRead::Pair(pair));
    assert_eq!(fixture.states, [SessionState::SignedIn]);
    assert!(fixture.is_idle());
    let mut fixture = MachineFixture::new();
    fixture.handle(Event::Start);
    fixture.finish_read(StorageRead::Failed);
    assert!(fixture.states.is_empty() && fixture.is_idle());
}

/// As while the device is locked: an app that waits for the state must not wait for ever.
#[test]
fn a_storage_that_cannot_be_read_at_the_start_is_read_again() {
    let mut fixture = MachineFixture::new();
    let stored = fixture.pair_of_other_process(1);
    fixture.handle(Event::Start);
    for _ in 0..20 {
        fixture.finish_read(StorageRead::Failed);
        assert!(fixture.is_idle() && fixture.pending.is_empty());
        let before = fixture.now.monotonic;
        fixture.wake();
        assert!(fixture.now.monotonic - before <= settings().max_backoff);
    }
    fixture.finish_read(StorageRead::Pair(stored));
    assert_eq!(fixture.states, [SessionState::SignedIn]);
    assert_eq!(fixture.machine.wake_at(), None);
    // Nor after a caller that was refused.
    let mut fixture = MachineFixture::new();
    fixture.handle(Event::Start);
    fixture.finish_read(StorageRead::Failed);
    let caller = fixture.acquire();
    for _ in 0..settings().failure_threshold {
        fixture.finish_read(StorageRead::Failed);
        fixture.wait(settings().max_backoff);
        fixture.handle(Event::Tick);
    }
    fixture.handle(Event::Cancel { caller: Caller(caller) });
    let stored = fixture.pair_of_other_process(1);
    fixture.finish_read(StorageRead::Pair(stored));
    assert_eq!(fixture.states, [SessionState::SignedIn]);
    // A sign-in makes the state known: nothing is left to read.
    let mut fixture = MachineFixture::new();
    fixture.handle(Event::Start);
    fixture.finish_read(StorageRead::Failed);
    fixture.sign_in(pair(1));
    fixture.finish_lock();
    fixture.finish_write(true);
    fixture.wait(settings().max_backoff);
    fixture.handle(Event::Tick);
    assert!(fixture.pending.is_empty() && fixture.is_idle() && fixture.machine.wake_at().is_none());
    // Callers in between are not refused at once for it.
    let mut fixture = MachineFixture::new();
    fixture.handle(Event::Start);
    for _ in 0..20 {
        fixture.finish_read(StorageRead::Failed);
        fixture.wake();
    }
    fixture.finish_read(StorageRead::Failed);
    let caller = fixture.acquire();
    let pair = fixture.pair_of_other_process(1);
    fixture.finish_read(StorageRead::Pair(pair));
    assert_eq!(fixture.reply_to(caller), token(1));
}

#[test]
fn a_lost_storage_signs_out_until_the_next_sign_in() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    fixture.finish_lock();
    fixture.finish_read(StorageRead::Lost);
    let lost = SignOutReason::StorageLost;
    assert_eq!(fixture.reply_to(caller), Some(Reply::SignIn(lost)));
    assert_eq!(fixture.states.last(), Some(&SessionState::SignedOut(lost)));
    let caller = fixture.sign_in(pair(2));
    fixture.finish_lock();
    fixture.finish_write(true);
    assert_eq!(fixture.reply_to(caller), Some(Reply::Done));
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(2));
}

/// The margin of 30 seconds is longer than the token lives.
#[test]
fn a_short_lived_token_without_iat_is_not_refreshed_at_every_call() {
    use regrant::client::TokenPair;
    use regrant::types::{AccessToken, RefreshToken};
    let mut fixture = MachineFixture::new();
    let exp = fixture.server.as_millis() / 1000 + 20;
    let part = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let access = format!("{}.{}.AA", part("{}"), part(&format!(r#"{{"exp":{exp}}}"#)));
    fixture.sign_in(TokenPair::new(AccessToken::new(access), RefreshToken::new("r1")));
    fixture.finish_lock();
    fixture.finish_write(true);
    for _ in 0..20 {
        let caller = fixture.acquire();
        assert!(matches!(fixture.reply_to(caller), Some(Reply::Token(_))));
    }
    assert!(fixture.is_idle(), "no refresh");
}

#[test]
fn a_token_that_is_still_valid_is_used_while_refreshes_fail() {
    let mut fixture = MachineFixture::signed_in();
    fixture.wait(LIFETIME - Duration::from_secs(20));
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), None);
    fails(&mut fixture);
    assert_eq!(fixture.reply_to(caller), token(1));
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(1), "at once, until the next attempt is due");
    assert!(fixture.is_idle());
    // But not a token that the server has rejected.
    let caller = fixture.renew("a1");
    fixture.wake();
    fails(&mut fixture);
    assert_eq!(fixture.reply_to(caller), None);
}

#[test]
fn every_caller_is_answered_if_a_report_never_arrives() {
    // The lock, the storage or the server never completes.
    let stuck: [fn(&mut MachineFixture); 5] = [
        |_| {},
        |fixture| fixture.finish_lock(),
        |fixture| {
            fixture.start_refresh(1);
        },
        |fixture| {
            let ticket = fixture.start_refresh(1);
            fixture.grant(ticket, 2);
        },
        |fixture| {
            let ticket = fixture.start_refresh(1);
            fixture.grant(ticket, 2);
            fixture.finish_read_stored();
        },
    ];
    for (place, go) in stuck.into_iter().enumerate() {
        let mut fixture = MachineFixture::expired();
        let first = fixture.acquire();
        go(&mut fixture);
        fixture.wait(Duration::from_secs(10));
        let second = fixture.acquire();
        let leaves = fixture.sign_out();
        let started = fixture.now.monotonic;
        while fixture.machine.wake_at().is_some() {
            fixture.wake();
        }
        for caller in [first, second, leaves] {
            assert!(fixture.reply_to(caller).is_some(), "{caller} at {place}");
        }
        let took = fixture.now.monotonic - started;
        assert!(took <= settings().wait_timeout, "{took:?} at {place}");
    }
}

#[test]
fn a_caller_times_out_while_the_refresh_continues() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let ticket = fixture.start_refresh(1);
    fixture.wake();
    assert_eq!(
        fixture.reply_to(caller),
        Some(Reply::Later(TransientError::Timeout, Duration::ZERO))
    );
    fixture.grant(ticket, 2);
    fixture.finish_read_stored();
    fixture.finish_write(true);
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(2));
}

#[test]
fn a_read_failure_does_not_sign_out() {
    let mut fixture = MachineFixture::new();
    let caller = fixture.acquire();
    fixture.finish_read(StorageRead::Failed);
    assert_eq!((fixture.reply_to(caller), fixture.states.as_slice()), (None, [].as_slice()));
    fixture.wake();
    fixture.finish_read_of_other(1);
    assert_eq!(fixture.reply_to(caller), token(1));

    fixture.wait(LIFETIME);
    let caller = fixture.acquire();
    fixture.finish_lock();
    fixture.finish_read(StorageRead::Failed);
    fixture.wake();
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
}

#[test]
fn a_failed_lock_is_retried() {
    let mut fixture = MachineFixture::expired();
    let caller = fixture.acquire();
    let Some(Action::Lock { ticket }) = fixture.pending.pop_front() else { panic!("no lock") };
    let cause = TransientError::StorageLocked;
    fixture.handle(Event::LockFailed { ticket, cause });
    assert!(fixture.pending.is_empty());
    fixture.wake();
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
}
