//! Reading what the arguments name: files, and `-` for standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::failure::Failure;

/// What stands for standard input.
pub(super) const STDIN: &str = "-";

/// More than any configuration, key or token has.
const MOST_BYTES: u64 = 16 << 20;

/// The text of a file, or of standard input.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let (name, outcome) = if path == Path::new(STDIN) {
        ("standard input".to_owned(), read(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(read))
    };
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage("there is no such file").at(&name),
        io::ErrorKind::InvalidData => Failure::usage("is not text, or too large").at(&name),
        _ => Failure::outside(format!("cannot be read: {error}")).at(&name),
    })
}

fn read(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let length = input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if length as u64 > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(text)
}

/// A token: the argument itself, or what standard input holds. A scheme `Bearer` and white space
/// around it, as they come with copying from a header, are dropped.
pub(super) fn token(argument: &str) -> Result<String, Failure> {
    let given = if argument == STDIN { text(Path::new(STDIN))? } else { argument.to_owned() };
    let bare = given.trim();
    let bare = match bare.split_once(char::is_whitespace) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => bare,
    };
    if bare.is_empty() {
        return Err(Failure::usage("there is no token"));
    }
    Ok(bare.to_owned())
}
