//! Opening a stream, giving it frames, and closing it.

use super::boundary;
use super::{export, rheed_stream};
use crate::codes::{ABI, Code};
use crate::engine;
use crate::error::Error;
use crate::stream::{Chunk, Frame};
use std::ffi::{c_char, c_void};

/// A frame source for rheed_run. Called on the thread that called rheed_run, once a frame time, with the user pointer, the
/// stream and a number that counts from 0. It hands its frame over by calling rheed_push. It returns 1 to go on, 0 to end,
/// a negative number to abort the stream. It may call any function of the library; it must not throw or longjmp. In a child that
/// it forks rheed_run returns RHEED_E_FORKED.
#[allow(non_camel_case_types)]
pub type rheed_source = Option<extern "C" fn(user: *mut c_void, stream: rheed_stream, index: u64) -> i32>;

/// Receives log messages: level 1 error, 2 warning or milestone, 3 each chunk, 4 each frame and request. Called on a library
/// thread, one call at a time; `message` is UTF-8 without a line end and valid during the call only. It may call any function
/// but rheed_shutdown; while it waits no message is written. A child that it forks must not return from it.
#[allow(non_camel_case_types)]
pub type rheed_log_callback = Option<extern "C" fn(user: *mut c_void, level: i32, message: *const c_char)>;

export! {
    /// The library's version, e.g. "1.2.3". Static text, never freed. Any thread, never waits.
    const fn rheed_version() -> *const c_char {
        concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
    }

    /// The number of the interface that the library in use has. A program compares it with RHEED_ABI of the header that it
    /// was built with, and goes on only if they are equal. Any thread, never waits.
    const fn rheed_abi() -> i32 {
        ABI
    }

    /// Static English text for a code; for a number that is no code, a text that says so. Never NULL, never freed.
    /// Any thread, never waits.
    const fn rheed_strerror(code: i32) -> *const c_char {
        Code::ALL.into_iter().find(|known| *known as i32 == code).map_or(c"not a code of this library", Code::text).as_ptr()
    }

    /// Opens a stream.
    ///
    /// `options`: UTF-8 text, NUL-terminated, a `key = value` a line; docs/options.md lists the keys. Only `fps` is required. On
    /// Windows text that is not UTF-8 is read in the ANSI code page; what the library says is UTF-8 everywhere.
    /// `stream` receives the handle (0 when the call fails). `message` (may be NULL if `message_size` is 0) receives, in at most
    /// `message_size` bytes with the NUL, what went wrong, or a remark on what to look at though the stream is open (no network,
    /// a key file that everybody can read); "" otherwise.
    ///
    /// Waits for the service's first answer, at most connect_timeout_ms. A network that is down is no failure: RHEED_OK, the
    /// frames go to the spool, the stream is created when the service answers. What an earlier process left in the same spool
    /// for the same endpoint is taken up and sent in the background.
    ///
    /// Returns RHEED_OK, RHEED_E_ARGUMENT (NULL, no text), RHEED_E_OPTION, RHEED_E_AUTH (no key, or refused),
    /// RHEED_E_NOT_FOUND (an unknown sample UUID, no file api_key_file or ca_file), RHEED_E_REFUSED (the service's words are in `message`), RHEED_E_NETWORK
    /// (proxy or ca_file cannot be used), RHEED_E_SPOOL, RHEED_E_DISK_FULL, RHEED_E_ABORTED (rheed_shutdown came meanwhile),
    /// RHEED_E_FORKED, RHEED_E_INTERNAL (also when the system has no more threads or open files for this process).
    /// Ownership: the texts are copied; end the handle with rheed_free. Any thread.
    fn rheed_init(options: *const c_char, stream: *mut rheed_stream, message: *mut c_char, message_size: i32) -> i32 {
        boundary::open(options, stream, message, message_size, engine::init)
    }

    /// Takes up what earlier processes left in a spool: the morning after. Creates no stream of its own; uploads, finishes
    /// and ends what it finds under the same endpoint, and what was recorded with `endpoint = none`. `fps` is not required.
    ///
    /// The handle takes rheed_flush (waits until all is sent and ended), rheed_stats, rheed_text, rheed_next_event,
    /// rheed_abort and rheed_free. Arguments, ownership and codes as for rheed_init, and RHEED_E_NOT_FOUND when spool_dir does
    /// not exist. Does not wait for the network. Any thread.
    fn rheed_resume(options: *const c_char, spool: *mut rheed_stream, message: *mut c_char, message_size: i32) -> i32 {
        boundary::open(options, spool, message, message_size, engine::resume)
    }

    /// Gives one frame to the stream. It is copied before the call returns; `pixels` stays the caller's.
    ///
    /// `pixels`, `size_bytes`: the frame and how many bytes may be read there. Whoever writes there during the call, such as a camera
    /// whose ring of buffers has come round, gets a torn picture, and nothing worse. `width`, `height`: in pixels.
    /// `stride_bytes`: from one row to the next, 0 = rows without padding (packed: rows of whole bytes); the last row may lack
    /// its padding.
    /// `pixel_format`: RHEED_FORMAT_*, 0 = Mono8. 10 to 16 bits, packed or not, are reduced to 8 by one fixed shift, colours to their
    /// luma. The options roi and bin say what is kept of a frame, decimate which frames are: one that is left out is checked, noted by
    /// its id, counted (RHEED_STAT_FRAMES_LEFT_OUT) and answered with RHEED_OK, and copied only where regions are measured.
    /// `frame_id`: the camera's count, RHEED_NO_FRAME_ID if there is none (a GigE Vision camera says so with 0: give RHEED_NO_FRAME_ID
    /// for it). Gaps are counted as missed frames. Of several threads, ids may come out of order by fewer than 4,096; a jump by more
    /// than 64 is counted when others go on from it (RHEED_STAT_FRAMES_MISSED has the rules). All are of one camera.
    /// `timestamp_ns`: capture time by this computer's clock, Unix time in nanoseconds; 0 = now. With the option
    /// timestamp_clock = device: the camera's own counter as it is, in ticks of device_tick_hz, a uint64_t as the int64_t of the same
    /// bits; it is mapped to Unix time (docs/time.md), and 0 is still now.
    /// `flags`: 0 or RHEED_FRAME_INCOMPLETE.
    ///
    /// Never waits, never touches disk or network, unless `when_full = block` or inside rheed_run: then it waits for a slot,
    /// until finalize, abort or free. Any thread, several at once: frames stay whole, and their order is the order in which
    /// the calls finish copying. May be called from a camera's callback.
    ///
    /// Returns RHEED_OK, RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORMAT, RHEED_E_QUEUE_FULL (counted), RHEED_E_DISK_FULL
    /// (counted), RHEED_E_CLOSED, RHEED_E_ABORTED, RHEED_E_FORKED, RHEED_E_INTERNAL. Never positive: a frame is taken or not. One that
    /// is answered RHEED_E_ARGUMENT or RHEED_E_FORMAT counts as rejected; one that is answered RHEED_E_CLOSED, RHEED_E_ABORTED or
    /// RHEED_E_INTERNAL, or met no stream at all, is counted nowhere.
    fn rheed_push(
        stream: rheed_stream,
        pixels: *const c_void,
        size_bytes: u64,
        width: u32,
        height: u32,
        stride_bytes: u32,
        pixel_format: u32,
        frame_id: u64,
        timestamp_ns: i64,
        flags: u32,
    ) -> i32 {
        let pixels = boundary::input_bytes(pixels, size_bytes);
        let frame = Frame { width, height, stride_bytes, pixel_format, frame_id, timestamp_ns, flags };
        stream.stream()?.push(pixels, &frame)?;
        Ok(Code::Ok)
    }

    /// Zero copy: lends the caller a slot, which a camera (its driver, its DMA) writes a frame into, and which rheed_commit takes
    /// without a copy. `*pixels` receives the address of at least `size_bytes` bytes that may be read and written, on a cache
    /// line (64 bytes); NULL when the call fails. What is in them before is not said.
    ///
    /// `size_bytes`: the frame as the camera writes it, padding and all; at most queue_bytes. Memory is allocated when it is more
    /// than any frame before needed, and all slots are then so large: best say the largest at once, in the option frame_bytes.
    ///
    /// The slot is the caller's until rheed_commit answers RHEED_OK or rheed_discard. Nothing takes it away: rheed_finalize,
    /// rheed_abort, rheed_free and rheed_shutdown do not wait for it, and its memory stays even after them, until rheed_discard.
    /// All that are acquired are queue_bytes at most, and of two sizes at most. Acquired, committed and pushed frames may be mixed,
    /// in any order and on any threads.
    ///
    /// Never waits, unless `when_full = block` or inside rheed_run: then it waits for a slot, until finalize, abort or free; who
    /// has acquired all of them waits for himself. A frame that finds no slot counts as dropped; its id, of which the stream never
    /// hears, as missed. Any thread; while rheed_run runs only its source, on its thread. Returns RHEED_OK, RHEED_E_ARGUMENT (NULL
    /// or such a size, counted as rejected; also when the stream takes chunks or is run), RHEED_E_HANDLE, RHEED_E_QUEUE_FULL
    /// (counted), RHEED_E_DISK_FULL (it waited for a slot, and the disk fails: counted), RHEED_E_CLOSED, RHEED_E_ABORTED,
    /// RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_acquire(stream: rheed_stream, size_bytes: u64, pixels: *mut *mut c_void) -> i32 first {
        boundary::output(pixels, std::ptr::null_mut());
    } {
        stream.stream()?.acquire(size_bytes, boundary::address_place(pixels))?;
        Ok(Code::Ok)
    }

    /// Takes the frame that was written into an acquired slot. `pixels`: what rheed_acquire gave, for this stream. All else is as
    /// for rheed_push, of which this is the rest: the frame is checked against the size_bytes that were acquired, and stamped and
    /// counted in the same way. Mono8 without padding stays where it lies; all else is brought to 8 bits a pixel in place, and what roi
    /// and bin keep of it to the slot's beginning. The slot of a frame that decimate leaves out is free again.
    ///
    /// RHEED_OK: the slot is the library's, and nobody may write there any more. Negative: nothing was taken, and the slot is
    /// still the caller's, to be committed again or discarded. Each refusal counts as dropped or rejected, also of a frame that is
    /// taken later; its id is noted once. An address that is no acquired slot of this stream (never given, committed or discarded
    /// before, inside a slot, of another stream) is RHEED_E_ARGUMENT, and counts as rejected; of several calls at once with one
    /// slot, one has it. As with any memory, what was given back may have been given out again.
    ///
    /// Never waits or touches disk or network, and allocates only where there is something to tell: the first refusal of a burst,
    /// the first gap in a chunk's frame ids, a camera that is back, its clock mapped anew (at most every 10 s) or at another rate, the
    /// first time stamp that is none. A commit that meets the end of its stream (RHEED_E_CLOSED, RHEED_E_ABORTED) may have
    /// brought the pixels to 8 bits already. Frames come in the order of their commits. Any thread, not only the one that
    /// acquired; but while rheed_run runs only its source, on its thread, and what the source had acquired can after the run only
    /// be discarded (RHEED_E_ARGUMENT). Returns what rheed_push returns: after rheed_finalize RHEED_E_CLOSED, after rheed_abort
    /// RHEED_E_ABORTED, after rheed_free RHEED_E_HANDLE. RHEED_E_QUEUE_FULL is rare: 4,096 frames wait (with `when_full = block`
    /// it waits).
    fn rheed_commit(
        stream: rheed_stream,
        pixels: *mut c_void,
        width: u32,
        height: u32,
        stride_bytes: u32,
        pixel_format: u32,
        frame_id: u64,
        timestamp_ns: i64,
        flags: u32,
    ) -> i32 {
        let frame = Frame { width, height, stride_bytes, pixel_format, frame_id, timestamp_ns, flags };
        stream.stream()?.commit(pixels.addr(), &frame)?;
        Ok(Code::Ok)
    }

    /// Gives an acquired slot back; takes and counts nothing. Nobody may write there any more.
    ///
    /// It works as long as the slot is there: after rheed_finalize and rheed_abort, after rheed_shutdown, and after rheed_free
    /// with the number that the handle had. The memory goes with the last slot. Any thread, never waits. Returns RHEED_OK,
    /// RHEED_E_ARGUMENT (no acquired slot of this stream), RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_discard(stream: rheed_stream, pixels: *mut c_void) -> i32 {
        stream.stream()?.discard(pixels.addr())?;
        Ok(Code::Ok)
    } else {
        engine::discard_outlived(stream, pixels.addr())?;
        Ok(Code::Ok)
    }

    /// Gives a whole chunk to the stream, under an index of the caller's: count frames of width x height, one after another
    /// without padding, `size_bytes` in all. Chunks may come in any order, and from several threads at once; an index
    /// comes once. `count` is at most chunk_size, and is chunk_size for all chunks but the last.
    ///
    /// `pixel_format`: RHEED_FORMAT_*, 0 = Mono8; the options roi and bin hold as for rheed_push, decimate is refused here
    /// (RHEED_E_ARGUMENT). `start_ns`: when the first frame was captured, Unix time in nanoseconds by
    /// this computer's clock, whatever timestamp_clock says; 0 = the chunk has just ended.
    ///
    /// Encodes on the calling thread from the caller's memory and returns when the chunk is in the spool: it takes time, and
    /// waits for the disk. A stream takes either frames or chunks: mixing is RHEED_E_ARGUMENT. Any thread. Returns RHEED_OK,
    /// RHEED_E_ARGUMENT, RHEED_E_HANDLE, RHEED_E_FORMAT, RHEED_E_SPOOL, RHEED_E_DISK_FULL, RHEED_E_CLOSED, RHEED_E_ABORTED,
    /// RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_push_chunk(
        stream: rheed_stream,
        chunk_index: u64,
        frames: *const c_void,
        size_bytes: u64,
        count: u32,
        width: u32,
        height: u32,
        pixel_format: u32,
        start_ns: i64,
    ) -> i32 {
        let frames = boundary::input_bytes(frames, size_bytes);
        stream.stream()?.push_chunk(&Chunk { index: chunk_index, frames, count, width, height, pixel_format, start_ns })?;
        Ok(Code::Ok)
    }

    /// Pull mode: calls `source` on this thread once a frame time (1/fps, whatever decimate says; as fast as it can with
    /// `pace = off`), until it returns 0. Inside, rheed_push waits for room. When the source is late the schedule shifts: nothing is
    /// bunched up. Then the last chunk is closed, and the call returns when all is in the spool; rheed_finalize follows as ever.
    ///
    /// `user` is handed to `source` as it is. Any thread; one run at a time. A stream that is run takes no frames from
    /// elsewhere, not even from other threads. Returns RHEED_OK, RHEED_E_ARGUMENT (also when the source answers something else
    /// than it may: the last chunk then stays open), RHEED_E_HANDLE, RHEED_E_CLOSED (finalized or freed meanwhile),
    /// RHEED_E_ABORTED (aborted, also by a negative answer of the source), RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_run(stream: rheed_stream, source: rheed_source, user: *mut c_void) -> i32 {
        let source = source.ok_or(Error::argument("source is NULL: give a function that pushes one frame a call"))?;
        let handle = stream.handle();
        stream.stream()?.run(|index| source(user, handle, index))?;
        Ok(Code::Ok)
    }

    /// Waits until every frame pushed before this call, in chunks that are closed, is confirmed by the service (after
    /// rheed_resume: until the whole spool is). The chunk that is still open is not waited for. With `endpoint = none`: until
    /// those chunks are in the spool.
    ///
    /// `timeout_ms`: negative = until done or aborted, 0 = look and return. Any thread. Returns RHEED_OK, RHEED_W_PENDING (out
    /// of time, or the handle was freed meanwhile; after rheed_resume also: a folder could not be read), RHEED_W_LOSS (done, but
    /// this stream has losses), RHEED_E_HANDLE, RHEED_E_ABORTED, RHEED_E_FORKED,
    /// RHEED_E_INTERNAL.
    fn rheed_flush(stream: rheed_stream, timeout_ms: i32) -> i32 {
        stream.flush(boundary::deadline(timeout_ms))
    }

    /// Takes no more frames, closes the last chunk, uploads what is left and ends the stream at the service. Pushes that wait
    /// return RHEED_E_CLOSED. With `endpoint = none`: done when all is in the spool.
    ///
    /// `timeout_ms`: negative = until done or aborted, 0 = look and return. Out of time it answers RHEED_W_PENDING: nothing is
    /// lost, it goes on in the background, and a second call waits again. The handle stays open for questions until
    /// rheed_free. Any thread, also inside a source. Returns RHEED_OK, RHEED_W_PENDING, RHEED_W_LOSS, RHEED_E_ARGUMENT (a handle
    /// of rheed_resume), RHEED_E_HANDLE, RHEED_E_ABORTED, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_finalize(stream: rheed_stream, timeout_ms: i32) -> i32 {
        stream.finalize(boundary::deadline(timeout_ms))
    }

    /// Stops at once: every call that waits on this stream returns RHEED_E_ABORTED, uploads stop, no more frames are taken.
    /// Frames already taken are still written to the spool, which is kept for the next rheed_init or rheed_resume. The handle
    /// stays open for questions. Any thread, never waits. Returns RHEED_OK, RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_abort(stream: rheed_stream) -> i32 {
        stream.abort();
        Ok(Code::Ok)
    }

    /// Gives the handle back. Calls that wait on it return. A stream that was not finalized is: its last chunk is closed and
    /// its uploads go on in the background, until rheed_shutdown or the process's end; what is then left waits for the next
    /// rheed_init or rheed_resume on the spool. Slots that are acquired stay so: a camera may still write there, and rheed_discard
    /// gives them back, with the number that the handle had. Any thread, never waits. Returns RHEED_OK, RHEED_E_HANDLE,
    /// RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_free(stream: rheed_stream) -> i32 {
        engine::free(stream);
        Ok(Code::Ok)
    }

    /// Aborts every stream and ends every thread of the library; rheed_init works again afterwards. Handles stay open for
    /// questions until they are freed. Call it before a plug-in is unloaded, and before a process ends that has freed streams without
    /// finalizing them: it waits until their frames are in the spool. Else those last ones that are still in memory end with the process.
    ///
    /// On Windows it may be called, as rheed_finalize may, when a DLL is unloaded that calls the library, in its static destructor
    /// or its DllMain: with a time-out, since Windows lets no thread begin there, and one that has to would be waited for. At the
    /// end of the process that is too late: its threads are gone, and every call answers RHEED_E_ABORTED at once.
    ///
    /// `timeout_ms`: negative = until done, 0 = look and return. Any thread of the caller's, but not inside a log callback
    /// (RHEED_E_ARGUMENT). Returns RHEED_OK, RHEED_W_PENDING (out of time, or frames are left in a spool), RHEED_W_LOSS,
    /// RHEED_E_ARGUMENT, RHEED_E_ABORTED (too late), RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_shutdown(timeout_ms: i32) -> i32 {
        engine::shutdown(boundary::deadline(timeout_ms))
    }
}
