//! Parses the output of test runners: test counts, times, failures, and which tests are running.

use std::time::Duration;

/// The output format of a test runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Any program. Every line is progress; tests are not counted.
    Plain,
    /// A Rust test executable.
    Libtest,
    /// `node --test` with the reporter `spec`.
    Node,
    /// Maven's Surefire.
    Surefire,
    /// `swift test` with XCTest.
    XcTest,
}

/// The results of a test run so far.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    format: Format,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// The time of each test, if the runner reports it.
    pub(crate) times: Vec<(Duration, String)>,
    /// The names of the tests that failed.
    pub(crate) failures: Vec<String>,
    /// Tests that are started or expected and have not ended.
    pending: Vec<String>,
    /// How many tests of earlier executables passed, failed and were skipped, by the summaries of libtest.
    earlier: [usize; 3],
    /// The last line that was progress.
    last: String,
}

impl Report {
    /// An empty report. `expected` names the tests in advance, for runners that print a test only when it ends.
    pub(crate) fn new(format: Format, expected: Vec<String>) -> Self {
        Self {
            format,
            passed: 0,
            failed: 0,
            skipped: 0,
            times: Vec::new(),
            failures: Vec::new(),
            pending: expected,
            earlier: [0; 3],
            last: "no output".to_owned(),
        }
    }

    /// How many tests ran.
    pub(crate) fn tests(&self) -> usize {
        self.passed + self.failed
    }

    /// The tests that are running now, or the last progress if unknown.
    pub(crate) fn running(&self) -> String {
        if self.pending.is_empty() {
            return format!("(unknown; last: {})", self.last);
        }
        self.pending.join(", ")
    }

    /// Parses one line; returns whether it shows progress.
    pub(crate) fn line(&mut self, line: &str) -> bool {
        let progress = match self.format {
            Format::Plain => Some(()),
            Format::Libtest => self.libtest(line),
            Format::Node => self.node(line.trim_start()),
            Format::Surefire => self.surefire(line),
            Format::XcTest => self.xctest(line),
        };
        if progress.is_some() {
            line.trim().clone_into(&mut self.last);
        }
        progress.is_some()
    }

    /// `test a::b ... ok`, and at the end of an executable its summary.
    fn libtest(&mut self, line: &str) -> Option<()> {
        if let Some(summary) = line.strip_prefix("test result: ") {
            return self.libtest_summary(summary);
        }
        let (name, end) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
        self.ended(name.trim_end_matches(" - should panic"), end.split([',', ' ']).next()?)
    }

    /// `ok. 12 passed; 0 failed; 1 ignored; …`. Its counts replace those of the lines: what a test prints may run into one.
    fn libtest_summary(&mut self, summary: &str) -> Option<()> {
        let count = |word: &str| {
            let mut parts = summary.split("; ");
            parts
                .find_map(|part| part.strip_suffix(word)?.rsplit(' ').next()?.parse::<usize>().ok())
        };
        let [passed, failed, skipped] = self.earlier;
        self.passed = passed + count(" passed")?;
        self.failed = failed + count(" failed")?;
        self.skipped = skipped + count(" ignored")?;
        self.earlier = [self.passed, self.failed, self.skipped];
        Some(())
    }

    /// `Test Case 'A.test' started at …`, and later `Test Case 'A.test' passed (0.1 seconds)`.
    fn xctest(&mut self, line: &str) -> Option<()> {
        let (name, end) = line.strip_prefix("Test Case '")?.split_once("' ")?;
        if end.starts_with("started") {
            self.pending.push(name.to_owned());
            return Some(());
        }
        let time = end.split_once('(').and_then(|(_, time)| time.split(' ').next());
        self.took(name, time.and_then(|seconds| seconds.parse().ok()));
        self.ended(name, end.split(' ').next()?)
    }

    /// Counts a test with this result.
    fn ended(&mut self, name: &str, result: &str) -> Option<()> {
        match result {
            "ok" | "passed" => self.passed += 1,
            "ignored" | "skipped" => self.skipped += 1,
            "FAILED" | "failed" => {
                self.failed += 1;
                self.failures.push(name.to_owned());
            }
            _ => return None,
        }
        self.pending.retain(|pending| pending != name);
        Some(())
    }

    fn took(&mut self, name: &str, seconds: Option<f64>) {
        let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        self.times.extend(time.map(|time| (time, name.to_owned())));
    }

    /// `✔ a test (1.5ms)`, and at the end `ℹ pass 12`. The runner repeats failures at the end.
    fn node(&mut self, line: &str) -> Option<()> {
        if let Some(total) = line.strip_prefix("ℹ ") {
            let (word, count) = total.split_once(' ')?;
            let count: usize = count.parse().ok()?;
            match word {
                "pass" => self.passed = count,
                "fail" | "cancelled" => self.failed += count,
                "skipped" | "todo" => self.skipped += count,
                _ => return None,
            }
            return Some(());
        }
        let symbol = line.chars().next().filter(|symbol| "✔✖▶﹣".contains(*symbol))?;
        let (name, time) = line.rsplit_once(" (").unwrap_or((line, ""));
        let name = name.trim_start_matches(symbol).trim();
        match symbol {
            '✔' => {
                let milliseconds = time.strip_suffix("ms)").and_then(|ms| ms.parse::<f64>().ok());
                self.took(name, milliseconds.map(|ms| ms / 1e3));
            }
            '✖' if !time.is_empty() && !self.failures.iter().any(|known| known == name) => {
                self.failures.push(name.to_owned());
            }
            _ => {}
        }
        Some(())
    }

    /// `[INFO] Running dev.x.ATest`, then for each failed test
    /// `[ERROR] dev.x.ATest.name -- Time elapsed: 0.1 s <<< FAILURE!`, and later
    /// `[INFO] Tests run: 5, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1.2 s -- in dev.x.ATest`.
    fn surefire(&mut self, line: &str) -> Option<()> {
        let line = line.split_once("] ").map_or(line, |(_, line)| line);
        if let Some(class) = line.strip_prefix("Running ") {
            self.pending.push(class.to_owned());
            return Some(());
        }
        if let Some((name, end)) = line.split_once(" -- Time elapsed: ") {
            self.failures.extend(end.contains("<<< ").then(|| name.to_owned()));
            return Some(());
        }
        let (counts, rest) = line.split_once(", Time elapsed: ")?;
        let (time, class) = rest.split_once(" s ")?;
        let count = |name: &str| {
            let field = counts.split(", ").find_map(|field| field.strip_prefix(name));
            field.and_then(|count| count.parse::<usize>().ok()).unwrap_or_default()
        };
        let failed = count("Failures: ") + count("Errors: ");
        let (ran, skipped) = (count("Tests run: "), count("Skipped: "));
        self.passed += ran.saturating_sub(failed + skipped);
        self.failed += failed;
        self.skipped += skipped;
        let class = class.rsplit(' ').next().unwrap_or(class);
        self.pending.retain(|pending| pending != class);
        self.took(class, time.parse().ok());
        Some(())
    }
}

/// The lines of a failed program's output that tell why, at most 40: those with a mark of a failure and what follows
/// each, and the end. Frames of backtraces are left out.
pub(crate) fn excerpt(output: &str) -> String {
    let is_frame = |line: &str| {
        let line = line.trim_start();
        let number = line.split_once(": ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
        number || line.starts_with("at ")
    };
    let lines: Vec<_> = output.lines().filter(|line| !is_frame(line)).collect();
    let is_mark = |line: &str| MARKS.iter().any(|mark| line.contains(mark));
    let marked = lines.iter().enumerate().filter(|(_, line)| is_mark(line)).take(7);
    let mut shown: Vec<_> = marked.flat_map(|(index, _)| index..index + 4).collect();
    shown.extend(lines.len().saturating_sub(12)..lines.len());
    shown.sort_unstable();
    shown.dedup();
    let shown = shown.into_iter().filter_map(|index| lines.get(index));
    shown.map(|line| format!("    {}\n", line.chars().take(300).collect::<String>())).collect()
}

/// What the runners print where a test fails.
const MARKS: &[&str] = &["panicked at", "<<< FAILURE", "<<< ERROR", "✖", "rror: ", ": error :"];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, expected: &[&str], output: &str) -> Report {
        let expected = expected.iter().map(|&name| name.to_owned()).collect();
        let mut report = Report::new(format, expected);
        output.lines().for_each(|line| _ = report.line(line));
        report
    }

    fn counts(report: &Report) -> (usize, usize, usize) {
        (report.passed, report.failed, report.skipped)
    }

    #[test]
    fn rust_tests_are_pending_until_they_report() {
        let output = "running 5 tests\ntest a::one ... ok\ntest two - should panic ... ok\n\
                      test three ... ignored, needs the testbed\ntest four ... FAILED\n\
                      test five has been running for over 60 seconds\n";
        let report = read(Format::Libtest, &["a::one", "two", "three", "four", "five"], output);
        assert_eq!(counts(&report), (2, 1, 1));
        assert_eq!(
            (report.running().as_str(), report.failures.join(",").as_str()),
            ("five", "four")
        );
        let doc = read(Format::Libtest, &[], "test core/src/lib.rs - a::b (line 3) ... ok\n");
        assert_eq!((counts(&doc), doc.tests()), ((1, 0, 0), 1));
    }

    #[test]
    fn the_summary_of_rust_tests_counts_what_ran_into_another_line() {
        let summary =
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let output = format!("test one ... ok\nwalked 3 historiestest two ... ok\n{summary}");
        assert_eq!(counts(&read(Format::Libtest, &[], &output)), (2, 0, 1));
        assert_eq!(counts(&read(Format::Libtest, &[], &(output.clone() + &output))), (4, 0, 2));
    }

    #[test]
    fn node_counts_at_the_end_and_times_each_test() {
        let output = "▶ a suite\n  ✔ one of it (12.5ms)\n▶ a suite (20.0ms)\n✖ two (1.0ms)\n\
                      ﹣ three (0.1ms) # SKIP\nℹ tests 3\nℹ suites 1\nℹ pass 1\nℹ fail 1\n\
                      ℹ cancelled 0\nℹ skipped 1\nℹ todo 0\nℹ duration_ms 90\n";
        let report = read(Format::Node, &[], output);
        assert_eq!(counts(&report), (1, 1, 1));
        assert_eq!(report.failures, ["two"]);
        assert_eq!(report.times, [(Duration::from_micros(12_500), "one of it".to_owned())]);
        assert!(read(Format::Node, &[], "✔ one (1ms)\nnoise\n").running().contains("✔ one"));
    }

    #[test]
    fn surefire_names_classes() {
        let output = "[INFO] Running dev.regrant.ATest\n\
                      [INFO] Tests run: 5, Failures: 0, Errors: 1, Skipped: 1, Time elapsed: 1.25 s \
                      <<< FAILURE! -- in dev.regrant.ATest\n\
                      [ERROR] dev.regrant.ATest.one two -- Time elapsed: 0.1 s <<< ERROR!\n[INFO] Running dev.regrant.BTest\n\
                      [INFO] Tests run: 5, Failures: 0, Errors: 1, Skipped: 1\n";
        let report = read(Format::Surefire, &[], output);
        assert_eq!(counts(&report), (3, 1, 1));
        assert_eq!(report.running(), "dev.regrant.BTest");
        assert_eq!(report.failures, ["dev.regrant.ATest.one two"]);
        assert_eq!(report.times[0].0, Duration::from_millis(1250));
    }

    #[test]
    fn xctest_names_cases() {
        let output = "Test Case 'ATests.testOne' started at 2026-11-29 01:02:03.004\n\
                      Test Case 'ATests.testOne' passed (0.25 seconds)\n\
                      Test Case 'ATests.testTwo' started at 2026-11-29 01:02:03.004\n";
        let report = read(Format::XcTest, &[], output);
        assert_eq!((counts(&report), report.running().as_str()), ((1, 0, 0), "ATests.testTwo"));
    }

    #[test]
    fn the_excerpt_of_a_failure_has_its_reason_and_the_end() {
        let filler = "ok\n".repeat(200);
        let frames = "  12: core::panic::unwind\n             at /src/panic.rs:7\n";
        let output =
            format!("{filler}thread 'x' panicked at a.rs:1:\nleft: 1\n{frames}{filler}the end\n");
        let excerpt = excerpt(&output);
        assert!(excerpt.contains("panicked at a.rs:1:\n    left: 1\n"), "{excerpt}");
        assert!(excerpt.ends_with("the end\n") && !excerpt.contains("unwind"), "{excerpt}");
        assert_eq!(excerpt.lines().count(), 4 + 12);
        assert_eq!(super::excerpt(""), "");
    }
}
