//! Where a frame comes in, in the stream's one `way`: it is checked, finds `room`, is copied into a slot and left to the encoder (`gate`,
//! `queue`). Or a slot is lent, the camera writes into it, and its frame comes in without a copy.
//!
//! This runs on the camera's thread. It takes no lock that the disk or the network may hold, and allocates only when a frame is
//! larger than any before, or when there is something to tell: the first refusal of a burst, the first gap of a chunk, a camera that is
//! back, a camera's clock that is mapped anew (at most every 10 s) or runs at another rate, the first time stamp that is none.

mod room;

use super::Works;
use super::decimation::Decimation;
use super::gate::{Gate, Passing};
use super::loans::Loans;
use super::pixels::Geometry;
use super::queue::{Place, Queue};
use super::slots::{Pool, Slot};
use super::way::{OneWay, Run, Way};
use crate::camera_clock::Noted;
use crate::clock::Clocks;
use crate::codes::{self, Code, Stat};
use crate::error::{Error, Result};
use crate::frame_ids::FrameIds;
use crate::ledger::{Amiss, Phase};
use crate::shard::FrameCompressor;
use crate::spool::{ChunkFile, FrameRecord, Head, Promise};
use crate::stamps;
use crate::wait::Deadline;
use parking_lot::{Mutex, RwLock};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What is said of a frame that is pushed or committed.
pub struct Frame {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// From row to row; 0 = no padding.
    pub stride_bytes: u32,
    /// PFNC; 0 = Mono8.
    pub pixel_format: u32,
    /// The camera's count.
    pub frame_id: u64,
    /// Unix nanoseconds, or the camera's counter (option timestamp_clock); 0 = now.
    pub timestamp_ns: i64,
    /// `codes::FrameFlag`.
    pub flags: u32,
}

/// A frame in its slot, on its way to the encoder.
pub struct Filled {
    /// Its pixels, 8 bits each.
    pub slot: Slot,
    /// What is known of it.
    pub facts: FrameFacts,
}

/// What is known of a frame since it came in.
#[derive(Clone, Copy)]
pub struct FrameFacts {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The camera's count.
    pub id: u64,
    /// When it was pushed or committed.
    pub entered: Clocks,
    /// Unix nanoseconds.
    pub stamp_ns: i64,
    /// Whether the stamp came with the frame, or was made at entry.
    pub stamped: bool,
    /// `codes::FrameFlag`.
    pub flags: u32,
    /// All that had gone amiss before it, but for incomplete frames that are kept.
    pub amiss: Amiss,
    /// What the spool promised for it.
    pub promised: i64,
    /// It is none of those that are kept, and comes to be measured only.
    pub left_out: bool,
}

impl Frame {
    fn is_incomplete(&self) -> bool {
        codes::FrameFlag::Incomplete.is_in(self.flags)
    }
}

impl Filled {
    /// Its pixels.
    pub fn pixels(&self) -> &[u8] {
        &self.slot.bytes()[..self.facts.pixels()]
    }
}

impl FrameFacts {
    /// How many; bytes, too.
    pub fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// What a frame is taken for.
enum Use {
    /// It is kept, and the spool has room for it.
    Kept(Promise),
    /// It is left out, and measured only.
    Measured,
}

/// What a frame or chunk without usable memory is told.
pub const NO_MEMORY: &str = "the frame's address is NULL, or size_bytes is more than memory can hold";

/// The entrance of a stream.
pub struct Intake {
    works: Arc<Works>,
    pool: RwLock<Option<Arc<Pool>>>,
    loans: Arc<Loans>,
    queue: Queue,
    ids: Mutex<FrameIds>,
    decimation: Decimation,
    way: OneWay,
    seal_requested: AtomicBool,
    gate: Gate,
    /// Frames that the encoder has dealt with.
    processed: AtomicU64,
    /// A burst of refused frames was told; over when the encoder has caught up.
    burst_told: AtomicBool,
    stamps_told: AtomicBool,
}

impl Intake {
    /// Open, without slots until a frame's size is known.
    pub fn new(works: Arc<Works>) -> Result<Intake> {
        // Whether the memory can be had is better known now than at the first frame.
        drop(room::new_pool(usize::try_from(works.options.queue_bytes).unwrap_or(usize::MAX), &works.options)?);
        let pool = match works.options.frame_bytes {
            0 => None,
            bytes => Some(room::new_pool(bytes as usize, &works.options)?),
        };
        let loans = Arc::new(Loans::default());
        if let Some(pool) = &pool {
            pool.touch();
            loans.enlist(pool);
        }
        let every = works.options.decimate;
        Ok(Intake {
            works,
            pool: RwLock::new(pool),
            loans,
            queue: Queue::new(),
            ids: Mutex::default(),
            decimation: Decimation::new(every),
            way: OneWay::default(),
            seal_requested: AtomicBool::new(false),
            gate: Gate::default(),
            processed: AtomicU64::new(0),
            burst_told: AtomicBool::new(false),
            stamps_told: AtomicBool::new(false),
        })
    }

    /// Takes a frame from the caller's memory, or says why not; no memory: its pointer or size cannot be meant.
    pub fn push(&self, pixels: Option<&[u8]>, frame: &Frame) -> Result<()> {
        let (entered, way) = self.enter()?;
        // Noted for refused frames too: the camera did not lose them.
        self.note_id(frame.frame_id);
        self.take(pixels, frame, entered, way).inspect_err(|_| self.ids.lock().refused(frame.frame_id))
    }

    fn take(&self, pixels: Option<&[u8]>, frame: &Frame, entered: Clocks, way: Way) -> Result<()> {
        let checked = pixels.ok_or(Error::argument(NO_MEMORY)).and_then(|pixels| {
            let geometry = self.check(pixels.len(), frame)?;
            self.claim(way)?;
            Ok((pixels, geometry))
        });
        let (pixels, geometry) = checked.map_err(|error| self.rejected(error))?;
        let Some(pick) = self.decimation.pick() else {
            let Some((mut slot, place)) = self.slot_to_measure(geometry.frame_bytes()) else {
                return self.leave_out(frame, entered);
            };
            geometry.copy(pixels, slot.bytes_mut());
            return self.hand_over(frame, &geometry, entered, Use::Measured, place, || slot);
        };
        let promise = self.promise(&geometry)?;
        let mut slot = self.free_slot(geometry.frame_bytes(), Pool::take)?;
        let place = self.free_place()?;
        geometry.copy(pixels, slot.bytes_mut());
        self.hand_over(frame, &geometry, entered, Use::Kept(promise), place, || slot)?;
        pick.keep();
        Ok(())
    }

    /// Lends a slot of at least so many bytes.
    pub fn acquire(&self, size_bytes: u64, place: Option<impl FnOnce(NonNull<u8>)>) -> Result<()> {
        self.check_open()?;
        let most = self.works.options.queue_bytes;
        let checked = place.ok_or(Error::argument("pixels is NULL: give a place for the slot's address")).and_then(|place| {
            let size = usize::try_from(size_bytes).ok().filter(|size| (1..=most).contains(&(*size as u64)));
            let size = size.ok_or(Error::plain(
                Code::EArgument,
                "size_bytes is {}: give a frame's bytes, from 1 to queue_bytes = {}",
                [size_bytes, most, 0, 0],
            ))?;
            self.claim(self.way.of_frame_here())?;
            Ok((place, size))
        });
        let (place, size) = checked.map_err(|error| self.rejected(error))?;
        place(self.free_slot(size, |pool| self.loans.lend(pool, size, most))?);
        Ok(())
    }

    /// Takes the frame in a lent slot, or says why not: then the slot is lent as before.
    pub fn commit(&self, address: usize, frame: &Frame) -> Result<()> {
        let (entered, way) = self.enter()?;
        let checked = self.loans.take_back(address).and_then(|mut loan| {
            // As with a push, but once however often it is tried: in between other frames may have come, and it be none of a restart.
            if loan.note_id(frame.frame_id) {
                self.note_id(frame.frame_id);
            }
            let geometry = self.check(loan.asked(), frame)?;
            self.claim(way)?;
            Ok((loan, geometry))
        });
        let (mut loan, geometry) = checked.map_err(|error| self.rejected(error))?;
        let Some(pick) = self.decimation.pick() else {
            if let Some(place) = self.place_to_measure(0) {
                geometry.convert(loan.bytes_mut());
                return self.hand_over(frame, &geometry, entered, Use::Measured, place, || loan.keep());
            }
            self.leave_out(frame, entered)?;
            drop(loan.keep());
            self.works.ledger.notices.bell.ring(); // Somebody may wait for a slot.
            return Ok(());
        };
        let promise = self.promise(&geometry)?;
        let place = self.free_place()?;
        // Last, since it cannot be undone: what may fail from here on is a stream that takes no more frames.
        geometry.convert(loan.bytes_mut());
        self.hand_over(frame, &geometry, entered, Use::Kept(promise), place, || loan.keep())?;
        pick.keep();
        Ok(())
    }

    /// Takes a lent slot back, and nothing with it.
    pub fn discard(&self, address: usize) -> Result<()> {
        self.loans.discard(address)?;
        self.works.ledger.notices.bell.ring(); // Somebody may wait for one.
        Ok(())
    }

    /// The slots that are lent.
    pub fn loans(&self) -> &Arc<Loans> {
        &self.loans
    }

    /// A frame comes; tells when, and in which way. One that comes in another way than the stream's is none of its camera's.
    fn enter(&self) -> Result<(Clocks, Way)> {
        let entered = Clocks::now();
        self.check_open()?;
        let way = self.way.of_frame_here();
        self.way.may_be(way).map_err(|error| self.rejected(error))?;
        self.works.ledger.frame_comes(entered.steady_ns);
        Ok((entered, way))
    }

    /// A good frame that is none of those that are kept.
    pub(super) fn leave_out(&self, frame: &Frame, entered: Clocks) -> Result<()> {
        let _passing = self.pass_gate()?;
        if let Some(noted) = self.note_counter(frame.timestamp_ns, &entered) {
            self.works.captured_ns(noted, &entered); // It tells of the camera's clock all the same.
        }
        self.works.ledger.frame_left_out(frame.is_incomplete(), entered.steady_ns);
        Ok(())
    }

    fn pass_gate(&self) -> Result<Passing<'_>> {
        self.gate.pass().ok_or_else(|| self.why_closed())
    }

    fn rejected(&self, error: Error) -> Error {
        self.works.ledger.add(Stat::FramesRejected, 1);
        error
    }

    fn check(&self, size_bytes: usize, frame: &Frame) -> Result<Geometry> {
        let options = &self.works.options;
        if frame.flags & !(codes::FrameFlag::Incomplete as u32) != 0 {
            return Err(Error::plain(
                Code::EArgument,
                "flags is {}: give 0 or RHEED_FRAME_INCOMPLETE",
                [frame.flags.into(), 0, 0, 0],
            ));
        }
        let Frame { width, height, stride_bytes, pixel_format, .. } = *frame;
        let geometry = Geometry::check(size_bytes, width, height, stride_bytes, pixel_format, options)?;
        if geometry.frame_bytes() as u64 > options.queue_bytes {
            let numbers = [geometry.frame_bytes() as u64, options.queue_bytes, 0, 0];
            return Err(Error::plain(
                Code::EArgument,
                "a frame of {} bytes does not fit queue_bytes = {}: give more to queue_bytes",
                numbers,
            ));
        }
        Ok(geometry)
    }

    /// Room in the spool for what the frame may need at most: itself, its record and index entry, and a chunk of its own around it.
    fn promise(&self, geometry: &Geometry) -> Result<Promise> {
        let most = FrameCompressor::bound(geometry.frame_bytes()) + FrameRecord::SIZE + Head::SIZE;
        let bytes = most as i64 + ChunkFile::seal_bytes(1) as i64;
        self.works.promise(bytes, 1)?;
        Ok(Promise::of(self.works.folder.root(), bytes))
    }

    /// The stream is given its frames this way and no other.
    pub fn claim(&self, way: Way) -> Result<()> {
        if self.way.claim(way)? {
            match way {
                Way::Frames => {}
                Way::Chunks => self.works.ledger.frames_come_in_chunks(),
                Way::Run => self.works.ledger.frames_are_asked_for(),
            }
        }
        Ok(())
    }

    /// Whether the stream is given whole chunks.
    pub fn is_given_chunks(&self) -> bool {
        self.way.is(Way::Chunks)
    }

    /// `rheed_run` begins; its source's pushes are its own until the answer is dropped.
    pub fn begin_run(&self) -> Result<Running<'_>> {
        self.claim(Way::Run)?;
        Ok(Running { of: self, _run: self.way.begin_run()? })
    }

    /// Whether frames are taken, and if not, why.
    pub fn check_open(&self) -> Result<()> {
        if self.gate.is_open() { Ok(()) } else { Err(self.why_closed()) }
    }

    /// What a call gets on a stream that takes no more frames.
    pub fn why_closed(&self) -> Error {
        match self.works.ledger.phase() {
            Phase::Aborted => Error::plain(Code::EAborted, "the stream was aborted", [0; 4]),
            Phase::Fault => Error::plain(Code::EInternal, "the stream was closed by an internal fault", [0; 4]),
            _ => Error::plain(Code::EClosed, "the stream is finalized or freed and takes no more frames", [0; 4]),
        }
    }

    /// The first gap is told at once, those that follow together when the chunk is sealed: a camera that loses every other
    /// frame must not flood its owner.
    fn note_id(&self, id: u64) {
        if id == codes::NO_FRAME_ID {
            return;
        }
        let mut ids = self.ids.lock();
        let missed = ids.note(id);
        if missed != 0 {
            self.works.ledger.add(Stat::FramesMissed, missed); // Under the lock: one that comes late is never taken off first.
        }
        drop(ids);
        if missed > 0 && !self.works.missing.swap(true, Ordering::Relaxed) {
            self.works.tell_missed();
        }
    }

    /// Takes note of the camera's counter, where frames bear it.
    fn note_counter(&self, given_ns: i64, entered: &Clocks) -> Option<Noted> {
        let counter = (given_ns != 0).then_some(given_ns.cast_unsigned())?;
        self.works.ledger.by_camera_clock(counter, entered.steady_ns)
    }

    fn stamp(&self, given_ns: i64, entered: &Clocks) -> (i64, bool) {
        let entered_ns = entered.wall_ns;
        if given_ns == 0 {
            return (entered_ns, false);
        }
        if let Some(noted) = self.note_counter(given_ns, entered) {
            let captured = self.works.captured_ns(noted, entered);
            self.works.odd_stamps.fetch_add(captured.is_none().into(), Ordering::Relaxed);
            return (captured.unwrap_or(entered_ns), captured.is_some());
        }
        if stamps::is_unix_time(given_ns, entered_ns) {
            return (given_ns, true);
        }
        self.works.odd_stamps.fetch_add(1, Ordering::Relaxed);
        if !self.stamps_told.swap(true, Ordering::Relaxed) {
            let text = "timestamp_ns is no Unix time in nanoseconds: such frames are stamped when they are pushed";
            self.works.ledger.notices.tell(codes::Event::StampsOdd, 1, text);
        }
        (entered_ns, false)
    }

    /// Puts a frame into the queue, unless the gate was closed meanwhile; only then it asks for the slot that it is in.
    fn hand_over(
        &self,
        frame: &Frame,
        geometry: &Geometry,
        entered: Clocks,
        what_for: Use,
        place: Place,
        slot: impl FnOnce() -> Slot,
    ) -> Result<()> {
        let ledger = &self.works.ledger;
        let (stamp_ns, stamped) = self.stamp(frame.timestamp_ns, &entered);
        let passing = self.pass_gate()?;
        let (width, height) = (geometry.width(), geometry.height());
        let Frame { frame_id: id, flags, .. } = *frame;
        let slot = slot();
        let (left_out, promised) = match what_for {
            Use::Kept(promise) => (false, promise.hand_on()),
            Use::Measured => (true, 0),
        };
        let amiss = ledger.amiss_before_frame();
        let facts = FrameFacts { width, height, id, entered, stamp_ns, stamped, flags, amiss, promised, left_out };
        self.works.regions.note_frame_size(width, height);
        // Counted before the encoder can see it, so that nothing is confirmed that was not accepted.
        if left_out {
            ledger.frame_left_out(frame.is_incomplete(), entered.steady_ns);
        } else {
            ledger.frames_accepted(1, facts.pixels() as i64, entered.steady_ns);
            if frame.is_incomplete() {
                ledger.add(Stat::FramesIncomplete, 1);
            }
        }
        ledger.add(Stat::QueueFrames, 1);
        place.fill(Filled { slot, facts });
        drop(passing);
        self.queue.wake_encoder();
        Ok(())
    }

    /// Takes no more frames. Pushes that wait return.
    pub fn close(&self) {
        self.gate.close();
        self.works.ledger.notices.bell.ring();
        self.queue.wake_encoder();
    }

    /// The encoder's thread begins.
    pub fn attach_encoder(&self) {
        self.queue.attach_encoder();
    }

    /// The next frame for the encoder.
    pub fn next(&self) -> Option<Filled> {
        let next = self.queue.pop()?;
        self.works.ledger.add(Stat::QueueFrames, -1);
        Some(next)
    }

    /// Whether no frame is there.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether no frame is there and none will come.
    pub fn is_drained(&self) -> bool {
        self.gate.is_shut() && self.queue.is_empty()
    }

    /// The encoder sleeps until a frame comes, the gate is closed, or the time is over.
    pub fn sleep(&self, deadline: Deadline) {
        let slept = self.queue.sleep(deadline, || self.seal_requested() || !self.gate.is_open());
        if !slept && self.gate.is_being_passed() {
            std::thread::yield_now();
        }
    }

    /// The open chunk is to be closed as soon as the queue is empty.
    pub fn request_seal(&self) {
        self.seal_requested.store(true, Ordering::Release);
        self.queue.wake_encoder();
    }

    /// Whether that is still to be done.
    pub fn seal_requested(&self) -> bool {
        self.seal_requested.load(Ordering::Acquire)
    }

    /// It is done.
    pub fn seal_done(&self) {
        self.seal_requested.store(false, Ordering::Release);
        self.works.ledger.notices.bell.ring();
    }

    /// The encoder has dealt with a frame.
    pub fn note_processed(&self) {
        self.processed.fetch_add(1, Ordering::Release);
        self.works.ledger.notices.bell.ring();
    }

    /// Frames that the encoder has dealt with.
    pub fn processed(&self) -> u64 {
        self.processed.load(Ordering::Acquire)
    }
}

/// `rheed_run` is running.
pub struct Running<'a> {
    of: &'a Intake,
    _run: Run<'a>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.of.works.ledger.camera_may_rest();
    }
}
