//! One server with its log on disk.

use std::time::Duration;

use anyhow::Result;
use regrant::store::StoreAddress;
use regrant_test_support::{RedisOptions, TcpProxy};

use super::{APPS, Run, Scenario};
use crate::report::Report;

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
    let addresses: Vec<_> =
        proxies.iter().map(|proxy| StoreAddress::new(server.url_through(proxy))).collect();
    let load = run.load_over(&addresses, false)?;
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
