//! The clients of all languages over a network that fails, and killed in mid-refresh.

use anyhow::{Result, bail};

use crate::args::Chaos;
use crate::bed::{Bed, Length};
use crate::commands::setup;
use crate::outcome::Stop;
use crate::stages::{clients, kotlin, swift};
use crate::tools::Tool;

/// One client.
struct Client {
    name: &'static str,
    /// What it needs beside Cargo and Node.js.
    needs: &'static [Tool],
    /// Runs its end-to-end tests; gives what they counted.
    run: fn(&Bed, Length) -> Result<Vec<String>, Stop>,
}

const ALL: [Client; 3] = [
    Client { name: "client-rust", needs: &[Tool::Node], run: clients::end_to_end },
    Client {
        name: "client-kotlin",
        needs: &[Tool::Node, Tool::Jdk, Tool::Maven],
        run: kotlin::end_to_end,
    },
    Client { name: "client-swift", needs: &[Tool::Node, Tool::Swift], run: swift::end_to_end },
];

/// Whether this is the name of a client.
pub(super) fn is_one(name: &str) -> bool {
    ALL.iter().any(|client| client.name == name)
}

/// Runs those that were asked for; gives what they counted. One without its tools is skipped, and
/// the lines say so.
///
/// # Errors
/// One failed. The others have run to their end.
pub(super) fn run(chaos: &Chaos) -> Result<Vec<String>> {
    let length = if chaos.quick { Length::Short } else { Length::Long };
    let asked = |name| chaos.names.is_empty() || chaos.names.iter().any(|one| one == name);
    let (mut lines, mut failed, mut bed) = (Vec::new(), Vec::new(), None);
    for client in ALL.iter().filter(|client| asked(client.name)) {
        let name = client.name;
        println!("\n=== {name}: an app that is killed, cut off and robbed");
        match run_one(client, &mut bed, length) {
            Ok(counted) => lines.extend(counted.iter().map(|line| format!("{name}: {line}"))),
            Err(Stop::Skip(why)) => lines.push(format!("{name}: SKIPPED: {why}")),
            Err(Stop::Fail(error)) => failed.push(format!("{name}: {error:#}")),
        }
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\n"));
    }
    Ok(lines)
}

fn run_one(client: &Client, bed: &mut Option<Bed>, length: Length) -> Result<Vec<String>, Stop> {
    setup::install_missing(client.needs)?;
    if let Some(missing) = Tool::missing_of(client.needs).first() {
        return Err(Stop::Skip(missing.advice().to_owned()));
    }
    let bed = match bed {
        Some(bed) => bed,
        None => bed.insert(Bed::start()?),
    };
    (client.run)(bed, length)
}
