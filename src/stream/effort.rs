//! How hard the next frame is compressed (`compression_level`).

use crate::options::Compression;
use std::time::Duration;

/// Nothing waits: there is time for a better ratio.
const AT_LEISURE: i32 = 3;
/// What the default is, too.
const USUAL: i32 = 1;
const HURRIED: i32 = -20;
/// Little more than entropy coding.
const FASTEST: i32 = -1000;

/// So much of what was known stays when something new is learned of it.
const MEMORY: f64 = 0.9;

/// What a stream learns of the time that its frames take.
pub struct Effort {
    compression: Compression,
    /// Seconds for a frame, lately: to compress it on one thread, and to write it.
    compressing: f64,
    writing: f64,
}

impl Effort {
    /// Of a new stream.
    pub fn new(compression: Compression) -> Effort {
        Effort { compression, compressing: 0.0, writing: 0.0 }
    }

    /// Without anything to learn from, and somebody who waits.
    pub fn usual(compression: Compression) -> i32 {
        match compression {
            Compression::Level(level) => level,
            Compression::Auto => USUAL,
        }
    }

    /// A frame took so long to compress, and so long to write.
    pub fn learn(&mut self, compressing: Duration, writing: Duration) {
        let learn = |known: &mut f64, new: Duration| *known = MEMORY * *known + (1.0 - MEMORY) * new.as_secs_f64();
        learn(&mut self.compressing, compressing);
        learn(&mut self.writing, writing);
    }

    /// The zstd level for the next frame, when so many others wait behind it in so many slots, and so many threads compress.
    /// No frame is ever dropped for the sake of a ratio: while slots fill up, time is bought with bytes. But not where it is the
    /// disk that does not keep up: more bytes would make that worse.
    pub fn level(&self, waiting: usize, slots: usize, threads: usize) -> i32 {
        let disk_is_slower = self.writing * threads as f64 > self.compressing;
        match self.compression {
            Compression::Level(level) => level,
            Compression::Auto if waiting == 0 => AT_LEISURE,
            Compression::Auto if 4 * waiting < slots || disk_is_slower => USUAL,
            Compression::Auto if 2 * waiting < slots => HURRIED,
            Compression::Auto => FASTEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn with_auto_frames_are_compressed_faster_the_fuller_the_slots_are() {
        let auto = Effort::new(Compression::Auto);
        assert_eq!([0, 1, 24, 25, 49, 50, 100].map(|waiting| auto.level(waiting, 100, 1)), [3, 1, 1, -20, -20, -1000, -1000]);
        assert_eq!(auto.level(1, 1, 1), -1000); // A stream with one slot, and somebody waits for it.
        assert_eq!(Effort::new(Compression::Level(7)).level(100, 100, 1), 7);
    }

    #[test]
    fn with_auto_a_disk_that_is_slower_than_compression_is_not_given_more_bytes() {
        let mut auto = Effort::new(Compression::Auto);
        (0..100).for_each(|_| auto.learn(4 * MS, 3 * MS));
        assert_eq!((auto.level(100, 100, 1), auto.level(100, 100, 2)), (-1000, 1));
        (0..100).for_each(|_| auto.learn(4 * MS, MS));
        assert_eq!(auto.level(100, 100, 2), -1000);
    }
}
