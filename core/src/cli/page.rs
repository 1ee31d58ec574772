//! Text for people: rows of names and values, colours, and nothing that a terminal would obey.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// On a terminal, unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb.
    pub(super) fn for_output(is_terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self(is_terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|t| t != "dumb"))
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("1;32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.with("1;33", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// A text in the making.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
    pub(super) paint: Paint,
}

impl Page {
    pub(super) const fn new(paint: Paint) -> Self {
        Self { text: String::new(), paint }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Names with their values, in two columns under each other.
    pub(super) fn rows<N: AsRef<str>, V: AsRef<str>>(&mut self, rows: &[(N, V)]) {
        let width = rows.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or(0);
        for (name, value) in rows {
            let name = format!("{:width$}", name.as_ref());
            // Writing to a string does not fail.
            let _ = writeln!(self.text, "  {}  {}", self.paint.faint(&name), value.as_ref());
        }
    }

    /// A table, its columns as wide as they need to be; nothing where there are no rows.
    pub(super) fn table<const N: usize>(&mut self, names: [&str; N], rows: &[[String; N]]) {
        if rows.is_empty() {
            return;
        }
        let widths: [usize; N] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([names[column].len()]).max().unwrap_or(0)
        });
        let line = |cells: [&str; N]| {
            let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let head = self.paint.faint(&line(names));
        self.line(&format!("  {head}"));
        for row in rows {
            let cells = row.each_ref().map(String::as_str);
            self.line(&format!("  {}", line(cells)));
        }
    }
}

/// `text` with what a terminal would obey, or what would reorder the line, written as escapes.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_obey_nothing_of_it() {
        assert_eq!(printable("사용자 1"), "사용자 1");
        assert_eq!(printable("\x1b[2J\u{9b}K\u{202e}x"), "\\u{1b}[2J\\u{9b}K\\u{202e}x");
    }

    #[test]
    fn columns_line_up() {
        let mut page = Page::new(Paint(false));
        page.rows(&[("a", "1"), ("longer", "2")]);
        assert_eq!(page.into_text(), "  a       1\n  longer  2\n");
    }
}
