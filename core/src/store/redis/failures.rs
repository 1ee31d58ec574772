//! Failed attempts: one small hash for each window, which expires with it.

use std::time::Duration;

use async_trait::async_trait;

use super::RedisStore;
use crate::error::Result;
use crate::store::{FailureCounter, FailureKey, Failures};

#[async_trait]
impl FailureCounter for RedisStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let key = [self.prefix.as_bytes(), b"f:", key.as_bytes()].concat();
        let arguments = self.arguments().span(window);
        let (count, left): (u32, u64) =
            self.connection.run(&self.scripts.fail, &key, arguments).await?;
        Ok(Failures { count, left: Duration::from_millis(left) })
    }
}
