//! Between spool and service: one courier a stream, live or taken up, sees it through to its end.
//!
//! `create` makes the stream exist at the service, `deliver` uploads its chunks, and here it is ended and its folder removed.
//! Until that has happened everything stays in the spool, so a courier may die at any moment.

mod create;
mod deliver;
mod first_answer;
mod tries;

pub use first_answer::{Answering, FirstAnswer, Waited, first_answer};

use crate::clock::ReferenceClock;
use crate::codes::{self, Stat};
use crate::ledger::{Connection, Ledger, Notices, Phase, Place, report};
use crate::log::Level;
use crate::platform::steady_ns;
use crate::service::{Backoff, Service, Trouble};
use crate::spool::{Folder, TakenUp};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Carries one stream's chunks to the service.
pub struct Courier {
    /// What it carries from.
    pub folder: Arc<Folder>,
    /// Where it keeps account.
    pub ledger: Arc<Ledger>,
    /// Where it carries to.
    pub service: Arc<Service>,
    /// For chunks that were sealed before the clock was measured.
    pub clock: Arc<ReferenceClock>,
    /// Uploads, creations and ends at a time, shared by a stream and what was taken up with it. It is fair, so they take turns.
    pub workers: Arc<Semaphore>,
    /// Stops it.
    pub cancel: CancellationToken,
    /// Until the first answer is given: somebody may wait for it.
    pub first_answer: Option<Answering>,
}

/// A connection may break once; a service that cannot be reached at once either is away.
const SILENCES_OF_AN_OUTAGE: u32 = 2;
/// A service that answers, but takes nothing after so many tries, is as good as away.
const FAILURES_OF_AN_OUTAGE: u32 = 4;

/// A service that asks for a longer pause at once is away.
const PAUSE_OF_AN_OUTAGE: Duration = Duration::from_secs(30);
/// A gateway refuses for a while, when the service is being renewed. One that has refused the end so often will go on so: the
/// chunks came through.
const REFUSALS_OF_AN_END: u32 = 7;

/// Why a courier stops before the stream has ended.
struct Refused;

impl Courier {
    /// Until the stream is ended, or the courier is stopped. Whoever waits for a first answer then learns that none will come.
    pub async fn run(mut self) {
        let cancel = self.cancel.clone();
        let mut removals = JoinSet::new();
        let _ = cancel.run_until_cancelled(self.see_through(&mut removals)).await;
        // Also when it was stopped: what is confirmed and not removed would be sent and counted again by the next process.
        deliver::all(&mut removals).await;
    }

    async fn see_through(&mut self, removals: &mut JoinSet<()>) -> Result<(), Refused> {
        let Some(data_id) = self.exist().await? else {
            self.finish().await; // It never had a frame, and never was at the service.
            return Ok(());
        };
        tokio::join!(self.link_if_needed(&data_id), async {
            self.deliver(&data_id, removals).await;
            if self.ledger.phase() < Phase::Aborted {
                self.clear().await;
                if !self.is_left_for_later() {
                    self.end(&data_id).await;
                }
            }
        });
        self.finish().await;
        Ok(())
    }

    /// Whether something in the folder is for another time: after a fault, or when the disk did not let all of it be taken up, a
    /// part-filled chunk perhaps.
    fn is_left_for_later(&self) -> bool {
        self.ledger.phase() >= Phase::Aborted || self.folder.has_leftovers()
    }

    /// Until the disk has let go of what is confirmed.
    async fn clear(&self) {
        let mut backoff = Backoff::default();
        while let Err(error) = on_disk(&self.folder, |folder| folder.clear()).await {
            let text = format!("confirmed chunks cannot be removed from the spool, for which the stream's end waits: {error}");
            self.tell_disk_low(text);
            tokio::time::sleep(backoff.next(None)).await;
        }
    }

    /// Tells the service that no more will come.
    async fn end(&self, data_id: &str) {
        let (mut backoff, mut refusals) = (Backoff::default(), Backoff::after_refusals());
        let mut by_a_gateway = 0;
        loop {
            let turn = self.workers.acquire().await;
            let ended = self.service.end_stream(data_id).await;
            drop(turn);
            let Err(trouble) = ended else { break };
            self.say(Level::Notice, || format!("the stream is not ended yet: {trouble}"));
            let pause = match &trouble {
                Trouble::Auth { .. } => {
                    self.refused(&trouble);
                    refusals.next(None)
                }
                Trouble::Refused { in_json: false, .. } if by_a_gateway < REFUSALS_OF_AN_END => {
                    by_a_gateway += 1;
                    let pause = backoff.next(None);
                    self.note_trouble(&trouble, backoff.failures());
                    pause
                }
                refused if refused.is_refusal() => {
                    // It has every chunk that it would take; a stream that is gone or ended already needs no end.
                    self.ledger.notices.note_failure(&trouble.to_error());
                    self.ledger.notices.tell(
                        codes::Event::Refused,
                        trouble.status().into(),
                        format!("the stream's end: {trouble}"),
                    );
                    break;
                }
                _ => {
                    by_a_gateway = 0;
                    let pause = backoff.next(trouble.asked_delay());
                    self.note_trouble(&trouble, backoff.failures());
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
        self.note_connected(data_id);
    }

    async fn finish(&self) {
        if self.is_left_for_later() {
            return;
        }
        let mut last = report(&self.ledger);
        last["state"] = "finalized".into();
        if let Err(error) = on_disk(&self.folder, move |folder| folder.finish(&last)).await {
            self.say(Level::Error, || format!("the stream is complete, but its spool folder cannot be removed: {error}"));
            self.folder.release();
        }
        finalized(&self.ledger);
    }

    /// The key, or the stream, is not accepted: data are kept, tries go on slowly. Nothing gets through, as in an outage.
    fn refused(&self, trouble: &Trouble) {
        self.ledger.notices.note_failure(&trouble.to_error());
        self.ledger.connect(Connection::Offline);
        if self.ledger.refuse() {
            self.ledger.notices.tell(codes::Event::Refused, trouble.status().into(), trouble.to_string());
        }
    }

    /// What stands between chunks and service, for the so manyth time: after some it is an outage.
    fn note_trouble(&self, trouble: &Trouble, failures: u32) {
        self.ledger.notices.note_failure(&trouble.to_error());
        let of_an_outage = match trouble {
            Trouble::Unreachable(_) => SILENCES_OF_AN_OUTAGE,
            _ => FAILURES_OF_AN_OUTAGE,
        };
        if failures >= of_an_outage || trouble.asked_delay().is_some_and(|asked| asked > PAUSE_OF_AN_OUTAGE) {
            self.note_offline(trouble.to_string());
        }
    }

    /// Told once an outage.
    fn note_offline(&self, why: String) {
        if self.ledger.connect(Connection::Offline) {
            self.ledger.notices.tell(codes::Event::Offline, self.folder.waiting() as i64, why);
        }
    }

    /// Told once, at the beginning and after each outage.
    fn note_connected(&self, data_id: &str) {
        if self.ledger.connect(Connection::Streaming) {
            self.ledger.notices.tell(codes::Event::Connected, 0, format!("connected: the stream's data id is {data_id}"));
        }
    }

    /// Something waits for the disk: told once, until the disk takes something again.
    fn tell_disk_low(&self, text: String) {
        if self.ledger.note_disk_low(true) {
            self.ledger.notices.tell(codes::Event::DiskLow, -1, text);
        } else {
            self.say(Level::Error, || text);
        }
    }

    fn say(&self, level: Level, message: impl FnOnce() -> String) {
        self.ledger.notices.log.say(level, message);
    }
}

/// A disk is asked on a thread that may wait for it: one that hangs is not to hold up what goes on beside it. The folder is not
/// let go meanwhile, even when the courier is stopped. It is asked at once, whether or not somebody waits for the answer.
fn on_disk<T: Send + 'static, F: FnOnce(&Folder) -> T + Send + 'static>(
    folder: &Arc<Folder>,
    ask: F,
) -> impl Future<Output = T> + Send + use<T, F> {
    let folder = folder.at_work();
    let asked = tokio::task::spawn_blocking(move || ask(&folder));
    async {
        match asked.await {
            Ok(answer) => answer,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => std::future::pending().await, // The runtime is shutting down, and with it whoever waits.
        }
    }
}

/// The service has not answered in time, unless it did so just now.
pub fn note_no_answer(ledger: &Ledger, folder: &Folder, why: String) {
    if ledger.give_up_first_answer() {
        ledger.notices.tell(codes::Event::Offline, folder.waiting() as i64, why);
    }
}

/// `endpoint = none`: the stream is complete when everything is in the spool, power cut or not.
pub async fn keep_in_spool(folder: Arc<Folder>, ledger: Arc<Ledger>, cancel: CancellationToken) {
    closed(&folder).await;
    if let Err(error) = on_disk(&folder, |folder| folder.remove_the_rest()).await {
        ledger.notices.log.say(Level::Error, || format!("a chunk that was refused cannot be removed from the spool: {error}"));
    }
    while !folder.is_synced() {
        folder.changed.notified().await;
    }
    folder.release();
    if !cancel.is_cancelled() && ledger.phase() != Phase::Fault && !folder.has_leftovers() {
        finalized(&ledger);
    }
}

/// Until no chunk will follow.
async fn closed(folder: &Folder) {
    while !folder.is_closed() {
        folder.changed.notified().await;
    }
}

fn finalized(ledger: &Ledger) {
    let values = ledger.snapshot();
    let value = |stat: Stat| values[stat as usize];
    let mut text = format!("finalized: {} frames confirmed, {} lost", value(Stat::FramesConfirmed), value(Stat::FramesLost));
    if value(Stat::FramesPending) > 0 {
        text.push_str(&format!(", {} kept in the spool", value(Stat::FramesPending)));
    }
    ledger.notices.events.put(codes::Event::Finalized, value(Stat::FramesLost), text.clone().into());
    ledger.notices.log.say(Level::Notice, || text);
    ledger.enter(Phase::Finalized);
}

/// The account of a stream that was taken up: what was found counts as accepted.
pub fn account_for(taken: &TakenUp, ledger: &Ledger) {
    let notices = &ledger.notices;
    ledger.enter(Phase::Finalizing);
    ledger.frames_accepted(taken.frames as i64, 0, steady_ns());
    ledger.transfer(Place::Slots, Place::Waiting, taken.frames);
    ledger.add(Stat::ChunksSealed, taken.folder.waiting() as i64);
    for (reason, loss) in taken.losses.iter().chain(taken.lost.iter()) {
        ledger.frames_accepted(loss.frames as i64, 0, steady_ns());
        ledger.add(Stat::ChunksSealed, loss.chunks as i64);
        ledger.frames_lost(Place::Slots, reason, loss);
    }
    for remark in &taken.remarks {
        notices.log.say(Level::Error, || format!("{}: {remark}", ledger.local_id));
    }
    if let Some((data_id, _)) = taken.folder.created() {
        ledger.set_data_id(&data_id);
    }
}

/// Tells the owner of a handle of it.
pub fn tell_taken_up(taken: &TakenUp, ledger: &Ledger, notices: &Notices) {
    let text = format!("taken up from an earlier process: {} ({}), {} frames", ledger.name, ledger.local_id, taken.frames);
    notices.tell(codes::Event::TakenUp, taken.frames as i64, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::scratch::Scratch;

    #[test]
    fn what_a_fault_left_in_a_part_filled_chunk_stays_for_the_next_process() {
        const ENDPOINT: &str = "http://127.0.0.1:9";
        let scratch = Scratch::new(&format!("api_key=k\nendpoint={ENDPOINT}"));
        let (notices, folder) = (&scratch.notices, &scratch.folder);
        let part = folder.path().join("c0000000000.part");
        std::fs::write(&part, "frames").unwrap();
        let ledger = Arc::new(Ledger::new(&folder.local_id(), "faulty", Connection::Connecting, notices.clone()));
        ledger.enter(Phase::Fault);
        folder.close();

        let courier = Courier {
            folder: folder.clone(),
            ledger,
            service: Arc::new(Service::new(ENDPOINT, &scratch.options, notices.log.clone()).unwrap()),
            clock: Arc::default(),
            workers: Arc::new(Semaphore::new(1)),
            cancel: CancellationToken::new(),
            first_answer: None,
        };
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(courier.run());
        assert!(part.exists());
        assert!(notices.events.take().is_none_or(|event| event.kind != codes::Event::Finalized));
    }
}
