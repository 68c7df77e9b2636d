//! What is true of a stream now: its counts, its state, its losses, and how its owner is told.
//!
//! Written by those who do the work (intake, encoder, uploads), read by `rheed_stats`, `rheed_text` and `rheed_next_event`.

mod amiss;
mod books;
mod camera;
mod events;
mod report;

pub use amiss::Amiss;
use amiss::ChunksAmiss;
use books::Books;
pub use books::Place;
use camera::Camera;
pub use events::{Event, Events};
pub use report::{report, shorten, status_line};

use crate::codes::{self, Health, Stat, State};
use crate::error::Error;
use crate::log::{Level, Log};
use crate::platform::steady_ns;
use crate::wait::Bell;
use crate::words;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::time::Duration;

/// After losing or refusing frames, a stream's health says "act" for so long.
const TROUBLE_SHOWS_FOR: Duration = Duration::from_secs(60);

/// A count of frames and chunks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// Frames.
    pub frames: u64,
    /// Whole chunks.
    pub chunks: u64,
}

impl Loss {
    fn less(self, other: Loss) -> Loss {
        Loss { frames: self.frames.saturating_sub(other.frames), chunks: self.chunks.saturating_sub(other.chunks) }
    }
}

/// Losses by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Losses(BTreeMap<String, Loss>);

impl Losses {
    /// Services put request numbers into their words: beyond so many reasons the rest is counted together.
    const MOST_REASONS: usize = 50;
    const LONGEST_REASON: usize = 400;
    const OTHERS: &str = "other reasons";

    /// One.
    pub fn of(reason: &str, loss: Loss) -> Losses {
        let mut losses = Losses::default();
        losses.add(reason, loss);
        losses
    }

    /// Another loss.
    pub fn add(&mut self, reason: &str, loss: Loss) {
        let reason = &reason[..reason.floor_char_boundary(Self::LONGEST_REASON)];
        let known = self.0.len() < Self::MOST_REASONS || self.0.contains_key(reason);
        let grouped = self.0.entry(if known { reason } else { Self::OTHERS }.into()).or_default();
        grouped.frames += loss.frames;
        grouped.chunks += loss.chunks;
    }

    /// Those that are not among others. Never more than there are beyond them: what one of the two has by name the other may have
    /// among other reasons.
    pub fn without(&self, others: &Losses) -> Losses {
        let mut left = self.total().less(others.total());
        let mut less = |(reason, loss): (&String, &Loss)| {
            let loss = loss.less(others.0.get(reason).copied().unwrap_or_default());
            let loss = Loss { frames: loss.frames.min(left.frames), chunks: loss.chunks.min(left.chunks) };
            left = left.less(loss);
            (loss != Loss::default()).then(|| (reason.clone(), loss))
        };
        Losses(self.0.iter().filter_map(&mut less).collect())
    }

    fn total(&self) -> Loss {
        let add = |sum: Loss, loss: &Loss| Loss { frames: sum.frames + loss.frames, chunks: sum.chunks + loss.chunks };
        self.0.values().fold(Loss::default(), add)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reason by reason.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Loss)> {
        self.0.iter().map(|(reason, loss)| (reason.as_str(), *loss))
    }
}

/// How the owner of a handle is told: events, log, last error, and the bell for those who wait.
pub struct Notices {
    /// To be pulled.
    pub events: Events,
    /// Rung at every change that somebody may wait for.
    pub bell: Arc<Bell>,
    /// For people.
    pub log: Log,
    last_error: Mutex<Option<Error>>,
}

impl Notices {
    /// For a new handle.
    pub fn new(log: Log) -> Notices {
        Notices { events: Events::default(), bell: Arc::default(), log, last_error: Mutex::new(None) }
    }

    /// An event, told in the log too.
    pub fn tell(&self, kind: codes::Event, value: i64, text: impl Into<Cow<'static, str>>) {
        self.note(kind, value, text);
        self.bell.ring();
    }

    /// The same, for whoever holds a lock that those take who wait: the bell is rung when it is let go.
    pub fn note(&self, kind: codes::Event, value: i64, text: impl Into<Cow<'static, str>>) {
        use codes::Event::*;
        let text = words::harmless(text.into());
        let level = match kind {
            ChunkConfirmed => Level::Chunk,
            ChunkSetAside | FramesLost | Fault | Refused => Level::Error,
            _ => Level::Notice,
        };
        self.log.say(level, || text.to_string());
        self.events.put(kind, value, text);
    }

    /// A failure becomes the handle's last error, unless somebody reads or notes another at that moment: the camera's thread, whose
    /// frame is refused, waits for nobody.
    pub fn note_failure(&self, error: &Error) {
        let former = self.last_error.try_lock().and_then(|mut last| last.replace(error.clone()));
        drop(former); // It may free memory, behind the lock.
    }

    /// RHEED_TEXT_LAST_ERROR.
    pub fn last_error(&self) -> String {
        let last = self.last_error.lock().clone(); // A copy costs nothing; it is put in words behind the lock.
        last.as_ref().map(Error::to_string).unwrap_or_default()
    }

    /// As who reads the last error, and takes its time.
    #[cfg(test)]
    pub fn hold_last_error(&self) -> impl Sized {
        self.last_error.lock()
    }
}

/// What has become of a stream as a whole. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Taking frames.
    Open = 0,
    /// Taking no more; the rest is under way.
    Finalizing = 1,
    /// Complete.
    Finalized = 2,
    /// Stopped by the host.
    Aborted = 3,
    /// Stopped by an error inside the library.
    Fault = 4,
}

/// How it stands with the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// No answer yet.
    Connecting = State::Connecting as isize,
    /// It cannot be reached.
    Offline = State::Offline as isize,
    /// The stream exists there.
    Streaming = State::Streaming as isize,
    /// There is none.
    Spooling = State::Spooling as isize,
}

/// One stream's account.
pub struct Ledger {
    /// The folder's name.
    pub local_id: String,
    /// The stream's name at the service.
    pub name: String,
    /// How its owner is told.
    pub notices: Arc<Notices>,
    counts: [AtomicI64; Stat::COUNT],
    phase: AtomicI32,
    connection: AtomicI32,
    data_id: Mutex<Option<String>>,
    books: Mutex<Books>,
    chunks_amiss: Mutex<ChunksAmiss>,
    /// Of the incomplete frames those that were left out, which are in no chunk.
    incomplete_left_out: AtomicI64,
    camera: Camera,
    last_frame: Moment,
    last_confirmed: Moment,
    last_trouble: Moment,
    /// The service refuses, for now: the key, the stream.
    refused: AtomicBool,
    /// The spool is nearly full, or cannot be written.
    disk_low: AtomicBool,
    /// The last chunk's measured rate was not the declared one.
    rate_off: AtomicBool,
    /// Bytes a second that go to the spool.
    spool_rate: AtomicI64,
}

impl Ledger {
    /// Of a stream that begins, or is taken up, now.
    pub fn new(local_id: &str, name: &str, connection: Connection, notices: Arc<Notices>) -> Ledger {
        let ledger = Ledger {
            local_id: local_id.into(),
            name: name.into(),
            notices,
            counts: std::array::from_fn(|_| AtomicI64::new(0)),
            phase: AtomicI32::new(Phase::Open as i32),
            connection: AtomicI32::new(connection as i32),
            data_id: Mutex::new(None),
            books: Mutex::default(),
            chunks_amiss: Mutex::default(),
            incomplete_left_out: AtomicI64::new(0),
            camera: Camera::default(),
            last_frame: Moment::default(),
            last_confirmed: Moment::default(),
            last_trouble: Moment::default(),
            refused: AtomicBool::new(false),
            disk_low: AtomicBool::new(false),
            rate_off: AtomicBool::new(false),
            spool_rate: AtomicI64::new(0),
        };
        ledger.counts[Stat::FpsMilli as usize].store(-1, Ordering::Relaxed);
        ledger
    }

    /// Adds to a count.
    pub fn add(&self, stat: Stat, number: i64) {
        // Release: who sees frames confirmed (Acquire) also sees them accepted.
        self.counts[stat as usize].fetch_add(number, Ordering::Release);
    }

    /// Sets a reading.
    pub fn set(&self, stat: Stat, number: i64) {
        self.counts[stat as usize].store(number, Ordering::Release);
    }

    /// A count now.
    pub fn get(&self, stat: Stat) -> i64 {
        self.counts[stat as usize].load(Ordering::Acquire)
    }

    /// Frames were taken, at that moment of the steady clock.
    pub fn frames_accepted(&self, frames: i64, raw_bytes: i64, steady_ns: i64) {
        self.add(Stat::BytesRaw, raw_bytes);
        self.add(Stat::FramesAccepted, frames);
        self.last_frame.set(steady_ns);
    }

    /// A frame was left out, at that moment of the steady clock: the camera is there all the same.
    pub fn frame_left_out(&self, is_incomplete: bool, steady_ns: i64) {
        self.add(Stat::FramesLeftOut, 1);
        if is_incomplete {
            self.add(Stat::FramesIncomplete, 1);
            self.incomplete_left_out.fetch_add(1, Ordering::Release); // Who sees it also sees it counted.
        }
        self.last_frame.set(steady_ns);
    }

    /// Frames were refused for want of room.
    pub fn frames_dropped(&self, frames: i64) {
        self.add(Stat::FramesDropped, frames);
        self.last_trouble.set(steady_ns());
    }

    /// Frames go from one place to another.
    pub fn transfer(&self, from: Place, to: Place, frames: u64) {
        self.books.lock().transfer(from, to, frames);
    }

    /// A chunk's upload is confirmed. The bell is yet to be rung.
    pub fn chunk_confirmed(&self, chunk: u64, frames: u64, amiss: &Amiss) {
        self.transfer(Place::Waiting, Place::Confirmed, frames);
        self.add(Stat::ChunksConfirmed, 1);
        self.last_confirmed.set(steady_ns());
        let text = format!("chunk {chunk} confirmed, {frames} frames{}", amiss.words());
        self.notices.note(codes::Event::ChunkConfirmed, chunk as i64, text);
    }

    /// Frames that had been taken are lost or set aside, for a reason that groups them in the report. The bell is yet to be rung.
    pub fn frames_lost(&self, from: Place, reason: &str, loss: Loss) {
        self.books.lock().lose(from, reason, loss);
        self.add(Stat::ChunksLost, loss.chunks as i64);
        self.last_trouble.set(steady_ns());
    }

    /// Losses by reason.
    pub fn losses(&self) -> Losses {
        self.books.lock().losses().clone()
    }

    /// Where frames were counted, the books have to say as many. Asked by whom nobody can forestall meanwhile.
    pub fn agrees(&self, place: Place, counted: u64) {
        if cfg!(debug_assertions) {
            let booked = self.books.lock().at(place, self.get(Stat::FramesAccepted));
            debug_assert_eq!(booked, counted as i64, "frames in {place:?}, by the books and as counted");
        }
    }

    /// Goes on to a later phase; tells whether it did. What is over stays as it ended.
    pub fn enter(&self, phase: Phase) -> bool {
        let goes_on = |now: i32| (now < phase as i32 && now < Phase::Finalized as i32).then_some(phase as i32);
        let entered = self.phase.fetch_update(Ordering::AcqRel, Ordering::Acquire, goes_on).is_ok();
        self.notices.bell.ring();
        entered
    }

    /// Where the stream is.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Finalizing,
            2 => Phase::Finalized,
            3 => Phase::Aborted,
            _ => Phase::Fault,
        }
    }

    /// Nothing more will happen to it.
    pub fn is_over(&self) -> bool {
        self.phase() >= Phase::Finalized
    }

    /// How it stands with the service; tells whether that is new.
    pub fn connect(&self, connection: Connection) -> bool {
        let new = self.connection.swap(connection as i32, Ordering::AcqRel) != connection as i32;
        if connection == Connection::Streaming {
            self.refused.store(false, Ordering::Relaxed);
        }
        self.notices.bell.ring();
        new
    }

    /// There was no first answer in time; tells whether there is still none.
    pub fn give_up_first_answer(&self) -> bool {
        let (before, now) = (Connection::Connecting as i32, Connection::Offline as i32);
        let gave_up = self.connection.compare_exchange(before, now, Ordering::AcqRel, Ordering::Acquire).is_ok();
        self.notices.bell.ring();
        gave_up
    }

    /// The service refuses the key or the stream; tells whether that is new.
    pub fn refuse(&self) -> bool {
        !self.refused.swap(true, Ordering::Relaxed)
    }

    /// Whether it does so now.
    pub fn is_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether the spool is nearly full; tells whether that is new.
    pub fn note_disk_low(&self, low: bool) -> bool {
        self.disk_low.swap(low, Ordering::Relaxed) != low
    }

    /// Whether the last chunk's measured rate is not the declared one; tells whether that is new.
    pub fn note_rate_off(&self, off: bool) -> bool {
        self.rate_off.swap(off, Ordering::Relaxed) != off
    }

    /// Whether anything that was taken is lost or set aside. A chunk that cannot be read counts without its frames: nobody
    /// knows how many they were.
    pub fn has_losses(&self) -> bool {
        !self.books.lock().losses().is_empty()
    }

    /// RHEED_STAT_STATE.
    pub fn state(&self) -> i64 {
        i64::from(match self.phase() {
            Phase::Open => self.connection.load(Ordering::Acquire),
            Phase::Finalizing => State::Finalizing as i32,
            Phase::Finalized => State::Finalized as i32,
            Phase::Aborted => State::Aborted as i32,
            Phase::Fault => State::Fault as i32,
        })
    }

    /// Whether the service cannot be reached.
    pub fn is_offline(&self) -> bool {
        self.connection.load(Ordering::Acquire) == Connection::Offline as i32
    }

    fn health(&self) -> Health {
        let recent_trouble = self.last_trouble.age().is_some_and(|age| age < TROUBLE_SHOWS_FOR);
        let counted = |stats: &[Stat]| stats.iter().any(|stat| self.get(*stat) > 0);
        if self.phase() == Phase::Fault || self.refused.load(Ordering::Relaxed) || recent_trouble {
            Health::Act
        } else if (self.is_offline() && !self.is_over())
            || self.disk_low.load(Ordering::Relaxed)
            || self.rate_off.load(Ordering::Relaxed)
            || self.has_losses()
            || self.camera_stands_still()
            || counted(&[Stat::FramesDropped, Stat::FramesRejected, Stat::FramesMissed, Stat::FramesIncomplete])
        {
            Health::Look
        } else {
            Health::Good
        }
    }

    /// One snapshot, in which accepted = confirmed + lost + pending. What is the spool's is left for who knows it.
    pub fn snapshot(&self) -> [i64; Stat::COUNT] {
        // What ends is read before what begins: a chunk that is seen confirmed is then also seen sealed.
        let ended = [Stat::ChunksConfirmed, Stat::ChunksLost].map(|stat| self.get(stat));
        let books = self.books.lock();
        let mut values: [i64; Stat::COUNT] = std::array::from_fn(|index| self.counts[index].load(Ordering::Acquire));
        let accepted = values[Stat::FramesAccepted as usize];
        debug_assert!(books.are_right(accepted), "the books of {accepted} frames are wrong");
        values[Stat::FramesConfirmed as usize] = books.at(Place::Confirmed, accepted);
        values[Stat::FramesLost as usize] = books.at(Place::Lost, accepted);
        values[Stat::FramesPending as usize] = books.pending(accepted);
        drop(books);
        [values[Stat::ChunksConfirmed as usize], values[Stat::ChunksLost as usize]] = ended;
        values[Stat::ChunksPending as usize] = values[Stat::ChunksSealed as usize] - ended[0] - ended[1];
        values[Stat::State as usize] = self.state();
        values[Stat::Health as usize] = self.health() as i64;
        let age = |moment: &Moment| moment.age().map_or(-1, |age| age.as_millis() as i64);
        values[Stat::LastFrameAgeMs as usize] = age(&self.last_frame);
        values[Stat::LastConfirmedAgeMs as usize] = age(&self.last_confirmed);
        self.read_camera_clock(&mut values);
        values
    }

    /// The service's id.
    pub fn data_id(&self) -> Option<String> {
        self.data_id.lock().clone()
    }

    /// The stream exists at the service.
    pub fn set_data_id(&self, data_id: &str) {
        *self.data_id.lock() = Some(data_id.into());
    }

    /// Bytes a second that go to the spool, as last seen; 0 = not known.
    pub fn spool_rate(&self) -> i64 {
        self.spool_rate.load(Ordering::Relaxed)
    }

    /// As seen over a chunk.
    pub fn set_spool_rate(&self, bytes_per_second: i64) {
        self.spool_rate.store(bytes_per_second, Ordering::Relaxed);
    }
}

/// A moment that many may set and read, by the steady clock; 0 = never.
#[derive(Default)]
struct Moment(AtomicI64);

impl Moment {
    fn set(&self, steady_ns: i64) {
        self.0.store(steady_ns.max(1), Ordering::Relaxed);
    }

    fn age(&self) -> Option<Duration> {
        let set = self.0.load(Ordering::Relaxed);
        (set > 0).then(|| Duration::from_nanos(steady_ns().saturating_sub(set).max(0) as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::Code;
    use crate::spool::scratch::Scratch;

    #[test]
    fn a_call_that_fails_waits_for_nobody_who_reads_the_last_error_and_the_next_one_is_told() {
        let scratch = Scratch::new("endpoint=none");
        let notices = &scratch.notices;
        let fail = |number: u64| notices.note_failure(&Error::plain(Code::EArgument, "number {}", [number, 0, 0, 0]));
        fail(1);
        let reader = notices.hold_last_error();
        fail(2); // It would wait for itself.
        drop(reader);
        assert_eq!(notices.last_error(), "number 1");
        fail(3);
        assert_eq!(notices.last_error(), "number 3");
    }
}
