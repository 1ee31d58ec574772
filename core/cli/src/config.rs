//! `config check`: the problems of a configuration, and its effective values.

use clap::{Args, Subcommand};
use regrant::config::EffectiveConfig;
use regrant::error::Error;
use serde::Serialize;
use serde_json::Value;

use crate::output::printable;
use crate::settings::Settings;
use crate::{Context, Exit, Failure, Reply};

/// Checks configurations.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Check(Check),
}

/// Checks a configuration and prints the effective values of all options.
///
/// Secrets and passwords are redacted, and the store is not contacted. Exit status 2 if there are
/// problems.
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    settings: Settings,
}

#[derive(Serialize)]
struct Checked {
    ok: bool,
    sources: Vec<String>,
    problems: Vec<Problem>,
    effective: Option<EffectiveConfig>,
}

#[derive(Serialize)]
struct Problem {
    field: String,
    problem: String,
}

impl Config {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let Self::Check(command) = self;
        command.run(context)
    }
}

impl Check {
    fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let loaded = self.settings.load()?;
        let mut problems = Vec::new();
        for error in loaded.config.problems() {
            match error {
                Error::ConfigInvalid { field, problem } => {
                    problems.push(Problem { field, problem })
                }
                other => return Err(other.into()),
            }
        }
        let ok = problems.is_empty();
        let effective = if ok { Some(loaded.config.effective()?) } else { None };
        let origin = loaded.origin();
        let checked = Checked { ok, sources: loaded.sources, problems, effective };
        let exit = if ok { Exit::Yes } else { Exit::Usage };
        context.reply(exit, &checked, |page| {
            let verdict = match ok {
                true => page.paint.good("ok"),
                false => page.paint.bad("invalid"),
            };
            page.line(&format!("{verdict} ({origin})"));
            let problems = checked.problems.iter();
            page.rows(
                &problems.map(|problem| (&problem.field, &problem.problem)).collect::<Vec<_>>(),
            );
            if let Some(effective) = &checked.effective {
                let mut rows = Vec::new();
                flatten("", &serde_json::to_value(effective).unwrap_or_default(), &mut rows);
                page.rows(&rows);
            }
        })
    }
}

/// Appends the leaves of `value` with their paths.
fn flatten(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let dot = if path.is_empty() { "" } else { "." };
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                flatten(&format!("{path}{dot}{name}"), member, rows);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, rows);
            }
        }
        Value::Array(items) if items.is_empty() => rows.push((path.to_owned(), "-".to_owned())),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(plain).collect();
            rows.push((path.to_owned(), items.join(", ")));
        }
        leaf => rows.push((path.to_owned(), plain(leaf))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => printable(text).into_owned(),
        other => other.to_string(),
    }
}
