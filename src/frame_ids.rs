//! Frame ids reveal the frames that the camera lost. A wrap, a restart and a camera without ids are no losses.

use crate::codes::NO_FRAME_ID;

/// How far frames of several threads may come out of order: so many ids below the highest are remembered.
const WINDOW: u64 = 4096;
/// An id that is further ahead begins another row, if others follow: garbage and what threads are late with must tell nothing.
const NEAR: u64 = 64;
/// So many ids near each other are a row, unless the one before goes on more often meanwhile than threads may be late.
const ROW: u64 = 3;
const LATE: u64 = 16;
/// A gap of more is a counter that was set anew, not a loss that anybody would sit through: ten minutes at 1000 fps.
const LARGEST_GAP: u64 = 600_000;
/// A counter that goes on from its end has wrapped, where no more ids are missing than so many. A counter that begins anew at 0 or
/// 1 was rather restarted, unless it was `NEAR` its end.
const LARGEST_GAP_OF_WRAP: u64 = 4096;
/// Counters of 16 and of 32 bits. After them comes 1 (GigE Vision, where 0 is no id) or 0.
const ENDS: [u64; 2] = [0xFFFF, 0xFFFF_FFFF];

/// Watches the ids of one camera.
#[derive(Default)]
pub struct FrameIds {
    /// From the first id on.
    row: Option<Row>,
    /// Ids that do not go on in the row: of garbage, or of the row to come.
    strays: Option<Strays>,
    /// The row before a restart, of which some may come late.
    former: Option<Row>,
}

impl FrameIds {
    /// Takes note of a frame's id. Says how many more frames are missed than before it: less than none when one comes late.
    pub fn note(&mut self, id: u64) -> i64 {
        if id == NO_FRAME_ID {
            return 0;
        }
        let Some(row) = &mut self.row else {
            self.row = Some(Row::beginning_with(id, u64::MAX));
            return 0;
        };
        let (below, ahead) = (row.below(id), row.ahead(id).filter(|ahead| *ahead <= NEAR));
        if below.is_some_and(|below| row.is_before_its_beginning(below)) {
            return 0;
        }
        let is_missed = below.is_some_and(|below| !row.seen.has(row.place - below));
        if let Some(strays) = self.strays.as_mut().filter(|strays| strays.are_nearer(id, below.or(ahead), is_missed)) {
            strays.note(id);
            return if strays.distinct < ROW { 0 } else { self.change_rows() };
        }
        match (below, ahead) {
            (Some(below), _) if is_missed => {
                row.seen.put(row.place - below);
                -1
            }
            (Some(below), _) if below == 0 || row.refused.take(row.place - below) => 0,
            (None, Some(ahead)) => {
                row.go_on(id, ahead);
                let unread = self.strays.as_mut().map_or(0, |strays| strays.beside_a_row_that_goes_on(ahead - 1));
                if self.strays.as_ref().is_some_and(|strays| strays.rivals > LATE) {
                    self.strays = None;
                }
                for below in 1..=unread {
                    row.seen.put(row.place - below);
                }
                (ahead - 1 - unread) as i64
            }
            (None, _) if self.former.as_mut().is_some_and(|former| former.lacked(id)) => -1,
            _ => {
                let before = self.strays.take().map_or(0, |strays| strays.zeros);
                self.strays = Some(Strays::beginning_with(id, before));
                0
            }
        }
    }

    /// A frame was refused behind its note: the same id again is that frame, tried again, and no restart.
    pub fn refused(&mut self, id: u64) {
        if let Some(row) = &mut self.row
            && let Some(below) = row.below(id)
        {
            row.refused.put(row.place - below);
        }
    }

    /// The strays are the row, after a loss, a wrap or a restart. Says how many more frames are missed.
    fn change_rows(&mut self) -> i64 {
        let (Some(mut row), Some(mut strays)) = (self.row.take(), self.strays.take()) else { return 0 };
        let span = strays.row.place - strays.lowest.1;
        let between = span + 1 - strays.distinct;
        let Some(ahead) = row.ahead(strays.lowest.0) else {
            // A restart. Before it nothing is missed.
            for below in span + 1..WINDOW {
                strays.row.seen.put(strays.row.place - below);
            }
            strays.row.begin = strays.lowest.1;
            (self.former, self.row) = (Some(row), Some(strays.row));
            return between as i64;
        };
        row.go_on(strays.lowest.0, ahead);
        row.go_on(strays.row.highest, span);
        for below in (0..=span).filter(|below| strays.row.seen.has(strays.row.place - below)) {
            row.seen.put(row.place - below);
        }
        self.row = Some(row);
        (ahead - 1 + between) as i64
    }
}

/// Ids near each other that are not the row's.
struct Strays {
    row: Row,
    /// The lowest one, and its place.
    lowest: (u64, u64),
    /// How many there are without those that came twice.
    distinct: u64,
    /// How many frames had the id 0 since the row last went on.
    zeros: u64,
    /// How often the row went on meanwhile.
    rivals: u64,
}

impl Strays {
    fn beginning_with(id: u64, before: u64) -> Strays {
        let row = Row::beginning_with(id, 0);
        Strays { lowest: (id, row.place), row, distinct: 1, zeros: before + u64::from(id == 0), rivals: 0 }
    }

    /// Nearer than the row is. One that is missed there may be late; then it has to be the very next one here.
    fn are_nearer(&self, id: u64, to_row: Option<u64>, is_missed: bool) -> bool {
        if is_missed && self.row.ahead(id) != Some(1) {
            return false;
        }
        let distance = self.row.below(id).or(self.row.ahead(id)).filter(|distance| *distance <= NEAR);
        distance.is_some_and(|distance| to_row.is_none_or(|to_row| distance < to_row))
    }

    fn note(&mut self, id: u64) {
        self.zeros += u64::from(id == 0);
        let place = match (self.row.below(id), self.row.ahead(id)) {
            (Some(below), _) => self.row.place - below,
            (None, ahead) => {
                self.row.go_on(id, ahead.unwrap_or(1));
                self.distinct += 1;
                return;
            }
        };
        self.distinct += u64::from(self.row.seen.put(place));
        if place < self.lowest.1 {
            self.lowest = (id, place);
        }
    }

    /// How many of the frames that are missing there had the id 0 here: SDKs give it where the id could not be read.
    fn beside_a_row_that_goes_on(&mut self, missing: u64) -> u64 {
        self.rivals += 1;
        std::mem::take(&mut self.zeros).min(missing)
    }
}

/// Places, a bit each: the last `WINDOW` ones.
struct Places([u64; (WINDOW / 64) as usize]);

impl Places {
    fn has(&self, place: u64) -> bool {
        self.0[Self::word(place)] & Self::bit(place) != 0
    }

    /// Whether it was not there.
    fn put(&mut self, place: u64) -> bool {
        let is_new = !self.has(place);
        self.0[Self::word(place)] |= Self::bit(place);
        is_new
    }

    /// Whether it was there.
    fn take(&mut self, place: u64) -> bool {
        let was_there = self.has(place);
        self.0[Self::word(place)] &= !Self::bit(place);
        was_there
    }

    fn word(place: u64) -> usize {
        (place % WINDOW / 64) as usize
    }

    fn bit(place: u64) -> u64 {
        1 << (place % 64)
    }
}

/// Ids that follow each other.
struct Row {
    highest: u64,
    /// The highest one's place, and that of the lowest that came first.
    place: u64,
    begin: u64,
    /// Of it and those below: which are not missed.
    seen: Places,
    /// Which were refused, and may be tried again.
    refused: Places,
    /// The end that the counter has last wrapped at, and that id's place.
    wrap: Option<(u64, u64)>,
}

impl Row {
    fn beginning_with(id: u64, seen_before: u64) -> Row {
        let mut row = Row {
            highest: id,
            place: 2 * WINDOW,
            begin: 2 * WINDOW,
            seen: Places([seen_before; _]),
            refused: Places([0; _]),
            wrap: None,
        };
        row.seen.put(row.place);
        row
    }

    /// How many places an id lies below the highest, where that is remembered.
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
        let place = self.place + ahead;
        for place in (self.place + 1).max(place - (WINDOW - 1))..=place {
            self.seen.take(place);
            self.refused.take(place);
        }
        (self.place, self.highest) = (place, id);
        self.seen.put(place);
    }

    /// Threads may overtake each other at the beginning, too.
    fn is_before_its_beginning(&self, below: u64) -> bool {
        self.place - below < self.begin && self.place - self.begin < NEAR
    }

    /// Whether an id was missed till now.
    fn lacked(&mut self, id: u64) -> bool {
        self.below(id).is_some_and(|below| self.seen.put(self.place - below))
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
        assert_eq!(missed(&[65_400, 1_000, 1_001, 1_002]), 135 + 999, "seconds of it");
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
        assert_eq!(missed(&[65_533, 2_000, 65_535, 2_001, 2_002, 2_003]), 1 + 1_999);
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
        assert_eq!(missed(&[5, 69]), 63, "near enough to be none else");
        assert_eq!(missed(&[5, 10_000]), 0, "an id that none goes on from may be garbage");
        assert_eq!(missed(&[5, 10_000, 10_001, 10_002]), 9_994);
        assert_eq!(missed(&[5, 10_000, 10_003, 10_004]), 9_994 + 2);
        assert_eq!(missed(&[5, 10_001, 10_000, 10_002]), 9_994);
        assert_eq!(missed(&[5, 205, 204, 206, 9, 8]), 198 - 2, "two of them come late");
        assert_eq!(missed(&[5, 605_006, 605_007, 605_008]), 0, "so many are a counter that was set");
        assert_eq!(missed(&(0..100).map(|frame| 8_333 * frame).collect::<Vec<_>>()), 0, "these are times, and no counts");
    }

    #[test]
    fn an_id_that_is_none_is_a_frame_whose_id_is_not_known() {
        assert_eq!(missed(&[40_000, 40_001, 0, 40_003]), 0);
        assert_eq!(missed(&[40_000, 40_001, 0, 40_002]), 0);
        assert_eq!(missed(&[40_000, 40_001, 0, 40_005]), 2, "one of three");
        assert_eq!(missed(&[40_000, 40_001, u64::MAX - 1, 40_005]), 3, "whose frame that was nobody knows");
        assert_eq!(missed(&[40_000, 40_001, 0, 40_003, 40_004, 40_006]), 1);
        assert_eq!(missed(&[40_000, 40_001, 0, 40_004, 40_002]), 0);
        assert_eq!(missed(&[40_000, 40_001, 0, 0, 40_004, 40_005]), 0);
        assert_eq!(missed(&[102, 400, 103, 104]), 0);
    }

    #[test]
    fn what_is_lost_after_a_restart_is_counted_however_short_the_row_before_it_was() {
        let row = |again: &[u64]| missed(&(10..100).chain(again.iter().copied()).collect::<Vec<_>>());
        assert_eq!(row(&[0, 1, 3, 4]), 1);
        assert_eq!(row(&[1, 2, 3, 6]), 2);
        assert_eq!(row(&[20, 21, 22, 25]), 2);
        assert_eq!(missed(&[65_535, 6, 7, 8, 0, 1, 2]), 5, "what the wrap lost does not come late");
        assert_eq!(missed(&[5_000, 2, 1, 3]), 0);
        let shots = (0..10).flat_map(|_| (2..100).filter(|id| *id != 50));
        assert_eq!(missed(&shots.collect::<Vec<_>>()), 10, "the first one's loss nobody can know");
    }

    #[test]
    fn frames_that_are_refused_and_tried_again_are_counted_once_however_late_and_are_no_restart() {
        let tried = |first: std::ops::Range<u64>, again: &[u64], then: &[u64]| -> i64 {
            let mut watch = FrameIds::default();
            let mut refuse = |id| {
                let missed = watch.note(id);
                watch.refused(id);
                missed
            };
            let missed = first.map(&mut refuse).sum::<i64>() + again.iter().copied().map(&mut refuse).sum::<i64>();
            missed + then.iter().map(|id| watch.note(*id)).sum::<i64>()
        };
        assert_eq!(tried(0..51, &[0, 1, 2, 3], &[0, 1, 2, 3, 4, 51, 52]), 0);
        assert_eq!(tried(1..9, &[], &[1, 2, 3, 9, 10]), 0);
        assert_eq!(tried(65_534..65_536, &[1, 2, 3, 4, 5], &[1, 2, 3, 6]), 0, "behind a wrap");
        assert_eq!(tried(1..2, &[10, 5, 5, 5], &[5, 6]), 8 - 2);
        assert_eq!(missed(&[1, 3, 5, 2, 4, 6]), 0);
    }

    #[test]
    fn a_frame_that_comes_late_was_not_missed() {
        assert_eq!(missed(&[1, 3, 2, 4]), 0);
        assert_eq!(missed(&[1, 3, 2, 2, 2]), 0);
        assert_eq!(missed(&[1, 10, 5, 6]), 6);
    }

    #[test]
    fn several_frames_that_come_late_one_of_each_thread_were_not_missed() {
        assert_eq!(missed(&[1, 3, 5, 2, 4, 6]), 0);
        assert_eq!(missed(&[1, 3, 5, 2, 4, 2, 4, 6]), 0, "two of them were refused, and tried again");
        assert_eq!(missed(&[7, 5, 6, 8, 9]), 0, "the first ones, too");
        assert_eq!(missed(&[65_530, 65_532, 65_534, 1, 65_531, 3, 65_533, 2, 65_535, 4]), 0);
        assert_eq!(missed(&[98, 100, 0, 99, 1, 2]), 0, "one of before a restart");
        assert_eq!(missed(&[98, 100, 0, 1, 99, 2, 3]), 0, "and by one more");
        assert_eq!(missed(&[1, 6, 2_000_000, 2_000_001, 2_000_002, 3]), 3, "of before the counter was set");
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
    fn over_restarts_and_long_losses_too_threads_may_push_in_any_order() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let threads = random.usize(1..7);
            let (begins_at, length) = (random.u64(0..2), [300, 6_000][random.usize(0..2)]);
            let restarts: Vec<u64> = (0..5).flat_map(|_| begins_at..begins_at + length).collect();
            assert_eq!(missed(&by_threads(threads, &restarts, &mut random)), 0, "seed {seed}, {threads} threads");
            let losses: Vec<u64> = (0..5).flat_map(|at| 3_500 * at..3_500 * at + 500).collect();
            assert_eq!(missed(&by_threads(threads, &losses, &mut random)), 4 * 3_000, "seed {seed}, {threads} threads, losses");
        }
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
