//! What a verified token says, in a form that JavaScript makes an object of in a fifth of the time
//! that `JSON.parse` takes.
//!
//! Tokens of one app have the same claims in the same order. So the names go over once, as a
//! *shape*; for each token there is then a *record*, one text of one byte per character:
//!
//! - the number of the shape;
//! - a *head*: the length of the subject in 2 bytes, and for each claim the length of its text in
//!   2 bytes or its value as a number of 4 bytes, all with the high byte first;
//! - the texts, one after the other.
//!
//! `src/records.cts` reads it. What does not fit goes as JSON, as everything could.

use regrant::access::{VerifiedAccess, Written};
use serde::Serialize;

/// Tokens of more shapes than that come from an app that makes up names: those go as JSON.
const MOST_SHAPES: usize = 64;

/// How a claim is written in a record.
const TEXT: u8 = b't';
const NUMBER: u8 = b'n';
const JSON: u8 = b'j';

/// The answer for a token.
pub enum Answer<'a> {
    Record(&'a [u8]),
    /// The shape of this token, as JSON: to be learnt before records of it are read.
    Shape(String),
}

/// The shapes that JavaScript has learnt, and room to write in.
#[derive(Default)]
pub struct Records {
    shapes: Vec<Shape>,
    written: Writing,
}

#[derive(PartialEq)]
struct Shape {
    /// One byte for each claim.
    forms: Vec<u8>,
    /// Each name with its length before it.
    names: Vec<u8>,
    /// The token is of a session: its claim `sid` says of which.
    has_session: bool,
}

/// Kept from token to token, so that nothing is allocated.
#[derive(Default)]
struct Writing {
    forms: Vec<u8>,
    names: Vec<u8>,
    record: Vec<u8>,
    texts: Vec<u8>,
}

/// Nothing that a record could hold.
struct Unfit;

impl Records {
    /// `None` for what goes as JSON.
    pub fn answer(&mut self, access: &VerifiedAccess) -> Option<Answer<'_>> {
        self.written.write(access).ok()?;
        let has_session = access.session().is_some();
        let Writing { forms, names, record, .. } = &mut self.written;
        let known = |shape: &Shape| {
            shape.names == *names && shape.forms == *forms && shape.has_session == has_session
        };
        if let Some(number) = self.shapes.iter().position(known) {
            *record.first_mut()? = u8::try_from(number).ok()?;
            return Some(Answer::Record(record));
        }
        if self.shapes.len() == MOST_SHAPES {
            return None;
        }
        let shape = Shape { forms: forms.clone(), names: names.clone(), has_session };
        let described = shape.described(self.shapes.len(), access)?;
        self.shapes.push(shape);
        Some(Answer::Shape(described))
    }
}

impl Writing {
    fn write(&mut self, access: &VerifiedAccess) -> Result<(), Unfit> {
        for part in [&mut self.forms, &mut self.names, &mut self.record, &mut self.texts] {
            part.clear();
        }
        self.record.push(0);
        self.text(access.subject().as_str())?;
        let mut outcome = Ok(());
        access.written(|name, value| {
            if outcome.is_ok() {
                outcome = self.claim(name, value);
            }
        });
        self.record.append(&mut self.texts);
        outcome
    }

    fn claim(&mut self, name: &str, value: Written<'_>) -> Result<(), Unfit> {
        // An assignment to that name would not make a member.
        if name == "__proto__" {
            return Err(Unfit);
        }
        self.names.extend(length(name)?);
        self.names.extend_from_slice(name.as_bytes());
        match value {
            Written::Text(text) => {
                self.forms.push(TEXT);
                self.text(text)
            }
            Written::EscapedText(raw) => {
                self.forms.push(JSON);
                self.texts.push(b'"');
                self.text_of(raw, 2)?;
                self.texts.push(b'"');
                Ok(())
            }
            Written::Other(raw) => {
                if let Some(number) = small_number(raw) {
                    self.forms.push(NUMBER);
                    self.record.extend(number.to_be_bytes());
                    return Ok(());
                }
                self.forms.push(JSON);
                self.text(raw)
            }
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Unfit> {
        self.text_of(text, 0)
    }

    /// Writes `text` and its length, `more` bytes included that stand around it.
    fn text_of(&mut self, text: &str, more: usize) -> Result<(), Unfit> {
        if !text.is_ascii() {
            return Err(Unfit);
        }
        let length = u16::try_from(text.len() + more).map_err(|_| Unfit)?;
        self.record.extend(length.to_be_bytes());
        self.texts.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Shape {
    fn described(&self, number: usize, access: &VerifiedAccess) -> Option<String> {
        #[derive(Serialize)]
        struct Described<'a> {
            shape: usize,
            names: Vec<String>,
            forms: &'a str,
            session: bool,
        }

        let mut names = Vec::new();
        access.written(|name, _| names.push(name.to_owned()));
        let forms = std::str::from_utf8(&self.forms).ok()?;
        let described = Described { shape: number, names, forms, session: self.has_session };
        serde_json::to_string(&described).ok()
    }
}

fn length(text: &str) -> Result<[u8; 2], Unfit> {
    u16::try_from(text.len()).map(u16::to_be_bytes).map_err(|_| Unfit)
}

/// What is written as JavaScript, too, would write the number.
fn small_number(raw: &str) -> Option<u32> {
    let plain = raw.len() <= 10 && raw.bytes().all(|byte| byte.is_ascii_digit());
    if plain { raw.parse().ok() } else { None }
}
