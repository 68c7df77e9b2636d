//! What a handle stands for: a live stream, or what was taken up from a spool.

use crate::codes::{self, Code, Health, Stat, State, Text};
use crate::error::{Error, Result};
use crate::ledger::{self, Event, Ledger, Notices, Phase};
use crate::options::Endpoint;
use crate::spool::{Bounds, Folder, Root, Skipped};
use crate::stream::Stream;
use crate::wait::Deadline;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// The report's bound, with its NUL.
const LONGEST_REPORT: usize = 64 << 10;
/// Of each of many streams, so many of the chunks in which something went amiss.
const CHUNKS_AMISS_TOLD: usize = 20;
/// All other texts fit this, with their NUL.
const LONGEST_TEXT: usize = 1024;

/// An open handle.
pub struct Session {
    handle: AtomicU64,
    /// How its owner is told.
    pub notices: Arc<Notices>,
    /// The spool in use.
    pub root: Arc<Root>,
    bounds: Bounds,
    kind: Kind,
    /// Stops its couriers.
    pub cancel: CancellationToken,
    freed: AtomicBool,
}

enum Kind {
    Live(Stream),
    Resumed(Resumption),
}

/// What `rheed_resume` found.
#[derive(Default)]
struct Resumption {
    /// What was taken up.
    taken: Mutex<Vec<(Arc<Ledger>, Arc<Folder>)>>,
    /// Folders that are not taken up, or not wholly.
    skipped: Mutex<BTreeMap<String, Passed>>,
    /// The whole spool was looked through.
    complete: AtomicBool,
    aborted: AtomicBool,
}

/// Why a folder is not taken up.
struct Passed {
    reason: String,
    /// It should have been, but could not: its frames are still there.
    is_unusable: bool,
}

impl Resumption {
    /// Whether frames are still there that should have been taken up.
    fn is_incomplete(&self) -> bool {
        self.skipped.lock().values().any(|passed| passed.is_unusable)
    }
}

impl Session {
    /// Of `rheed_init`.
    pub fn live(stream: Stream, root: Arc<Root>, bounds: Bounds, cancel: CancellationToken) -> Session {
        let notices = stream.works().ledger.notices.clone();
        Session::new(notices, root, bounds, Kind::Live(stream), cancel)
    }

    /// Of `rheed_resume`.
    pub fn resumed(notices: Arc<Notices>, root: Arc<Root>, bounds: Bounds, cancel: CancellationToken) -> Session {
        Session::new(notices, root, bounds, Kind::Resumed(Resumption::default()), cancel)
    }

    fn new(notices: Arc<Notices>, root: Arc<Root>, bounds: Bounds, kind: Kind, cancel: CancellationToken) -> Session {
        Session { handle: AtomicU64::new(0), notices, root, bounds, kind, cancel, freed: AtomicBool::new(false) }
    }

    /// Its number.
    pub fn handle(&self) -> u64 {
        self.handle.load(Ordering::Relaxed)
    }

    pub(super) fn set_handle(&self, handle: u64) {
        self.handle.store(handle, Ordering::Relaxed);
    }

    /// The stream, for what only a stream can do.
    pub fn stream(&self) -> Result<&Stream> {
        match &self.kind {
            Kind::Live(stream) => Ok(stream),
            Kind::Resumed(_) => {
                Err(Error::argument("this handle is from rheed_resume: it takes flush, stats, text, events, abort and free"))
            }
        }
    }

    /// A failure becomes RHEED_TEXT_LAST_ERROR.
    pub fn note_failure(&self, error: &Error) {
        self.notices.note_failure(error);
    }

    /// What was taken up joins the account: from this folder, if it did so before.
    pub fn add_ledger(&self, ledger: Arc<Ledger>, folder: Arc<Folder>) {
        if let Kind::Resumed(resumption) = &self.kind {
            let mut taken = resumption.taken.lock();
            taken.retain(|(_, known)| known.path() != folder.path());
            taken.push((ledger.clone(), folder));
            drop(taken);
            if resumption.aborted.load(Ordering::Acquire) || self.cancel.is_cancelled() {
                ledger.enter(Phase::Aborted);
            }
        }
    }

    /// A folder that is not taken up, or not wholly.
    pub fn add_skipped(&self, folder: &str, skipped: &Skipped) {
        if let Kind::Resumed(resumption) = &self.kind {
            let passed = Passed { reason: skipped.to_string(), is_unusable: matches!(skipped, Skipped::Unusable(_)) };
            resumption.skipped.lock().insert(folder.into(), passed);
            self.notices.bell.ring();
        }
    }

    /// It is taken up now, or gone.
    pub fn no_longer_skipped(&self, folder: &str) {
        if let Kind::Resumed(resumption) = &self.kind {
            resumption.skipped.lock().remove(folder);
            self.notices.bell.ring();
        }
    }

    /// The search ended in an internal error: something may be there that nobody has taken up.
    pub fn search_failed(&self) {
        let text = "an error inside the search of the spool: not all may have been taken up";
        self.notices.tell(codes::Event::Fault, 0, text);
        self.add_skipped("", &Skipped::Unusable(io::Error::other(text)));
        self.all_taken_up();
    }

    /// The whole spool was looked through.
    pub fn all_taken_up(&self) {
        if let Kind::Resumed(resumption) = &self.kind {
            resumption.complete.store(true, Ordering::Release);
            self.notices.bell.ring();
        }
    }

    fn ledgers(&self) -> Vec<Arc<Ledger>> {
        match &self.kind {
            Kind::Live(stream) => vec![stream.works().ledger.clone()],
            Kind::Resumed(resumption) => resumption.taken.lock().iter().map(|(ledger, _)| ledger.clone()).collect(),
        }
    }

    fn phase(&self) -> Phase {
        match &self.kind {
            Kind::Live(stream) => stream.works().ledger.phase(),
            Kind::Resumed(resumption) => {
                let taken = resumption.taken.lock();
                // What is left of a folder for another time is nothing that goes on.
                let rests = |(ledger, folder): &(Arc<Ledger>, Arc<Folder>)| {
                    ledger.is_over() || (folder.has_leftovers() && folder.is_released())
                };
                if resumption.aborted.load(Ordering::Acquire) {
                    Phase::Aborted
                } else if resumption.complete.load(Ordering::Acquire) && taken.iter().all(rests) {
                    taken.iter().map(|(ledger, _)| ledger.phase()).fold(Phase::Finalized, Phase::max)
                } else {
                    Phase::Finalizing
                }
            }
        }
    }

    /// What every wait gets on a stream that was stopped.
    fn stopped(&self) -> Option<Error> {
        match self.phase() {
            Phase::Aborted => Some(Error::plain(Code::EAborted, "the stream was aborted", [0; 4])),
            Phase::Fault => Some(Error::plain(Code::EInternal, "the stream was closed by an internal fault", [0; 4])),
            _ => None,
        }
    }

    fn done(&self) -> Result<Code> {
        let lost = self.ledgers().iter().any(|ledger| ledger.has_losses());
        Ok(if lost { Code::WLoss } else { Code::Ok })
    }

    fn wait(&self, deadline: Deadline, mut is_done: impl FnMut() -> bool) -> Result<Code> {
        let look = || match self.stopped() {
            Some(error) => Some(Err(error)),
            None if is_done() => Some(self.done()),
            None => self.freed.load(Ordering::Acquire).then_some(Ok(Code::WPending)),
        };
        self.notices.bell.wait_until(deadline, look).unwrap_or(Ok(Code::WPending))
    }

    /// `rheed_flush`
    pub fn flush(&self, deadline: Deadline) -> Result<Code> {
        let stream = match &self.kind {
            Kind::Live(stream) => stream,
            Kind::Resumed(resumption) => {
                let mut is_incomplete = false;
                let done = self.wait(deadline, || {
                    is_incomplete = resumption.is_incomplete(); // Before: what is taken up later counts as under way first.
                    self.phase() == Phase::Finalized
                })?;
                return Ok(if is_incomplete { Code::WPending } else { done });
            }
        };
        let folder = &stream.works().folder;
        let stays = stream.works().options.endpoint == Endpoint::None;
        let accepted = stream.accepted();
        self.wait(deadline, || {
            stream.has_processed(accepted) && if stays { folder.is_synced() } else { folder.is_drained_of(accepted) }
        })
    }

    /// `rheed_finalize`
    pub fn finalize(&self, deadline: Deadline) -> Result<Code> {
        self.stream()?.finalize();
        self.wait(deadline, || self.phase() == Phase::Finalized)
    }

    /// `rheed_abort`
    pub fn abort(&self) {
        match &self.kind {
            Kind::Live(stream) => stream.abort(),
            Kind::Resumed(resumption) if self.phase() < Phase::Finalized || resumption.is_incomplete() => {
                resumption.aborted.store(true, Ordering::Release);
                // Not under the lock: whoever is woken by this looks at the ledgers, too.
                for ledger in self.ledgers() {
                    ledger.enter(Phase::Aborted);
                }
            }
            Kind::Resumed(_) => {}
        }
        self.cancel.cancel(); // Who is stopped by this is known as aborted.
        if let Kind::Resumed(_) = &self.kind {
            // And what was just being taken up.
            self.ledgers().iter().filter(|ledger| !ledger.is_over()).for_each(|ledger| _ = ledger.enter(Phase::Aborted));
        }
        self.notices.bell.ring();
    }

    /// `rheed_free`: nobody can ask any more. What was taken goes on.
    pub fn free(&self) {
        if let Kind::Live(stream) = &self.kind {
            stream.finalize();
        }
        self.freed.store(true, Ordering::Release);
        self.notices.bell.ring();
    }

    /// `rheed_next_event`
    pub fn next_event(&self, deadline: Deadline) -> Result<Event> {
        let events = &self.notices.events;
        if let Some(event) = events.take() {
            return Ok(event);
        }
        if deadline.passed() {
            return Ok(Event::none());
        }
        let look = || match events.take() {
            Some(event) => Some(Ok(event)),
            None if self.phase() == Phase::Finalized || self.freed.load(Ordering::Acquire) => Some(Ok(Event::none())),
            None => self.stopped().map(Err),
        };
        self.notices.bell.wait_until(deadline, look).unwrap_or(Ok(Event::none()))
    }

    /// `rheed_stats`
    pub fn stats(&self) -> [i64; Stat::COUNT] {
        let mut values = match &self.kind {
            Kind::Live(stream) => stream.works().ledger.snapshot(),
            Kind::Resumed(_) => self.sum(),
        };
        values[Stat::SpoolBytes as usize] = self.root.used();
        values[Stat::DiskFreeBytes as usize] = self.root.free();
        values[Stat::SpoolSecondsLeft as usize] = match &self.kind {
            Kind::Live(stream) => stream.works().seconds_left(),
            Kind::Resumed(_) => -1,
        };
        if let Kind::Live(stream) = &self.kind
            && stream.works().folder.sync_fails()
        {
            let health = &mut values[Stat::Health as usize];
            *health = (*health).max(Health::Look as i64);
        }
        values
    }

    /// The account of all that was taken up.
    fn sum(&self) -> [i64; Stat::COUNT] {
        let mut sum = [0; Stat::COUNT];
        let mut health = Health::Good as i64;
        let mut offline = false;
        let mut last_confirmed = -1;
        for ledger in self.ledgers() {
            let values = ledger.snapshot();
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            health = health.max(values[Stat::Health as usize]);
            offline |= ledger.is_offline();
            let age = values[Stat::LastConfirmedAgeMs as usize];
            last_confirmed = if last_confirmed < 0 || (0..last_confirmed).contains(&age) { age } else { last_confirmed };
        }
        sum[Stat::Health as usize] = health;
        sum[Stat::State as usize] = match self.phase() {
            Phase::Finalized => State::Finalized,
            Phase::Aborted => State::Aborted,
            Phase::Fault => State::Fault,
            _ if offline => State::Offline,
            _ => State::Finalizing,
        } as i64;
        sum[Stat::LastFrameAgeMs as usize] = -1;
        sum[Stat::LastConfirmedAgeMs as usize] = last_confirmed;
        sum[Stat::FpsMilli as usize] = -1;
        sum[Stat::CameraClockOffsetNs as usize] = -1;
        sum[Stat::CameraClockBoundNs as usize] = -1;
        sum
    }

    /// `rheed_text`
    pub fn text(&self, which: Text) -> String {
        let ledger = match &self.kind {
            Kind::Live(stream) => Some(&stream.works().ledger),
            Kind::Resumed(_) => None,
        };
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let text = match which {
            Text::DataId => ledger.and_then(|ledger| ledger.data_id()).unwrap_or_default(),
            Text::LocalId => ledger.map(|ledger| ledger.local_id.clone()).unwrap_or_default(),
            Text::Status => ledger::status_line(&self.stats(), ledger.is_some_and(|ledger| ledger.camera_stands_still())),
            Text::LastError => self.notices.last_error(),
            Text::SpoolDir => path(self.root.path()),
            Text::LogFile => self.notices.log.file().map(path).unwrap_or_default(),
            Text::Report => return self.report(),
        };
        text[..text.floor_char_boundary(LONGEST_TEXT - 1)].into()
    }

    fn report(&self) -> String {
        match &self.kind {
            Kind::Live(stream) => {
                let mut report = ledger::report(&stream.works().ledger);
                report["version"] = env!("CARGO_PKG_VERSION").into();
                report["slots_acquired"] = stream.loans().slots().into();
                report["frames"]["odd_stamps"] = stream.works().odd_stamps().into();
                report["spool_dir"] = self.root.path().to_string_lossy().into();
                report["spool_room_bytes"] = self.root.room(&self.bounds).max(0).into();
                report.to_string()
            }
            Kind::Resumed(resumption) => self.spool_report(resumption),
        }
    }

    /// Every stream of the spool: those taken up, those in use or unusable, and the final reports of finished ones, newest
    /// first; as many of these as fit.
    fn spool_report(&self, resumption: &Resumption) -> String {
        let mut streams: Vec<Value> = self.ledgers().iter().map(|ledger| ledger::report(ledger)).collect();
        for (folder, passed) in resumption.skipped.lock().iter() {
            streams.push(json!({ "local_id": folder, "state": "not taken up", "reason": passed.reason }));
        }
        let told = |id: &str| streams.iter().any(|stream| stream["local_id"] == id);
        let finished: Vec<Value> =
            self.root.finished_reports().into_iter().filter(|(id, _)| !told(id)).map(|(_, report)| report).collect();
        streams.extend(finished);
        streams.iter_mut().for_each(|stream| ledger::shorten(stream, CHUNKS_AMISS_TOLD));
        let mut left_out = 0;
        loop {
            let report = json!({
                "version": env!("CARGO_PKG_VERSION"),
                "spool_dir": self.root.path().to_string_lossy(),
                "complete": self.phase() == Phase::Finalized && !resumption.is_incomplete(),
                "streams": streams,
                "streams_left_out": left_out,
            })
            .to_string();
            if report.len() < LONGEST_REPORT || streams.is_empty() {
                return report;
            }
            // Each round leaves out an eighth: few rounds, little is left out needlessly.
            let keep = streams.len() - streams.len().div_ceil(8);
            left_out += streams.len() - keep;
            streams.truncate(keep);
        }
    }
}
