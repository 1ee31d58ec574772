//! The text exposition format of Prometheus, version 0.0.4. Names, help and label values come
//! from the core's closed lists, in which nothing needs escaping.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::snapshot::{Family, Value};

/// The page that a scrape wants.
pub fn render(families: &[Family]) -> String {
    let mut page = String::new();
    for family in families {
        // Writing to a string does not fail.
        let _ = write_family(&mut page, family);
    }
    page
}

fn write_family(page: &mut String, family: &Family) -> std::fmt::Result {
    let Family { name, kind, help, values } = family;
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}")?;
    for labelled in values {
        let labels = &labelled.labels;
        match &labelled.value {
            Value::Number { value } => writeln!(page, "{name}{} {value}", braced(labels, None))?,
            Value::Histogram { count, sum, buckets } => {
                for bucket in buckets {
                    let labels = braced(labels, Some(&bucket.le.to_string()));
                    writeln!(page, "{name}_bucket{labels} {}", bucket.count)?;
                }
                writeln!(page, "{name}_bucket{} {count}", braced(labels, Some("+Inf")))?;
                writeln!(page, "{name}_sum{} {sum}", braced(labels, None))?;
                writeln!(page, "{name}_count{} {count}", braced(labels, None))?;
            }
        }
    }
    Ok(())
}

fn braced(labels: &BTreeMap<String, String>, le: Option<&str>) -> String {
    let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all: Vec<_> = labels
        .chain(le.map(|le| ("le", le)))
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}
