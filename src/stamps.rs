//! When a chunk's frames were taken: its start, end and measured rate, from the frames' time stamps.
//!
//! All times are Unix time in nanoseconds by this computer's clock; the offset to the service's clock is kept beside them. A file
//! may hold any number, so nothing here overflows.

/// 2000-01-01, before which no time stamp of a camera is a Unix time.
const YEAR_2000_NS: i64 = 946_684_800 * 1_000_000_000;
const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// Whether a time stamp can be Unix time: not before 2000, not more than a day ahead.
pub fn is_unix_time(stamp_ns: i64, now_ns: i64) -> bool {
    stamp_ns >= YEAR_2000_NS && stamp_ns <= now_ns.saturating_add(DAY_NS)
}

/// A number of frames' time at a rate.
pub fn frames_ns(frames: u64, fps: f64) -> i64 {
    (frames as f64 * 1e9 / fps).round() as i64
}

/// The time stamps of one chunk, frame after frame.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkStamps {
    /// Whether the chunk is stamped: its first frame came with a time stamp of its own.
    pub stamped: bool,
    /// When the chunk began: its first frame's stamp; one frame time of the camera earlier when that was made at entry.
    pub start_ns: i64,
    first_ns: i64,
    last_ns: i64,
    frames: u64,
    /// How many stamps did not increase.
    pub odd: u64,
}

impl ChunkStamps {
    /// A chunk that begins with this frame, of a camera of this rate: a frame is pushed when it was exposed and read out, also where
    /// those that followed the last one were left out.
    pub fn begin(stamped: bool, first_ns: i64, fps: f64) -> ChunkStamps {
        let start_ns = if stamped { first_ns } else { first_ns.saturating_sub(frames_ns(1, fps)) };
        ChunkStamps { stamped, start_ns, first_ns, last_ns: first_ns, frames: 1, odd: 0 }
    }

    /// The next frame.
    pub fn next(&mut self, stamp_ns: i64) {
        if stamp_ns <= self.last_ns {
            self.odd += 1;
        }
        self.last_ns = stamp_ns;
        self.frames += 1;
    }

    /// Frames per second as measured between the first and the last frame, where it can be.
    pub fn measured_fps(&self) -> Option<f64> {
        self.fps_with(0.0)
    }

    /// The same, had so many more been there.
    pub fn fps_with(&self, more: f64) -> Option<f64> {
        let span = self.last_ns.saturating_sub(self.first_ns);
        (self.frames > 1 && self.odd == 0 && span > 0).then(|| ((self.frames - 1) as f64 + more) * 1e9 / span as f64)
    }

    /// The rate that is told to the service: the measured one of a stamped chunk, else the declared.
    pub fn average_fps(&self, declared_fps: f64) -> f64 {
        if self.stamped { self.measured_fps().unwrap_or(declared_fps) } else { declared_fps }
    }

    /// When the chunk ended: one frame time after its last stamp, or its frames' time after its start when it is not stamped.
    pub fn end_ns(&self, declared_fps: f64) -> i64 {
        if self.stamped && self.odd == 0 {
            self.last_ns.saturating_add(frames_ns(1, declared_fps))
        } else {
            self.start_ns.saturating_add(frames_ns(self.frames, declared_fps))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_700_000_000_000_000_000;

    fn chunk(stamped: bool, stamps: &[i64]) -> ChunkStamps {
        let mut chunk = ChunkStamps::begin(stamped, stamps[0], 10.0);
        stamps[1..].iter().for_each(|stamp| chunk.next(*stamp));
        chunk
    }

    #[test]
    fn a_stamped_chunk_lasts_from_its_first_stamp_to_one_frame_after_its_last() {
        let chunk = chunk(true, &[T, T + 125_000_000, T + 250_000_000]);
        assert_eq!((chunk.start_ns, chunk.end_ns(10.0)), (T, T + 350_000_000));
        assert_eq!(chunk.average_fps(10.0), 8.0);
    }

    #[test]
    fn an_unstamped_chunk_begins_a_frame_before_its_first_entry_and_has_the_declared_rate() {
        let chunk = chunk(false, &[T, T + 1, T + 2]);
        assert_eq!((chunk.start_ns, chunk.end_ns(10.0)), (T - 100_000_000, T + 200_000_000));
        assert_eq!(chunk.average_fps(10.0), 10.0);
    }

    #[test]
    fn a_decimated_unstamped_chunk_begins_a_camera_frame_before_its_first_entry_and_lasts_as_long_as_all_its_frames_stand_for() {
        let mut chunk = ChunkStamps::begin(false, T, 100.0);
        chunk.next(T + 100_000_000);
        assert_eq!((chunk.start_ns, chunk.end_ns(10.0)), (T - 10_000_000, T + 190_000_000));
    }

    #[test]
    fn stamps_that_do_not_increase_are_counted_and_the_declared_rate_counts() {
        let chunk = chunk(true, &[T, T + 5, T + 5, T + 4]);
        assert_eq!(chunk.odd, 2);
        assert_eq!(chunk.average_fps(10.0), 10.0);
        assert_eq!(chunk.end_ns(10.0), T + 400_000_000);
    }

    #[test]
    fn stamps_that_no_clock_gives_overflow_nothing() {
        for stamped in [true, false] {
            let chunk = chunk(stamped, &[i64::MIN, i64::MAX]);
            assert!(chunk.start_ns < 0 && chunk.end_ns(10.0) > chunk.start_ns && chunk.average_fps(10.0) > 0.0);
            assert!(chunk.end_ns(0.0) >= chunk.start_ns);
        }
    }

    #[test]
    fn camera_ticks_and_the_far_future_are_no_unix_time() {
        assert!(is_unix_time(T, T) && is_unix_time(T + DAY_NS, T));
        assert!(!is_unix_time(12_345, T) && !is_unix_time(T + DAY_NS + 1, T) && !is_unix_time(-1, T));
    }
}
