//! Functions for JavaScript that are called so often that the usual way there is too long.
//!
//! A method of a class made by macro looks up and guards the native half of `this` and converts
//! its arguments and its result, which costs as much again as checking a signature by HMAC. A bare
//! function comes with its native half and looks at its arguments itself.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use napi::bindgen_prelude::{FromNapiValue, Unknown};
use napi::{Env, Error, Result, Status, sys};

use crate::token_text;

/// The native half of a function.
pub trait Callee: 'static {
    /// How many numbers it has beside its answer: its property `numbers`, a `Float64Array`. Each
    /// is there for the taking; a number for an answer, or a character of a text, takes longer.
    const NUMBERS: usize = 0;

    /// Answers a call; `None` is `undefined`. A panic is that, too.
    fn answer<'call>(&self, call: Call<'call>, numbers: &mut [f64]) -> Option<Answer<'call>>;
}

/// What a function has for its data.
struct Native<T> {
    callee: T,
    /// Where [`Callee::NUMBERS`] are, or null where there are none.
    numbers: *mut f64,
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
    let native = Native { callee, numbers: ptr::null_mut() };
    let data = Box::into_raw(Box::new(native)).cast::<c_void>();
    let mut function = ptr::null_mut();
    let called = Some(call::<T> as unsafe extern "C" fn(_, _) -> _);
    // SAFETY: `env` is that of the running call; the name may be absent; `call` expects `data` to
    // point to a `Native<T>`, which it does until `release` is called for the function.
    let status = unsafe {
        sys::napi_create_function(env.raw(), ptr::null(), 0, called, data, &raw mut function)
    };
    if status != sys::Status::napi_ok {
        // SAFETY: nobody else has got it.
        drop(unsafe { Box::from_raw(data.cast::<Native<T>>()) });
        return Err(failed());
    }
    let released = Some(release::<T> as unsafe extern "C" fn(_, _, _));
    let (hint, reference) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the function was just made, and is the only one that has `data`.
    let status =
        unsafe { sys::napi_add_finalizer(env.raw(), function, data, released, hint, reference) };
    if status != sys::Status::napi_ok {
        // The function is never handed out, but its `data` must stay: it exists.
        return Err(failed());
    }
    if T::NUMBERS > 0 {
        // SAFETY: `function` is of the running call. It was not called yet, so nobody else looks
        // at `data`. The numbers are there for as long as the function is, whose property they are.
        unsafe {
            (*data.cast::<Native<T>>()).numbers = give_numbers(env.raw(), function, T::NUMBERS)?;
        }
    }
    // SAFETY: the value belongs to this environment and to the running call.
    unsafe { Unknown::from_napi_value(env.raw(), function) }
}

/// Makes the property `numbers` of `function`, for ever, and tells where they are.
///
/// # Safety
/// Both are of the running call.
unsafe fn give_numbers(
    env: sys::napi_env,
    function: sys::napi_value,
    count: usize,
) -> Result<*mut f64> {
    let (mut data, mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` is that of the running call, as the caller answers for. The buffer is Node's;
    // it is not moved, and gone only when nobody has it any more. Nobody detaches it: JavaScript
    // has it in `src/checker.cts` alone.
    let made = unsafe {
        let length = count * size_of::<f64>();
        sys::napi_create_arraybuffer(env, length, &raw mut data, &raw mut buffer)
            == sys::Status::napi_ok
            && sys::napi_create_typedarray(
                env,
                sys::TypedarrayType::float64_array,
                count,
                buffer,
                0,
                &raw mut array,
            ) == sys::Status::napi_ok
    };
    if !made || data.is_null() {
        return Err(failed());
    }
    let property = sys::napi_property_descriptor {
        utf8name: c"numbers".as_ptr(),
        name: ptr::null_mut(),
        method: None,
        getter: None,
        setter: None,
        value: array,
        // Neither written to nor deleted.
        attributes: sys::PropertyAttributes::default,
        data: ptr::null_mut(),
    };
    // SAFETY: as above; Node copies the description.
    let status = unsafe { sys::napi_define_properties(env, function, 1, &raw const property) };
    if status == sys::Status::napi_ok { Ok(data.cast()) } else { Err(failed()) }
}

fn failed() -> Error {
    Error::new(Status::GenericFailure, "a function could not be made")
}

/// Called by Node when the function is no more.
unsafe extern "C" fn release<T>(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: `data` is the box of `function`, and Node calls this once.
    drop(unsafe { Box::from_raw(data.cast::<Native<T>>()) });
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
    // SAFETY: it points to a `Native<T>` for as long as the function exists, which is being called.
    let Native { callee, numbers } = unsafe { &*data.cast::<Native<T>>() };
    let numbers: &mut [f64] = if numbers.is_null() {
        &mut []
    } else {
        // SAFETY: so many are there, for as long as the function is; and nobody else looks at them
        // during a call, as no JavaScript runs then.
        unsafe { slice::from_raw_parts_mut(*numbers, T::NUMBERS) }
    };
    let call = Call { env, arguments, count, scope: PhantomData };
    // A panic must not reach Node. Null is `undefined` to JavaScript.
    let answer = catch_unwind(AssertUnwindSafe(|| callee.answer(call, numbers)));
    answer.ok().flatten().map_or(ptr::null_mut(), |Answer(value, _)| value)
}
