//! Stores against the Rust functions, Redis (Lua) and PostgreSQL on real servers. `REGRANT_SEED` repeats a run.

use regrant_session_tests::differential::{Coverage, Random, Tested, any_record, histories, seed};
use regrant_test_support::{PostgresServer, RedisServer};

/// Random histories agree with the memory store. The rarest outcome occurs about 15 times in 12,000
/// operations, and by chance now and then not even 10 times.
async fn agrees_over_histories(tested: Tested, operations: usize, least: usize) {
    let mut random = Random::new(seed());
    let coverage = histories(tested, &mut random, operations).await;
    coverage.require(&Coverage::ANSWERS, least);
    coverage.require(&Coverage::LOGINS, least.min(2));
    coverage.require(&Coverage::NOTES, least);
}

/// Any record and any token agree with the state machine. The rarest outcome occurs some 40 times in 20,000
/// rounds, and by chance not even 20 times.
async fn agrees_over_any_record(tested: Tested, rounds: usize, least: usize) {
    let mut random = Random::new(seed());
    any_record(tested, &mut random, rounds).await.require(&Coverage::ANSWERS, least);
}

#[tokio::test]
async fn random_histories_in_redis_agree_with_the_memory_store() {
    let server = RedisServer::start().unwrap();
    agrees_over_histories(Tested::redis(&server, "histories:").await, 12_000, 3).await;
}

#[tokio::test]
async fn any_record_in_redis_agrees_with_the_state_machine() {
    let server = RedisServer::start().unwrap();
    agrees_over_any_record(Tested::redis(&server, "any record:").await, 20_000, 8).await;
}

// In PostgreSQL each operation is a commit, so there are fewer; the decisions are those of the Rust
// functions themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_histories_in_postgres_agree_with_the_memory_store() {
    let server = PostgresServer::start().unwrap();
    agrees_over_histories(Tested::postgres(&server).await, 8_000, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_record_in_postgres_agrees_with_the_state_machine() {
    let server = PostgresServer::start().unwrap();
    agrees_over_any_record(Tested::postgres(&server).await, 5_000, 1).await;
}

#[tokio::test]
async fn random_histories_in_a_custom_store_agree_with_the_memory_store() {
    agrees_over_histories(Tested::custom(), 12_000, 3).await;
}

#[tokio::test]
async fn any_record_in_a_custom_store_agrees_with_the_state_machine() {
    agrees_over_any_record(Tested::custom(), 20_000, 8).await;
}
