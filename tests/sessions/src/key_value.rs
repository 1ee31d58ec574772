//! A database with two operations, in the memory of this process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use regrant::Result;
use regrant::store::{KeyValueStore, VersionedValue};
use regrant::types::Timestamp;

/// A map with a counter for versions.
#[derive(Debug, Default)]
pub struct MemoryKeyValues(Mutex<Map>);

#[derive(Debug, Default)]
struct Map {
    values: HashMap<String, VersionedValue>,
    writes: u64,
}

#[async_trait]
impl KeyValueStore for MemoryKeyValues {
    async fn get(&self, key: &str) -> Result<Option<VersionedValue>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).values.get(key).cloned())
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        if_version: Option<&str>,
        _: Timestamp,
    ) -> Result<bool> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.values.get(key).map(|current| current.version.as_str()) != if_version {
            return Ok(false);
        }
        map.writes += 1;
        let version = map.writes.to_string();
        map.values.insert(key.to_owned(), VersionedValue { value: value.to_vec(), version });
        Ok(true)
    }
}
