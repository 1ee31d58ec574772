//! The load: honest clients, thieves, and people who log out, over several processes of an app.

mod apps;
mod honest;
mod revoked;
mod tally;
mod theft;
mod world;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use fastrand::Rng;
use regrant::store::StoreAddress;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::apps::Apps;
use self::revoked::RevokedSessions;
pub(crate) use self::tally::Tally;
use self::world::World;

/// The number of clients of each kind, enough that some request is always in flight.
const HONEST: usize = 24;
const THEFTS: usize = 12;
const LOGOUTS: usize = 4;
const REVOKED: usize = 2;

/// A running load.
pub(crate) struct Load {
    runtime: Runtime,
    world: Arc<World>,
    revoked: Arc<RevokedSessions>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
    random: Rng,
    started: Instant,
}

impl Load {
    /// Starts a load over processes of an app, one for each address. `seed` seeds all randomness.
    pub(crate) fn start(
        name: &'static str,
        seed: u64,
        addresses: &[StoreAddress],
        on_replicas: bool,
    ) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let entered = runtime.enter();
        let tally = Arc::new(Tally::default());
        let (stop, stopped) = watch::channel(false);
        let apps = Apps::new(addresses, on_replicas, &tally)?;
        let world = Arc::new(World::new(apps, tally, stopped, name));
        let revoked = Arc::new(RevokedSessions::default());
        let mut random = Rng::with_seed(seed);
        let mut clients = JoinSet::new();
        for _ in 0..HONEST {
            clients.spawn(honest::live(Arc::clone(&world), random.fork()));
        }
        for _ in 0..THEFTS {
            clients.spawn(theft::commit(Arc::clone(&world), Arc::clone(&revoked), random.fork()));
        }
        for _ in 0..LOGOUTS {
            clients.spawn(revoked::log_out(
                Arc::clone(&world),
                Arc::clone(&revoked),
                random.fork(),
            ));
        }
        for _ in 0..REVOKED {
            clients.spawn(revoked::try_revoked(
                Arc::clone(&world),
                Arc::clone(&revoked),
                random.fork(),
            ));
        }
        drop(entered);
        Ok(Self { runtime, world, revoked, clients, stop, random, started: Instant::now() })
    }

    /// The counts so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.world.tally
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// Ends the load after all faults are fixed: waits for all clients, and presents the tokens of every
    /// revoked session once more.
    pub(crate) fn finish(mut self) -> Result<Arc<Tally>> {
        self.stop.send(true).context("the load has ended already")?;
        self.runtime.block_on(async {
            while let Some(client) = self.clients.join_next().await {
                client.context("a client panicked")?;
            }
            revoked::try_all_revoked(&self.world, &self.revoked, &mut self.random).await;
            anyhow::Ok(())
        })?;
        Ok(Arc::clone(&self.world.tally))
    }
}
