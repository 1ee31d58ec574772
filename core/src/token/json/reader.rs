//! One pass over the text of a JSON value (RFC 8259), by hand because every access token goes
//! through it: less than half of the time that a general deserializer takes, and nothing
//! allocated.
//!
//! What is common is read here: names and texts without escapes, numbers that are short and
//! whole. What is rare is cut out by its ends and handed to `serde_json`, which decides whether
//! it is well-formed.

use std::borrow::Cow;

use super::MAX_DEPTH;
use super::item::{self, Item, Kind};
use super::names::Names;

/// The text is not what it should be. There is no more to tell: the caller says so in its own
/// words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

type Result<T> = std::result::Result<T, Malformed>;

pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

// Inlined, because values that go through memory in pieces cost more than reading them does.
impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Reads exactly one object and nothing else, and hands each member to `member`.
    #[inline(always)]
    pub(super) fn only_object(mut self, mut member: impl FnMut(&str, Item<'a>)) -> Result<()> {
        self.skip_space();
        self.members(|reader, name| {
            member(name, reader.value(1)?);
            Ok(())
        })?;
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(Malformed) }
    }

    /// The elements of an array that was read before.
    pub(super) fn elements(mut self) -> Result<Vec<Item<'a>>> {
        let mut all = Vec::new();
        self.each_element(|reader| {
            all.push(reader.value(2)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Reads an object. `value` reads the value of the member that it is given the name of.
    #[inline(always)]
    fn members(&mut self, mut value: impl FnMut(&mut Self, &str) -> Result<()>) -> Result<()> {
        let mut names = Names::default();
        self.expect(b'{')?;
        self.skip_space();
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            if !names.insert(name.clone()) {
                return Err(Malformed);
            }
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            value(self, &name)?;
            self.skip_space();
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_space();
        }
    }

    /// Reads an array. `element` reads one element.
    fn each_element(&mut self, mut element: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        self.skip_space();
        if self.take(b']') {
            return Ok(());
        }
        loop {
            element(self)?;
            self.skip_space();
            if self.take(b']') {
                return Ok(());
            }
            self.expect(b',')?;
            self.skip_space();
        }
    }

    /// Reads any value that has `depth` arrays and objects around it.
    #[inline(always)]
    fn value(&mut self, depth: usize) -> Result<Item<'a>> {
        let start = self.at;
        let kind = match self.peek()? {
            b'"' => {
                let (raw, escaped) = self.string()?;
                if escaped {
                    item::unescape(raw).ok_or(Malformed)?;
                }
                let kind = if escaped { Kind::TextWithEscapes } else { Kind::Text };
                return Ok(Item::new(kind, raw));
            }
            b'0'..=b'9' | b'-' => self.number()?,
            b'{' | b'[' => self.nested(depth)?,
            b't' => self.word("true", Kind::Bool)?,
            b'f' => self.word("false", Kind::Bool)?,
            b'n' => self.word("null", Kind::Null)?,
            _ => return Err(Malformed),
        };
        self.text.get(start..self.at).map(|raw| Item::new(kind, raw)).ok_or(Malformed)
    }

    #[inline(never)]
    fn nested(&mut self, depth: usize) -> Result<Kind> {
        if depth == MAX_DEPTH {
            return Err(Malformed);
        }
        if self.peek()? == b'[' {
            self.each_element(|reader| reader.value(depth + 1).map(drop))?;
            return Ok(Kind::Array);
        }
        self.members(|reader, _| reader.value(depth + 1).map(drop))?;
        Ok(Kind::Object)
    }

    #[inline(always)]
    fn name(&mut self) -> Result<Cow<'a, str>> {
        let (raw, escaped) = self.string()?;
        if escaped {
            return item::unescape(raw).map(Cow::Owned).ok_or(Malformed);
        }
        Ok(Cow::Borrowed(raw))
    }

    /// What is between the quotes, and whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Result<(&'a str, bool)> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).ok_or(Malformed)?;
            self.at += rest.iter().position(|byte| is_special(*byte)).ok_or(Malformed)?;
            match self.peek()? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.at += 2;
                }
                _ => return Err(Malformed),
            }
        }
        let raw = self.text.get(start..self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok((raw, escaped))
    }

    #[inline(always)]
    fn number(&mut self) -> Result<Kind> {
        let rest = self.text.get(self.at..).ok_or(Malformed)?;
        let in_number = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.bytes().position(|byte| !in_number(byte)).unwrap_or(rest.len());
        let number = rest.get(..length).ok_or(Malformed)?;
        self.at += length;
        if !item::is_short(number) {
            item::rare_number(number).ok_or(Malformed)?;
        }
        Ok(Kind::Number)
    }

    #[inline(always)]
    fn word(&mut self, word: &str, kind: Kind) -> Result<Kind> {
        let rest = self.text.as_bytes().get(self.at..).ok_or(Malformed)?;
        if !rest.starts_with(word.as_bytes()) {
            return Err(Malformed);
        }
        self.at += word.len();
        Ok(kind)
    }

    #[inline(always)]
    fn skip_space(&mut self) {
        while matches!(self.peek(), Ok(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline(always)]
    fn peek(&self) -> Result<u8> {
        self.text.as_bytes().get(self.at).copied().ok_or(Malformed)
    }

    #[inline(always)]
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Ok(byte);
        self.at += usize::from(there);
        there
    }

    #[inline(always)]
    fn expect(&mut self, byte: u8) -> Result<()> {
        if self.take(byte) { Ok(()) } else { Err(Malformed) }
    }
}

/// What ends a run of text that stands for itself (RFC 8259 §7).
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}
