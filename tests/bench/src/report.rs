//! The report of a benchmark, in Markdown.

use std::fmt::{self, Write as _};

use crate::chart::Chart;

/// The results of one benchmark.
#[derive(Debug, Default)]
pub(crate) struct Report {
    title: &'static str,
    parts: Vec<String>,
    checks: Vec<Check>,
    charts: Vec<Chart>,
}

/// A target and whether it was met.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) measured: String,
    pub(crate) target: String,
    pub(crate) met: bool,
}

impl Report {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, ..Self::default() }
    }

    /// Adds a paragraph.
    pub(crate) fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.parts.push(text.into());
        self
    }

    pub(crate) fn table(&mut self, table: &Table) -> &mut Self {
        self.text(table.to_string())
    }

    /// Adds a chart, which is saved next to the page.
    pub(crate) fn chart(&mut self, chart: Chart) -> &mut Self {
        self.charts.push(chart);
        self
    }

    pub(crate) fn charts(&self) -> &[Chart] {
        &self.charts
    }

    /// Adds a target; `met` says whether the result reaches it.
    pub(crate) fn check(
        &mut self,
        what: impl Into<String>,
        measured: impl Into<String>,
        target: impl Into<String>,
        met: bool,
    ) -> &mut Self {
        let (what, measured, target) = (what.into(), measured.into(), target.into());
        self.checks.push(Check { what, measured, target, met });
        self
    }

    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}", self.title)?;
        self.parts.iter().try_for_each(|part| write!(f, "\n{}\n", part.trim_end()))
    }
}

/// The targets of several benchmarks as one table.
pub(crate) fn targets<'a>(checks: impl IntoIterator<Item = &'a Check>) -> Table {
    let mut table = Table::new(["", "measured", "target", ""]);
    for Check { what, measured, target, met } in checks {
        let verdict = if *met { "met" } else { "**missed**" };
        table.row([what, measured, target, verdict]);
    }
    table
}

/// A table in Markdown; the first column is text, the others are aligned to the right.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let mut table = Self { rows: Vec::new() };
        table.row(header);
        table
    }

    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, row) in self.rows.iter().enumerate() {
            writeln!(f, "| {} |", row.join(" | "))?;
            if index == 0 {
                let mut line = "|---|".to_owned();
                row.iter().skip(1).try_for_each(|_| line.write_str("---:|"))?;
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_markdown() {
        let mut table = Table::new(["what", "µs"]);
        table.row(["refresh", "12"]);
        let mut report = Report::new("Rotation");
        report.text("Words.").table(&table).check("rate", "0.9", "≥ 0.85", true);
        assert_eq!(
            report.to_string(),
            "## Rotation\n\nWords.\n\n| what | µs |\n|---|---:|\n| refresh | 12 |\n"
        );
        assert_eq!(report.checks().len(), 1);
    }

    #[test]
    fn a_missed_target_is_marked() {
        let check = |met| Check {
            what: "w".to_owned(),
            measured: "m".to_owned(),
            target: "t".to_owned(),
            met,
        };
        let text = targets(&[check(true), check(false)]).to_string();
        assert_eq!(text.matches("**missed**").count(), 1);
        assert_eq!(text.matches("| met |").count(), 1);
    }
}
