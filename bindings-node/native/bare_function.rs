//! Functions for JavaScript that are called so often that the usual way there is too long.
//!
//! A method of a class made by macro looks up and guards the native half of `this` and converts
//! its arguments and its result, which costs as much again as checking a signature by HMAC. A bare
//! function comes with its native half and looks at its arguments itself.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, Unknown};
use napi::{Env, Error, Result, Status, sys};

use crate::token_text;

/// The native half of a function.
pub trait Callee: 'static {
    /// Answers a call; `None` is `undefined`. A panic is that, too.
    fn answer<'call>(&self, call: Call<'call>) -> Option<Answer<'call>>;
}

/// A call from JavaScript that is running.
#[derive(Clone, Copy)]
pub struct Call<'call> {
    env: sys::napi_env,
    arguments: [sys::napi_value; ARGUMENTS],
    count: usize,
    scope: PhantomData<&'call ()>,
}

/// A value that JavaScript gets for an answer.
pub struct Answer<'call>(sys::napi_value, PhantomData<&'call ()>);

const ARGUMENTS: usize = 2;

impl<'call> Call<'call> {
    /// How many arguments were given.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Calls `read` with the first argument, a string.
    ///
    /// # Errors
    /// What `read` returns; [`TokenMalformed`](regrant::Error::TokenMalformed) when it is no string.
    pub fn text<T>(&self, read: impl FnOnce(&str) -> regrant::Result<T>) -> regrant::Result<T> {
        // SAFETY: both are of the running call, as only `call` makes a `Call`.
        unsafe { token_text::with_raw(self.env, self.arguments[0], read) }
    }

    /// A number.
    pub fn number(&self, number: f64) -> Option<Answer<'call>> {
        // SAFETY: `env` is that of the running call; Node writes the value to where it is told.
        self.made(|value| unsafe { sys::napi_create_double(self.env, number, value) })
    }

    /// `true` or `false`.
    pub fn boolean(&self, is: bool) -> Option<Answer<'call>> {
        // SAFETY: as in `number`.
        self.made(|value| unsafe { sys::napi_get_boolean(self.env, is, value) })
    }

    /// A string.
    pub fn string(&self, text: &str) -> Option<Answer<'call>> {
        let length = isize::try_from(text.len()).ok()?;
        // SAFETY: as in `number`; Node copies the text.
        self.made(|value| unsafe {
            sys::napi_create_string_utf8(self.env, text.as_ptr().cast(), length, value)
        })
    }

    /// A string of a character for each byte.
    pub fn latin1(&self, bytes: &[u8]) -> Option<Answer<'call>> {
        let length = isize::try_from(bytes.len()).ok()?;
        // SAFETY: as in `string`.
        self.made(|value| unsafe {
            sys::napi_create_string_latin1(self.env, bytes.as_ptr().cast(), length, value)
        })
    }

    fn made(
        &self,
        make: impl FnOnce(*mut sys::napi_value) -> sys::napi_status,
    ) -> Option<Answer<'call>> {
        let mut value = ptr::null_mut();
        let status = make(&raw mut value);
        (status == sys::Status::napi_ok).then_some(Answer(value, PhantomData))
    }
}

/// A function whose native half is `callee`, and goes when it does.
pub fn function<T: Callee>(env: &Env, callee: T) -> Result<Unknown<'_>> {
    let data = Box::into_raw(Box::new(callee)).cast::<c_void>();
    let mut function = ptr::null_mut();
    let called = Some(call::<T> as unsafe extern "C" fn(_, _) -> _);
    // SAFETY: `env` is that of the running call; the name may be absent; `call` expects `data` to
    // point to a `T`, which it does until `release` is called for the function.
    let status = unsafe {
        sys::napi_create_function(env.raw(), ptr::null(), 0, called, data, &raw mut function)
    };
    if status == sys::Status::napi_ok {
        let released = Some(release::<T> as unsafe extern "C" fn(_, _, _));
        let (hint, reference) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the function was just made, and is the only one that has `data`.
        let status = unsafe {
            sys::napi_add_finalizer(env.raw(), function, data, released, hint, reference)
        };
        if status == sys::Status::napi_ok {
            // SAFETY: the value belongs to this environment and to the running call.
            return unsafe { Unknown::from_napi_value(env.raw(), function) };
        }
        // The function is never handed out, but its `data` must stay: it exists.
    } else {
        // SAFETY: nobody else has got it.
        drop(unsafe { Box::from_raw(data.cast::<T>()) });
    }
    Err(Error::new(Status::GenericFailure, "a function could not be made"))
}

/// Called by Node when the function is no more.
unsafe extern "C" fn release<T>(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `data` is the box of `function`, and Node calls this once.
    drop(unsafe { Box::from_raw(data.cast::<T>()) });
}

/// Called by Node with the arguments that JavaScript gave.
unsafe extern "C" fn call<T: Callee>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let (mut count, mut arguments) = (ARGUMENTS, [ptr::null_mut(); ARGUMENTS]);
    let mut data = ptr::null_mut();
    // SAFETY: Node gives a valid `env` and `info`, writes as many arguments as there is room for
    // (`undefined` for those that are missing) and the `data` of `function`.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            arguments.as_mut_ptr(),
            ptr::null_mut(),
            &raw mut data,
        )
    };
    if status != sys::Status::napi_ok || data.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: it points to a `T` for as long as the function exists, which is being called.
    let callee = unsafe { &*data.cast::<T>() };
    let call = Call { env, arguments, count, scope: PhantomData };
    // A panic must not reach Node. Null is `undefined` to JavaScript.
    let answer = catch_unwind(AssertUnwindSafe(|| callee.answer(call)));
    answer.ok().flatten().map_or(ptr::null_mut(), |Answer(value, _)| value)
}
