//! One address, whose server changes behind a proxy or stops accepting writes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use regrant_test_support::{RedisOptions, RedisServer, TcpProxy};

use super::{APPS, Run, Scenario};
use crate::report::Report;

pub(super) const REPLICA: Scenario = Scenario {
    name: "address-replica",
    about: "the address leads to a replica that lags behind or has lost its primary, and back",
    rounds: 16,
    quick_rounds: 2,
    run: replica,
};

pub(super) const SWITCH: Scenario = Scenario {
    name: "address-switch",
    about: "primary and replica change roles under open connections (FAILOVER), then the address follows",
    rounds: 16,
    quick_rounds: 2,
    run: switch,
};

pub(super) const SILENCE: Scenario = Scenario {
    name: "address-silence",
    about: "open connections of one process, or of all, are dropped silently",
    rounds: 24,
    quick_rounds: 2,
    run: silence,
};

pub(super) const FULL: Scenario = Scenario {
    name: "standalone-full",
    about: "the server is out of memory for a while",
    rounds: 16,
    quick_rounds: 2,
    run: full,
};

/// A primary, a replica of it over a proxy, and the proxies that are the address of each process.
struct Pair {
    servers: [RedisServer; 2],
    link: TcpProxy,
    addresses: Vec<TcpProxy>,
}

impl Pair {
    fn start() -> Result<Self> {
        let options = || RedisOptions::new().append_only().setting("repl-diskless-sync-delay", "0");
        let primary = options().start()?;
        let link = TcpProxy::to(primary.port())?;
        let follows = format!("127.0.0.1 {}", link.port());
        let replica = options().setting("replicaof", follows).start()?;
        let addresses =
            (0..APPS).map(|_| TcpProxy::to(primary.port())).collect::<Result<Vec<_>>>()?;
        let pair = Self { servers: [primary, replica], link, addresses };
        wait_for_link(&pair.servers[1])?;
        Ok(pair)
    }

    fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|proxy| self.servers[0].url_through(proxy)).collect()
    }

    /// The address leads to this server from now on, and the connections to the other one close.
    fn lead_to(&self, server: usize) {
        for address in &self.addresses {
            address.set_server(self.servers[server].port());
            address.close_all();
        }
    }
}

/// Waits until a replica has what its primary has.
fn wait_for_link(replica: &RedisServer) -> Result<()> {
    let since = Instant::now();
    loop {
        let info: String = replica.command(&["INFO", "replication"])?;
        if info.contains("master_link_status:up") {
            return Ok(());
        }
        ensure!(since.elapsed() < Duration::from_secs(30), "the replica stays behind: {info}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn replica(run: &mut Run) -> Result<Report> {
    let pair = Pair::start()?;
    let load = run.load_over(&pair.urls(), false)?;
    for round in 0..run.rounds {
        let what = if round % 2 == 0 {
            pair.link.hold();
            "led to a replica that lags behind"
        } else {
            pair.link.cut();
            "led to a replica without its primary"
        };
        // Logins, refreshes and logouts that the replica does not have.
        std::thread::sleep(Duration::from_millis(run.random.u64(200..800)));
        pair.lead_to(1);
        run.faults += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(300..1500)));
        pair.lead_to(0);
        pair.link.heal();
        run.progress(round, &load, what);
        run.settle(round, || wait_for_link(&pair.servers[1]))?;
    }
    run.finish(load)
}

fn switch(run: &mut Run) -> Result<Report> {
    let pair = Pair::start()?;
    let load = run.load_over(&pair.urls(), false)?;
    for round in 0..run.rounds {
        let (old, new) = if round % 2 == 0 { (0, 1) } else { (1, 0) };
        let [old_server, new_server] = [&pair.servers[old], &pair.servers[new]];
        old_server.command::<()>(&["FAILOVER"])?;
        let since = Instant::now();
        while !new_server.command::<String>(&["INFO", "replication"])?.contains("role:master") {
            ensure!(since.elapsed() < Duration::from_secs(30), "the roles do not change");
            std::thread::sleep(Duration::from_millis(2));
        }
        // The address follows late, and open connections stay with the old primary.
        std::thread::sleep(Duration::from_millis(run.random.u64(..300)));
        for address in &pair.addresses {
            address.set_server(new_server.port());
        }
        run.failovers += 1;
        run.progress(round, &load, "roles changed");
        run.settle(round, || wait_for_link(old_server))?;
    }
    run.finish(load)
}

fn silence(run: &mut Run) -> Result<Report> {
    let server = RedisOptions::new().append_only().start()?;
    let proxies = (0..APPS).map(|_| TcpProxy::to(server.port())).collect::<Result<Vec<_>>>()?;
    let urls: Vec<_> = proxies.iter().map(|proxy| server.url_through(proxy)).collect();
    let load = run.load_over(&urls, false)?;
    for round in 0..run.rounds {
        let what = if round % 2 == 0 {
            proxies[run.random.usize(..APPS)].drop_silently();
            "connections of one process dropped silently"
        } else {
            proxies.iter().for_each(TcpProxy::drop_silently);
            "all connections dropped silently"
        };
        run.faults += 1;
        run.pause();
        run.progress(round, &load, what);
    }
    run.finish(load)
}

fn full(run: &mut Run) -> Result<Report> {
    let server = RedisOptions::new().append_only().start()?;
    let load = run.load(&server.url(), false)?;
    for round in 0..run.rounds {
        server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"])?;
        run.faults += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(300..1500)));
        server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"])?;
        run.pause();
        run.progress(round, &load, "out of memory for a while");
    }
    run.finish(load)
}
