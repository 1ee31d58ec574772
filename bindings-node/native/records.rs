//! What a verified token says, in a form that JavaScript makes an object of in a fifth of the time
//! that `JSON.parse` takes.
//!
//! Tokens of one app are of the same *shape*: they have the same claims in the same order. So the
//! names go over once, and for each token a *record*, one text of one byte per character:
//!
//! - twice the number of the shape, and one more if the token is of a session: of which, its claim
//!   `sid` says;
//! - a *head*: the length of the subject in 2 bytes, and for each claim the length of its text in
//!   2 bytes or its value as a number of 6 bytes, all with the high byte first;
//! - the texts, one after the other.
//!
//! `src/records.cts` reads it. What does not fit goes as JSON, as everything could.

use regrant::access::{VerifiedAccess, Written};
use serde::Serialize;

/// How a claim is written in a record.
const TEXT: char = 't';
const NUMBER: char = 'n';
const JSON: char = 'j';

/// The answer for a token.
pub enum Answer<'a> {
    Record(&'a [u8]),
    /// The shape of this token, as JSON: to be learnt before records of it are read.
    Shape(String),
}

/// Which shapes JavaScript has learnt, and room to write in, kept so that nothing is allocated.
#[derive(Default)]
pub struct Records {
    told: Vec<usize>,
    record: Vec<u8>,
    texts: Vec<u8>,
}

/// Nothing that a record could hold.
struct Unfit;

impl Records {
    /// `None` for what goes as JSON.
    pub fn answer(&mut self, access: &VerifiedAccess) -> Option<Answer<'_>> {
        let shape = access.shape()?;
        self.write(shape, access).ok()?;
        if self.told.contains(&shape) {
            return Some(Answer::Record(&self.record));
        }
        let described = describe(shape, access)?;
        self.told.push(shape);
        Some(Answer::Shape(described))
    }

    fn write(&mut self, shape: usize, access: &VerifiedAccess) -> Result<(), Unfit> {
        self.record.clear();
        self.texts.clear();
        let first = 2 * shape + usize::from(access.session().is_some());
        self.record.push(u8::try_from(first).map_err(|_| Unfit)?);
        self.text("", access.subject().as_str())?;
        for value in access.written() {
            match value {
                Written::Text(text) => self.text("", text)?,
                Written::EscapedText(text) => self.text("\"", text)?,
                Written::Other(text) if is_number(text) => {
                    let number = small_number(text).ok_or(Unfit)?;
                    let [_, _, bytes @ ..] = number.to_be_bytes();
                    self.record.extend_from_slice(&bytes);
                }
                Written::Other(text) => self.text("", text)?,
            }
        }
        self.record.append(&mut self.texts);
        Ok(())
    }

    /// Writes a text and its length. `quote` stands before and after it.
    fn text(&mut self, quote: &str, text: &str) -> Result<(), Unfit> {
        if !text.is_ascii() {
            return Err(Unfit);
        }
        let length = u16::try_from(text.len() + 2 * quote.len()).map_err(|_| Unfit)?;
        self.record.extend_from_slice(&length.to_be_bytes());
        for part in [quote, text, quote] {
            self.texts.extend_from_slice(part.as_bytes());
        }
        Ok(())
    }
}

fn describe(shape: usize, access: &VerifiedAccess) -> Option<String> {
    #[derive(Serialize)]
    struct Shape {
        shape: usize,
        names: Vec<String>,
        /// One letter for each claim.
        forms: String,
    }

    let names = access.names();
    // An assignment to that name would not make a member.
    if names.iter().any(|name| name == "__proto__") {
        return None;
    }
    let form = |value| match value {
        Written::Text(_) => TEXT,
        Written::Other(text) if is_number(text) => NUMBER,
        Written::EscapedText(_) | Written::Other(_) => JSON,
    };
    let forms = access.written().map(form).collect();
    serde_json::to_string(&Shape { shape, names, forms }).ok()
}

fn is_number(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| first == b'-' || first.is_ascii_digit())
}

/// A whole number of at most 48 bits, which JavaScript, too, would write so.
fn small_number(text: &str) -> Option<u64> {
    let plain = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if plain { text.parse().ok() } else { None };
    number.filter(|number| *number < 1 << 48)
}
