//! The encoder's thread: each frame is compressed as it comes and appended to the open chunk; a full chunk is sealed.
//!
//! So a chunk's last frame is all that is left to do when the chunk is full. While frames wait, several are compressed at once
//! (`helpers`), and appended in their order.

use super::Works;
use super::effort::Effort;
use super::helpers::{Piece, Work};
use super::intake::{Filled, FrameFacts, Intake};
use super::push_chunk::ChunkDesk;
use super::regions::Watcher;
use crate::clock::Clocks;
use crate::codes;
use crate::ledger::{Amiss, Loss, Phase, Place};
use crate::log::Level;
use crate::shard::FrameCompressor;
use crate::spool::{ChunkFile, FrameRecord, Promise};
use crate::wait::Deadline;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When a chunk is closed before it has its frames.
#[derive(Clone, Copy)]
pub struct Limits {
    /// The service gives up on streams that are silent for long: after this time, however few frames there are.
    pub time: Duration,
    /// At this size, 8 bits a pixel, so that readers can hold it.
    pub bytes: u64,
}

impl Limits {
    /// Of every stream.
    pub const USUAL: Limits = Limits { time: Duration::from_secs(15 * 60), bytes: 1 << 30 };
}

/// Between tries to write to a disk that refuses.
const DISK_PAUSE: Duration = Duration::from_millis(200);

/// The frames that an encoder has taken and that are not in the books elsewhere. Looked at when it has failed.
#[derive(Default)]
pub struct InHand {
    frames: AtomicU64,
    promised: AtomicI64,
}

impl InHand {
    fn take(&self, promised: i64) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        self.promised.fetch_add(promised, Ordering::Relaxed);
    }

    fn let_go(&self, frames: u64, promised: i64) {
        self.frames.fetch_sub(frames, Ordering::Relaxed);
        self.promised.fetch_sub(promised, Ordering::Relaxed);
    }

    /// All of them, and what the spool has promised for them.
    pub fn let_go_of_all(&self) -> (u64, i64) {
        (self.frames.swap(0, Ordering::Relaxed), self.promised.swap(0, Ordering::Relaxed))
    }
}

/// What the encoder's thread works with.
pub struct Encoder {
    works: Arc<Works>,
    intake: Arc<Intake>,
    desk: Arc<ChunkDesk>,
    watcher: Watcher,
    compressor: FrameCompressor,
    limits: Limits,
    effort: Effort,
    /// What is in hand, in order. It is one frame, or as many as there are threads that compress, and the next.
    window: VecDeque<Arc<Piece>>,
    /// That many threads compress frames like the last one.
    threads: usize,
    /// Used again. One write appends a frame's record and the compressed frame.
    buffers: Vec<Vec<u8>>,
    /// Frames have come since it had last none.
    was_busy: bool,
    open: Option<OpenChunk>,
    next_chunk: u64,
    /// Frames so far.
    dealt_with: u64,
    /// Of these, incomplete and in chunks.
    incomplete: i64,
    /// Frames that the camera has lost, as told with the frames and chunks so far.
    missed: i64,
    in_hand: Arc<InHand>,
    lost: Option<Lost>,
    /// Frames in chunks that could not be sealed.
    unsealed: u64,
}

/// Frames that are lost for a reason, to be told together. Until then they are in hand.
struct Lost {
    reason: String,
    frames: u64,
    promised: i64,
}

struct OpenChunk {
    file: ChunkFile,
    /// When its first frame was pushed.
    begun: Clocks,
    opened: Instant,
    /// All that had gone amiss when its last frame was taken.
    amiss: Amiss,
    /// Of that, what is not its own: frames that the camera had lost as told before.
    missed_before: i64,
    /// What the spool still holds for its seal.
    promise: Promise,
}

impl Encoder {
    /// For a stream's thread.
    pub fn new(
        works: Arc<Works>,
        intake: Arc<Intake>,
        desk: Arc<ChunkDesk>,
        in_hand: Arc<InHand>,
        limits: Limits,
    ) -> io::Result<Encoder> {
        let compression = works.options.compression;
        Ok(Encoder {
            works,
            intake,
            desk,
            watcher: Watcher::default(),
            compressor: FrameCompressor::new(Effort::usual(compression))?,
            limits,
            effort: Effort::new(compression),
            window: VecDeque::new(),
            threads: 1,
            buffers: Vec::new(),
            was_busy: false,
            open: None,
            next_chunk: 0,
            dealt_with: 0,
            incomplete: 0,
            missed: 0,
            in_hand,
            lost: None,
            unsealed: 0,
        })
    }

    /// Until nothing more is taken and every frame is in a sealed chunk.
    pub fn run(mut self) {
        self.intake.attach_encoder();
        loop {
            self.take();
            if let Some(next) = self.window.pop_front() {
                self.encode(&next);
            } else if self.intake.is_drained() {
                break;
            } else {
                self.idle();
            }
        }
        self.seal();
        // Whole chunks are encoded on their callers' threads: those that were begun are finished.
        self.works.ledger.notices.bell.wait_until(Deadline::never(), || self.desk.is_drained().then_some(()));
        self.tell_lost();
        self.works.ledger.agrees(Place::Slots, 0);
        self.works.ledger.agrees(Place::OpenChunk, self.unsealed);
        self.intake.drop_slots();
        self.works.folder.close();
    }

    fn idle(&mut self) {
        if std::mem::take(&mut self.was_busy) {
            self.intake.caught_up();
        }
        self.buffers.truncate(1);
        let deadline = match &self.open {
            Some(open) => Deadline::after(self.limits.time.saturating_sub(open.opened.elapsed())),
            None => Deadline::never(),
        };
        if self.intake.seal_requested() {
            // What was pushed before the request is in the queue by now, though it may not have been at the last look.
            if self.intake.is_empty() {
                self.seal();
                self.intake.seal_done();
            }
        } else if self.open.is_some() && deadline.passed() {
            self.seal();
        } else {
            self.intake.sleep(deadline);
        }
    }

    /// Takes frames in hand. The first is the encoder's own to compress, the others are whoever's comes.
    fn take(&mut self) {
        while self.window.len() < if self.threads > 1 { self.threads + 1 } else { 1 }
            && let Some(frame) = self.next()
        {
            self.threads = self.works.helpers.threads(frame.facts.pixels());
            let (waiting, slots) = self.intake.backlog();
            let level = self.effort.level(waiting + self.window.len(), slots);
            let piece = Arc::new(Piece::new(frame, self.buffers.pop().unwrap_or_default(), level));
            if !self.window.is_empty() {
                self.works.helpers.offer(&piece);
            }
            self.window.push_back(piece);
        }
    }

    /// The next frame that is kept. Every frame that comes is measured; one that is left out goes no further.
    fn next(&mut self) -> Option<Filled> {
        loop {
            let frame = self.intake.next()?;
            self.was_busy = true;
            let left_out = frame.facts.left_out;
            if !left_out {
                self.in_hand.take(frame.facts.promised);
            }
            self.watcher.measure(&self.works.regions, &frame);
            if !left_out {
                return Some(frame);
            }
            drop(frame);
            self.works.ledger.notices.bell.ring(); // Somebody may wait for a slot.
        }
    }

    fn encode(&mut self, next: &Piece) {
        while !next.compress(&mut self.compressor) && !next.is_done() {
            // Somebody else is at it. Meanwhile one that nobody has taken.
            if !self.window.iter().any(|piece| piece.compress(&mut self.compressor)) {
                std::thread::park();
            }
        }
        let Work { frame, mut buffer, outcome } = next.finish(&mut self.compressor);
        self.put_in_chunk(frame, &mut buffer, outcome.map(|took| (next.level(), took)));
        self.buffers.push(buffer);
    }

    /// Appends a compressed frame to the chunk that it belongs to.
    fn put_in_chunk(
        &mut self,
        Filled { slot, facts: frame }: Filled,
        buffer: &mut [u8],
        compressed: io::Result<(i32, Duration)>,
    ) {
        let works = self.works.clone();
        if self.open.as_ref().is_some_and(|open| {
            let head = open.file.head();
            (head.width, head.height) != (frame.width, frame.height) || open.opened.elapsed() >= self.limits.time
        }) {
            self.seal();
        }
        let appended = match compressed {
            Err(error) => Err(format!("could not be compressed: {error}")),
            Ok((level, took)) => {
                let began = Instant::now();
                self.append(&frame, buffer).inspect(|()| self.effort.learn(level, took, began.elapsed(), self.threads))
            }
        };
        self.dealt_with += 1;
        let FrameFacts { id, width, height, promised, .. } = frame;
        drop(slot);
        match appended {
            Ok(()) => works
                .ledger
                .notices
                .log
                .say(Level::Detail, || format!("frame {id}: {width} x {height} to {} bytes", buffer.len())),
            Err(reason) => self.lose(reason, promised),
        }
        let full = self.open.as_ref().is_some_and(|open| {
            let frames = open.file.frames();
            frames >= works.options.chunk_size.into() || (frames + 1) * frame.pixels() as u64 > self.limits.bytes
        });
        if full {
            self.seal();
        }
        self.intake.note_processed();
    }

    /// Appends the frame to the open chunk, opening one if need be. Fails only when the stream ends first.
    fn append(&mut self, frame: &FrameFacts, buffer: &mut [u8]) -> Result<(), String> {
        let works = self.works.clone();
        let root = works.folder.root();
        if self.open.is_none() {
            let head = works.folder.head(self.next_chunk, frame.width, frame.height, &works.options, frame.stamped);
            let room = works.options.chunk_size.min(4096) as usize;
            let file = patiently(&works, || works.folder.begin(head.clone(), room))?;
            root.wrote(file.bytes());
            self.next_chunk += 1;
            let (begun, opened, amiss, missed_before) = (frame.entered, Instant::now(), frame.amiss, self.missed);
            self.open = Some(OpenChunk { file, begun, opened, amiss, missed_before, promise: Promise::none(root) });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let before = open.file.bytes();
        let FrameFacts { id, stamp_ns, stamped, .. } = *frame;
        // What is stamped here, and not by the host, is told by this computer's clock as it was when the chunk began.
        let is_ours = !stamped || works.options.device_clock;
        let stamp_ns = if is_ours { stamp_ns.saturating_sub(frame.entered.set_since(&open.begun)) } else { stamp_ns };
        let (flags, missed) = (frame.flags as u8, frame.amiss.missed - self.missed);
        let record = FrameRecord { bytes: 0, flags, missed, id, stamp_ns };
        patiently(&works, || open.file.append(record, buffer))?;
        self.missed = frame.amiss.missed;
        self.incomplete += i64::from(codes::FrameFlag::Incomplete.is_in(frame.flags));
        open.amiss = Amiss { incomplete: self.incomplete + frame.amiss.incomplete, ..frame.amiss };
        let (bytes, frames) = (open.file.bytes(), open.file.frames());
        root.wrote(bytes - before);
        // Of what was promised to the frame, its part of the seal stays promised.
        open.promise.grow_to(ChunkFile::seal_bytes(frames) as i64);
        works.ledger.transfer(Place::Slots, Place::OpenChunk, 1);
        self.let_go(1, frame.promised); // At once: should anything fail from here on, the frame is not in hand any more.
        works.ledger.agrees(Place::OpenChunk, self.unsealed + frames);
        works.note_spool_rate(bytes, frames);
        Ok(())
    }

    /// So many frames in hand are in the books elsewhere, and their room is no longer promised.
    fn let_go(&self, frames: u64, promised: i64) {
        self.in_hand.let_go(frames, promised);
        self.works.folder.root().release(promised);
    }

    /// A frame is lost. An aborted stream on a bad disk loses many, which are one loss.
    fn lose(&mut self, reason: String, promised: i64) {
        match &mut self.lost {
            Some(lost) if lost.reason == reason => (lost.frames, lost.promised) = (lost.frames + 1, lost.promised + promised),
            _ => {
                self.tell_lost();
                self.lost = Some(Lost { reason, frames: 1, promised });
            }
        }
        if self.works.ledger.phase() < Phase::Aborted {
            self.tell_lost();
        }
    }

    fn tell_lost(&mut self) {
        if let Some(Lost { reason, frames, promised }) = self.lost.take() {
            self.works.lose_frames(&reason, Loss { frames, chunks: 0 });
            self.let_go(frames, promised);
        }
    }

    /// Closes the open chunk, if there is one.
    fn seal(&mut self) {
        let Some(OpenChunk { mut file, begun, amiss, missed_before, promise, .. }) = self.open.take() else { return };
        let works = self.works.clone();
        let frames = file.frames();
        if frames == 0 {
            works.folder.root().removed(file.bytes());
            return works.folder.throw_away(file);
        }
        let (clock, amiss) = (works.clock.offset(&begun), works.ledger.amiss_in_chunk(amiss));
        let sealed = patiently(&works, || works.folder.seal(&mut file, clock, amiss));
        drop(promise);
        match sealed {
            Ok(sealed) => {
                self.missed = missed_before + amiss.missed;
                works.chunk_sealed(&file, begun, sealed, Place::OpenChunk, self.dealt_with);
            }
            // The frames are in the part file, and the next process seals it.
            Err(reason) => {
                self.unsealed += frames;
                works.ledger.give_amiss_back(amiss);
                let chunk = file.head().chunk;
                works.ledger.notices.log.say(Level::Error, || format!("chunk {chunk} is left unsealed: {reason}"));
            }
        }
    }
}

/// Tries until the disk takes it. While it does not, pushes are refused. Fails when the stream is aborted meanwhile.
fn patiently<T>(works: &Works, mut attempt: impl FnMut() -> io::Result<T>) -> Result<T, String> {
    let mut told = false;
    loop {
        let error = match attempt() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        works.folder.root().write_failed();
        if !told {
            told = true;
            works.ledger.note_disk_low(false);
            works.tell_disk_low(format!("the spool cannot be written: {error}"));
        }
        works.ledger.notices.bell.ring(); // Pushes that wait for a slot are not to wait for a disk.
        if works.ledger.phase() >= Phase::Aborted {
            works.folder.root().write_given_up();
            return Err(format!("the spool could not be written: {error}"));
        }
        let aborted = || (works.ledger.phase() >= Phase::Aborted).then_some(());
        works.ledger.notices.bell.wait_until(Deadline::after(DISK_PAUSE), aborted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Stat;
    use crate::ledger::{Connection, Ledger};
    use crate::spool::scratch::Scratch;
    use crate::stamps::ChunkStamps;
    use crate::stream::{Frame, Helpers};
    use std::ptr::NonNull;

    const FRAME: usize = 1000;

    /// Of a stream that nobody else has.
    fn encoder(scratch: &Scratch, limits: Limits) -> Encoder {
        let folder = scratch.folder.clone();
        let ledger = Arc::new(Ledger::new(&folder.local_id(), "encoded", Connection::Spooling, scratch.notices.clone()));
        let works = Arc::new(Works::new(scratch.options.clone(), ledger, folder, Arc::default(), Helpers::default()));
        let intake = Arc::new(Intake::new(works.clone()).unwrap());
        Encoder::new(works, intake, Arc::default(), Arc::default(), limits).unwrap()
    }

    /// Pushes so many frames of a chunk that has room for more, and waits until it is sealed all the same.
    fn a_chunk_is_sealed_after(frames: usize, limits: Limits) {
        let scratch = Scratch::new("endpoint=none");
        let notices = &scratch.notices;
        let encoder = encoder(&scratch, limits);
        let (ledger, intake, desk) = (encoder.works.ledger.clone(), encoder.intake.clone(), encoder.desk.clone());
        let encoding = std::thread::spawn(move || encoder.run());

        for _ in 0..frames {
            let pixels = Some(&[7; FRAME][..]);
            let (width, height, stride_bytes, pixel_format) = (100, 10, 0, 0);
            let frame = Frame { width, height, stride_bytes, pixel_format, frame_id: 0, timestamp_ns: 0, flags: 0 };
            intake.push(pixels, &frame).unwrap();
        }
        let sealed = || (ledger.get(Stat::ChunksSealed) == 1).then_some(());
        notices.bell.wait_until(Deadline::after(Duration::from_secs(60)), sealed).expect("the chunk is sealed");
        intake.close();
        desk.close();
        notices.bell.ring();
        encoding.join().unwrap();
    }

    /// The stamps of a chunk's frames, one each 100 ms, while the computer's clock is set by so much between the second and the third.
    fn stamps_while_set_by(options: &str, stamped: bool, set_by: i64) -> ChunkStamps {
        const BEGIN: i64 = 1_700_000_000_000_000_000;
        let scratch = Scratch::new(options);
        let mut encoder = encoder(&scratch, Limits::USUAL);
        for frame in 0..4 {
            let steady_ns = 5_000_000_000 + frame * 100_000_000;
            let entered = Clocks { wall_ns: BEGIN + frame * 100_000_000 + if frame < 2 { 0 } else { set_by }, steady_ns };
            let (width, height, id, flags, amiss, promised, left_out) = (100, 10, 0, 0, Amiss::default(), 0, false);
            let stamp_ns = entered.wall_ns - 3_000_000; // Taken 3 ms before it was pushed.
            let facts = FrameFacts { width, height, id, entered, stamp_ns, stamped, flags, amiss, promised, left_out };
            let mut buffer = vec![0; FrameRecord::SIZE];
            encoder.compressor.append(&[7; FRAME], &mut buffer).unwrap();
            encoder.works.ledger.frames_accepted(1, FRAME as i64, steady_ns);
            encoder.in_hand.take(0);
            encoder.append(&facts, &mut buffer).unwrap();
        }
        let stamps = encoder.open.as_ref().unwrap().file.stamps().unwrap().clone();
        encoder.seal();
        stamps
    }

    #[test]
    fn a_clock_that_is_set_within_a_chunk_moves_no_stamp_that_is_made_here() {
        let (host, device) = ("endpoint=none", "endpoint=none\ntimestamp_clock=device");
        let second = 1_000_000_000;
        for (options, stamped) in [(device, true), (device, false), (host, false)] {
            let unmoved = stamps_while_set_by(options, stamped, 0);
            assert_eq!((unmoved.odd, unmoved.measured_fps()), (0, Some(10.0)));
            for set_by in [10 * second, -10 * second, 3600 * second, -3600 * second] {
                assert_eq!(stamps_while_set_by(options, stamped, set_by), unmoved, "{options}, set by {set_by} ns");
            }
        }
        // The host's own are kept as they are given.
        assert_eq!(stamps_while_set_by(host, true, -10 * second).odd, 1);
    }

    #[test]
    fn a_burst_of_refusals_is_told_once_though_the_encoder_begins_in_its_midst() {
        const ALL: u64 = 1 << 20;
        let scratch = Scratch::new(&format!("endpoint=none\nqueue_bytes={ALL}"));
        let mut encoder = encoder(&scratch, Limits::USUAL);
        let intake = encoder.intake.clone();
        let acquire = || intake.acquire(ALL, Some(|_| ()));
        let mut slot = 0;
        intake.acquire(ALL, Some(|address: NonNull<u8>| slot = address.as_ptr() as usize)).unwrap();
        assert!(acquire().is_err());
        intake.request_seal(); // So that it does not sleep.
        encoder.idle();
        assert!(acquire().is_err());
        let told: Vec<i64> = std::iter::from_fn(|| scratch.notices.events.take()).map(|event| event.value).collect();
        assert_eq!(told, [1]);
        intake.discard(slot).unwrap();
    }

    #[test]
    fn an_old_chunk_is_closed_though_no_other_frame_comes() {
        a_chunk_is_sealed_after(1, Limits { time: Duration::from_millis(50), bytes: Limits::USUAL.bytes });
    }

    #[test]
    fn a_large_chunk_is_closed_though_it_has_room_for_frames() {
        a_chunk_is_sealed_after(3, Limits { time: Limits::USUAL.time, bytes: 3 * FRAME as u64 + 1 });
    }
}
