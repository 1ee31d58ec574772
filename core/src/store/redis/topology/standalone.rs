//! One server.

use redis::{ErrorKind, RedisResult};

use crate::store::redis::address::Node;

pub(super) struct Standalone(Option<Node>);

impl Standalone {
    pub(super) fn new(nodes: Vec<Node>) -> Self {
        Self(nodes.into_iter().next())
    }

    pub(super) fn node(&self) -> RedisResult<Node> {
        // An address has a host.
        self.0.clone().ok_or_else(|| (ErrorKind::InvalidClientConfig, "no host").into())
    }
}
