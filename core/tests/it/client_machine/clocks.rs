//! Devices whose clocks are wrong.

use std::time::Duration;

use regrant::client::TokenPair;
use regrant::client::machine::StorageRead;
use regrant::types::Timestamp;

use crate::client_machine::fixture::{LIFETIME, MachineFixture, pair, token};

const OFF: Duration = Duration::from_secs(600);

/// The tested offsets of the wall clock.
fn offsets() -> [fn(Timestamp) -> Timestamp; 3] {
    [|at| at, |at| at.plus(OFF), |at| at.minus(OFF)]
}

/// A device whose wall clock is off has signed in and then refreshed once.
fn renewed(offset: fn(Timestamp) -> Timestamp) -> MachineFixture {
    let mut fixture = MachineFixture::new();
    fixture.now.wall = offset(fixture.now.wall);
    fixture.sign_in(pair(1));
    fixture.finish_lock();
    fixture.finish_write(true);
    fixture.wait(LIFETIME);
    let caller = fixture.acquire();
    fixture.complete_refresh(1, 2);
    assert_eq!(fixture.reply_to(caller), token(2));
    fixture
}

fn is_good(fixture: &mut MachineFixture, number: u32) {
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), token(number));
    assert!(fixture.is_idle());
}

#[test]
fn a_wrong_wall_clock_changes_nothing() {
    for offset in offsets() {
        let mut fixture = renewed(offset);
        is_good(&mut fixture, 2);
        fixture.wait(LIFETIME - Duration::from_secs(60));
        is_good(&mut fixture, 2);
        fixture.wait(Duration::from_secs(31));
        let caller = fixture.acquire();
        assert_eq!(fixture.reply_to(caller), None, "it is renewed in time");
        fixture.complete_refresh(2, 3);
        assert_eq!(fixture.reply_to(caller), token(3));
    }
}

#[test]
fn setting_the_clock_back_does_not_extend_a_token() {
    let mut fixture = renewed(|at| at);
    fixture.now.wall = fixture.now.wall.minus(OFF);
    fixture.wait(LIFETIME - Duration::from_secs(30));
    let caller = fixture.acquire();
    fixture.complete_refresh(2, 3);
    assert_eq!(fixture.reply_to(caller), token(3));
}

#[test]
fn setting_the_clock_forward_costs_one_refresh() {
    let mut fixture = renewed(|at| at);
    fixture.now.wall = fixture.now.wall.plus(Duration::from_secs(3600));
    let caller = fixture.acquire();
    fixture.complete_refresh(2, 3);
    assert_eq!(fixture.reply_to(caller), token(3));
    is_good(&mut fixture, 3);
    fixture.wait(LIFETIME / 2);
    is_good(&mut fixture, 3);
}

#[test]
fn sleep_counts_although_the_monotonic_clock_stops() {
    let mut fixture = renewed(|at| at);
    fixture.now.wall = fixture.now.wall.plus(LIFETIME);
    let caller = fixture.acquire();
    assert_eq!(fixture.reply_to(caller), None);
}

/// The difference is stored with the pair.
#[test]
fn the_clock_skew_is_known_after_a_restart() {
    for offset in offsets() {
        let mut fixture = renewed(offset);
        fixture.wait(LIFETIME);
        fixture.acquire();
        let ticket = fixture.start_refresh(2);
        fixture.grant(ticket, 3);
        fixture.finish_read_stored();
        let stored = match fixture.pending.front() {
            Some(regrant::client::machine::Action::Write { pair, .. }) => pair.to_bytes().unwrap(),
            other => panic!("no write, but {other:?}"),
        };
        let found = || StorageRead::of_bytes(Some(&stored));
        let mut fresh = MachineFixture::new();
        (fresh.now, fresh.server) = (fixture.now, fixture.server);
        fresh.wait(LIFETIME / 2);
        let caller = fresh.acquire();
        fresh.finish_read(found());
        assert_eq!(fresh.reply_to(caller), token(3));
        let mut late = MachineFixture::new();
        (late.now, late.server) = (fixture.now, fixture.server);
        late.wait(LIFETIME);
        let caller = late.acquire();
        late.finish_read(found());
        assert_eq!(late.reply_to(caller), None);
        assert!(!late.pending.is_empty());
    }
}

/// The tokens themselves say when they were issued; no header is needed.
#[test]
fn the_server_clock_is_read_from_iat() {
    use regrant::types::{AccessToken, RefreshToken};
    // {}.{"iat":1700003600,"exp":1700004500}
    let jwt = "e30.eyJpYXQiOjE3MDAwMDM2MDAsImV4cCI6MTcwMDAwNDUwMH0.AA";
    let mut fixture = MachineFixture::new();
    fixture.sign_in(TokenPair::new(AccessToken::new(jwt), RefreshToken::new("r")));
    fixture.finish_lock();
    fixture.finish_write(true);
    for (wait, is_good) in [(800, true), (85, false)] {
        fixture.wait(Duration::from_secs(wait));
        let caller = fixture.acquire();
        assert_eq!(fixture.reply_to(caller).is_some(), is_good, "after {wait}");
    }
}
