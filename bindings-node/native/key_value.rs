//! The app's functions `get` and `put` behind one function from text to text, whose other half is
//! `src/custom-store.cts`.
//!
//! Without napi: the tests of stores (`tests/sessions`) compile this file too, and call a process of
//! Node.js through it.

use std::fmt;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regrant::error::Cause;
use regrant::store::{KeyValueStore, VersionedValue};
use regrant::types::Timestamp;
use regrant::{Error, Result};
use serde::{Deserialize, Serialize};

/// A function of JavaScript from text to a promise of text.
pub trait TextFunction: Send + Sync {
    /// Calls it and waits for its promise.
    fn invoke(
        &self,
        text: String,
    ) -> impl Future<Output = std::result::Result<String, Cause>> + Send;
}

/// A database behind such a function.
pub struct JsKeyValueStore<F>(pub F);

impl<F> fmt::Debug for JsKeyValueStore<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JsKeyValueStore")
    }
}

/// One call. Values are base64url, versions the JSON text of what the app's function returned.
#[derive(Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
enum KeyValueCall<'a> {
    Get { key: &'a str },
    Put { key: &'a str, value: String, if_version: Option<&'a str>, expires_at: Timestamp },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum KeyValueResult {
    Found { value: String, version: String },
    Absent,
    Written(bool),
    Failed(String),
}

impl<F: TextFunction> JsKeyValueStore<F> {
    async fn call(&self, call: &KeyValueCall<'_>) -> Result<KeyValueResult> {
        let call = serde_json::to_string(call).map_err(Error::store)?;
        let json = self.0.invoke(call).await.map_err(Error::store)?;
        match serde_json::from_str(&json).map_err(Error::store)? {
            KeyValueResult::Failed(why) => Err(Error::store(why)),
            result => Ok(result),
        }
    }
}

#[async_trait]
impl<F: TextFunction> KeyValueStore for JsKeyValueStore<F> {
    async fn get(&self, key: &str) -> Result<Option<VersionedValue>> {
        match self.call(&KeyValueCall::Get { key }).await? {
            KeyValueResult::Found { value, version } => {
                let value = URL_SAFE_NO_PAD
                    .decode(value)
                    .map_err(|_| Error::store("get has not returned a value as it was written"))?;
                Ok(Some(VersionedValue { value, version }))
            }
            KeyValueResult::Absent => Ok(None),
            _ => Err(Error::internal("an unexpected result of get")),
        }
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        if_version: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<bool> {
        let value = URL_SAFE_NO_PAD.encode(value);
        match self.call(&KeyValueCall::Put { key, value, if_version, expires_at }).await? {
            KeyValueResult::Written(written) => Ok(written),
            _ => Err(Error::internal("an unexpected result of put")),
        }
    }
}
