//! The contestants.

use std::time::Duration;

use anyhow::Result;

use super::contest::calls_within;
use super::node::Node;
use super::raw::{Raw, RawRun};
use super::turn::Turn;
use crate::callers::facade::{AccessTokens, Facade};
use crate::callers::store::Store;
use crate::context::Context;
use crate::load::Load;
use crate::machine::processor_time;
use crate::server::Server;

pub(super) enum Contestant {
    /// `redis-benchmark`, one connection per concurrent call.
    Connections(Raw, u64),
    /// `redis-benchmark`, all concurrent calls on one connection.
    Pipeline(Raw, u64),
    Store(Store),
    Facade(Facade),
    /// Each access token is verified once, and its use is reported to the store.
    FacadeUsed(Facade),
    Node(Node),
}

impl Contestant {
    /// All contestants, ready to run.
    pub(super) async fn all(context: &Context, server: &Server) -> Result<Vec<Self>> {
        let users = context.plan.rotation_users;
        let raw = Raw::overhear(server).await?;
        let mut all = vec![
            Self::Connections(raw.clone(), users),
            Self::Pipeline(raw, users),
            Self::Store(Store::new(server.store()?, users)),
        ];
        context.progress.say("logging in, in Rust");
        let log_in = |prefix, tokens| Facade::log_in(server.address(), prefix, users, tokens);
        all.push(Self::Facade(log_in("auth", AccessTokens::Unused).await?));
        all.push(Self::FacadeUsed(log_in("used", AccessTokens::Verified).await?));
        context.progress.say("logging in, in Node.js");
        all.push(Self::Node(Node::log_in(&server.url(), users)?));
        Ok(all)
    }

    pub(super) fn name(&self, concurrency: usize) -> String {
        match self {
            Self::Connections(..) => format!("redis-benchmark -c {concurrency}"),
            Self::Pipeline(..) => format!("redis-benchmark -c 1 -P {concurrency}"),
            Self::Store(_) => "store".to_owned(),
            Self::Facade(_) => "Auth".to_owned(),
            Self::FacadeUsed(_) => "Auth, then verify".to_owned(),
            Self::Node(_) => "Node".to_owned(),
        }
    }

    pub(super) fn is_raw(&self) -> bool {
        matches!(self, Self::Connections(..) | Self::Pipeline(..))
    }

    /// With one caller, the pipeline is the same as the single connection.
    pub(super) fn is_for(&self, concurrency: usize) -> bool {
        !matches!(self, Self::Pipeline(..)) || concurrency > 1
    }

    /// Refreshes for about `time`; `pace` is the expected rate.
    pub(super) async fn turn(
        &self,
        server: &mut Server,
        concurrency: usize,
        time: Duration,
        pace: f64,
    ) -> Result<Turn> {
        let (port, calls) = (server.port(), calls_within(time, pace));
        let before = (server.counters()?, processor_time());
        let mut turn = match self {
            Self::Connections(raw, users) => raw.run(port, *users, concurrency, 1, calls)?.into(),
            Self::Pipeline(raw, users) => raw.run(port, *users, 1, concurrency, calls)?.into(),
            Self::Store(store) => store.run(concurrency, time).await?.into(),
            Self::Facade(facade) | Self::FacadeUsed(facade) => {
                facade.run(concurrency, time).await?.into()
            }
            Self::Node(node) => node.run(concurrency, time)?,
        };
        if matches!(self, Self::Store(_) | Self::Facade(_) | Self::FacadeUsed(_)) {
            turn.client = Some(processor_time().saturating_sub(before.1));
        }
        turn.server = server.counters()?.since(&before.0);
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
