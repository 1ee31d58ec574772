//! `config check`: the problems of a configuration, and its effective values.

use std::collections::HashMap;

use clap::{Args, Subcommand};
use regrant::config::{AuthConfig, EffectiveConfig};
use regrant::error::Error;
use serde::Serialize;
use serde_json::Value;

use crate::output::printable;
use crate::settings::{Settings, Source};
use crate::{Context, Exit, Failure, Reply};

/// Checks configurations.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Check(Check),
}

/// Checks a configuration: prints all its problems, or the effective values of all options.
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
        let source = self.settings.read()?;
        let problems = problems_of(&source)?;
        let ok = problems.is_empty();
        let effective = if ok { Some(source.config()?.effective()?) } else { None };
        let origin = match source.names.as_slice() {
            [] => "no regrant.json here, and no environment variables".to_owned(),
            names => names.join(", "),
        };
        let checked = Checked { ok, sources: source.names, problems, effective };
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

/// Every problem of a configuration, which a server reports one at a time: whatever is invalid is
/// left out, and the rest is checked again.
fn problems_of(source: &Source) -> Result<Vec<Problem>, Failure> {
    let mut found = Problems::default();
    let whole = match AuthConfig::from_json(&source.json) {
        Ok(_) => serde_json::from_str(&source.json).ok(),
        Err(error) => {
            let rest = serde_json::from_str(&source.json).ok().filter(Value::is_object);
            found.add(error)?;
            rest
        }
    };
    // Not JSON, or no object: there is nothing more to check.
    let Some(mut config) = whole else { return Ok(found.problems) };
    for (option, value) in &source.overrides {
        config[*option] = value.as_str().into();
    }
    if source.single_store
        && let Some(options) = config.as_object_mut()
    {
        options.remove("previousStore");
    }
    loop {
        let errors = match AuthConfig::from_json(&config.to_string()) {
            Ok(config) => config.problems(),
            Err(error) => vec![error],
        };
        let mut removed = false;
        for error in errors {
            if let Some(field) = found.add(error)? {
                removed |= found.leave_out(&mut config, &field);
            }
        }
        if !removed {
            return Ok(found.problems);
        }
    }
}

/// How the problem of a missing option begins.
const REQUIRED: &str = "is required";

/// The problems found so far, by their fields in the configuration as it was given.
#[derive(Default)]
struct Problems {
    problems: Vec<Problem>,
    /// The indices of the elements that were left out, by the path of their array.
    removed: HashMap<String, Vec<usize>>,
}

impl Problems {
    /// Adds a problem, unless it follows from a known one. Returns the field in the configuration
    /// as it is now.
    fn add(&mut self, error: Error) -> Result<Option<String>, Failure> {
        let (field, problem) = match error {
            Error::ConfigInvalid { field, problem } => (field, problem),
            other => return Err(other.into()),
        };
        let original = self.original(&field);
        let follows = self.problems.iter().any(|known| {
            is_within(&known.field, &original)
                || is_within(&original, &known.field)
                // A secret or key that is invalid was given all the same.
                || problem.starts_with(REQUIRED)
                    && !known.problem.starts_with(REQUIRED)
                    && (known.field == "secret" || is_within(&known.field, "keys"))
        });
        if !follows {
            self.problems.push(Problem { field: original, problem });
        }
        Ok(Some(field))
    }

    /// Removes a field. Returns whether it was there.
    fn leave_out(&mut self, config: &mut Value, field: &str) -> bool {
        let mut steps = steps_of(field);
        let Some(last) = steps.pop() else { return false };
        let parent = steps.iter().try_fold(config, |value, step| match step {
            Step::Member(name) => value.get_mut(name),
            Step::Element(index) => value.get_mut(index),
        });
        match (parent, last) {
            (Some(Value::Object(members)), Step::Member(name)) => members.remove(name).is_some(),
            (Some(Value::Array(items)), Step::Element(index)) if index < items.len() => {
                items.remove(index);
                let array = field.rfind('[').map_or(field, |end| &field[..end]);
                let (array, original) = (self.original(array), self.original(field));
                if let Some(Step::Element(index)) = steps_of(&original).pop() {
                    self.removed.entry(array).or_default().push(index);
                }
                true
            }
            _ => false,
        }
    }

    /// The path of a field before elements of arrays were left out.
    fn original(&self, field: &str) -> String {
        let mut path = String::new();
        for step in steps_of(field) {
            match step {
                Step::Member(name) if path.is_empty() => path.push_str(name),
                Step::Member(name) => path = format!("{path}.{name}"),
                Step::Element(mut index) => {
                    let mut removed = self.removed.get(&path).cloned().unwrap_or_default();
                    removed.sort_unstable();
                    for before in removed {
                        index += usize::from(before <= index);
                    }
                    path = format!("{path}[{index}]");
                }
            }
        }
        path
    }
}

enum Step<'a> {
    Member(&'a str),
    Element(usize),
}

/// The steps of a path such as `keys[0].alg`.
fn steps_of(path: &str) -> Vec<Step<'_>> {
    path.split(['.', '['])
        .map(|step| match step.strip_suffix(']').map(str::parse) {
            Some(Ok(index)) => Step::Element(index),
            _ => Step::Member(step),
        })
        .collect()
}

/// Whether a field is `other`, or inside of it.
fn is_within(field: &str, other: &str) -> bool {
    field.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
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
