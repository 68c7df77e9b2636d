//! A stream's chunks, oldest first, several at a time, each until it is confirmed or refused for good.
//!
//! Every chunk has its own delay after a failure. Besides, at the beginning and after any failure there is one probe at a time,
//! and with each success one more, so that neither a service in trouble nor a slow line is stormed by a long backlog.

use super::tries::{Enough, NoDelivery, Tries};
use super::{Courier, on_disk};
use crate::codes::{self, Code, Stat};
use crate::error::Error;
use crate::ledger::{Amiss, Place};
use crate::log::Level;
use crate::platform::is_disk_fault;
use crate::service::{Backoff, ChunkFacts, Service, Trouble, UploadTrouble};
use crate::spool::{Folder, Head, Seal, SealedChunk, StreamFacts};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many may be under way: one at the beginning and after a failure, and not before the time is over; more with each success.
struct Gate {
    backoff: Backoff,
    /// The slower one, while the key is refused.
    refusals: Backoff,
    closed: Option<Closed>,
    window: f64,
    /// From here on the window grows by one a round: at twice as many something failed, a slow line perhaps.
    careful_from: f64,
}

struct Closed {
    since: Instant,
    until: Instant,
}

impl Gate {
    /// How it stands with the service nobody knows yet: one probe at first.
    fn new(now: Instant) -> Gate {
        Gate {
            backoff: Backoff::default(),
            refusals: Backoff::after_refusals(),
            closed: Some(Closed { since: now, until: now }),
            window: 1.0,
            careful_from: f64::INFINITY,
        }
    }

    fn allows(&self, in_flight: usize, now: Instant) -> bool {
        !self.is_full(in_flight) && self.closed.as_ref().is_none_or(|closed| now >= closed.until)
    }

    fn is_full(&self, in_flight: usize) -> bool {
        in_flight >= self.window as usize
    }

    /// Whether what began then says nothing of how it stands now.
    fn is_old(&self, began: Instant) -> bool {
        self.closed.as_ref().is_some_and(|closed| began < closed.since)
    }

    /// An attempt that began then has failed. Those that failed together count once.
    fn failed(&mut self, began: Instant, pause: impl FnOnce(&mut Gate) -> Duration) {
        if self.is_old(began) {
            return;
        }
        if self.window > 1.0 {
            self.careful_from = (self.window / 2.0).max(1.0);
            self.window = 1.0;
        }
        let now = Instant::now();
        self.closed = Some(Closed { since: now, until: now + pause(self) });
    }

    /// An attempt that began then has succeeded.
    fn succeeded(&mut self, began: Instant) {
        if self.is_old(began) {
            return;
        }
        let step = if self.window < self.careful_from { 1.0 } else { 1.0 / self.window };
        *self = Gate { window: self.window + step, careful_from: self.careful_from, closed: None, ..Gate::new(began) };
    }
}

/// The uploads of one stream.
struct Deliveries<'a> {
    courier: &'a Courier,
    facts: StreamFacts,
    data_id: String,
    gate: Gate,
    tries: HashMap<u64, Tries>,
    /// So many chunks so far.
    confirmed: u64,
    in_flight: HashSet<u64>,
    attempts: JoinSet<Attempt>,
    /// Of files whose chunks are confirmed.
    removals: &'a mut JoinSet<()>,
}

struct Attempt {
    chunk: SealedChunk,
    began: Instant,
    /// What went amiss with it, as far as its file could be read.
    amiss: Amiss,
    outcome: Outcome,
    /// Given back when the outcome is known to the gate, so that a failure does not make room for the next attempt.
    permit: OwnedSemaphorePermit,
}

/// What became of a chunk.
enum Outcome {
    /// The service has it. Its file is yet to be removed.
    Confirmed,
    /// Not delivered, and not to be: it is kept beside the spool.
    SetAside(NoDelivery),
    /// It ought to be set aside, but the disk does not allow it.
    Stuck(NoDelivery, io::Error),
    /// To be tried again.
    Failed(UploadTrouble),
}

type Turn = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

impl Courier {
    /// Until no chunk will follow and each is confirmed or accounted for.
    pub(super) async fn deliver(&self, data_id: &str, removals: &mut JoinSet<()>) {
        let mut deliveries = Deliveries {
            courier: self,
            facts: self.folder.facts(),
            data_id: data_id.into(),
            gate: Gate::new(Instant::now()),
            tries: HashMap::new(),
            confirmed: 0,
            in_flight: HashSet::new(),
            attempts: JoinSet::new(),
            removals,
        };
        let mut turn: Option<Turn> = None;
        while !self.folder.is_drained() {
            // One look at the clock for both: what is not due now is due later, and nothing falls between.
            let now = Instant::now();
            if deliveries.due(now).is_some() && turn.is_none() {
                let workers = self.workers.clone();
                turn = Some(Box::pin(async move { workers.acquire_owned().await.ok() }));
            }
            let pause = deliveries.next_due(now);
            tokio::select! {
                // Kept across rounds: a place in the line of those who wait for a worker is not given up.
                permit = async { match turn.as_mut() { Some(turn) => turn.await, None => std::future::pending().await } } => {
                    turn = None;
                    if let (Some(permit), Some(chunk)) = (permit, deliveries.due(Instant::now())) {
                        deliveries.start(chunk, permit);
                    }
                }
                Some(attempt) = deliveries.attempts.join_next() => match attempt {
                    Ok(attempt) => deliveries.ended(attempt),
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => return, // The runtime is shutting down.
                },
                () = self.folder.changed.notified() => {}
                () = tokio::time::sleep_until(pause.unwrap_or_else(Instant::now)), if pause.is_some() => {}
                Some(removed) = deliveries.removals.join_next() => passed_on(removed),
            }
        }
        all(deliveries.removals).await;
    }
}

impl Deliveries<'_> {
    /// The oldest chunk that may be tried now.
    fn due(&self, now: Instant) -> Option<SealedChunk> {
        if !self.gate.allows(self.in_flight.len(), now) {
            return None;
        }
        let tries = |chunk: &SealedChunk| self.tries.get(&chunk.order);
        let is_due = |chunk: &SealedChunk| {
            !self.in_flight.contains(&chunk.order)
                && tries(chunk).and_then(|tries| tries.not_before).is_none_or(|time| time <= now)
        };
        // Whether it is the key that is refused or one chunk, another chunk tells.
        let is_another = |chunk: &SealedChunk| is_due(chunk) && !tries(chunk).is_some_and(Tries::was_refused);
        let probe = self.gate.closed.is_some().then(|| self.courier.folder.oldest(is_another)).flatten();
        probe.or_else(|| self.courier.folder.oldest(is_due))
    }

    /// When there may be one, if nothing else happens before.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        let later = self.tries.values().filter_map(|tries| tries.not_before).filter(|time| *time > now).min();
        match &self.gate.closed {
            Some(closed) if closed.until > now => Some(closed.until),
            _ if self.gate.is_full(self.in_flight.len()) => None,
            _ => later,
        }
    }

    /// What a chunk has had enough of.
    fn enough(&self, chunk: &SealedChunk) -> Enough {
        let Some(tries) = self.tries.get(&chunk.order) else { return Enough::default() };
        let refused = || self.tries.values().filter(|tries| tries.was_refused()).count();
        let alone = self.confirmed > 0 && self.courier.folder.is_closed() && refused() == self.courier.folder.waiting();
        tries.enough(alone, Instant::now())
    }

    fn start(&mut self, chunk: SealedChunk, permit: OwnedSemaphorePermit) {
        self.in_flight.insert(chunk.order);
        let courier = self.courier;
        let carried = Carried {
            folder: courier.folder.clone(),
            service: courier.service.clone(),
            // Only what this process sealed may take an offset that was measured after.
            clock: chunk.begun.and_then(|begun| courier.clock.first_offset(&begun)),
            facts: self.facts.clone(),
            data_id: self.data_id.clone(),
            enough: self.enough(&chunk),
        };
        let ledger = courier.ledger.clone();
        let sent = move |bytes: usize| ledger.add(Stat::BytesSent, bytes as i64);
        self.attempts.spawn(async move {
            let began = Instant::now();
            let opened = carried.open(&chunk).await;
            let amiss = opened.as_ref().map_or_else(|_| Amiss::default(), |(_, seal, _)| seal.amiss);
            let sent = match opened {
                Ok(opened) => carried.send(&chunk, opened, sent).await,
                Err(error) => Err(UploadTrouble::File(error)),
            };
            let outcome = carried.put_away(&chunk, sent).await;
            Attempt { chunk, began, amiss, outcome, permit }
        });
    }

    fn ended(&mut self, attempt: Attempt) {
        let Attempt { chunk, began, amiss, outcome, permit } = attempt;
        let courier = self.courier;
        self.in_flight.remove(&chunk.order);
        if chunk.begun.is_none() && matches!(outcome, Outcome::Confirmed | Outcome::SetAside(_)) {
            courier.ledger.note_amiss_before(chunk.chunk, chunk.frames.into(), amiss);
        }
        match outcome {
            Outcome::Confirmed => {
                self.gate.succeeded(began);
                self.confirmed += 1;
                self.tries.remove(&chunk.order);
                courier.note_connected(&self.data_id);
                // Nobody who waits for the service waits for the disk. A worker does: files do not gather.
                let removed = chunk.clone();
                let removal = on_disk(&courier.folder, move |folder| folder.remove(&removed));
                self.removals.spawn(async move {
                    removal.await;
                    drop(permit);
                });
                courier.folder.settle(&chunk, |waiting| {
                    courier.ledger.chunk_confirmed(chunk.chunk, chunk.frames.into(), &amiss);
                    courier.ledger.agrees(Place::Waiting, waiting);
                });
            }
            Outcome::SetAside(why) => self.lost(&chunk, began, why),
            Outcome::Stuck(why, error) => {
                self.answered(began, &why);
                courier.tell_disk_low(format!("chunk {}: {}; it cannot be set aside: {error}", chunk.chunk, why.reason));
                self.tries.entry(chunk.order).or_default().again(None);
            }
            Outcome::Failed(trouble) => self.failed(&chunk, began, &trouble),
        }
    }

    fn failed(&mut self, chunk: &SealedChunk, began: Instant, trouble: &UploadTrouble) {
        let courier = self.courier;
        if courier.cancel.is_cancelled() {
            return; // Cut off by the stop, which says nothing of the service.
        }
        let asked = match trouble {
            UploadTrouble::Presign(refused) | UploadTrouble::Put(refused) if refused.is_refusal() => {
                let tries = self.tries.entry(chunk.order).or_default();
                if tries.refused(trouble, self.confirmed, Instant::now()) {
                    // The others may go on.
                    courier.ledger.notices.note_failure(&refused.to_error());
                } else if matches!(refused, Trouble::Auth { .. }) {
                    courier.refused(refused);
                    self.gate.failed(began, |gate| gate.refusals.next(None));
                } else {
                    self.gate.failed(began, |gate| gate.backoff.next(None));
                    courier.note_trouble(refused, self.gate.backoff.failures());
                }
                courier.say(Level::Notice, || format!("chunk {} is tried again: {trouble}", chunk.chunk));
                return;
            }
            UploadTrouble::Presign(later) | UploadTrouble::Put(later) => {
                let asked = later.asked_delay();
                self.gate.failed(began, |gate| gate.backoff.next(asked));
                courier.note_trouble(later, self.gate.backoff.failures());
                asked
            }
            // The disk's trouble: the service may well take the other chunks.
            UploadTrouble::File(error) => {
                let text = format!("chunk {}: {trouble}", chunk.chunk);
                courier.ledger.notices.note_failure(&Error::new(Code::ESpool, text.clone()));
                if is_disk_fault(error) {
                    let tries = self.tries.entry(chunk.order).or_default();
                    tries.disk_faults += 1;
                    if tries.disk_faults == 1 {
                        courier.tell_disk_low(text);
                    }
                }
                None
            }
        };
        courier.say(Level::Notice, || format!("chunk {} is tried again: {trouble}", chunk.chunk));
        self.tries.entry(chunk.order).or_default().again(asked);
    }

    fn answered(&mut self, began: Instant, why: &NoDelivery) {
        if why.code == Code::ERefused {
            self.gate.succeeded(began); // The service answers.
        }
    }

    /// Counted and told.
    fn lost(&mut self, chunk: &SealedChunk, began: Instant, why: NoDelivery) {
        let courier = self.courier;
        self.answered(began, &why);
        self.tries.remove(&chunk.order);
        let text = format!("chunk {} set aside, {} frames: {}", chunk.chunk, chunk.frames, why.reason);
        courier.ledger.notices.note_failure(&Error::new(why.code, text.clone()));
        courier.folder.settle(chunk, |waiting| {
            courier.ledger.frames_lost(Place::Waiting, &why.reason, chunk.loss());
            courier.ledger.agrees(Place::Waiting, waiting);
            courier.ledger.notices.note(codes::Event::ChunkSetAside, chunk.chunk as i64, text);
        });
    }
}

/// What an attempt takes with it.
struct Carried {
    folder: Arc<Folder>,
    service: Arc<Service>,
    clock: Option<crate::clock::ClockOffset>,
    facts: StreamFacts,
    data_id: String,
    enough: Enough,
}

/// Until all tasks have ended.
pub(super) async fn all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        passed_on(ended);
    }
}

/// A panic goes on in whoever started the task; a task that was cut off is nobody's concern.
fn passed_on(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

impl Carried {
    /// Sets a chunk aside that is not to be delivered.
    async fn put_away(&self, chunk: &SealedChunk, sent: Result<(), UploadTrouble>) -> Outcome {
        let putting_away = chunk.clone();
        match sent {
            Ok(()) => Outcome::Confirmed,
            Err(trouble) => match NoDelivery::of(&trouble, self.enough) {
                None => Outcome::Failed(trouble),
                Some(why) => {
                    let reason = why.reason.clone();
                    let not_found = matches!(&trouble, UploadTrouble::File(error) if error.kind() == ErrorKind::NotFound);
                    let set_aside = on_disk(&self.folder, move |folder| {
                        if !not_found {
                            folder.set_aside(&putting_away, &reason)?;
                        } else if folder.is_missing(&putting_away)? {
                            folder.note_missing(&putting_away, &reason);
                        } else {
                            return Ok(false); // It is there again: the disk was away for a moment.
                        }
                        Ok(true)
                    });
                    match set_aside.await {
                        Ok(true) => Outcome::SetAside(why),
                        Ok(false) => Outcome::Failed(trouble),
                        Err(error) => Outcome::Stuck(why, error),
                    }
                }
            },
        }
    }

    async fn open(&self, chunk: &SealedChunk) -> io::Result<(Head, Seal, File)> {
        let opening = chunk.clone();
        let opened = on_disk(&self.folder, move |folder| {
            let _ = folder.save(); // Else the next process would not know to which stream the chunk went.
            folder.open_sealed(&opening)
        });
        opened.await
    }

    async fn send(
        &self,
        chunk: &SealedChunk,
        (head, seal, shard): (Head, Seal, File),
        sent: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<(), UploadTrouble> {
        let clock = seal.clock.or(self.clock);
        let offset_ns = clock.map_or(0, |clock| clock.offset_ns);
        // Whole microseconds: a double holds no more of a Unix time in milliseconds.
        let ms = |ns: i64| (ns / 1000) as f64 / 1000.0;
        let facts = ChunkFacts {
            data_id: self.data_id.clone(),
            chunk: chunk.chunk,
            is_rotating: self.facts.rotations_per_min > 0.0,
            raw_frame_rate: self.facts.fps,
            average_frame_rate: seal.average_fps,
            chunk_size: self.facts.chunk_size,
            dims: (seal.frames, head.height, head.width),
            start_unix_ms: ms(seal.start_ns.saturating_add(offset_ns)),
            end_unix_ms: ms(seal.end_ns.saturating_add(offset_ns)),
            clock_ms: clock.map(|clock| (ms(clock.offset_ns), ms(clock.uncertainty_ns))),
        };
        self.service.upload(&facts, shard, chunk.bytes, sent).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_that_fail_together_count_as_one_failure() {
        let began = Instant::now();
        let mut gate = Gate::new(began);
        assert!(gate.allows(0, began) && !gate.allows(1, began));
        for _ in 0..7 {
            gate.succeeded(began);
        }
        assert!(gate.allows(7, began));
        let mut asked = 0;
        for _ in 0..8 {
            gate.failed(began, |_gate| {
                asked += 1;
                Duration::from_secs(1)
            });
        }
        assert_eq!(asked, 1);
        assert!(!gate.allows(0, began));
    }

    #[test]
    fn what_began_before_a_failure_opens_nothing() {
        let before = Instant::now();
        let mut gate = Gate::new(before);
        gate.succeeded(before);
        let after = before + Duration::from_secs(1);
        gate.closed = Some(Closed { since: after, until: after + Duration::from_secs(900) });
        gate.succeeded(before);
        assert!(!gate.allows(0, after));
        gate.succeeded(after);
        assert!(gate.allows(0, after));
    }

    #[test]
    fn after_a_failure_as_many_again_go_slowly() {
        let began = Instant::now();
        let mut gate = Gate::new(began);
        (0..7).for_each(|_| gate.succeeded(began));
        gate.failed(began, |_gate| Duration::ZERO);
        let now = Instant::now() + Duration::from_secs(1);
        assert!(gate.allows(0, now) && !gate.allows(1, now));
        (0..3).for_each(|_| gate.succeeded(now));
        assert!(gate.allows(3, now) && !gate.allows(4, now)); // Half of those that were too many.
        gate.succeeded(now);
        assert!(!gate.allows(4, now));
        (0..30).for_each(|_| gate.succeeded(now));
        assert!(gate.allows(7, now));
    }
}
