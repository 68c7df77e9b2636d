//! How hard the next frame is compressed (`compression_level`).

use crate::options::Compression;
use std::time::Duration;

/// What `auto` chooses from: there is time for a better ratio; as by default; fast; little more than entropy coding.
const LEVELS: [i32; 4] = [3, 1, -20, -1000];
const USUAL: usize = 1;

/// So much of what is known stays when something new is learned of it.
const MEMORY: f64 = 0.9;
/// So much of what is known of the other levels stays meanwhile: what is forgotten is tried again.
const FORGETTING: f64 = 0.9999;

/// A frame that takes longer than so many times what is known, or than its own compression, has met a disk that stalls: how long
/// that lasts says nothing of the next frame.
const STALLS: f64 = 4.0;

/// What a stream learns of the time that its frames take.
pub struct Effort {
    compression: Compression,
    /// Seconds from frame to frame that each of the levels allows, lately.
    pace: [f64; LEVELS.len()],
}

impl Effort {
    /// Of a new stream.
    pub fn new(compression: Compression) -> Effort {
        Effort { compression, pace: [0.0; LEVELS.len()] }
    }

    /// Without anything to learn from, and somebody who waits.
    pub fn usual(compression: Compression) -> i32 {
        match compression {
            Compression::Level(level) => level,
            Compression::Auto => LEVELS[USUAL],
        }
    }

    /// At that level a frame took so long to compress, on one of so many threads, and so long to write, on one of them, too.
    pub fn learn(&mut self, level: i32, compressing: Duration, writing: Duration, threads: usize) {
        let pace = writing.as_secs_f64().max((compressing + writing).as_secs_f64() / threads as f64);
        for (known, of) in self.pace.iter_mut().zip(LEVELS) {
            *known = if of == level {
                MEMORY * *known + (1.0 - MEMORY) * pace.min(STALLS * known.max(compressing.as_secs_f64()))
            } else {
                FORGETTING * *known
            };
        }
    }

    /// The zstd level for the next frame, when so many others wait behind it in so many slots. No frame is ever dropped for the
    /// sake of a ratio: while slots fill up, time is bought with bytes. But only where it is to be had: a disk that does not keep
    /// up is the slower the more bytes it is given.
    pub fn level(&self, waiting: usize, slots: usize) -> i32 {
        let fastest = match self.compression {
            Compression::Level(level) => return level,
            Compression::Auto if waiting == 0 => return LEVELS[0],
            Compression::Auto if 4 * waiting < slots => USUAL,
            Compression::Auto if 2 * waiting < slots => USUAL + 1,
            Compression::Auto => USUAL + 2,
        };
        let best = (USUAL..=fastest).rev().min_by(|one, other| self.pace[*one].total_cmp(&self.pace[*other]));
        LEVELS[best.unwrap_or(USUAL)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn with_auto_frames_are_compressed_faster_the_fuller_the_slots_are() {
        let auto = Effort::new(Compression::Auto);
        assert_eq!([0, 1, 24, 25, 49, 50, 100].map(|waiting| auto.level(waiting, 100)), [3, 1, 1, -20, -20, -1000, -1000]);
        assert_eq!(auto.level(1, 1), -1000); // A stream with one slot, and somebody waits for it.
        assert_eq!(Effort::new(Compression::Level(7)).level(100, 100), 7);
    }

    #[test]
    fn with_auto_a_disk_that_stalls_once_does_not_spoil_the_fastest_level() {
        for stalls_at in [0, 500] {
            let mut auto = Effort::new(Compression::Auto);
            let mut used = Vec::new();
            for frame in 0..1000 {
                let level = auto.level(100, 100);
                used.push(level);
                let at = LEVELS.iter().position(|known| *known == level).unwrap();
                let writing = if frame == stalls_at { 60_000 * MS } else { MS };
                auto.learn(level, [9, 6, 4, 2][at] * MS, writing, 1);
            }
            assert!(used[stalls_at + 100..].iter().filter(|level| **level == -1000).count() > 380, "{used:?}");
        }
    }

    #[test]
    fn with_auto_a_disk_that_is_slower_than_compression_is_given_the_fewest_bytes() {
        for (threads, disk_is_slower) in [(1, false), (4, true)] {
            let mut auto = Effort::new(Compression::Auto);
            let mut used = [0; LEVELS.len()];
            for _ in 0..5000 {
                let level = auto.level(100, 100);
                let at = LEVELS.iter().position(|known| *known == level).unwrap();
                used[at] += 1;
                // Twice as many bytes in a third of the time.
                let (compressing, writing) = [(9, 2), (6, 2), (4, 3), (2, 4)][at];
                auto.learn(level, compressing * MS, writing * MS, threads);
            }
            let best = if disk_is_slower { USUAL } else { USUAL + 2 };
            assert!(used[best] > 4500, "{threads} threads: {used:?}");
        }
    }
}
