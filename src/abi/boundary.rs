//! Where C meets Rust: the one way in, and how numbers, texts and bytes cross.
//!
//! A pointer from C is trusted to be NULL or good for the size beside it; that is the contract in the header, and the only
//! thing about a call that is not checked. The address of a slot is not trusted even so far: it stays a number.

use crate::codes::Code;
use crate::engine::{self, Instance, Session};
use crate::error::{Error, Result};
use crate::panics;
use crate::platform;
use crate::wait::Deadline;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// Runs a function of the interface: not in a forked child or when the library's threads are gone, which may have left anything
/// locked, and never letting a panic out into C.
pub fn enter(body: impl FnOnce() -> Result<Code>) -> i32 {
    if platform::is_forked_child() {
        return Code::EForked as i32;
    }
    if platform::has_lost_its_threads() {
        return Code::EAborted as i32;
    }
    match panics::contained(body) {
        Ok(Ok(code)) => code as i32,
        Ok(Err(error)) => error.code as i32,
        Err(_) => Code::EInternal as i32,
    }
}

/// The same for a function on an open handle, whose failure becomes the handle's RHEED_TEXT_LAST_ERROR; `otherwise` is for one
/// that is not open.
pub fn on_stream(handle: u64, body: impl FnOnce(&Arc<Session>) -> Result<Code>, otherwise: impl FnOnce() -> Result<Code>) -> i32 {
    enter(|| {
        let Some(session) = engine::find(handle) else { return otherwise() };
        in_words(|| body(&session)).inspect_err(|error| {
            // A child that was forked inside the call has locks that nobody opens any more.
            if error.code != Code::EForked {
                session.note_failure(error);
            }
        })
    })
}

/// A panic becomes an error like any other, whose words can be told.
fn in_words<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    let internal = |what| Err(Error::new(Code::EInternal, format!("an error inside the library: {what}")));
    panics::contained(body).unwrap_or_else(internal)
}

/// `rheed_init` and `rheed_resume`: options in; handle and message out.
pub fn open(
    options: *const c_char,
    handle: *mut u64,
    message: *mut c_char,
    message_size: i32,
    open: impl FnOnce(&str) -> Result<(u64, String)>,
) -> Result<Code> {
    output(handle, 0);
    check_buffer(message, message_size)?;
    let opened = if handle.is_null() {
        Err(Error::argument("the pointer for the handle is NULL"))
    } else {
        input_text("options", options).and_then(|options| in_words(|| open(&options)))
    };
    let said = match &opened {
        Ok((number, remark)) => {
            output(handle, *number);
            remark.clone()
        }
        Err(error) => error.to_string(),
    };
    output_text(message, message_size, std::ptr::null_mut(), &said)?;
    opened.map(|_| Code::Ok)
}

/// Time-outs of the interface: negative = none, 0 = look and return.
pub fn deadline(timeout_ms: i32) -> Deadline {
    match u64::try_from(timeout_ms) {
        Ok(ms) => Deadline::after(Duration::from_millis(ms)),
        Err(_) => Deadline::never(),
    }
}

/// UTF-8, or what this system's older programs write instead.
fn input_text<'a>(name: &str, text: *const c_char) -> Result<Cow<'a, str>> {
    if text.is_null() {
        return Err(Error::new(Code::EArgument, format!("{name} is NULL: give UTF-8 text, NUL-terminated")));
    }
    // SAFETY: not NULL, and the header asks for a NUL-terminated text that stays during the call.
    let text = unsafe { CStr::from_ptr(text) };
    let not_utf8 = |error: std::str::Utf8Error| {
        let local = platform::from_local_text(text.to_bytes()).map(Cow::Owned);
        local.ok_or_else(|| Error::new(Code::EArgument, format!("{name} is not UTF-8 from byte {}", error.valid_up_to())))
    };
    text.to_str().map(Cow::Borrowed).or_else(not_utf8)
}

/// Bytes to read, valid during the call; none where the pointer or the size cannot be meant.
///
/// The header lets a camera write there meanwhile, as into a ring that comes round too soon. Rust promises nothing of a slice that
/// somebody else writes to. What is relied upon instead: these bytes are pixels, and are only copied and computed with, each value of a
/// byte being as good as any other. None is an index, a length or a condition of `unsafe` code, and none is taken to be the same when
/// it is read again. So the picture may be torn, and nothing else.
pub fn input_bytes<'a>(bytes: *const c_void, size: u64) -> Option<&'a [u8]> {
    let size = usize::try_from(size).ok().filter(|size| isize::try_from(*size).is_ok())?;
    // SAFETY: not NULL, at most isize::MAX, and the header asks for size_bytes readable bytes that stay mapped during the call; of
    // writers, see above.
    (!bytes.is_null()).then(|| unsafe { std::slice::from_raw_parts(bytes.cast(), size) })
}

/// Where an address goes to; none where the pointer is NULL.
pub fn address_place(place: *mut *mut c_void) -> Option<impl FnOnce(NonNull<u8>)> {
    (!place.is_null()).then_some(move |address: NonNull<u8>| output(place, address.as_ptr().cast()))
}

/// What LabVIEW keeps for a node: a number of the library's, though it looks like an address.
pub fn instance(place: *mut *mut c_void) -> Result<Instance> {
    if place.is_null() {
        return Err(Error::argument("instance is NULL: give the address of a node's instance data pointer"));
    }
    // SAFETY: not NULL, and the header asks for a place for one pointer. Unaligned is tolerated.
    let kept = unsafe { place.read_unaligned() };
    Ok(Instance { place: place.addr(), number: kept.addr() })
}

/// One number out, where the caller wants it.
pub fn output<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not NULL, and the header asks for a place for one such number. Unaligned is tolerated.
        unsafe { place.write_unaligned(value) }
    }
}

/// One number of an array out, if the caller wants it.
pub fn output_at<T>(array: *mut T, index: usize, value: T) {
    if !array.is_null() {
        output(array.wrapping_add(index), value);
    }
}

/// As many of the numbers as the caller has places for.
pub fn output_numbers(places: *mut i64, count: i32, values: &[i64]) -> Result<()> {
    let count =
        usize::try_from(count).map_err(|_| Error::argument("count is negative: give how many values there is room for"))?;
    if places.is_null() && count > 0 {
        return Err(Error::argument("values is NULL, but count is not 0"));
    }
    for (index, value) in values.iter().take(count).enumerate() {
        output_at(places, index, *value);
    }
    Ok(())
}

/// Whether a text can be written there at all.
pub fn check_buffer(buffer: *const c_char, size: i32) -> Result<()> {
    if size < 0 {
        return Err(Error::argument("the buffer's size is negative"));
    }
    if buffer.is_null() && size > 0 {
        return Err(Error::argument("the buffer is NULL, but its size is not 0"));
    }
    Ok(())
}

/// A text out: NUL-terminated, cut on a character boundary; `needed` gets what it wants.
pub fn output_text(buffer: *mut c_char, size: i32, needed: *mut i32, text: &str) -> Result<Code> {
    check_buffer(buffer, size)?;
    let size = size as usize;
    output(needed, i32::try_from(text.len() + 1).unwrap_or(i32::MAX));
    if size == 0 {
        return Ok(Code::Ok); // Only the size was asked for.
    }
    let cut = text.floor_char_boundary(size - 1);
    // SAFETY: the buffer is not NULL and has `size` bytes by the header; cut + 1 <= size; a str never overlaps C's buffer.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), buffer.cast(), cut);
        buffer.add(cut).write(0);
    }
    Ok(if cut < text.len() { Code::WTruncated } else { Code::Ok })
}
