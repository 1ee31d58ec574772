//! What Sentinels and servers say when they are asked.

use std::collections::HashMap;

use anyhow::{Context, Result};

use super::NAME;
use crate::redis::RedisServer;

/// The port that a Sentinel names as the master's.
pub(super) fn told_master(sentinel: &RedisServer) -> Result<u16> {
    let (_, port): (String, u16) =
        sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])?;
    Ok(port)
}

/// How many replicas or other Sentinels a Sentinel knows and finds nothing wrong with.
pub(super) fn told_good(sentinel: &RedisServer, whom: &str) -> Result<usize> {
    let known: Vec<HashMap<String, String>> = sentinel.command(&["SENTINEL", whom, NAME])?;
    let good = |flags: &str| flags == "slave" || flags == "sentinel";
    let linked = |one: &HashMap<String, String>| {
        one.get("master-link-status").is_none_or(|status| status == "ok")
    };
    Ok(known
        .iter()
        .filter(|one| one.get("flags").is_some_and(|flags| good(flags)) && linked(one))
        .count())
}

/// What a server takes itself for: `master` or `slave`.
pub(super) fn role(server: &RedisServer) -> Result<String> {
    let answer: Vec<redis::Value> = server.command(&["ROLE"])?;
    let first = answer.into_iter().next().context("an empty answer to ROLE")?;
    Ok(redis::from_redis_value(first)?)
}
