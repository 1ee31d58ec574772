//! `health`: the state of the store.

use std::time::Duration;

use clap::Args;
use regrant::config::AuthConfig;
use regrant::store::file::FileReport;
use regrant::store::{StoreHealth, StoreWarning, StoreWarningCode};
use serde::Serialize;

use crate::output::{TextOutput, printable};
use crate::settings::{Settings, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Reports the health of the store: whether it is ready, its topology, and warnings.
///
/// For a file store it also reports the size, the number of sessions and the integrity: the whole
/// file is read, and nothing is written. Needs no secret. Exit status 1 on warnings, 3 if the store
/// is unreachable.
#[derive(Args, Debug)]
pub(crate) struct Health {
    #[command(flatten)]
    settings: Settings,
}

#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    health: StoreHealth,
    /// For a file store.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileReport>,
}

impl Health {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let config = self.settings.load()?;
        require_existing_store(&config)?;
        let report = report(context, &config)?;
        let exit = match (report.health.ready, report.health.warnings.is_empty()) {
            (false, _) => Exit::Unavailable,
            (true, false) => Exit::No,
            (true, true) => Exit::Yes,
        };
        context.reply(exit, &report, |out| write(&report, out))
    }
}

fn report(context: &Context, config: &AuthConfig) -> Result<Report, Failure> {
    let address = config.store_address();
    if let Some(file) = address.inspect_file() {
        let (mut health, file) = (StoreHealth::new("file"), file?);
        if let Some(damage) = &file.damage {
            let text = format!("the file is damaged, restore a backup: {damage}");
            health.warnings.push(StoreWarning::new(StoreWarningCode::Damaged, text));
        }
        return Ok(Report { health, file: Some(file) });
    }
    let health = context.block_on(async { Ok(address.open(None)?.health().await) })?;
    Ok(Report { health, file: None })
}

fn write(report: &Report, out: &mut TextOutput) {
    let health = &report.health;
    let verdict = match (health.reachable, health.ready, health.warnings.is_empty()) {
        (false, ..) => out.paint.bad("unreachable"),
        (true, false, _) => out.paint.bad("reachable, but not ready"),
        (true, true, false) => out.paint.warning("reachable, with warnings"),
        (true, true, true) => out.paint.good("healthy"),
    };
    let layout = health.layout.map(|layout| format!(", {layout}")).unwrap_or_default();
    out.line(&format!("{verdict} ({}{layout})", health.store));
    let millis = |span: Duration| format!("{:.2} ms", span.as_secs_f64() * 1000.0);
    out.rows(
        &health.round_trip.map(|span| ("round trip", millis(span))).into_iter().collect::<Vec<_>>(),
    );
    for server in &health.servers {
        out.line(&format!("\nserver {}", printable(&server.address)));
        let mut rows = vec![("reachable", if server.reachable { "yes" } else { "no" }.to_owned())];
        let mut row = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
        row("round trip", server.round_trip.map(millis));
        row("version", server.version.clone());
        row("role", server.role.map(ToOwned::to_owned));
        row("replicas", server.replicas.map(|count| count.to_string()));
        row("persistence", server.persistence.map(ToOwned::to_owned));
        row("eviction policy", server.eviction_policy.clone());
        out.rows(&rows);
    }
    if let Some(file) = &report.file {
        out.rows(&[
            ("path", printable(&file.path.display().to_string()).into_owned()),
            ("size", format!("{} bytes", file.bytes)),
            ("schema", format!("version {}", file.schema_version)),
            ("intact", if file.damage.is_none() { "yes" } else { "no" }.to_owned()),
            ("users", file.users.to_string()),
            ("live sessions", file.live.to_string()),
            ("revoked sessions", file.ended.to_string()),
            ("expired sessions", file.expired.to_string()),
        ]);
    }
    for warning in &health.warnings {
        let about =
            warning.server.as_deref().map(|server| format!("{server}: ")).unwrap_or_default();
        out.line(&format!(
            "\n{} {about}{}",
            out.paint.warning("warning"),
            printable(&warning.text)
        ));
    }
}
