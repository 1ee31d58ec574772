//! The text of a token, read from JavaScript with one call and no allocation.
//!
//! `String` parameters cost two calls and an allocation each, which is a good part of what a
//! whole verification takes.

use napi::{Env, JsString, JsValue, sys};
use regrant::{Error, Result};

/// Longer ones are read the ordinary way.
const ON_STACK: usize = 2048;

/// The most bytes that one character takes: less room than that may have cut the text.
const LONGEST_CHARACTER: usize = 4;

/// Calls `read` with the text of `string`.
///
/// # Errors
/// What `read` returns; [`Error::TokenMalformed`] when `string` is not a string.
pub fn with<T>(env: &Env, string: JsString<'_>, read: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    let mut buffer = [0_u8; ON_STACK];
    let mut length = 0;
    // SAFETY: `env` and `string` belong to the running call of this function's caller, so both
    // are valid; Node writes at most `ON_STACK` bytes, its closing NUL among them, into `buffer`,
    // and the number of bytes before that into `length`. Both outlive the call.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            env.raw(),
            string.raw(),
            buffer.as_mut_ptr().cast(),
            ON_STACK,
            &raw mut length,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(Error::TokenMalformed);
    }
    if length + LONGEST_CHARACTER < ON_STACK {
        let bytes = buffer.get(..length).unwrap_or_default();
        return read(std::str::from_utf8(bytes).map_err(|_| Error::TokenMalformed)?);
    }
    let text = string.into_utf8().and_then(|text| text.into_owned());
    read(&text.map_err(|_| Error::TokenMalformed)?)
}
