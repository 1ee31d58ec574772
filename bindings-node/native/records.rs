//! What a verified token says, in a form that JavaScript makes an object of in a tenth of the time
//! that `JSON.parse` takes.
//!
//! Tokens of one app are of the same *shape*: they have the same claims in the same order. So the
//! names go over once, with the claims of the first such token, and for each token a *record*,
//! which is some numbers and one text of one byte per character. The numbers are:
//!
//! - twice the number of the shape, and one more if the token is of a session: of which, its claim
//!   `sid` says;
//! - the subject: which of the claims it is the text of, or, below zero, the length of its text;
//! - for each claim its value, if it is a number; else the length of its text, or [`SAME`].
//!
//! The text is those of the claims, and perhaps of the subject, one after the other.
//!
//! `src/records.cts` reads it. What does not fit goes as JSON, as everything could.

use regrant::access::{VerifiedAccess, Written};
use serde::Serialize;
use serde_json::Value;

/// How many numbers there are at most.
pub const NUMBERS: usize = CLAIMS + 16;

/// Stands for the first number where there is JSON instead of a record.
pub const JSON: f64 = -1.0;

/// Stands for the length of the text of a claim that is the same as in the first token of the
/// shape, as issuer and audience always are.
const SAME: f64 = -1.0;

/// Where the numbers of the claims begin.
const CLAIMS: usize = 2;

/// How a claim is written in a record.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Text,
    Number,
    Json,
}

/// The answer for a token.
pub enum Answer<'a> {
    Record(&'a [u8]),
    /// The shape of this token, as JSON: to be learnt before records of it are read.
    Shape(String),
}

/// The shapes that JavaScript has learnt, and room to write in, kept so that nothing is allocated.
#[derive(Default)]
pub struct Records {
    told: Vec<Shape>,
    texts: Vec<u8>,
}

struct Shape {
    number: usize,
    /// The values in the first token that are texts.
    texts: Vec<Option<Box<str>>>,
}

/// Nothing that a record could hold.
struct Unfit;

impl Records {
    /// `None` for what goes as JSON.
    pub fn answer(&mut self, access: &VerifiedAccess, numbers: &mut [f64]) -> Option<Answer<'_>> {
        let number = access.shape()?;
        let Some(shape) = self.told.iter().find(|shape| shape.number == number) else {
            let (shape, described) = describe(number, access)?;
            self.told.push(shape);
            return Some(Answer::Shape(described));
        };
        shape.write(access, numbers, &mut self.texts).ok()?;
        Some(Answer::Record(&self.texts))
    }
}

impl Shape {
    #[allow(clippy::cast_precision_loss, reason = "of places and lengths in a token")]
    fn write(
        &self,
        access: &VerifiedAccess,
        numbers: &mut [f64],
        texts: &mut Vec<u8>,
    ) -> Result<(), Unfit> {
        texts.clear();
        let subject = access.subject().as_str();
        let mut subject_at = None;
        let [head, about_subject, claims @ ..] = numbers else { return Err(Unfit) };
        *head = (2 * self.number + usize::from(access.session().is_some())) as f64;
        if self.texts.len() > claims.len() {
            return Err(Unfit);
        }
        let claims = claims.iter_mut().zip(&self.texts).zip(access.written());
        for (at, ((claim, first), value)) in claims.enumerate() {
            *claim = match value {
                Written::Text(text) => {
                    if text == subject {
                        subject_at = Some(at);
                    }
                    match first {
                        Some(first) if **first == *text => SAME,
                        _ => append("", text, texts)?,
                    }
                }
                Written::EscapedText(text) => append("\"", text, texts)?,
                Written::Other(text) if is_number(text) => small_number(text).ok_or(Unfit)? as f64,
                Written::Other(text) => append("", text, texts)?,
            };
        }
        *about_subject = match subject_at {
            Some(at) => at as f64,
            None => -append("", subject, texts)?,
        };
        Ok(())
    }
}

/// Writes a text with `quote` before and after it, and gives its length.
#[allow(clippy::cast_precision_loss, reason = "of a part of a token")]
fn append(quote: &str, text: &str, texts: &mut Vec<u8>) -> Result<f64, Unfit> {
    if !text.is_ascii() {
        return Err(Unfit);
    }
    for part in [quote, text, quote] {
        texts.extend_from_slice(part.as_bytes());
    }
    Ok((text.len() + 2 * quote.len()) as f64)
}

fn describe(number: usize, access: &VerifiedAccess) -> Option<(Shape, String)> {
    /// As `src/records.cts` reads it.
    #[derive(Serialize)]
    struct Described {
        shape: usize,
        names: Vec<String>,
        forms: Vec<u8>,
        /// Null for those that are read as JSON each time.
        values: Vec<Value>,
    }

    let names = access.names();
    // An assignment to that name would not make a member.
    if names.iter().any(|name| name == "__proto__") {
        return None;
    }
    let (mut forms, mut values, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for written in access.written() {
        let (form, value) = match written {
            Written::Text(text) => (Form::Text, Value::from(text)),
            Written::Other(text) if is_number(text) => {
                (Form::Number, Value::from(small_number(text)?))
            }
            Written::EscapedText(_) | Written::Other(_) => (Form::Json, Value::Null),
        };
        forms.push(form as u8);
        texts.push(value.as_str().map(Box::from));
        values.push(value);
    }
    let described = Described { shape: number, names, forms, values };
    Some((Shape { number, texts }, serde_json::to_string(&described).ok()?))
}

fn is_number(text: &str) -> bool {
    text.bytes().next().is_some_and(|first| first == b'-' || first.is_ascii_digit())
}

/// A whole number that JavaScript, too, would write so.
fn small_number(text: &str) -> Option<u64> {
    let plain = text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}
