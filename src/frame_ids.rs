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

/// Watches the ids of one camera.
#[derive(Default)]
pub struct FrameIds {
    last: Option<u64>,
    /// The gap seen last: ids in it that come late, by another thread, were not lost after all.
    gap: Range<u64>,
    /// What of it was before a wrap, and the id from which on that is long ago.
    before_wrap: Range<u64>,
    long_after_wrap: u64,
    /// How many of these may still come.
    late: u64,
    /// The one that came last.
    came_late: Option<u64>,
}

impl FrameIds {
    /// Takes note of a frame's id. Says how many more frames are missed than before it: less than none when one comes late.
    pub fn note(&mut self, id: u64) -> i64 {
        if id == NO_FRAME_ID {
            return 0;
        }
        let Some(last) = self.last.replace(id) else { return 0 };
        let gap = if id < last { &self.gap } else { &self.before_wrap };
        if self.late > 0 && gap.contains(&id) {
            self.last = Some(last);
            if self.came_late.replace(id) == Some(id) {
                return 0; // Refused, and tried again.
            }
            self.late -= 1;
            return -1;
        }
        if id >= self.long_after_wrap {
            self.before_wrap = 0..0; // These ids come anew.
        }
        if id > last {
            let missed = id - last - 1;
            if missed == 0 || missed > LARGEST_GAP {
                return 0;
            }
            return self.missed(last + 1..id, 0..0);
        }
        // Backwards: a restart, or a wrap.
        let most = if id > 1 { LARGEST_GAP_OF_WRAP } else { NEAR };
        match ENDS.into_iter().find(|end| last <= *end && end - last + id < most) {
            Some(end) => {
                self.long_after_wrap = id + NEAR;
                self.missed(1..id.max(1), last + 1..end + 1)
            }
            None => 0,
        }
    }

    fn missed(&mut self, gap: Range<u64>, before_wrap: Range<u64>) -> i64 {
        self.late = gap.end - gap.start + (before_wrap.end - before_wrap.start);
        (self.gap, self.before_wrap, self.came_late) = (gap, before_wrap, None);
        self.late as i64
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
}
