//! Frame ids reveal the frames that the camera lost. A wrap, a restart and a camera without ids are no losses.

use crate::codes::NO_FRAME_ID;

/// How far frames of several threads may come out of order: so many ids below the highest are remembered.
const WINDOW: u64 = 4096;
/// A gap of more is a counter that was set anew, not a loss that anybody would sit through: ten minutes at 1000 fps.
const LARGEST_GAP: u64 = 600_000;
/// A counter that goes on from its end has wrapped, where no more ids are missing than so many. A counter that begins anew at 0 or
/// 1 was rather restarted, unless it was as near to its end as this.
const LARGEST_GAP_OF_WRAP: u64 = WINDOW;
const NEAR: u64 = 64;
/// Counters of 16 and of 32 bits. After them comes 1 (GigE Vision, where 0 is no id) or 0.
const ENDS: [u64; 2] = [0xFFFF, 0xFFFF_FFFF];

/// Watches the ids of one camera.
#[derive(Default)]
pub struct FrameIds {
    /// From the first id on.
    row: Option<Row>,
    /// The id that came last and is not the row's next: garbage, unless another goes on from it.
    stray: Option<u64>,
}

impl FrameIds {
    /// Takes note of a frame's id. Says how many more frames are missed than before it: less than none when one comes late.
    pub fn note(&mut self, id: u64) -> i64 {
        if id == NO_FRAME_ID {
            return 0;
        }
        let Some(row) = &mut self.row else {
            self.row = Some(Row::beginning_with(id));
            return 0;
        };
        let (below, ahead) = (row.below(id), row.ahead(id));
        let behind_stray = self.stray.and_then(|stray| Row::beginning_with(stray).ahead(id));
        if let Some((stray, on)) = self.stray.zip(behind_stray).filter(|(_, on)| below.or(ahead).is_none_or(|far| *on < far)) {
            // Two in a row: after a long loss, a restart, or of another counter.
            let lost = row.ahead(stray).map_or(0, |ahead| ahead - 1);
            *row = Row::beginning_with(stray);
            self.stray = None;
            row.go_on(id, on);
            return (lost + on - 1) as i64;
        }
        match (below, ahead) {
            (Some(below), _) if !row.is_seen(below) => {
                row.see(below);
                -1
            }
            // It was refused, and is tried again; or is the first one of a restart.
            (Some(below), _) => {
                self.stray = if below > 0 && id <= 1 { Some(id) } else { self.stray };
                0
            }
            (None, Some(ahead)) if ahead <= WINDOW => {
                row.go_on(id, ahead);
                // A stray one was a frame of the row, whose id could not be read.
                let unread = self.stray.take().is_some() && ahead > 1;
                if unread {
                    row.see(1);
                }
                ahead as i64 - 1 - i64::from(unread)
            }
            _ => {
                self.stray = Some(id);
                0
            }
        }
    }
}

/// Ids that follow each other.
struct Row {
    highest: u64,
    /// Of it and those below, a bit each by their place in the row: those that are not missed.
    seen: [u64; (WINDOW / 64) as usize],
    /// The highest one's place.
    place: u64,
    /// The end that the counter has last wrapped at, and that id's place.
    wrap: Option<(u64, u64)>,
}

impl Row {
    /// Before it nothing is missed.
    fn beginning_with(id: u64) -> Row {
        Row { highest: id, seen: [u64::MAX; _], place: WINDOW, wrap: None }
    }

    /// How many places an id lies below the highest, where that is near.
    fn below(&self, id: u64) -> Option<u64> {
        let before_wrap = || self.wrap.and_then(|(end, place)| (self.place - place).checked_add(end.checked_sub(id)?));
        self.highest.checked_sub(id).or_else(before_wrap).filter(|below| *below < WINDOW)
    }

    /// How many places an id lies above the highest, over a wrap too.
    fn ahead(&self, id: u64) -> Option<u64> {
        if id > self.highest {
            return Some(id - self.highest).filter(|ahead| *ahead <= LARGEST_GAP);
        }
        let most = if id > 1 { LARGEST_GAP_OF_WRAP } else { NEAR };
        let end = self.end_before(id).filter(|end| end - self.highest + id < most)?;
        Some(end - self.highest + id.max(1))
    }

    /// Where the counter ends, if that is what brought it back to an id.
    fn end_before(&self, id: u64) -> Option<u64> {
        ENDS.into_iter().find(|end| self.highest <= *end && id < self.highest)
    }

    fn go_on(&mut self, id: u64, ahead: u64) {
        if let Some(end) = self.end_before(id) {
            self.wrap = Some((end, self.place + (end - self.highest)));
        }
        for skipped in self.place + 1..self.place + ahead.min(WINDOW) {
            self.seen[Self::word(skipped)] &= !Self::bit(skipped);
        }
        self.place += ahead;
        self.highest = id;
        self.see(0);
    }

    fn is_seen(&self, below: u64) -> bool {
        let place = self.place - below;
        self.seen[Self::word(place)] & Self::bit(place) != 0
    }

    fn see(&mut self, below: u64) {
        let place = self.place - below;
        self.seen[Self::word(place)] |= Self::bit(place);
    }

    fn word(place: u64) -> usize {
        (place % WINDOW / 64) as usize
    }

    fn bit(place: u64) -> u64 {
        1 << (place % 64)
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
    fn long_losses_are_counted_when_the_row_goes_on() {
        assert_eq!(missed(&[5, 4_101]), 4_095);
        assert_eq!(missed(&[5, 10_000]), 0, "an id that nothing follows may be garbage");
        assert_eq!(missed(&[5, 10_000, 10_001]), 9_994);
        assert_eq!(missed(&[5, 10_000, 10_003]), 9_994 + 2);
        assert_eq!(missed(&(0..10).map(|frame| 10_000 * frame).collect::<Vec<_>>()), 8 * 9_999, "all but the last are followed");
        assert_eq!(missed(&[60_000, 40, 1_000, 1_001]), 959, "behind a restart");
        assert_eq!(missed(&[5, 605_006, 605_007]), 0, "so many are a counter that was set");
    }

    #[test]
    fn an_id_that_is_none_is_a_frame_whose_id_is_not_known() {
        assert_eq!(missed(&[40_000, 40_001, 0, 40_003]), 0);
        assert_eq!(missed(&[40_000, 40_001, 0, 40_002]), 0);
        assert_eq!(missed(&[40_000, 40_001, u64::MAX - 1, 40_005]), 2, "one of three");
        assert_eq!(missed(&[40_000, 40_001, 0, 40_003, 40_004, 40_006]), 1);
        assert_eq!(missed(&[40_000, 40_001, 0, 40_004, 40_002]), 0);
    }

    #[test]
    fn what_is_lost_after_a_restart_is_counted_however_short_the_row_before_it_was() {
        assert_eq!(missed(&[10, 11, 12, 13, 0, 1, 3, 4]), 1);
        assert_eq!(missed(&[10, 11, 12, 13, 1, 2, 3, 6]), 2);
        assert_eq!(missed(&[65_535, 6, 7, 8, 0, 1, 2]), 5, "what the wrap lost does not come late");
    }

    #[test]
    fn two_cameras_on_one_stream_do_not_lose_each_others_frames() {
        let both = (0..1_000).flat_map(|frame| [frame, 50_000 + frame]);
        assert_eq!(missed(&both.collect::<Vec<_>>()), 0);
    }

    #[test]
    fn frames_that_are_refused_and_tried_again_are_counted_once() {
        assert_eq!(missed(&[5, 6, 5, 7]), 0);
        assert_eq!(missed(&[1, 3, 5, 2, 4, 6]), 0);
        assert_eq!(missed(&[1, 2, 3, 4, 1, 2, 3, 4, 5, 7, 5]), 1);
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
