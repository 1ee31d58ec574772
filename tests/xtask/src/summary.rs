//! The table at the end of `test`.

use std::time::Duration;

use crate::outcome::Outcome;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stage: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// The table, ending with `N passed, N failed, N skipped` on a line of its own.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = format!("{:<9} {:<8} {:>8}\n", "stage", "result", "seconds");
    for Line { stage, outcome, took } in lines {
        let (word, seconds) = (outcome.word(), took.as_secs_f64());
        // A reason may carry a program's last words: only its first line belongs in a table.
        let reason = outcome.reason().lines().next().unwrap_or_default();
        let line = format!("{stage:<9} {word:<8} {seconds:>8.1}  {reason}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let count = |word| lines.iter().filter(|line| line.outcome.word() == word).count();
    text.push_str(&format!(
        "{} passed, {} failed, {} skipped",
        count("passed"),
        count("FAILED"),
        count("SKIPPED")
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts_the_stages() {
        let line = |stage, outcome, seconds| Line {
            stage,
            outcome,
            took: Duration::from_secs_f64(seconds),
        };
        let text = table(&[
            line("fmt", Outcome::Passed, 1.25),
            line("rust", Outcome::Failed("cargo test: exit status 101\nmore".to_owned()), 61.0),
            line("node", Outcome::Skipped("no npm".to_owned()), 0.0),
            line("doc", Outcome::Passed, 2.0),
        ]);
        assert_eq!(
            text,
            "stage     result    seconds\n\
             fmt       passed        1.2\n\
             rust      FAILED       61.0  cargo test: exit status 101\n\
             node      SKIPPED       0.0  no npm\n\
             doc       passed        2.0\n\
             2 passed, 1 failed, 1 skipped"
        );
    }
}
