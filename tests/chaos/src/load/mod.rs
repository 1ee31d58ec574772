//! The load: honest clients, thieves, and people who log out, over several processes of an app.

mod apps;
mod ended;
mod honest;
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
use self::ended::Ended;
pub(crate) use self::tally::Tally;
use self::world::World;

/// Clients of each kind. Enough that at any instant some request is under way.
const HONEST: usize = 24;
const THEFTS: usize = 12;
const LEAVERS: usize = 4;
const COMERS: usize = 2;

/// A load that runs.
pub(crate) struct Load {
    runtime: Runtime,
    world: Arc<World>,
    ended: Arc<Ended>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
    random: Rng,
    started: Instant,
}

impl Load {
    /// Starts it over processes of an app, one for each address. Chance comes from `seed`.
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
        let ended = Arc::new(Ended::default());
        let mut random = Rng::with_seed(seed);
        let mut clients = JoinSet::new();
        for _ in 0..HONEST {
            clients.spawn(honest::live(Arc::clone(&world), random.fork()));
        }
        for _ in 0..THEFTS {
            clients.spawn(theft::plant(Arc::clone(&world), Arc::clone(&ended), random.fork()));
        }
        for _ in 0..LEAVERS {
            clients.spawn(ended::leave(Arc::clone(&world), Arc::clone(&ended), random.fork()));
        }
        for _ in 0..COMERS {
            clients.spawn(ended::come_back(Arc::clone(&world), Arc::clone(&ended), random.fork()));
        }
        drop(entered);
        Ok(Self { runtime, world, ended, clients, stop, random, started: Instant::now() })
    }

    /// What was counted so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.world.tally
    }

    /// How long it has been running.
    pub(crate) fn elapsed(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    /// Ends it, all faults being mended: every client comes to its end, and every session that was
    /// ended is presented once more.
    pub(crate) fn finish(mut self) -> Result<Arc<Tally>> {
        self.stop.send(true).context("the load is gone")?;
        self.runtime.block_on(async {
            while let Some(client) = self.clients.join_next().await {
                client.context("a client broke down")?;
            }
            ended::all_come_back(&self.world, &self.ended, &mut self.random).await;
            anyhow::Ok(())
        })?;
        Ok(Arc::clone(&self.world.tally))
    }
}
