//! Asking a stream how it is: statistics, texts, events, logs.

use super::calls::rheed_log_callback;
use super::{boundary, export};
use crate::codes::{Code, Stat, Text};
use crate::engine;
use crate::error::Error;
use crate::log::Callback;
use std::ffi::{c_char, c_void};

export! {
    /// One snapshot of a stream's statistics: values[RHEED_STAT_x] for the first `count` of them, in which accepted =
    /// confirmed + lost + pending. `values` may be NULL when count is 0; values beyond those that this version knows are left
    /// alone. `needed` (may be NULL) receives how many there are. A frame counts from when its push returns.
    /// Any thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_stats(stream: rheed_stream, values: *mut i64, count: i32, needed: *mut i32) -> i32 {
        let known = stream.stats();
        boundary::output_numbers(values, count, &known)?;
        boundary::output(needed, Stat::COUNT as i32);
        Ok(Code::Ok)
    }

    /// Copies a text of a stream, RHEED_TEXT_*, into the caller's buffer: UTF-8, always NUL-terminated, cut on a character
    /// boundary if it does not fit. `needed` (may be NULL) receives the size it wants, with the NUL; `buffer` may be NULL when
    /// `size` is 0. Any thread, never waits, but that the report after rheed_resume reads files. Returns RHEED_OK,
    /// RHEED_W_TRUNCATED, RHEED_W_PENDING (the data id does not exist
    /// yet), RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_text(stream: rheed_stream, which: i32, buffer: *mut c_char, size: i32, needed: *mut i32) -> i32 {
        let which = Text::from_number(which).ok_or(Error::argument("which is no RHEED_TEXT_* number"))?;
        let text = stream.text(which);
        let fitted = boundary::output_text(buffer, size, needed, &text)?;
        Ok(if which == Text::DataId && text.is_empty() { Code::WPending } else { fitted })
    }

    /// Takes the oldest waiting event of a stream: its kind (RHEED_EVENT_*), when it happened (Unix time, nanoseconds), its
    /// value and a line of text. Each pointer may be NULL. None waiting within `timeout_ms`: RHEED_OK and kind 0. At most
    /// 1,024 wait; then the oldest is dropped, which the report counts.
    ///
    /// `timeout_ms`: 0 = look and return, negative = until there is one, the stream is over or aborted. On a stream that is over
    /// it returns at once, whatever the time-out. Any thread; each event is told once. Returns RHEED_OK, RHEED_W_TRUNCATED (the text was cut: 1,024 bytes are enough), RHEED_E_ARGUMENT,
    /// RHEED_E_HANDLE, RHEED_E_ABORTED, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_next_event(
        stream: rheed_stream,
        timeout_ms: i32,
        kind: *mut i32,
        time_ns: *mut i64,
        value: *mut i64,
        buffer: *mut c_char,
        size: i32,
        needed: *mut i32,
    ) -> i32 {
        boundary::check_buffer(buffer, size)?;
        let event = stream.next_event(boundary::deadline(timeout_ms))?;
        boundary::output(kind, event.kind as i32);
        boundary::output(time_ns, event.time_ns);
        boundary::output(value, event.value);
        boundary::output_text(buffer, size, needed, &event.text)
    }

    /// Sends the log messages of all streams up to `verbosity` (0 to 4) to a function instead of stderr; NULL: back to stderr,
    /// each stream by its option `verbosity`. When the call returns, the former function is not running and is not called
    /// again (unless it is itself the caller). Log files are not affected. Any thread; waits for a call in progress.
    /// Returns RHEED_OK, RHEED_E_ARGUMENT, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_set_log(callback: rheed_log_callback, user: *mut c_void, verbosity: i32) -> i32 {
        if !(0..=4).contains(&verbosity) {
            return Err(Error::argument("verbosity is 0 (nothing) to 4 (every frame and request)"));
        }
        engine::set_log(callback.map(|function| Callback::new(function, user, verbosity)));
        Ok(Code::Ok)
    }
}
