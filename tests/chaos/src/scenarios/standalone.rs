//! One server with its log on disk.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use regrant_test_support::{RedisOptions, RedisServer, TcpProxy};

use super::{APPS, Run, Scenario};
use crate::peer::Peer;
use crate::report::{Growth, Report};

pub(super) const KILL: Scenario = Scenario {
    name: "standalone-kill",
    about: "kill -9 of a server with its log on disk, started again after a while",
    rounds: 20,
    quick_rounds: 2,
    run: kill,
};

pub(super) const LINK: Scenario = Scenario {
    name: "standalone-link",
    about: "connections of the app closed, slow, partitioned, losing responses; SCRIPT FLUSH",
    rounds: 24,
    quick_rounds: 6,
    run: link,
};

pub(super) const ENDLESS: Scenario = Scenario {
    name: "standalone-endless",
    about: "clients repeat every request without end; the memory of the server stays bounded",
    rounds: 12,
    quick_rounds: 2,
    run: endless,
};

pub(super) const FEED: Scenario = Scenario {
    name: "standalone-feed",
    about: "the server has lost the revocation feed, and the clock of the new one is behind",
    rounds: 12,
    quick_rounds: 2,
    run: feed,
};

pub(super) const REPLACED: Scenario = Scenario {
    name: "standalone-replaced",
    about: "the address leads to an empty server, whose clock is behind; all sessions are lost",
    rounds: 12,
    quick_rounds: 2,
    run: replaced,
};

/// By how much a load of some seconds may grow the memory of the server, and of the processes of the app, all
/// of which are in this process.
const MAX_SERVER_GROWTH: u64 = 24 << 20;
const MAX_PROCESS_GROWTH: u64 = 96 << 20;

fn used_memory(server: &RedisServer) -> Result<u64> {
    let info: String = server.command(&["INFO", "memory"])?;
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
    Ok(used.context("no used_memory")?.trim().parse()?)
}

/// What this process uses, in bytes; 0 where that is not known.
fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = resident.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}

fn endless(run: &mut Run) -> Result<Report> {
    // Would be full within seconds if each request left something behind.
    let server = RedisOptions::new().append_only().setting("maxmemory", "64mb").start()?;
    let of_peer = RedisServer::start()?;
    let mut load = run.load_alone(&vec![server.url(); APPS], false)?;
    let before = (used_memory(&server)?, resident_memory(), used_memory(&of_peer)?);
    load.add_endless();
    run.peer = Peer::start(&vec![of_peer.url(); APPS], true)?;
    for round in 0..run.rounds {
        run.faults += 1;
        std::thread::sleep(Duration::from_secs(2));
        let growth = Growth {
            server: used_memory(&server)?.saturating_sub(before.0),
            process: resident_memory().saturating_sub(before.1),
            peer: used_memory(&of_peer)?.saturating_sub(before.2),
        };
        let calls = load.tally().endless.get();
        run.progress(round, &load, &format!("{calls} repeated requests, {growth}"));
        ensure!(calls > 0, "no request was repeated");
        ensure!(growth.server < MAX_SERVER_GROWTH, "{calls} repeated requests: {growth}");
        ensure!(growth.process < MAX_PROCESS_GROWTH, "{calls} repeated requests: {growth}");
        run.growth = Some(growth);
    }
    run.finish(load)
}

/// In the year 2096, in milliseconds.
const AHEAD: &str = "4000000000000-0";

/// From now on this server counts up from there, as if its clock were ahead.
fn set_feed_ahead(server: &RedisServer) -> Result<()> {
    let entry = r#"{"refuse":"cutoff","before":0,"until":0}"#;
    server.command::<()>(&["XADD", "regrant:feed", AHEAD, "e", entry])
}

fn replaced(run: &mut Run) -> Result<Report> {
    let servers = [(); 2].map(|()| RedisOptions::new().append_only().start());
    let [one, other] = servers;
    let servers = [one?, other?];
    let proxies = (0..APPS).map(|_| TcpProxy::to(servers[0].port())).collect::<Result<Vec<_>>>()?;
    let urls: Vec<_> = proxies.iter().map(|proxy| servers[0].url_through(proxy)).collect();
    // Without the control, whose clients cannot be told from those that lost their sessions.
    let load = run.load_alone(&urls, false)?;
    for round in 0..run.rounds {
        let [old, new] = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        set_feed_ahead(&servers[old])?;
        run.pause();
        load.hold();
        servers[new].command::<()>(&["FLUSHALL"])?;
        for proxy in &proxies {
            proxy.set_server(servers[new].port());
            proxy.close_all();
        }
        load.lose_sessions();
        load.release();
        run.failovers += 1;
        run.pause();
        let lost = load.tally().lost.get();
        run.progress(round, &load, &format!("another server, {lost} sessions were lost"));
    }
    run.finish(load)
}

fn feed(run: &mut Run) -> Result<Report> {
    let server = RedisOptions::new().append_only().start()?;
    set_feed_ahead(&server)?;
    let load = run.load(&server.url(), false)?;
    for round in 0..run.rounds {
        server.command::<()>(&["DEL", "regrant:feed"])?;
        run.faults += 1;
        run.pause();
        if round + 1 < run.rounds {
            set_feed_ahead(&server)?;
            run.pause();
        }
        run.progress(round, &load, "feed lost, the next one begins earlier");
    }
    run.finish(load)
}

fn kill(run: &mut Run) -> Result<Report> {
    let mut server = RedisOptions::new().append_only().start()?;
    let load = run.load(&server.url(), false)?;
    for round in 0..run.rounds {
        server.kill();
        std::thread::sleep(Duration::from_millis(run.random.u64(..800)));
        server.restart()?;
        run.failovers += 1;
        run.pause();
        run.progress(round, &load, "killed and restarted");
    }
    run.finish(load)
}

fn link(run: &mut Run) -> Result<Report> {
    let server = RedisOptions::new().append_only().start()?;
    let proxies = (0..APPS).map(|_| TcpProxy::to(server.port())).collect::<Result<Vec<_>>>()?;
    let urls: Vec<_> = proxies.iter().map(|proxy| server.url_through(proxy)).collect();
    let load = run.load_over(&urls, false)?;
    for round in 0..run.rounds {
        let proxy = &proxies[run.random.usize(..APPS)];
        let what = match round % 6 {
            0 => {
                proxy.cut();
                "one proxy closes connections"
            }
            1 => {
                let way = |run: &mut Run| Duration::from_millis(run.random.u64(..80));
                proxy.delay(way(run), way(run));
                "one proxy is slow"
            }
            2 => {
                proxy.lose_answers();
                "one proxy drops responses"
            }
            3 => {
                proxy.cut_answers();
                "one proxy closes the connection at each response"
            }
            4 => {
                proxy.hold();
                "one proxy holds everything"
            }
            _ => {
                server.command::<()>(&["SCRIPT", "FLUSH"])?;
                "scripts forgotten"
            }
        };
        run.faults += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(300..1500)));
        proxy.heal();
        run.pause();
        run.progress(round, &load, what);
    }
    run.finish(load)
}
