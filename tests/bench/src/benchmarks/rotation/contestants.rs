//! The contestants.

use std::time::Duration;

use anyhow::Result;
use regrant::store::StoreAddress;

use super::contest::calls_within;
use super::node::Node;
use super::turn::Turn;
use crate::callers::auth::{AccessTokens, AuthCaller};
use crate::callers::store::Store;
use crate::context::Context;
use crate::load::Load;
use crate::machine::processor_time;
use crate::server::Server;

pub(super) enum Contestant {
    Raw(Box<dyn Raw>),
    Store(Store),
    Auth { name: &'static str, caller: AuthCaller },
    Node(Node),
}

/// A benchmark program that comes with the server and sends what the store sends.
pub(super) trait Raw {
    fn name(&self, concurrency: usize) -> String;

    /// Whether it takes part.
    fn is_for(&self, concurrency: usize) -> bool;

    /// Refreshes `calls` times.
    fn run(&self, concurrency: usize, calls: u64) -> Result<RawRun>;
}

/// One run of a benchmark program.
pub(super) struct RawRun {
    pub(super) calls: u64,
    /// Calls per second.
    pub(super) rate: f64,
    /// In microseconds.
    pub(super) p50: f64,
    /// In microseconds.
    pub(super) p99: f64,
}

impl Contestant {
    pub(super) fn raw(raw: impl Raw + 'static) -> Self {
        Self::Raw(Box::new(raw))
    }

    /// The callers through regrant, with this many users of their own each.
    pub(super) async fn of_regrant(
        context: &Context,
        address: &StoreAddress,
        url: &str,
        users: u64,
    ) -> Result<Vec<Self>> {
        context.progress.say("logging in, in Rust");
        let log_in = |prefix, tokens| AuthCaller::log_in(address.clone(), prefix, users, tokens);
        let mut all = vec![
            Self::Store(Store::new(address.open(None)?, users)),
            Self::Auth { name: "Auth", caller: log_in("auth", AccessTokens::Unused).await? },
            Self::Auth {
                name: "Auth, then verify",
                caller: log_in("used", AccessTokens::Verified).await?,
            },
        ];
        context.progress.say("logging in, in Node.js");
        all.push(Self::Node(Node::log_in(url, users)?));
        Ok(all)
    }

    pub(super) fn name(&self, concurrency: usize) -> String {
        match self {
            Self::Raw(raw) => raw.name(concurrency),
            Self::Store(_) => "store".to_owned(),
            Self::Auth { name, .. } => (*name).to_owned(),
            Self::Node(_) => "Node".to_owned(),
        }
    }

    pub(super) fn is_raw(&self) -> bool {
        matches!(self, Self::Raw(_))
    }

    pub(super) fn is_for(&self, concurrency: usize) -> bool {
        match self {
            Self::Raw(raw) => raw.is_for(concurrency),
            Self::Store(_) | Self::Auth { .. } | Self::Node(_) => true,
        }
    }

    /// Refreshes for about `time`; `pace` is the expected rate.
    pub(super) async fn turn(
        &self,
        server: &mut impl Server,
        concurrency: usize,
        time: Duration,
        pace: f64,
    ) -> Result<Turn> {
        let before = (server.counters().await?, processor_time());
        let mut turn: Turn = match self {
            Self::Raw(raw) => raw.run(concurrency, calls_within(time, pace))?.into(),
            Self::Store(store) => store.run(concurrency, time).await?.into(),
            Self::Auth { caller, .. } => caller.run(concurrency, time).await?.into(),
            Self::Node(node) => node.run(concurrency, time)?,
        };
        if matches!(self, Self::Store(_) | Self::Auth { .. }) {
            turn.client = Some(processor_time().saturating_sub(before.1));
        }
        turn.server = server.counters().await?.since(&before.0);
        Ok(turn)
    }
}

impl From<RawRun> for Turn {
    fn from(RawRun { rate, p50, p99, calls }: RawRun) -> Self {
        Self { rate, p50, p99, calls, client: None, server: Default::default() }
    }
}

impl From<Load> for Turn {
    fn from(load: Load) -> Self {
        Self {
            rate: load.rate(),
            p50: load.latency.percentile(0.5),
            p99: load.latency.percentile(0.99),
            calls: load.calls,
            client: None,
            server: Default::default(),
        }
    }
}
