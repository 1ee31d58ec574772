//! Everything that is wrong with a configuration at once, for those who have to put it right.

use super::AuthConfig;
use crate::error::{Error, Result};

impl AuthConfig {
    /// What is wrong, each with the path of its field: what building from it would stop at, one
    /// after the other. Does no I/O, so whether the store answers is not among them.
    pub fn problems(&self) -> Vec<Error> {
        let checks = [
            drop_value(self.keys_config().keyring()),
            drop_value(self.keys_config().refresh_keys()),
            drop_value(self.access.policy()),
            drop_value(self.refresh.policy()),
            drop_value(self.old_tokens()),
            self.dpop.as_ref().map_or(Ok(()), |dpop| drop_value(dpop.policy())),
        ];
        let mut problems: Vec<Error> = checks.into_iter().filter_map(Result::err).collect();
        // The same secret may be wrong for several purposes.
        let mut seen = Vec::new();
        problems.retain(|problem| {
            let text = problem.to_string();
            let new = !seen.contains(&text);
            seen.push(text);
            new
        });
        problems
    }
}

fn drop_value<T>(outcome: Result<T>) -> Result<()> {
    outcome.map(drop)
}
