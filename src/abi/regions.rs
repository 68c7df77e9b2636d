//! Watching the spot: how bright parts of the picture are, frame by frame.

use super::{boundary, export};
use crate::codes::Code;
use crate::error::{Error, Result};

export! {
    /// Sets one of 8 regions of a stream, rectangles whose brightness is measured in every frame, or moves it: `region` 0 to 7,
    /// `x` columns from the left and `y` rows from the top, `width` x `height` pixels of the frames as they are kept.
    /// `width` and `height` 0: there is no such region any more. Regions may overlap.
    ///
    /// Every frame is measured that is taken by rheed_push or rheed_commit (also inside rheed_run) after this call, at the full
    /// rate, on the thread that compresses: neither of the two takes longer for it. Those that the option decimate leaves out are
    /// measured, too, and copied for it as the others are, but wait for no slot (except inside rheed_run) and take one only where
    /// that leaves half of the slots free: under load they go unmeasured first. Network and service play no part: the readings
    /// come as long as frames are taken. A frame that is refused is not measured; while the spool's disk takes nothing, frames
    /// wait, and are then refused.
    /// rheed_region_read gives the readings; those of a former place are gone. To set a region where it is changes nothing.
    ///
    /// The first call allocates 1.6 MB, which stay until the stream ends: the readings of the last 16,384 frames of all 8 regions
    /// (136 s at 120 frames per second, 32 s at 500).
    ///
    /// Any thread, never waits. Returns RHEED_OK, RHEED_E_ARGUMENT (no such region; it does not lie in frames like the last one,
    /// or before the first one in 65,535 x 65,535 pixels; only one of the sides is 0; the stream is given whole chunks, which are not
    /// measured; a handle of rheed_resume), RHEED_E_HANDLE, RHEED_E_CLOSED and RHEED_E_ABORTED (no more frames will come),
    /// RHEED_E_FORKED, RHEED_E_INTERNAL (also without memory for the readings).
    fn rheed_region_set(stream: rheed_stream, region: i32, x: u32, y: u32, width: u32, height: u32) -> i32 {
        stream.stream()?.set_region(region, x, y, width, height)?;
        Ok(Code::Ok)
    }

    /// Copies a region's readings, a frame each, oldest first: those newer than `*position`, at most `capacity`. `*position` is 0
    /// at first and goes on with each call; it is all that a reader needs, so several may read. `*count` receives how many were
    /// written. Fewer than `capacity`: that is all for now. Call it again, a few times a second.
    ///
    /// Each array takes `capacity` values, or is NULL when it is not wanted. `times_ns`: when the frame was captured, Unix time in
    /// nanoseconds: its timestamp_ns, or when it was pushed; with timestamp_clock = device what the camera's counter was mapped to.
    /// `frame_ids`: the camera's count or RHEED_NO_FRAME_ID. `flags`: those that the frame was pushed with, 0 or
    /// RHEED_FRAME_INCOMPLETE: a frame of which parts are missing is measured as it came, and its reading may not be the spot's. Of
    /// the region's pixels, with 8 bits each: `means`, 0 to 255; `maxima`; `sums`. In a frame in which the region does not lie, since
    /// the frame size changed, the mean is NaN, maximum and sum are -1.
    ///
    /// `missed` (may be NULL) receives how many of the region's readings were overwritten before this call could give them: of
    /// 16,384 frames they are kept. `*position` is the number of the last frame that was read or missed, among all frames that
    /// were measured since the first rheed_region_set: readings of two regions with one number are of one frame.
    ///
    /// Any thread, also while others read and push; never waits. Works after rheed_finalize and rheed_abort, until rheed_free.
    /// When it fails, count and missed are 0 and position is as before. Returns RHEED_OK, RHEED_E_ARGUMENT (no
    /// such region, or it is not set; position or count is NULL; a negative capacity; a position that is still to come; a handle
    /// of rheed_resume), RHEED_E_HANDLE, RHEED_E_FORKED, RHEED_E_INTERNAL.
    fn rheed_region_read(
        stream: rheed_stream,
        region: i32,
        position: *mut u64,
        times_ns: *mut i64,
        frame_ids: *mut u64,
        flags: *mut u32,
        means: *mut f64,
        maxima: *mut i32,
        sums: *mut i64,
        capacity: i32,
        count: *mut i32,
        missed: *mut i64,
    ) -> i32 first {
        boundary::output(count, 0);
        boundary::output(missed, 0);
    } {
        let (from, capacity) = reader(position, count, capacity)?;
        let taken = stream.stream()?.read_region(region, from, capacity, |at, reading| {
            boundary::output_at(times_ns, at, reading.time_ns);
            boundary::output_at(frame_ids, at, reading.frame_id);
            boundary::output_at(flags, at, reading.flags);
            boundary::output_at(means, at, reading.mean);
            boundary::output_at(maxima, at, reading.maximum);
            boundary::output_at(sums, at, reading.sum);
        })?;
        boundary::output(position, taken.position);
        boundary::output(count, taken.count as i32);
        boundary::output(missed, taken.missed as i64);
        Ok(Code::Ok)
    }
}

/// Where a reader goes on, and how many values its arrays take.
fn reader(position: *const u64, count: *const i32, capacity: i32) -> Result<(u64, usize)> {
    if position.is_null() || count.is_null() {
        return Err(Error::argument("position or count is NULL: give a place for each, position 0 at first"));
    }
    let capacity =
        usize::try_from(capacity).map_err(|_| Error::argument("capacity is negative: give how many values each array takes"))?;
    // SAFETY: not NULL, and the header asks for a place for one such number. Unaligned is tolerated.
    Ok((unsafe { position.read_unaligned() }, capacity))
}
