//! Output: tables and times as text, and writing to stdout and stderr.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal as _, Write, stderr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use regrant::internal::parse_span;
use regrant::types::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use crate::Exit;

/// The delay between writes to a full non-blocking pipe. Node.js and other parent processes may have
/// made it non-blocking for every process that shares it.
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// Writes a result to stdout and returns the exit status. A closed pipe (`| head`) is not a failure.
pub(crate) fn print_result(text: &str, exit: Exit) -> u8 {
    let mut stdout = io::stdout().lock();
    match write_all(&mut stdout, text.as_bytes()) {
        Ok(()) => exit.status(),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit.status(),
        Err(error) => {
            print_message(&format!("error: cannot write the result: {error}\n"));
            Exit::Unavailable.status()
        }
    }
}

/// Writes a message to stderr. A failure is ignored.
pub(crate) fn print_message(text: &str) {
    let _ = write_all(&mut stderr().lock(), text.as_bytes());
}

fn write_all(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) => wait_if_busy(error)?,
        }
    }
    loop {
        match stream.flush() {
            Ok(()) => return Ok(()),
            Err(error) => wait_if_busy(error)?,
        }
    }
}

fn wait_if_busy(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock => {
            sleep(RETRY_DELAY);
            Ok(())
        }
        _ => Err(error),
    }
}

/// Colours, if enabled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    /// Enabled on a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb.
    pub(crate) fn for_output(is_terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self(is_terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb"))
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(crate) fn warning(self, text: &str) -> String {
        self.with("1;33", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Builds the text of a result.
#[derive(Debug)]
pub(crate) struct TextOutput {
    text: String,
    pub(crate) paint: Paint,
}

impl TextOutput {
    pub(crate) const fn new(paint: Paint) -> Self {
        Self { text: String::new(), paint }
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Appends a line.
    pub(crate) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Appends names and values in two aligned columns.
    pub(crate) fn rows<N: AsRef<str>, V: AsRef<str>>(&mut self, rows: &[(N, V)]) {
        let width = rows.iter().map(|(name, _)| name.as_ref().width()).max().unwrap_or(0);
        for (name, value) in rows {
            let name = padded(name.as_ref(), width);
            // Writing to a string does not fail.
            let _ = writeln!(self.text, "  {}  {}", self.paint.faint(&name), value.as_ref());
        }
    }

    /// Appends a table with aligned columns; nothing if there are no rows.
    pub(crate) fn table<const N: usize>(&mut self, names: [&str; N], rows: &[[String; N]]) {
        if rows.is_empty() {
            return;
        }
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].width());
            cells.chain([names[column].width()]).max().unwrap_or(0)
        });
        let line = |cells: [&str; N]| {
            let cells = cells.iter().zip(widths).map(|(cell, width)| padded(cell, width));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let head = self.paint.faint(&line(names));
        self.line(&format!("  {head}"));
        for row in rows {
            let cells = row.each_ref().map(String::as_str);
            self.line(&format!("  {}", line(cells)));
        }
    }
}

/// `text` with spaces up to `width` columns of a terminal. Formatting counts characters instead, of
/// which some take two columns and some none.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// Escapes control and bidirectional characters, so that a token cannot control the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let unsafe_to_print = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(unsafe_to_print) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| match unsafe_to_print(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// RFC 3339 in UTC, in whole seconds: `2026-01-31T09:30:00Z`.
pub(crate) fn rfc3339(instant: Timestamp) -> String {
    jiff::Timestamp::from_second(instant.as_seconds())
        .map_or_else(|_| format!("{} s", instant.as_seconds()), |instant| instant.to_string())
}

/// As [`rfc3339`], with the distance from `now`: `2026-01-31T09:30:00Z (in 12 minutes)`.
pub(crate) fn rfc3339_and_distance(instant: Timestamp, now: Timestamp) -> String {
    format!("{} ({})", rfc3339(instant), distance(instant, now))
}

/// The distance of an instant from `now`: `in 12 minutes`, `3 days ago`.
pub(crate) fn distance(instant: Timestamp, now: Timestamp) -> String {
    if instant > now {
        format!("in {}", span_in_words(instant.since(now)))
    } else if now.since(instant) < Duration::from_secs(1) {
        "now".to_owned()
    } else {
        format!("{} ago", span_in_words(now.since(instant)))
    }
}

/// `span` in the largest unit of which it has at least two, rounded down.
pub(crate) fn span_in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [("day", 86_400), ("hour", 3_600), ("minute", 60)];
    let (unit, size) =
        units.into_iter().find(|(_, size)| seconds >= size * 2).unwrap_or(("second", 1));
    let count = seconds / size;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Parses an instant: RFC 3339 with a time zone, or a span before `now` such as `2h`.
pub(crate) fn parse_instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let expected = "expected a time such as 2026-01-31T09:30:00Z, or a span before now such as 2h";
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp::from_millis(instant.as_millisecond()));
    }
    // A bare number is ambiguous: it could be a Unix timestamp.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(expected.to_owned());
    }
    parse_span(text).map(|span| now.minus(span)).map_err(|_| expected.to_owned())
}

/// How often progress is printed.
const ON_TERMINAL: Duration = Duration::from_millis(200);
const IN_LOG: Duration = Duration::from_secs(5);

/// Prints to stderr how far a command is.
pub(crate) struct Progress<R> {
    started_at: Instant,
    printed_at: Instant,
    report: R,
    line: fn(&R, Duration) -> String,
    terminal: bool,
    /// Whether the last line on the terminal is to be replaced.
    line_open: bool,
}

impl<R: Copy + Default> Progress<R> {
    /// `line` makes a line of a report and of the time that it took.
    pub(crate) fn start(line: fn(&R, Duration) -> String) -> Self {
        let now = Instant::now();
        let (report, terminal) = (R::default(), stderr().is_terminal());
        Self { started_at: now, printed_at: now, report, line, terminal, line_open: false }
    }

    pub(crate) fn update(&mut self, report: &R) {
        self.report = *report;
        let every = if self.terminal { ON_TERMINAL } else { IN_LOG };
        if self.printed_at.elapsed() >= every {
            self.printed_at = Instant::now();
            self.write();
        }
    }

    /// Prints the last line, with the totals.
    pub(crate) fn finish(&mut self) {
        self.write();
        if self.line_open {
            print_message("\n");
        }
    }

    pub(crate) const fn last(&self) -> R {
        self.report
    }

    fn write(&mut self) {
        let line = (self.line)(&self.report, self.started_at.elapsed());
        if self.terminal {
            // Replaces the line.
            print_message(&format!("\r\x1b[K{line}"));
            self.line_open = true;
        } else {
            print_message(&format!("{line}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A non-blocking pipe that is full at every other call.
    struct NonBlockingPipe {
        calls: u32,
        taken: Vec<u8>,
    }

    impl Write for NonBlockingPipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls % 2 == 1 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(3);
            self.taken.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.calls += 1;
            if self.calls % 2 == 1 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn writing_waits_for_a_full_pipe() {
        let mut pipe = NonBlockingPipe { calls: 0, taken: Vec::new() };
        write_all(&mut pipe, b"all of this arrives").unwrap();
        assert_eq!(pipe.taken, b"all of this arrives");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("사용자 1"), "사용자 1");
        assert_eq!(printable("\x1b[2J\u{9b}K\u{202e}x"), "\\u{1b}[2J\\u{9b}K\\u{202e}x");
    }

    #[test]
    fn columns_are_aligned() {
        let mut out = TextOutput::new(Paint(false));
        out.rows(&[("a", "1"), ("longer", "2")]);
        assert_eq!(out.into_text(), "  a       1\n  longer  2\n");
    }

    /// Hangul takes two columns; a combining accent takes none.
    #[test]
    fn columns_with_wide_characters_are_aligned() {
        let mut out = TextOutput::new(Paint(false));
        out.rows(&[("사용자", "1"), ("e\u{301}", "2")]);
        assert_eq!(out.into_text(), "  사용자  1\n  e\u{301}       2\n");
        let mut out = TextOutput::new(Paint(false));
        let rows = [["휴대폰", "live"], ["phone", "live"]].map(|row| row.map(str::to_owned));
        out.table(["device", "state"], &rows);
        assert_eq!(out.into_text(), "  device  state\n  휴대폰  live\n  phone   live\n");
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn instants_are_written_with_their_distance() {
        let written_after = |seconds: i64| {
            rfc3339_and_distance(Timestamp::from_seconds(1_800_000_000 + seconds), NOW)
        };
        assert_eq!(written_after(0), "2027-01-15T08:00:00Z (now)");
        assert_eq!(written_after(60), "2027-01-15T08:01:00Z (in 60 seconds)");
        assert_eq!(written_after(1), "2027-01-15T08:00:01Z (in 1 second)");
        assert_eq!(written_after(-3 * 86_400 - 5), "2027-01-12T07:59:55Z (3 days ago)");
        assert_eq!(rfc3339(Timestamp::from_seconds(1 << 53)), "9007199254740 s");
    }

    #[test]
    fn instants_are_parsed() {
        for (text, seconds) in [
            ("2027-01-15T08:00:00Z", 1_800_000_000),
            ("2027-01-15T17:00:00+09:00", 1_800_000_000),
            ("2h", 1_800_000_000 - 7_200),
        ] {
            assert_eq!(parse_instant(text, NOW), Ok(Timestamp::from_seconds(seconds)), "{text}");
        }
        for bad in ["", "yesterday", "1800000000", "2027-01-15", "2027-01-15T08:00:00", "-2h"] {
            assert!(parse_instant(bad, NOW).is_err(), "{bad}");
        }
    }
}
