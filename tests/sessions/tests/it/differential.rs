//! Lua against Rust on a real redis-server. `REGRANT_SEED` repeats a run.

use regrant_session_tests::differential::{Coverage, Random, any_record, histories, seed};
use regrant_test_support::RedisServer;

#[tokio::test]
async fn random_histories_agree_with_the_memory_store() {
    let server = RedisServer::start().unwrap();
    let mut random = Random::new(seed());
    let coverage = histories(&server, &mut random, 12_000).await;
    // The rarest answer comes about 15 times in as many histories, and by chance now and then not even 10 times.
    coverage.require(&Coverage::ANSWERS, 3);
    coverage.require(&Coverage::LOGINS, 2);
}

#[tokio::test]
async fn any_record_and_any_token_agree_with_the_state_machine() {
    let server = RedisServer::start().unwrap();
    let mut random = Random::new(seed());
    // The rarest answer comes some 40 times in as many records, and by chance not even 20 times.
    any_record(&server, &mut random, 20_000).await.require(&Coverage::ANSWERS, 8);
}
