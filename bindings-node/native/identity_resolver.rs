//! The app's function that finds the user of an old refresh token.

use async_trait::async_trait;
use napi::Status;
use napi::bindgen_prelude::Promise;
use napi::threadsafe_function::ThreadsafeFunction;
use regrant::migration::IdentityResolver;
use regrant::types::Subject;
use regrant::{Error, Result};
use serde::Deserialize;

/// Called with the old app's value; its promise gives an [`Answer`] as JSON text and is never
/// rejected. Weak: whoever waits for the answer keeps the process alive.
pub type Resolver = ThreadsafeFunction<String, Promise<String>, String, Status, false, true>;

/// What the function answered.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    /// The user's id, or none.
    User(Option<String>),
    /// What it threw.
    Failed(String),
}

/// The function as the core asks it.
pub struct Resolving(pub Resolver);

#[async_trait]
impl IdentityResolver for Resolving {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        let answer = self.0.call_async(value.to_owned()).await.map_err(Error::store)?;
        let answer = answer.await.map_err(Error::store)?;
        match serde_json::from_str(&answer).map_err(Error::store)? {
            Answer::User(user) => user.map(Subject::new).transpose(),
            Answer::Failed(why) => Err(Error::store(why)),
        }
    }
}
