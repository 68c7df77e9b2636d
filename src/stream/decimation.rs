//! Which frames are kept where the option `decimate` wants every n-th.
//!
//! They are picked, not averaged: a mean would have to wait for its last frame, or be written to by several pushes in turn, and an
//! unfinished push is to block nobody.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts a stream's frames.
pub struct Decimation {
    every: u32,
    /// Frames that are left out before one is picked, in the low half; in the high half how many were picked.
    turns: AtomicU64,
}

impl Decimation {
    /// The first frame is picked, then each `every`-th.
    pub fn new(every: u32) -> Decimation {
        Decimation { every, turns: AtomicU64::new(0) }
    }

    /// The next frame comes; none: it is left out. Of any number of threads, each `every`-th call is answered with a pick.
    pub fn pick(&self) -> Option<Pick<'_>> {
        if self.every == 1 {
            return Some(Pick { of: self, number: 0, kept: false });
        }
        let next = |before: u64| match halves(before) {
            (picked, 0) => Some(turns(picked.wrapping_add(1), self.every - 1)),
            (picked, left) => Some(turns(picked, left - 1)),
        };
        // It cannot fail: each count has a next one.
        let (Ok(before) | Err(before)) = self.turns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        let (picked, left) = halves(before);
        (left == 0).then(|| Pick { of: self, number: picked.wrapping_add(1), kept: false })
    }
}

fn halves(turns: u64) -> (u32, u32) {
    ((turns >> 32) as u32, turns as u32)
}

fn turns(picked: u32, left: u32) -> u64 {
    u64::from(picked) << 32 | u64::from(left)
}

/// A frame's turn. Dropped before the frame is kept, it is the next one's, unless others have been picked meanwhile.
pub struct Pick<'a> {
    of: &'a Decimation,
    number: u32,
    kept: bool,
}

impl Pick<'_> {
    /// The frame is taken.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Pick<'_> {
    fn drop(&mut self) {
        if !self.kept && self.of.every > 1 {
            let restored = |now: u64| (halves(now).0 == self.number).then_some(turns(self.number, 0));
            let _ = self.of.turns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, restored);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(decimation: &Decimation, frames: usize) -> Vec<bool> {
        (0..frames).map(|_| decimation.pick().map(Pick::keep).is_some()).collect()
    }

    #[test]
    fn the_first_frame_is_picked_and_then_every_nth() {
        assert_eq!(picks(&Decimation::new(3), 7), [true, false, false, true, false, false, true]);
        assert_eq!(picks(&Decimation::new(1), 3), [true; 3]);
    }

    #[test]
    fn the_turn_of_a_frame_that_is_refused_is_the_next_ones_and_counting_begins_there() {
        let decimation = Decimation::new(3);
        for _ in 0..4 {
            drop(decimation.pick().expect("it is tried again"));
        }
        assert_eq!(picks(&decimation, 4), [true, false, false, true]);
    }

    #[test]
    fn a_frame_that_is_refused_late_does_not_bring_the_frames_that_are_kept_closer() {
        let decimation = Decimation::new(5);
        let waits = decimation.pick().expect("it is the first");
        assert_eq!(picks(&decimation, 6), [false, false, false, false, true, false]);
        drop(waits); // The one behind it is kept: its turn is over.
        assert_eq!(picks(&decimation, 5), [false, false, false, true, false]);
    }

    #[test]
    fn of_the_frames_of_many_threads_exactly_every_nth_is_picked() {
        let decimation = Decimation::new(7);
        let picked: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| picks(&decimation, 7 * 5000))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends").into_iter().filter(|picked| *picked).count()).sum()
        });
        assert_eq!(picked, 4 * 5000);
    }
}
