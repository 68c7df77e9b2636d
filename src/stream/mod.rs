//! One live stream: the road of a frame from push to a sealed chunk in the spool.
//!
//! `intake` takes frames in one `way`: it checks a frame (`pixels`, `frame_ids`), copies it into a slot (`slots`) or has lent one
//! before (`loans`), and leaves it, past the `gate` and through the `queue`, to the `encoder`, which looks how bright the `regions`
//! are, compresses it (`helpers`, `effort`), appends it to the open chunk's file and seals the chunk when it is full. `run` asks a
//! source for frames; `push_chunk` does all of it at once for a whole chunk. Nothing here knows of C or of the network.

mod decimation;
mod effort;
mod encoder;
mod gate;
mod helpers;
mod intake;
mod loans;
mod pixels;
mod push_chunk;
mod queue;
mod refused_formats;
mod regions;
mod run;
mod slots;
mod way;

pub use helpers::Helpers;
pub use intake::Frame;
pub use loans::Loans;
pub use regions::{Reading, Taken};

use crate::camera_clock::{News, Noted};
use crate::clock::{Clocks, ReferenceClock};
use crate::codes::{self, Code, Stat};
use crate::error::{Error, Result};
use crate::ledger::{Amiss, Ledger, Loss, Phase, Place};
use crate::log::Level;
use crate::options::Options;
use crate::panics;
use crate::platform;
use crate::spool::{Bounds, ChunkFile, Folder, SealedFile};
use crate::stamps::ChunkStamps;
use encoder::{Encoder, InHand, Limits};
use intake::Intake;
use push_chunk::ChunkDesk;
use regions::Regions;
use std::borrow::Cow;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

/// A measured rate that is further off the declared one is told.
const RATE_TOLERANCE: f64 = 0.05;
/// A camera's clock that begins anew again and again is told so often.
const CLOCK_TOLD_EACH_NS: i64 = 10_000_000_000;
/// The spool is low when it would be full after so long at the present rate.
const LOW_SECONDS: i64 = 600;

/// A whole chunk, as it is pushed.
pub struct Chunk<'a> {
    /// The caller's index.
    pub index: u64,
    /// The caller's memory, frame after frame; none if its pointer or size cannot be meant.
    pub frames: Option<&'a [u8]>,
    /// How many.
    pub count: u32,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// PFNC; 0 = Mono8.
    pub pixel_format: u32,
    /// Unix nanoseconds; 0 = it has just ended.
    pub start_ns: i64,
}

/// What all parts of a live stream work with.
pub struct Works {
    /// As it was opened.
    pub options: Options,
    /// Its account.
    pub ledger: Arc<Ledger>,
    /// Its place in the spool.
    pub folder: Arc<Folder>,
    /// The service's clock.
    pub clock: Arc<ReferenceClock>,
    /// Who may be called to compress frames.
    pub helpers: Helpers,
    regions: Regions,
    bounds: Bounds,
    odd_stamps: AtomicU64,
    /// When it was last told that the camera's clock began anew.
    clock_told: AtomicI64,
    missed_told: AtomicI64,
    /// Frames were missed since the last chunk was sealed, and that was told.
    missing: AtomicBool,
    /// It was told that there is no room, since the last frame that found some.
    no_room_told: AtomicBool,
}

impl Works {
    /// Of a new stream.
    pub fn new(
        options: Options,
        ledger: Arc<Ledger>,
        folder: Arc<Folder>,
        clock: Arc<ReferenceClock>,
        helpers: Helpers,
    ) -> Works {
        let bounds = Bounds::new(&options);
        if options.device_clock {
            ledger.use_camera_clock(options.device_tick_hz);
        }
        Works {
            options,
            ledger,
            folder,
            clock,
            helpers,
            regions: Regions::default(),
            bounds,
            odd_stamps: AtomicU64::new(0),
            clock_told: AtomicI64::new(i64::MIN),
            missed_told: AtomicI64::new(0),
            missing: AtomicBool::new(false),
            no_room_told: AtomicBool::new(false),
        }
    }

    /// Bytes that may still go to the spool.
    pub fn room(&self) -> i64 {
        self.folder.root().room(&self.bounds).max(0)
    }

    /// Time stamps that were no Unix time.
    pub fn odd_stamps(&self) -> u64 {
        self.odd_stamps.load(Ordering::Relaxed)
    }

    /// Seconds until the spool is full at the present rate; -1 when that is not known.
    pub fn seconds_left(&self) -> i64 {
        match self.ledger.spool_rate() {
            0 => -1,
            rate => self.room() / rate,
        }
    }

    /// Told once, until there is plenty of room again.
    fn tell_disk_low(&self, text: impl Into<Cow<'static, str>>) {
        if self.ledger.note_disk_low(true) {
            self.ledger.notices.tell(codes::Event::DiskLow, self.seconds_left(), text);
        }
    }

    /// Promises room in the spool for so many frames.
    fn promise(&self, bytes: i64, frames: u32) -> Result<()> {
        if !self.folder.root().promise(bytes, &self.bounds) {
            return Err(self.no_room(frames));
        }
        if self.no_room_told.load(Ordering::Relaxed) {
            self.no_room_told.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Frames are refused for want of room, which is told once until there is some again, however low the disk was known to be.
    fn no_room(&self, frames: u32) -> Error {
        self.ledger.frames_dropped(frames.into());
        self.ledger.note_disk_low(true);
        if !self.no_room_told.swap(true, Ordering::Relaxed) {
            let text = "the spool or its disk is full: frames are refused until there is room";
            self.ledger.notices.tell(codes::Event::DiskLow, self.seconds_left(), text);
        }
        let text = match self.folder.root().is_failing() {
            false => "the spool or its disk is full (spool_max_bytes, spool_min_free_bytes)",
            true => "the spool cannot be written: the log and RHEED_EVENT_DISK_LOW say why",
        };
        Error::plain(Code::EDiskFull, text, [0; 4])
    }

    /// So many bytes for so many frames: how long the room lasts follows from the declared frame rate.
    fn note_spool_rate(&self, bytes: u64, frames: u64) {
        self.ledger.set_spool_rate((bytes as f64 / frames as f64 * self.options.kept_fps()).ceil() as i64);
        let left = self.seconds_left();
        if left < LOW_SECONDS {
            self.tell_disk_low(format!("the spool or its disk is full in {left} s at the present rate"));
        } else if left > 2 * LOW_SECONDS {
            self.ledger.note_disk_low(false);
        }
    }

    /// A chunk is a shard now: it is counted, judged, and waits to be uploaded.
    fn chunk_sealed(&self, chunk: &ChunkFile, begun: Clocks, sealed: SealedFile, from: Place, until: u64) {
        let ledger = &self.ledger;
        let index = chunk.head().chunk;
        let (frames, amiss) = (u64::from(sealed.seal.frames), sealed.seal.amiss);
        ledger
            .notices
            .log
            .say(Level::Chunk, || format!("chunk {index} sealed: {frames} frames, {} bytes{}", sealed.bytes, amiss.words()));
        ledger.note_amiss(index, frames, amiss);
        if let Some(stamps) = chunk.stamps() {
            self.judge_stamps(index, stamps, &amiss);
        }
        if self.missing.swap(false, Ordering::Relaxed) {
            self.tell_missed();
        }
        ledger.add(Stat::BytesShards, sealed.bytes as i64);
        ledger.add(Stat::ChunksSealed, 1);
        self.folder.enqueue(index, begun, sealed, until, |waiting| {
            ledger.transfer(from, Place::Waiting, frames);
            ledger.agrees(Place::Waiting, waiting);
        });
    }

    /// When a frame was taken, Unix time: it came at that moment, with the camera's counter at that. `None` while that is not known.
    fn captured_ns(&self, noted: Noted, entered: &Clocks) -> Option<i64> {
        if let Some(news) = noted.news {
            self.tell_camera_clock(news, entered.steady_ns);
        }
        noted.captured_ns.map(|captured| entered.wall_ns.saturating_sub(entered.steady_ns.saturating_sub(captured)))
    }

    /// A clock that begins anew again and again is told now and then.
    fn tell_camera_clock(&self, news: News, now: i64) {
        let (value, text) = match news {
            News::Restarted { by_ns, times } => {
                let is_over = |told: i64| (now >= told.saturating_add(CLOCK_TOLD_EACH_NS)).then_some(now);
                if self.clock_told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_over).is_err() {
                    return;
                }
                let (s, way) = (by_ns.unsigned_abs() as f64 / 1e9, if by_ns < 0 { "more" } else { "less" });
                let text =
                    format!("the camera's clock is mapped anew ({times}): its counter shows {s:.3} s {way} than it should");
                (by_ns, text)
            }
            News::RateOff { tick_hz: 0.0 } => {
                let text = "the camera's counter does not move, or is set back again and again: frames are stamped when they are \
                     pushed. Give all of it (its seconds, too), or timestamp_ns = 0 where there is none";
                (0, text.to_owned())
            }
            News::RateRight => {
                let text = "the camera's counter has been right for a minute again: frames are stamped by it";
                (0, text.to_owned())
            }
            News::RateOff { tick_hz } => {
                let declared = self.options.device_tick_hz;
                let text = format!(
                    "the camera's counter makes {tick_hz:.0} ticks a second, but device_tick_hz = {declared}: frames are stamped \
                     when they are pushed. Set device_tick_hz to what the camera tells of its counter, which must be near that"
                );
                (0, text)
            }
        };
        self.ledger.notices.tell(codes::Event::CameraClock, value, text);
    }

    fn judge_stamps(&self, index: u64, stamps: &ChunkStamps, amiss: &Amiss) {
        let ledger = &self.ledger;
        let declared = self.options.kept_fps();
        // The camera's rate is no less than that of the frames that are here, and no more than with all those that are not: they were
        // lost or refused, perhaps before the chunk's first frame, or to be tried again.
        let absent = amiss.missed.max(0) + amiss.dropped + amiss.rejected;
        let with_absent = stamps.fps_with(absent as f64 / f64::from(self.options.decimate));
        if let (Some(measured), Some(at_most)) = (stamps.measured_fps(), with_absent) {
            let milli = (measured * 1000.0).round() as i64;
            ledger.set(Stat::FpsMilli, milli);
            let off =
                stamps.stamped && (measured > declared * (1.0 + RATE_TOLERANCE) || at_most < declared * (1.0 - RATE_TOLERANCE));
            if ledger.note_rate_off(off) && off {
                let (rate, amiss) = (self.options.rate(), amiss.words());
                let text = format!("chunk {index}: {measured:.3} frames per second by their time stamps, but {rate}{amiss}");
                ledger.notices.tell(codes::Event::RateOff, milli, text);
            }
        }
        if stamps.stamped && stamps.odd > 0 {
            let text = format!("chunk {index}: {} time stamps do not increase; {} counts", stamps.odd, self.options.rate());
            ledger.notices.tell(codes::Event::StampsOdd, stamps.odd as i64, text);
        }
    }

    /// Frames that the camera lost since it was last told.
    fn tell_missed(&self) {
        let missed = self.ledger.get(Stat::FramesMissed);
        let new = missed - self.missed_told.fetch_max(missed, Ordering::Relaxed); // Some may have come after all.
        if new > 0 {
            self.ledger.notices.tell(
                codes::Event::FramesMissed,
                new,
                format!("the camera lost {new} frames: gaps in its frame ids"),
            );
        }
    }

    /// Frames that had been taken are lost before they were written: counted with the reason, told, and kept for the final report.
    fn lose_frames(&self, reason: &str, loss: Loss) {
        self.ledger.frames_lost(Place::Slots, reason, loss);
        self.ledger.notices.tell(codes::Event::FramesLost, loss.frames as i64, format!("{} frames lost: {reason}", loss.frames));
        let _ = self.folder.note_loss(reason, loss);
    }
}

/// A live stream, as its handle has it.
#[derive(Clone)]
pub struct Stream {
    works: Arc<Works>,
    intake: Arc<Intake>,
    desk: Arc<ChunkDesk>,
    in_hand: Arc<InHand>,
}

impl Stream {
    /// Opens the entrance. The second half of the answer is for a thread of its own.
    pub fn open(works: Arc<Works>) -> Result<(Stream, impl FnOnce() + Send + 'static)> {
        let intake = Arc::new(Intake::new(works.clone())?);
        let desk = Arc::new(ChunkDesk::default());
        let in_hand = Arc::new(InHand::default());
        let encoder = Encoder::new(works.clone(), intake.clone(), desk.clone(), in_hand.clone(), Limits::USUAL)
            .map_err(|error| Error::new(Code::EInternal, format!("zstd cannot be set up: {error}")))?;
        works.ledger.await_camera(platform::steady_ns());
        let stream = Stream { works, intake, desk, in_hand };
        let watched = stream.clone();
        Ok((stream, move || watched.encode(encoder)))
    }

    fn encode(self, encoder: Encoder) {
        panics::contain_thread();
        let Err(what) = panics::contained(|| encoder.run()) else { return };
        self.fault(&format!("an error inside the encoder: {what}"));
        // Nobody else will take them from the queue now.
        let root = self.works.folder.root();
        let (mut frames, promised) = self.in_hand.let_go_of_all();
        root.release(promised);
        root.write_given_up(); // Others who write there are not to wait for this one.
        while !self.intake.is_drained() {
            match self.intake.next() {
                Some(frame) => {
                    root.release(frame.facts.promised);
                    frames += u64::from(!frame.facts.left_out);
                }
                None => std::thread::yield_now(), // Somebody is just handing one over.
            }
        }
        if frames > 0 {
            self.works.lose_frames(&what, Loss { frames, chunks: 0 });
        }
        self.intake.drop_slots();
        self.works.folder.close();
    }

    /// Closed by an internal error. What is in the spool stays there for the next process.
    pub fn fault(&self, what: &str) {
        let ledger = &self.works.ledger;
        if ledger.enter(Phase::Fault) {
            ledger.notices.tell(codes::Event::Fault, 0, format!("{what}: the stream is closed, its spool is kept"));
        }
        self.close();
    }

    /// What its parts work with.
    pub fn works(&self) -> &Arc<Works> {
        &self.works
    }

    /// `rheed_push`
    pub fn push(&self, pixels: Option<&[u8]>, frame: &Frame) -> Result<()> {
        self.intake.push(pixels, frame)
    }

    /// `rheed_acquire`
    pub fn acquire(&self, size_bytes: u64, place: Option<impl FnOnce(NonNull<u8>)>) -> Result<()> {
        self.intake.acquire(size_bytes, place)
    }

    /// `rheed_commit`
    pub fn commit(&self, address: usize, frame: &Frame) -> Result<()> {
        self.intake.commit(address, frame)
    }

    /// `rheed_discard`
    pub fn discard(&self, address: usize) -> Result<()> {
        self.intake.discard(address)
    }

    /// The slots that its host has: they may outlive it.
    pub fn loans(&self) -> &Arc<Loans> {
        self.intake.loans()
    }

    /// `rheed_push_chunk`
    pub fn push_chunk(&self, chunk: &Chunk) -> Result<()> {
        self.desk.push(&self.works, &self.intake, chunk)
    }

    /// `rheed_region_set`
    pub fn set_region(&self, number: i32, x: u32, y: u32, width: u32, height: u32) -> Result<()> {
        self.intake.check_open()?;
        if self.intake.is_given_chunks() {
            let text =
                "this stream is given whole chunks, in any order: regions are measured in frames that are given one by one";
            return Err(Error::argument(text));
        }
        self.works.regions.set(number, regions::place(x, y, width, height)?)
    }

    /// `rheed_region_read`
    pub fn read_region(&self, number: i32, position: u64, most: usize, give: impl FnMut(usize, &Reading)) -> Result<Taken> {
        self.works.regions.read(number, position, most, give)
    }

    /// Takes nothing more; what was taken goes on to sealed chunks.
    pub fn finalize(&self) {
        self.works.ledger.enter(Phase::Finalizing);
        self.close();
    }

    /// Stops: nothing more is taken or sent. What was taken goes on to sealed chunks.
    pub fn abort(&self) {
        self.works.ledger.enter(Phase::Aborted);
        self.close();
    }

    fn close(&self) {
        self.intake.close();
        self.desk.close();
        self.works.ledger.notices.bell.ring();
    }

    /// Frames taken so far.
    pub fn accepted(&self) -> u64 {
        self.works.ledger.get(codes::Stat::FramesAccepted) as u64
    }

    /// Frames of these that the encoder has dealt with; chunks that are given whole are dealt with when they are taken.
    pub fn has_processed(&self, frames: u64) -> bool {
        self.intake.is_given_chunks() || self.intake.processed() >= frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Connection;
    use crate::spool::scratch::Scratch;
    use std::time::Duration;

    fn works(scratch: &Scratch) -> Arc<Works> {
        let (options, folder) = (scratch.options.clone(), scratch.folder.clone());
        let ledger = Arc::new(Ledger::new(&folder.local_id(), "test", Connection::Spooling, scratch.notices.clone()));
        Arc::new(Works::new(options, ledger, folder, Arc::default(), Helpers::default()))
    }

    #[test]
    fn the_first_frame_is_awaited_from_the_opening_on_but_not_where_frames_are_asked_for_or_come_in_chunks() {
        const LONG: Duration = Duration::from_secs(3600);
        let give_chunk = |stream: &Stream| {
            let (index, count, width, height, pixel_format, start_ns) = (0, 1, 100, 10, 0, 0);
            let chunk = Chunk { index, frames: Some(&[7; 1000]), count, width, height, pixel_format, start_ns };
            stream.push_chunk(&chunk).unwrap();
        };
        let begin_run = |stream: &Stream| std::mem::forget(stream.intake.begin_run().unwrap());
        let is_awaited_after = |way: &dyn Fn(&Stream)| {
            let (stream, _encode) = Stream::open(works(&Scratch::new("endpoint=none"))).unwrap();
            way(&stream);
            stream.works.ledger.look_after_camera(LONG).is_some_and(|pause| pause < LONG)
        };
        assert!(is_awaited_after(&|_| ()));
        assert!(!is_awaited_after(&give_chunk) && !is_awaited_after(&begin_run));
    }

    #[test]
    fn behind_the_end_of_a_stream_no_slots_are_made_that_nobody_would_drop() {
        let (stream, encode) = Stream::open(works(&Scratch::new("endpoint=none"))).unwrap();
        stream.finalize();
        encode();
        // As of a call that found the gate open just before.
        assert_eq!(stream.intake.fit_pool(100).unwrap_err().code, Code::EClosed);
        assert_eq!(stream.intake.backlog().1, 1, "there are slots");
    }

    fn frame() -> Frame {
        let (width, height, stride_bytes, pixel_format) = (100, 10, 0, 0);
        Frame { width, height, stride_bytes, pixel_format, frame_id: 0, timestamp_ns: 0, flags: 0 }
    }

    fn push(stream: &Stream) {
        stream.push(Some(&[7; 1000]), &frame()).unwrap();
    }

    #[test]
    fn a_push_waits_for_nobody_who_reads_regions() {
        let (stream, encode) = Stream::open(works(&Scratch::new("endpoint=none"))).unwrap();
        stream.set_region(0, 0, 0, 100, 10).unwrap();
        let encoding = std::thread::spawn(encode);
        let reader = stream.works.regions.hold();
        (0..50).for_each(|_| push(&stream)); // It would wait for itself.
        drop(reader);
        stream.finalize();
        encoding.join().unwrap();
        assert_eq!(stream.read_region(0, 0, 1000, |_, _| ()).unwrap().count, 50);
    }

    #[test]
    fn a_frame_waits_for_nobody_who_reads_how_the_cameras_clock_stands() {
        let scratch = Scratch::new("endpoint=none\ntimestamp_clock=device");
        let works = works(&scratch);
        let ledger = &works.ledger;
        let frame = |counter: u64, at: i64| {
            let entered = Clocks { steady_ns: at, ..Clocks::now() };
            let noted = ledger.by_camera_clock(counter, at).unwrap();
            works.captured_ns(noted, &entered)
        };
        let bound = || ledger.snapshot()[codes::Stat::CameraClockBoundNs as usize];
        let second = 1_000_000_000;
        let counter = |at: i64| at as u64 + if at < second / 2 { 1 << 50 } else { 7 };
        let begin = Clocks::now().steady_ns;
        let reader = ledger.hold_camera_clock();
        // It would wait for itself. The counter is set back on the way, which is told.
        for number in 0..100 {
            let at = number * second / 60;
            assert!(frame(counter(at), begin + at).is_some());
        }
        drop(reader);
        assert_eq!(bound(), -1, "none of them could leave how it stands");
        let at = 100 * second / 60;
        frame(counter(at), begin + at);
        assert!(bound() >= 0);
        assert_eq!(scratch.notices.events.take().unwrap().kind, codes::Event::CameraClock);
    }

    #[test]
    fn what_is_told_of_the_cameras_counter_says_what_becomes_of_frames() {
        let scratch = Scratch::new("endpoint=none\ntimestamp_clock=device\ndevice_tick_hz=125000000");
        let works = works(&scratch);
        let told = |news: News| {
            works.tell_camera_clock(news, Clocks::now().steady_ns);
            let event = scratch.notices.events.take().unwrap();
            assert_eq!(event.kind, codes::Event::CameraClock);
            (event.value, event.text.to_string())
        };
        for (news, value, says) in [
            (
                News::Restarted { by_ns: -1_500_000_000, times: 3 },
                -1_500_000_000,
                "anew (3): its counter shows 1.500 s more than it",
            ),
            (
                News::RateOff { tick_hz: 1e9 },
                0,
                "makes 1000000000 ticks a second, but device_tick_hz = 125000000: frames are stamped when they are pushed. Set",
            ),
            (
                News::RateOff { tick_hz: 0.0 },
                0,
                "does not move, or is set back again and again: frames are stamped when they are pushed. Give all of it",
            ),
            (News::RateRight, 0, "has been right for a minute again: frames are stamped by it"),
        ] {
            let told = told(news);
            assert_eq!(told.0, value);
            assert!(told.1.contains(says), "{told:?}");
        }
    }

    #[test]
    fn behind_the_end_of_a_stream_no_frame_is_left_out_that_its_last_report_would_lack() {
        let (stream, encode) = Stream::open(works(&Scratch::new("endpoint=none\ndecimate=2"))).unwrap();
        stream.intake.leave_out(&frame(), Clocks::now()).unwrap();
        stream.finalize();
        encode();
        // As of a call that found the stream open just before.
        assert_eq!(stream.intake.leave_out(&frame(), Clocks::now()).unwrap_err().code, Code::EClosed);
        assert_eq!(stream.works.ledger.get(Stat::FramesLeftOut), 1);
    }

    #[test]
    #[cfg_attr(not(debug_assertions), ignore = "the error is that the books are compared, which only debug builds do")]
    fn an_error_behind_a_frames_writing_leaves_it_in_its_chunk_and_nothing_promised() {
        let scratch = Scratch::new("endpoint=none\nspool_max_bytes=100000000\nspool_min_free_bytes=0");
        let works = works(&scratch);
        let (ledger, folder) = (&works.ledger, &works.folder);
        let (stream, encode) = Stream::open(works.clone()).unwrap();
        let promised_and_free = || works.room() + folder.root().used();
        let before = promised_and_free();
        ledger.transfer(Place::Waiting, Place::OpenChunk, 1); // The encoder finds that out when it has written the frame.
        let encoding = std::thread::spawn(encode);
        push(&stream);
        encoding.join().unwrap();
        assert_eq!(ledger.phase(), Phase::Fault);
        assert_eq!(ledger.get(Stat::FramesLost), 0);
        ledger.agrees(Place::Slots, 0);
        ledger.agrees(Place::OpenChunk, 2);
        assert_eq!(promised_and_free(), before);
    }
}
