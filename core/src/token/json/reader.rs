//! One pass over the text of a JSON value (RFC 8259), by hand because every access token goes
//! through it: less than half of the time that a general deserializer takes, and nothing
//! allocated.
//!
//! What is common is read here: names and texts without escapes, numbers that are short and
//! whole. What is rare is cut out by its ends and handed to `serde_json`, which decides whether
//! it is well-formed.

use std::borrow::Cow;

use super::MAX_DEPTH;
use super::digits;
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
            self.at += run_length(rest).ok_or(Malformed)?;
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
        let digits = digits::run_length(rest.as_bytes());
        let more = rest.as_bytes().get(digits).is_some_and(|byte| in_number(*byte));
        if !more && rest.get(..digits).is_some_and(item::is_short) {
            self.at += digits;
            return Ok(Kind::Number);
        }
        self.rare_number(rest)
    }

    #[cold]
    fn rare_number(&mut self, rest: &str) -> Result<Kind> {
        let length = rest.bytes().position(|byte| !in_number(byte)).unwrap_or(rest.len());
        let number = rest.get(..length).ok_or(Malformed)?;
        self.at += length;
        item::rare_number(number).map(|_| Kind::Number).ok_or(Malformed)
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

const fn in_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// How many bytes stand for themselves before one that does not; `None` where there is none such.
#[inline(always)]
fn run_length(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_in(u64::from_le_bytes(*word));
        if special != 0 {
            return Some(index * 8 + special.trailing_zeros() as usize / 8);
        }
    }
    let length = words.len() * 8;
    Some(length + rest.iter().position(|byte| is_special(*byte))?)
}

/// What ends a run of text that stands for itself (RFC 8259 §7).
const fn is_special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// The highest bit of the lowest special byte is set, those of the bytes below it are not.
const fn special_in(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST: u64 = ONES << 7;
    const fn below(word: u64, limit: u64) -> u64 {
        word.wrapping_sub(ONES * limit) & !word
    }
    let quote = below(word ^ (ONES * b'"' as u64), 1);
    let backslash = below(word ^ (ONES * b'\\' as u64), 1);
    (below(word, 0x20) | quote | backslash) & HIGHEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_byte_is_found_where_it_is() {
        for length in 0..40 {
            assert_eq!(run_length(&vec![b'a'; length]), None);
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    // Beside it stand those that a subtraction may carry into.
                    for around in [b'a', b'!', b'#', b'[', b']', b' ', 0x7f, 0x80, 0xff] {
                        let mut text = vec![around; length];
                        text[place] = byte;
                        let wanted = text.iter().position(|byte| is_special(*byte));
                        assert_eq!(run_length(&text), wanted, "{text:?}");
                    }
                }
            }
        }
    }
}
