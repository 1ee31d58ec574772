//! Devices whose clocks are wrong.

use std::time::Duration;

use regrant::client::{Found, Pair};
use regrant::types::Timestamp;

use crate::client_machine::bench::{Bench, LIFETIME, pair, token};

const OFF: Duration = Duration::from_secs(600);

/// The offsets of the wall clock, in turn.
fn offsets() -> [fn(Timestamp) -> Timestamp; 3] {
    [|at| at, |at| at.plus(OFF), |at| at.minus(OFF)]
}

/// A device whose wall clock is off has signed in and then refreshed once.
fn renewed(offset: fn(Timestamp) -> Timestamp) -> Bench {
    let mut bench = Bench::new();
    bench.now.wall = offset(bench.now.wall);
    bench.sign_in(pair(1));
    bench.locks();
    bench.writes(true);
    bench.wait(LIFETIME);
    let caller = bench.want();
    bench.renews(1, 2);
    assert_eq!(bench.told_to(caller), token(2));
    bench
}

fn is_good(bench: &mut Bench, number: u32) {
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), token(number));
    assert!(bench.is_at_rest());
}

#[test]
fn a_clock_that_is_wrong_changes_nothing() {
    for offset in offsets() {
        let mut bench = renewed(offset);
        is_good(&mut bench, 2);
        bench.wait(LIFETIME - Duration::from_secs(60));
        is_good(&mut bench, 2);
        bench.wait(Duration::from_secs(31));
        let caller = bench.want();
        assert_eq!(bench.told_to(caller), None, "it is renewed in time");
        bench.renews(2, 3);
        assert_eq!(bench.told_to(caller), token(3));
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_token_live_longer() {
    let mut bench = renewed(|at| at);
    bench.now.wall = bench.now.wall.minus(OFF);
    bench.wait(LIFETIME - Duration::from_secs(30));
    let caller = bench.want();
    bench.renews(2, 3);
    assert_eq!(bench.told_to(caller), token(3));
}

#[test]
fn a_clock_that_is_set_forward_costs_one_refresh() {
    let mut bench = renewed(|at| at);
    bench.now.wall = bench.now.wall.plus(Duration::from_secs(3600));
    let caller = bench.want();
    bench.renews(2, 3);
    assert_eq!(bench.told_to(caller), token(3));
    is_good(&mut bench, 3);
    bench.wait(LIFETIME / 2);
    is_good(&mut bench, 3);
}

#[test]
fn sleep_that_the_monotonic_clock_does_not_count_is_counted() {
    let mut bench = renewed(|at| at);
    bench.now.wall = bench.now.wall.plus(LIFETIME);
    let caller = bench.want();
    assert_eq!(bench.told_to(caller), None);
}

/// The difference is stored with the pair.
#[test]
fn a_clock_that_is_wrong_is_known_after_a_start() {
    for offset in offsets() {
        let mut bench = renewed(offset);
        bench.wait(LIFETIME);
        bench.want();
        let ticket = bench.asks_with(2);
        bench.grants(ticket, 3);
        bench.finds_own();
        let stored = match bench.wanted.front() {
            Some(regrant::client::Action::Write { pair, .. }) => pair.to_bytes().unwrap(),
            other => panic!("no write, but {other:?}"),
        };
        let found = || Found::of_bytes(Some(&stored));
        let mut fresh = Bench::new();
        (fresh.now, fresh.server) = (bench.now, bench.server);
        fresh.wait(LIFETIME / 2);
        let caller = fresh.want();
        fresh.finds(found());
        assert_eq!(fresh.told_to(caller), token(3));
        let mut late = Bench::new();
        (late.now, late.server) = (bench.now, bench.server);
        late.wait(LIFETIME);
        let caller = late.want();
        late.finds(found());
        assert_eq!(late.told_to(caller), None);
        assert!(!late.wanted.is_empty());
    }
}

/// The tokens themselves say when they were issued; no header is needed.
#[test]
fn a_token_tells_the_servers_clock() {
    use regrant::types::{AccessToken, RefreshToken};
    // {}.{"iat":1700003600,"exp":1700004500}
    let jwt = "e30.eyJpYXQiOjE3MDAwMDM2MDAsImV4cCI6MTcwMDAwNDUwMH0.AA";
    let mut bench = Bench::new();
    bench.sign_in(Pair::new(AccessToken::new(jwt), RefreshToken::new("r")));
    bench.locks();
    bench.writes(true);
    for (wait, is_good) in [(800, true), (85, false)] {
        bench.wait(Duration::from_secs(wait));
        let caller = bench.want();
        assert_eq!(bench.told_to(caller).is_some(), is_good, "after {wait}");
    }
}
