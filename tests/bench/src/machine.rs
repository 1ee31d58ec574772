//! Describes the machine of a run, without which its results cannot be compared.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use regrant_test_support::PostgresServer;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

use crate::report::Table;

/// The facts printed with every result.
pub(crate) fn facts() -> Result<Table> {
    let mut table = Table::new(["machine", ""]);
    table.row(["processor".to_owned(), processor()]);
    table.row(["cores".to_owned(), std::thread::available_parallelism()?.to_string()]);
    table.row(["load before the run".to_owned(), load()?]);
    table.row(["kernel".to_owned(), read("/proc/sys/kernel/osrelease")?.trim().to_owned()]);
    table.row(["redis-server".to_owned(), version("redis-server", "v=")?]);
    let postgres = PostgresServer::version().unwrap_or_else(|_| "none".to_owned());
    table.row(["PostgreSQL".to_owned(), postgres]);
    table.row(["Node.js".to_owned(), version("node", "v").unwrap_or_else(|_| "none".to_owned())]);
    let build = if cfg!(debug_assertions) { "debug (figures mean nothing)" } else { "release" };
    table.row(["build".to_owned(), build.to_owned()]);
    Ok(table)
}

/// The processor time of this process, summed over all threads.
pub(crate) fn processor_time() -> Duration {
    read_clock(ClockId::ProcessCPUTime)
}

/// The processor time of a process and its children, also of those that have ended.
pub(crate) fn processor_time_of_family(parent: u32) -> Result<Duration> {
    let children = read(&format!("/proc/{parent}/task/{parent}/children"))?;
    let mut sum = on_processor(&parent.to_string())? + of_ended_children(parent)?;
    for child in children.split_whitespace() {
        // One that ends meanwhile is counted by its parent the next time.
        sum += on_processor(child).unwrap_or_default();
    }
    Ok(sum)
}

/// The processor time of one process with one thread.
fn on_processor(process: &str) -> Result<Duration> {
    let text = read(&format!("/proc/{process}/schedstat"))?;
    let nanos = text.split_whitespace().next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(nanos.parse()?))
}

/// The processor time of the children that have ended and for which the parent has waited.
fn of_ended_children(parent: u32) -> Result<Duration> {
    let stat = read(&format!("/proc/{parent}/stat"))?;
    // The second field is a name that may have spaces and ends with the last parenthesis; the 16th and 17th
    // field are these times, in hundredths of a second.
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let times = fields.split_whitespace().skip(13).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(10 * times.sum::<Result<u64, _>>()?))
}

/// A clock that all processes of this machine share and that never jumps.
pub(crate) fn monotonic() -> Duration {
    read_clock(ClockId::Monotonic)
}

fn read_clock(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    let (seconds, nanos) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    Duration::from_secs(seconds) + Duration::from_nanos(nanos)
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || std::env::consts::ARCH.to_owned(),
        |model| model.trim_start_matches([' ', '\t', ':']).to_owned(),
    )
}

/// The load average of the last minute.
fn load() -> Result<String> {
    let text = read("/proc/loadavg")?;
    Ok(text.split(' ').next().unwrap_or_default().to_owned())
}

fn read(path: &str) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// The word of `PROGRAM --version` that begins with `mark`, without it.
fn version(program: &str, mark: &str) -> Result<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output()?;
    let text = String::from_utf8(output.stdout)?;
    let word = text.split_whitespace().find_map(|word| word.strip_prefix(mark));
    Ok(word.with_context(|| format!("{program} does not print its version"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_description_is_complete() {
        let text = facts().unwrap().to_string();
        assert!(text.contains("| cores | ") && text.contains("| redis-server | "), "{text}");
        assert!(!text.contains("|  |\n| cores"), "no processor in {text}");
    }

    #[test]
    fn the_time_of_ended_children_is_counted() {
        let before = of_ended_children(std::process::id()).unwrap();
        while of_ended_children(std::process::id()).unwrap() == before {
            let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
            Command::new("sh").args(["-c", script]).status().unwrap();
        }
    }

    #[test]
    fn clocks_advance() {
        let before = (processor_time(), monotonic());
        let mut sum = 0_u64;
        while processor_time() == before.0 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(monotonic() > before.1);
    }
}
