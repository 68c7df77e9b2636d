//! Watching the spot: how bright up to 8 regions are in every frame, for a host that polls.
//!
//! The encoder measures a frame as it takes it in hand, before anything is asked of the disk, and a ring keeps the readings until
//! somebody has use for them. The lock between the two is held for microseconds, and no push takes it: to a push, regions cost
//! nothing. Readers keep their own place, so there may be several.

use super::intake::Filled;
use crate::codes::Code;
use crate::error::{Error, Result};
use crate::shard::MOST_SIDE;
use parking_lot::Mutex;
use rheed_pixels::Region;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Regions of a stream.
const REGIONS: usize = 8;
/// Frames whose readings are kept: over two minutes of 120 a second, in 1.6 MB.
const KEPT: usize = 16_384;
/// Readings that are copied under the lock at a time, so that the encoder does not wait for one who reads all.
const PIECE: usize = 256;

/// What one frame gave.
#[derive(Clone, Copy)]
struct Entry {
    time_ns: i64,
    frame_id: u64,
    /// Those that the frame was pushed with.
    flags: u32,
    /// -1 where the region does not lie in the frame.
    sums: [i64; REGIONS],
    maxima: [u8; REGIONS],
}

impl Entry {
    const NONE: Entry = Entry { time_ns: 0, frame_id: 0, flags: 0, sums: [-1; REGIONS], maxima: [0; REGIONS] };
}

/// One region in one frame, as it is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// When the frame was captured, Unix nanoseconds.
    pub time_ns: i64,
    /// The camera's count.
    pub frame_id: u64,
    /// Those that the frame was pushed with.
    pub flags: u32,
    /// Of the pixels; not a number where the region does not lie in the frame.
    pub mean: f64,
    /// The brightest; -1 there.
    pub maximum: i32,
    /// Of all; -1 there.
    pub sum: i64,
}

impl Reading {
    const NONE: Reading = Reading { time_ns: 0, frame_id: 0, flags: 0, mean: f64::NAN, maximum: -1, sum: -1 };
}

/// What a call took of the readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Where the next call goes on: the number of the last frame that was read or missed.
    pub position: u64,
    /// Readings.
    pub count: usize,
    /// Readings that were overwritten before.
    pub missed: u64,
}

/// The regions of a stream and what was read of them.
#[derive(Default)]
pub struct Regions {
    /// Grows with every region that is set or removed.
    changes: AtomicU64,
    /// Whether there is any.
    watched: AtomicBool,
    /// Of the last frame that was taken: width in the high half, height in the low one; 0 before the first.
    frame_size: AtomicU64,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    places: [Place; REGIONS],
    /// Empty until a region is set. The frame of number n lies at (n - 1) % KEPT.
    ring: Vec<Entry>,
    /// Frames so far, numbered from 1.
    measured: u64,
}

/// Where a region may be.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    region: Option<Region>,
    /// Frames up to this number were not measured with it.
    before: u64,
}

impl Board {
    /// The number of the last frame that is no longer kept.
    fn gone(&self) -> u64 {
        self.measured.saturating_sub(KEPT as u64)
    }

    fn reading(&self, number: u64, of: usize, region: Region) -> Reading {
        let Entry { time_ns, frame_id, flags, sums, maxima } = self.ring[((number - 1) % KEPT as u64) as usize];
        let (mean, maximum) = match sums[of] {
            -1 => (f64::NAN, -1),
            sum => (sum as f64 / region.pixels() as f64, maxima[of].into()),
        };
        Reading { time_ns, frame_id, flags, mean, maximum, sum: sums[of] }
    }
}

impl Regions {
    /// A region for the frames that come from now on, or none any more. What was read of a former one there is gone, unless it is
    /// the same.
    pub fn set(&self, number: i32, region: Option<Region>) -> Result<()> {
        let at = index(number)?;
        if let Some(region) = region {
            self.check(region)?;
        }
        let is_first = region.is_some() && self.board.lock().ring.is_empty();
        let ring = if is_first { new_ring()? } else { Vec::new() };
        let mut board = self.board.lock();
        if board.ring.is_empty() {
            board.ring = ring;
        }
        if board.places[at].region != region {
            board.places[at] = Place { region, before: board.measured };
            self.watched.store(board.places.iter().any(|place| place.region.is_some()), Ordering::Relaxed);
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether there is any region, for which also frames are measured that are not kept.
    pub fn are_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    fn check(&self, region: Region) -> Result<()> {
        let (columns, rows, those) = match self.frame_size.load(Ordering::Relaxed) {
            0 => (MOST_SIDE, MOST_SIDE, "the largest frames"),
            size => ((size >> 32) as u32, size as u32, "the stream's frames"),
        };
        if region.fits(columns, rows) {
            return Ok(());
        }
        let (width, height, x, y) = (region.width(), region.height(), region.x(), region.y());
        let text =
            format!("a region of {width} x {height} pixels at {x}, {y} does not lie in {those}, {columns} x {rows} pixels");
        Err(Error::new(Code::EArgument, text))
    }

    /// A frame of that size was taken.
    pub fn note_frame_size(&self, width: u32, height: u32) {
        let size = u64::from(width) << 32 | u64::from(height);
        // Not written as a rule: others have the line in their caches.
        if self.frame_size.load(Ordering::Relaxed) != size {
            self.frame_size.store(size, Ordering::Relaxed);
        }
    }

    /// As whoever reads, in the middle of it.
    #[cfg(test)]
    pub fn hold(&self) -> impl Sized {
        self.board.lock()
    }

    /// Gives the readings of a region newer than that of the frame of number `position`, oldest first, at most `most`.
    pub fn read(&self, number: i32, position: u64, most: usize, mut give: impl FnMut(usize, &Reading)) -> Result<Taken> {
        let at = index(number)?;
        let mut piece = [Reading::NONE; PIECE];
        let mut place = None;
        let mut taken = Taken { position, count: 0, missed: 0 };
        loop {
            let board = self.board.lock();
            let now = board.places[at];
            let Some(region) = now.region else {
                return match place {
                    None => {
                        Err(Error::plain(Code::EArgument, "region {} is not set: rheed_region_set sets it", [at as u64, 0, 0, 0]))
                    }
                    Some(_) => Ok(taken), // Just now.
                };
            };
            if position > board.measured {
                let text = "position is {}, but {} frames were measured so far: give what the last call left there, 0 at first";
                return Err(Error::plain(Code::EArgument, text, [position, board.measured, 0, 0]));
            }
            let oldest = now.before.max(board.gone());
            if place.is_none() {
                taken.missed = oldest.saturating_sub(position.max(now.before));
                taken.position = position.max(oldest);
            } else if place != Some(now) || taken.position < oldest {
                return Ok(taken); // Moved or overtaken meanwhile: the next call says so.
            }
            place = Some(now);
            let last = board.measured.min(taken.position + PIECE.min(most - taken.count) as u64);
            let numbers = taken.position + 1..=last;
            let piece = &mut piece[..numbers.clone().count()];
            piece.iter_mut().zip(numbers).for_each(|(place, number)| *place = board.reading(number, at, region));
            drop(board);
            if piece.is_empty() {
                return Ok(taken);
            }
            // Outside: the caller's memory may have to come from a disk first.
            for reading in piece {
                give(taken.count, reading);
                taken.count += 1;
            }
            taken.position = last;
        }
    }
}

/// The region that is asked for; none where there is to be none.
pub fn place(x: u32, y: u32, width: u32, height: u32) -> Result<Option<Region>> {
    if (width, height) == (0, 0) {
        return Ok(None);
    }
    let text = "a region of {} x {} pixels: give at least one row and column, or 0 x 0 for no region";
    let none = || Error::plain(Code::EArgument, text, [width.into(), height.into(), 0, 0]);
    Region::new(x, y, width, height).ok_or_else(none).map(Some)
}

fn index(number: i32) -> Result<usize> {
    let index = usize::try_from(number).ok().filter(|index| *index < REGIONS);
    index.ok_or_else(|| Error::new(Code::EArgument, format!("region is {number}: give 0 to {}", REGIONS - 1)))
}

/// Written all over, so that the encoder has it at once.
fn new_ring() -> Result<Vec<Entry>> {
    let mut ring = Vec::new();
    let text = "no memory can be had for the readings of {} frames";
    ring.try_reserve_exact(KEPT).map_err(|_| Error::plain(Code::EInternal, text, [KEPT as u64, 0, 0, 0]))?;
    ring.resize(KEPT, Entry::NONE);
    Ok(ring)
}

/// The encoder's eye on the regions.
#[derive(Default)]
pub struct Watcher {
    /// As far as it knows.
    changes: u64,
    regions: [Option<Region>; REGIONS],
}

impl Watcher {
    /// Measures a frame. Without regions, and without news of them, it looks at one number.
    pub fn measure(&mut self, regions: &Regions, frame: &Filled) {
        // Who set one before the frame was pushed has it seen here: the queue is between.
        let changes = regions.changes.load(Ordering::Relaxed);
        if changes != self.changes {
            self.changes = changes;
            self.regions = regions.board.lock().places.map(|place| place.region);
        }
        if self.regions != [None; REGIONS] {
            self.note(regions, self.look(frame));
        }
    }

    fn look(&self, frame: &Filled) -> Entry {
        let facts = &frame.facts;
        let mut entry = Entry { time_ns: facts.stamp_ns, frame_id: facts.id, flags: facts.flags, ..Entry::NONE };
        for (at, region) in self.regions.iter().enumerate() {
            if let Some(region) = region.filter(|region| region.fits(facts.width, facts.height)) {
                let brightness = region.brightness(frame.pixels(), facts.width as usize);
                (entry.sums[at], entry.maxima[at]) = (brightness.sum as i64, brightness.maximum);
            }
        }
        entry
    }

    fn note(&self, regions: &Regions, entry: Entry) {
        let mut board = regions.board.lock();
        let at = (board.measured % KEPT as u64) as usize;
        board.ring[at] = entry;
        board.measured += 1;
        let measured = board.measured;
        // One that was set while this looked begins with the next frame.
        for (place, region) in board.places.iter_mut().zip(self.regions) {
            if place.region != region {
                place.before = measured;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clocks;
    use crate::ledger::Amiss;
    use crate::stream::intake::FrameFacts;
    use crate::stream::slots::Pool;
    use std::sync::Arc;

    const SPOT: Region = Region::new(1, 1, 2, 2).unwrap();
    const BESIDE: Region = Region::new(0, 0, 2, 2).unwrap();

    /// Frames of 4 x 4 pixels, whose numbers count from 1, and the encoder that measures them.
    struct Bench {
        regions: Regions,
        watcher: Watcher,
        pool: Arc<Pool>,
        frames: u64,
    }

    impl Bench {
        fn new() -> Bench {
            let (regions, watcher) = (Regions::default(), Watcher::default());
            Bench { regions, watcher, pool: Arc::new(Pool::new(16, 16).unwrap()), frames: 0 }
        }

        fn measure(&mut self, frames: u64) {
            for _ in 0..frames {
                self.frames += 1;
                let mut slot = self.pool.take().unwrap();
                slot.bytes_mut().fill(self.frames as u8);
                let (id, entered) = (self.frames, Clocks::now());
                let (stamp_ns, stamped, flags, promised, left_out) = (7, true, 0, 0, false);
                let amiss = Amiss::default();
                let facts = FrameFacts { width: 4, height: 4, id, entered, stamp_ns, stamped, flags, amiss, promised, left_out };
                self.watcher.measure(&self.regions, &Filled { slot, facts });
            }
        }
    }

    /// Reads all behind `position`; behind the first piece something is done. What was taken, and the ids that were given.
    fn read(regions: &Regions, position: u64, mut meanwhile: impl FnMut()) -> (Taken, Vec<u64>) {
        let mut ids = Vec::new();
        let taken = regions.read(0, position, usize::MAX, |at, reading| {
            assert_eq!(at, ids.len());
            ids.push(reading.frame_id);
            if at + 1 == PIECE {
                meanwhile();
            }
        });
        (taken.unwrap(), ids)
    }

    #[test]
    fn a_region_that_is_moved_or_removed_while_it_is_read_gives_what_was_read_of_its_place_and_no_more() {
        for to in [Some(BESIDE), None] {
            let mut bench = Bench::new();
            bench.regions.set(0, Some(SPOT)).unwrap();
            bench.measure(3 * PIECE as u64);
            let (taken, ids) = read(&bench.regions, 0, || bench.regions.set(0, to).unwrap());
            assert_eq!(taken, Taken { position: PIECE as u64, count: PIECE, missed: 0 });
            assert_eq!(ids, (1..=PIECE as u64).collect::<Vec<_>>());
            bench.regions.set(0, Some(BESIDE)).unwrap();
            bench.measure(2);
            let (taken, ids) = read(&bench.regions, taken.position, || ());
            assert_eq!(
                taken,
                Taken { position: bench.frames, count: 2, missed: 0 },
                "what was read of the former place is not missed"
            );
            assert_eq!(ids, [bench.frames - 1, bench.frames]);
        }
    }

    #[test]
    fn a_reader_that_is_overtaken_while_it_reads_is_told_by_its_next_call_how_many_readings_it_missed() {
        const KEPT: u64 = super::KEPT as u64;
        let mut bench = Bench::new();
        bench.regions.set(0, Some(SPOT)).unwrap();
        bench.measure(3 * PIECE as u64);
        let Bench { regions, watcher, frames, .. } = &bench;
        let overtake =
            || (frames + 1..=frames + KEPT).for_each(|id| watcher.note(regions, Entry { frame_id: id, ..Entry::NONE }));
        let (taken, _) = read(regions, 0, overtake);
        assert_eq!(taken, Taken { position: PIECE as u64, count: PIECE, missed: 0 });
        let (taken, ids) = read(regions, taken.position, || ());
        assert_eq!(taken, Taken { position: 3 * PIECE as u64 + KEPT, count: super::KEPT, missed: 2 * PIECE as u64 });
        assert_eq!(ids.first(), Some(&(3 * PIECE as u64 + 1)));
    }
}
