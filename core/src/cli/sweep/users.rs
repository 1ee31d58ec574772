//! Whose a token of the old app is, without the app's own code to ask.

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;

use crate::cli::failure::Failure;
use crate::cli::input;
use crate::error::{Error, Result};
use crate::migration::IdentityResolver;
use crate::types::Subject;

/// From a file that the operator wrote.
pub(super) struct FromFile(HashMap<String, Subject>);

impl FromFile {
    pub(super) fn read(file: &Path) -> Result<Self, Failure> {
        let text = input::text(file)?;
        serde_json::from_str(&text).map(Self).map_err(|error| {
            // serde quotes no value of a wrong type that is text, and ids are no secrets.
            let problem = format!("expected a JSON object from value to id: {error}");
            Failure::usage(problem).at(&file.display().to_string())
        })
    }
}

#[async_trait]
impl IdentityResolver for FromFile {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        Ok(self.0.get(value).cloned())
    }
}

/// The values themselves. Sessions under the wrong name cannot be put right afterwards, so what
/// looks like an e-mail address is taken for an id only when the operator says so.
pub(super) struct TheValues {
    pub(super) trusted: bool,
}

#[async_trait]
impl IdentityResolver for TheValues {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        if value.contains('@') && !self.trusted {
            let problem = "the old app stored e-mail addresses: name the users' ids with --users FILE, or say --values-are-ids";
            return Err(Error::config("migrate", problem));
        }
        Ok(Subject::new(value).ok())
    }
}
