//! Frame ids reveal the frames that the camera lost. A wrap, a restart and a camera without ids are no losses.

use crate::codes::NO_FRAME_ID;
use std::ops::Range;

/// A gap of more is a counter that was set anew, not a loss that anybody would sit through: ten minutes at 1000 fps.
const LARGEST_GAP: u64 = 600_000;
/// A counter that goes on from its end has wrapped, where no more ids are missing than so many. A counter that begins anew at 0 or
/// 1 was rather restarted, unless it was as near to its end as this.
const LARGEST_GAP_OF_WRAP: u64 = 4096;
const NEAR: u64 = 64;
/// Counters of 16 and of 32 bits. After them comes 1 (GigE Vision, where 0 is no id) or 0.
const ENDS: [u64; 2] = [0xFFFF, 0xFFFF_FFFF];

/// So many gaps are remembered: of each thread that pushes, the frame that it has in hand may be one.
const GAPS: usize = 32;
/// An id that is further behind is none that another thread has in hand.
const LATEST: u64 = 4096;

/// Watches the ids of one camera.
#[derive(Default)]
pub struct FrameIds {
    last: Option<u64>,
    /// The newest first: ids in them that come late, by another thread, were not lost after all.
    gaps: [Gap; GAPS],
    /// From this id on those of the turn before are long ago.
    long_after_turn: u64,
    /// The id that came late last.
    came_late: Option<u64>,
}

/// Ids that did not come in their turn.
#[derive(Default)]
struct Gap {
    ids: Range<u64>,
    /// How many of them may still come.
    late: u64,
    /// They are from before the last wrap or restart.
    is_of_turn_before: bool,
}

impl FrameIds {
    /// Takes note of a frame's id. Says how many more frames are missed than before it: less than none when one comes late.
    pub fn note(&mut self, id: u64) -> i64 {
        if id == NO_FRAME_ID {
            return 0;
        }
        let Some(last) = self.last.replace(id) else { return 0 };
        let may_be_late = id > last || last - id <= LATEST;
        let is_its = |gap: &&mut Gap| gap.late > 0 && gap.is_of_turn_before == (id > last) && gap.ids.contains(&id);
        if let Some(gap) = self.gaps.iter_mut().find(is_its).filter(|_| may_be_late) {
            self.last = Some(last);
            if self.came_late.replace(id) == Some(id) {
                return 0; // Refused, and tried again.
            }
            gap.late -= 1;
            return -1;
        }
        if id >= self.long_after_turn {
            self.forget_turn_before(); // These ids come anew.
        }
        if id > last {
            let missed = id - last - 1;
            if missed == 0 || missed > LARGEST_GAP {
                return 0;
            }
            return self.missed(last + 1..id, false);
        }
        if id == last || (id > 1 && last - id < NEAR) {
            self.last = Some(last); // It was refused before, or is the first one's that came by another thread: a restart is at 0 or 1.
            return 0;
        }
        // Backwards: a restart, or a wrap. Ids of before may still come.
        self.forget_turn_before();
        self.gaps.iter_mut().for_each(|gap| gap.is_of_turn_before = true);
        self.long_after_turn = id.saturating_add(NEAR);
        let most = if id > 1 { LARGEST_GAP_OF_WRAP } else { NEAR };
        match ENDS.into_iter().find(|end| last <= *end && end - last + id < most) {
            Some(end) => self.missed(1..id.max(1), false) + self.missed(last + 1..end + 1, true),
            None => 0,
        }
    }

    fn missed(&mut self, ids: Range<u64>, is_of_turn_before: bool) -> i64 {
        let late = ids.end - ids.start;
        if late > 0 {
            self.gaps.rotate_right(1);
            self.gaps[0] = Gap { ids, late, is_of_turn_before };
            self.came_late = None;
        }
        late as i64
    }

    fn forget_turn_before(&mut self) {
        for gap in self.gaps.iter_mut().filter(|gap| gap.is_of_turn_before) {
            *gap = Gap::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(ids: &[u64]) -> i64 {
        let mut watch = FrameIds::default();
        ids.iter().map(|id| watch.note(*id)).sum()
    }

    #[test]
    fn gaps_are_counted() {
        assert_eq!(missed(&[5, 6, 7]), 0);
        assert_eq!(missed(&[5, 8, 9, 12]), 4);
    }

    #[test]
    fn wraps_and_restarts_are_no_losses() {
        assert_eq!(missed(&[65_534, 65_535, 1, 2]), 0);
        assert_eq!(missed(&[65_535, 0, 1]), 0);
        assert_eq!(missed(&[500, 501, 0, 1]), 0);
        assert_eq!(missed(&[500, 1, 2]), 0);
        assert_eq!(missed(&[65_400, 1, 2]), 0);
        assert_eq!(missed(&[60_000, 2_000]), 0, "nobody knows");
        assert_eq!(missed(&[3, 90_000_000_000, 90_000_000_001]), 0);
    }

    #[test]
    fn a_loss_across_a_wrap_is_counted() {
        assert_eq!(missed(&[65_533, 3]), 2 + 2);
        assert_eq!(missed(&[0xFFFF_FFFD, 3]), 2 + 2);
        assert_eq!(missed(&[65_400, 1_000]), 135 + 999, "seconds of it");
        assert_eq!(missed(&[65_530, 65_533, 65_534, 65_535, 3, 4]), 2 + 2);
    }

    #[test]
    fn a_counter_of_32_bits_wraps_too() {
        assert_eq!(missed(&[0xFFFF_FFFE, 0xFFFF_FFFF, 0, 1]), 0);
        assert_eq!(missed(&[0xFFFF_FFFE, 0xFFFF_FFFF, 1, 2]), 0);
        assert_eq!(missed(&[0xFFFF_FFFF, 0x1_0000_0000, 0x1_0000_0001]), 0, "one of 64 bits does not");
    }

    #[test]
    fn a_frame_that_comes_late_across_a_wrap_was_not_missed() {
        assert_eq!(missed(&[65_534, 1, 65_535, 2]), 0);
        assert_eq!(missed(&[65_535, 2, 1, 3]), 0);
        assert_eq!(missed(&[65_533, 2_000, 65_535, 2_001]), 1 + 1_999);
        assert_eq!(missed(&[65_532, 2, 65_534, 65_534, 1, 3]), 2, "65533 and 65535 are missing");
        let turns = (0..3).flat_map(|_| 1..=65_535).filter(|id| *id != 65_535);
        assert_eq!(missed(&turns.collect::<Vec<_>>()), 2, "the same one of each turn, and the last turn has not ended");
    }

    #[test]
    fn ids_that_are_absent_or_never_change_say_nothing() {
        assert_eq!(missed(&[7, 7, 7]), 0);
        assert_eq!(missed(&[7, NO_FRAME_ID, 8]), 0);
    }

    #[test]
    fn a_frame_that_comes_late_was_not_missed() {
        assert_eq!(missed(&[1, 3, 2, 4]), 0);
        assert_eq!(missed(&[1, 3, 2, 2, 2]), 0);
        assert_eq!(missed(&[1, 10, 5, 5, 5, 5, 6]), 6);
    }

    #[test]
    fn several_frames_that_come_late_one_of_each_thread_were_not_missed() {
        assert_eq!(missed(&[1, 3, 5, 2, 4, 6]), 0);
        assert_eq!(missed(&[1, 3, 5, 2, 4, 2, 4, 6]), 0, "two of them were refused, and tried again");
        assert_eq!(missed(&[7, 5, 6, 8, 9]), 0, "the first ones, too");
        assert_eq!(missed(&[65_530, 65_532, 65_534, 1, 65_531, 3, 65_533, 2, 65_535, 4]), 0);
        assert_eq!(missed(&[98, 100, 0, 99, 1, 2]), 0, "one of before a restart");
        assert_eq!(missed(&[1, 6, 2_000_000, 2_000_001, 3]), 4, "that long ago it was another one");
    }

    /// Ids of so many threads, each of which may have one in hand while any number of others come.
    fn by_threads(threads: usize, ids: &[u64], random: &mut fastrand::Rng) -> Vec<u64> {
        let (mut in_hand, mut come) = (Vec::new(), Vec::new());
        for id in ids {
            in_hand.push(*id);
            if in_hand.len() == threads {
                come.push(in_hand.swap_remove(random.usize(..threads)));
            }
            // None is forgotten for ever.
            if let Some(oldest) = in_hand.iter().position(|old| id.wrapping_sub(*old) % 65_536 > 40) {
                come.push(in_hand.swap_remove(oldest));
            }
        }
        come.append(&mut in_hand);
        come
    }

    #[test]
    fn whatever_order_threads_push_in_what_was_lost_is_missed_and_nothing_else() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let threads = random.usize(1..17);
            let first = random.u64(1..65_536);
            let mut lost = 0;
            // Around the wrap from 65535 to 1, and up to five lost at once; the first and the last have come.
            let mut ids: Vec<u64> = (first..first + 5000).map(|id| (id - 1) % 65_535 + 1).collect();
            for _ in 0..random.usize(..20) {
                let at = random.usize(1..ids.len() - 1 - 5);
                let gap = random.usize(1..6);
                lost += ids.drain(at..at + gap).count();
            }
            let (begin, end) = (ids.remove(0), ids.pop().unwrap());
            let come = [&[begin][..], &by_threads(threads, &ids, &mut random), &[end]].concat();
            assert_eq!(missed(&come), lost as i64, "seed {seed}, {threads} threads");
        }
    }
}
