//! Frame ids reveal the frames that the camera lost. A wrap, a restart and a camera without ids are no losses.

use crate::codes::NO_FRAME_ID;

/// A gap of more is a counter that was set anew, not a loss that anybody would sit through: ten minutes at 1000 fps.
const LARGEST_GAP: u64 = 600_000;
/// How near to its end a 16-bit counter must be, and how near to its beginning afterwards, to have wrapped.
const NEAR: u64 = 64;
const LAST_OF_16_BITS: u64 = 0xFFFF;

/// Watches the ids of one camera.
#[derive(Default)]
pub struct FrameIds {
    last: Option<u64>,
    /// The gap seen last: ids in it that come late, by another thread, were not lost after all.
    gap: std::ops::Range<u64>,
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
        if id > last {
            let missed = id - last - 1;
            if missed == 0 || missed > LARGEST_GAP {
                return 0;
            }
            self.gap = last + 1..id;
            self.late = missed;
            return missed as i64;
        }
        if self.late > 0 && self.gap.contains(&id) {
            self.last = Some(last);
            if self.came_late.replace(id) == Some(id) {
                return 0; // Refused, and tried again.
            }
            self.late -= 1;
            return -1;
        }
        // Backwards: a restart, or a counter of 16 bits that wrapped (GigE Vision: from 65535 to 1, since 0 is no id).
        let wrapped = last <= LAST_OF_16_BITS && last + NEAR > LAST_OF_16_BITS && id < NEAR;
        if wrapped { (LAST_OF_16_BITS - last + id.saturating_sub(1)) as i64 } else { 0 }
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
        assert_eq!(missed(&[3, 90_000_000_000, 90_000_000_001]), 0);
    }

    #[test]
    fn a_loss_across_a_wrap_is_counted() {
        assert_eq!(missed(&[65_533, 3]), 2 + 2);
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
