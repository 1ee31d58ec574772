//! The text of a token, read from JavaScript with one call and no allocation.
//!
//! `String` parameters cost two calls and an allocation each, which is a good part of what a
//! whole verification takes.

use std::mem::MaybeUninit;
use std::slice;

use napi::bindgen_prelude::FromNapiValue as _;
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
    // SAFETY: both are of the running call of this function's caller.
    unsafe { with_raw(env.raw(), string.raw(), read) }
}

/// As [`with`].
///
/// # Safety
/// `env` and `value` belong to the running call from JavaScript.
pub unsafe fn with_raw<T>(
    env: sys::napi_env,
    value: sys::napi_value,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; ON_STACK];
    let mut length = 0;
    // SAFETY: `env` and `value` are valid, as the caller answers for; Node writes at most
    // `ON_STACK` bytes, its closing NUL among them, into `buffer`, and the number of bytes before
    // that into `length`. Both outlive the call.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            env,
            value,
            buffer.as_mut_ptr().cast(),
            ON_STACK,
            &raw mut length,
        )
    };
    if status != sys::Status::napi_ok {
        return Err(Error::TokenMalformed);
    }
    if length + LONGEST_CHARACTER < ON_STACK {
        // SAFETY: Node wrote so many bytes, which is fewer than there is room for.
        let bytes = unsafe { slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), length) };
        return read(std::str::from_utf8(bytes).map_err(|_| Error::TokenMalformed)?);
    }
    // SAFETY: `env` and `value` are valid, as the caller answers for.
    let text = unsafe { String::from_napi_value(env, value) };
    read(&text.map_err(|_| Error::TokenMalformed)?)
}
