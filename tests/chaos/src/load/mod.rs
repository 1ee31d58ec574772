//! The load: honest clients, thieves, and people who log out, over several processes of an app.

mod apps;
mod clock;
mod endless;
mod honest;
mod node;
mod revoked;
mod tally;
mod theft;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastrand::Rng;
use regrant::store::StoreAddress;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::apps::Apps;
pub(crate) use self::clock::ShiftedClock;
use self::node::NodeApp;
pub(crate) use self::node::NodeStore;
use self::revoked::RevokedSessions;
pub(crate) use self::tally::Tally;
use self::world::World;

/// The number of clients of each kind, enough that some request is always in flight.
const HONEST: usize = 24;
const THEFTS: usize = 12;
/// Each with two devices.
const LOGOUTS: usize = 3;
const REVOKED: usize = 2;

/// A store answers within its timeout of 400 ms; a busy machine may be late.
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// A running load.
pub(crate) struct Load {
    runtime: Runtime,
    world: Arc<World>,
    revoked: Arc<RevokedSessions>,
    clients: JoinSet<()>,
    stop: watch::Sender<bool>,
    hold: watch::Sender<bool>,
    random: Rng,
    started: Instant,
}

impl Load {
    /// Starts a load over processes of an app, one for each address, by the clock of the machine or
    /// by `clock`. `seed` seeds all randomness.
    pub(crate) fn start(
        name: &'static str,
        seed: u64,
        addresses: &[StoreAddress],
        on_replicas: bool,
        clock: Option<Arc<ShiftedClock>>,
    ) -> Result<Self> {
        Self::over(name, seed, |tally| Apps::new(addresses, on_replicas, tally, clock))
    }

    /// Starts a load over processes of Node.js, one for each of these stores.
    pub(crate) fn start_node(name: &'static str, seed: u64, stores: &[NodeStore]) -> Result<Self> {
        Self::over(name, seed, |tally| Apps::of_node(stores, tally))
    }

    fn over(
        name: &'static str,
        seed: u64,
        apps: impl FnOnce(&Arc<Tally>) -> Result<Apps>,
    ) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let entered = runtime.enter();
        let tally = Arc::new(Tally::default());
        let (stop, stopped) = watch::channel(false);
        let (hold, held) = watch::channel(false);
        let apps = apps(&tally)?;
        let world = Arc::new(World::new(apps, tally, stopped, held, name));
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
        let started = Instant::now();
        Ok(Self { runtime, world, revoked, clients, stop, hold, random, started })
    }

    /// Starts clients that repeat requests without end.
    pub(crate) fn add_endless(&mut self) {
        let _entered = self.runtime.enter();
        for route in endless::ROUTES {
            let world = Arc::clone(&self.world);
            self.clients.spawn(endless::repeat(world, route, self.random.fork()));
        }
    }

    /// Lets no client send another request, and waits until those in progress are answered.
    pub(crate) fn hold(&self) {
        self.hold.send_replace(true);
        std::thread::sleep(ANSWERED_WITHIN);
    }

    /// Lets the clients go on.
    pub(crate) fn release(&self) {
        self.hold.send_replace(false);
    }

    /// Lets nobody log in, and waits until logins in progress are answered; or lets everybody again.
    pub(crate) fn stop_logins(&self, stop: bool) {
        self.world.stop_logins(stop);
        std::thread::sleep(ANSWERED_WITHIN);
    }

    /// All sessions so far are lost with their server.
    pub(crate) fn lose_sessions(&self) {
        self.world.lose_sessions();
    }

    /// Logs in this many other users in each process, who list their sessions and log out.
    pub(crate) fn visit(&self, users: usize) {
        self.runtime.block_on(self.world.visit(users));
    }

    /// Prints no complaints: the store is broken on purpose.
    pub(crate) fn expect_complaints(&self) {
        self.world.expect_complaints();
    }

    /// Kills the process of Node.js with this number (SIGKILL).
    pub(crate) fn kill_app(&self, number: usize) -> Result<()> {
        self.app(number)?.kill()
    }

    /// Starts a process again after [`kill_app`](Self::kill_app).
    pub(crate) fn restart_app(&self, number: usize) -> Result<()> {
        self.app(number)?.restart()
    }

    fn app(&self, number: usize) -> Result<&NodeApp> {
        let app = self.world.apps.node().nth(number);
        app.with_context(|| format!("there is no process {number} of Node.js"))
    }

    /// The counts so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.world.tally
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
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
        self.world.apps.node().try_for_each(|app| app.ensure_running())?;
        Ok(Arc::clone(&self.world.tally))
    }
}
