//! Room for a frame: a slot, a place in the queue, and who waits for them.

use super::Intake;
use crate::codes::{self, Code, Stat};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::stream::queue::Place;
use crate::stream::slots::{Pool, Slot};
use crate::wait::Deadline;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Intake {
    /// What `take` makes of the slots for frames of that size; waits for it where that was asked for.
    pub(super) fn free_slot<T>(&self, frame_bytes: usize, take: impl Fn(&Arc<Pool>) -> Option<T>) -> Result<T> {
        if let Some(taken) = self.look_for_slot(frame_bytes, &take) {
            return Ok(taken);
        }
        self.fit_pool(frame_bytes)?;
        self.take_or_wait(|| self.look_for_slot(frame_bytes, &take))
    }

    /// Looked up each time: while somebody waits, others may bring larger frames and with them other slots.
    fn look_for_slot<T>(&self, frame_bytes: usize, take: impl Fn(&Arc<Pool>) -> Option<T>) -> Option<T> {
        self.pool.read().as_ref().filter(|pool| pool.slot_bytes() >= frame_bytes).and_then(take)
    }

    /// A place in the queue; waits for one where that was asked for.
    pub(super) fn free_place(&self) -> Result<Place<'_>> {
        self.take_or_wait(|| self.queue.place())
    }

    /// A place in the queue for a frame that is left out, where regions are to be measured in it all the same; so many slots more it
    /// needs. Without room it is not measured, which is no refusal.
    pub(super) fn place_to_measure(&self, slots: usize) -> Option<Place<'_>> {
        if !self.works.regions.are_watched() || !(self.way.is_run_here() || self.leaves_half(slots)) {
            return None;
        }
        self.take_to_measure(|| self.queue.place())
    }

    /// The same with a slot, for a frame that brings none.
    pub(super) fn slot_to_measure(&self, bytes: usize) -> Option<(Slot, Place<'_>)> {
        if !self.works.regions.are_watched() || !self.try_fit_pool(bytes).unwrap_or(false) {
            return None;
        }
        let place = self.place_to_measure(1)?;
        Some((self.take_to_measure(|| self.look_for_slot(bytes, Pool::take))?, place))
    }

    /// Only the source of `rheed_run` waits for it: it is asked for no frame before that.
    fn take_to_measure<T>(&self, mut take: impl FnMut() -> Option<T>) -> Option<T> {
        if self.way.is_run_here() { self.take_if_may(take) } else { take() }
    }

    /// Whether a frame that is left out, and needs so many slots more, leaves half of those that are not lent to the frames that
    /// are kept.
    fn leaves_half(&self, slots: usize) -> bool {
        let pool = self.pool.read();
        let Some(pool) = &*pool else { return false };
        let lent_to_others = (self.loans.slots() + slots).saturating_sub(1); // Who needs none has one of them.
        let free = pool.free_slots().checked_sub(slots);
        free.is_some_and(|free| 2 * free >= pool.slots().saturating_sub(lent_to_others))
    }

    fn take_or_wait<T>(&self, take: impl FnMut() -> Option<T>) -> Result<T> {
        if let Some(taken) = self.take_if_may(take) {
            return Ok(taken);
        }
        self.check_open()?; // At a stream's end its slots are gone.
        Err(if self.may_wait() { self.works.no_room(1) } else { self.queue_full() })
    }

    /// Waits where that was asked for, but not beyond the stream's end, nor for a disk: only for slots.
    fn take_if_may<T>(&self, mut take: impl FnMut() -> Option<T>) -> Option<T> {
        let taken = take();
        if taken.is_some() || !self.may_wait() {
            return taken;
        }
        let is_over = || self.check_open().is_err() || self.works.folder.root().is_failing();
        let look = || take().map(Some).or_else(|| is_over().then_some(None));
        let _held_up = self.works.ledger.hold_up();
        self.works.ledger.notices.bell.wait_until(Deadline::never(), look).flatten()
    }

    fn may_wait(&self) -> bool {
        self.works.options.block_when_full || self.way.is_run_here()
    }

    /// Why there is none.
    fn queue_full(&self) -> Error {
        const BUSY: &str = "no slot is free: frames come faster than they can be compressed and written (queue_bytes)";
        const LENT: &str = "no slot is free: {} are acquired and not given back, {} bytes (at most queue_bytes) \
            of {} sizes (at most 2), and {} frames wait to be compressed and written";
        let loans = &self.loans;
        if loans.slots() == 0 {
            return self.dropped(Error::plain(Code::EQueueFull, BUSY, [0; 4]));
        }
        let numbers = [loans.slots(), loans.bytes(), loans.sizes(), self.queue.len()].map(|number| number as u64);
        self.dropped(Error::plain(Code::EQueueFull, LENT, numbers))
    }

    fn dropped(&self, error: Error) -> Error {
        let ledger = &self.works.ledger;
        ledger.frames_dropped(1);
        if !self.burst_told.swap(true, Ordering::Relaxed) {
            ledger.notices.tell(codes::Event::QueueFull, ledger.get(Stat::FramesDropped), error.text());
        }
        error
    }

    /// Sees that there are slots for frames up to that size. New ones are made when a frame is larger than any before; those in
    /// use go when the encoder is done with them, those that are lent when they are given back.
    pub fn fit_pool(&self, frame_bytes: usize) -> Result<()> {
        let text = "no memory can be had for slots of {} bytes: the frame was not taken";
        match self.try_fit_pool(frame_bytes)? {
            true => Ok(()),
            false => Err(self.dropped(Error::plain(Code::EQueueFull, text, [frame_bytes as u64, 0, 0, 0]))),
        }
    }

    /// The same; whether the memory can be had.
    fn try_fit_pool(&self, frame_bytes: usize) -> Result<bool> {
        let fits = |pool: &Arc<Pool>| pool.slot_bytes() >= frame_bytes;
        if self.pool.read().as_ref().is_some_and(fits) {
            return Ok(true);
        }
        let mut current = self.pool.write();
        if current.as_ref().is_some_and(fits) {
            return Ok(true);
        }
        self.check_open()?; // Behind `drop_slots` nobody would drop them.
        let Ok(made) = new_pool(frame_bytes, &self.works.options) else { return Ok(false) };
        self.loans.enlist(&made);
        *current = Some(made);
        drop(current);
        self.works.ledger.notices.bell.ring(); // Somebody may wait for a slot of the former ones.
        Ok(true)
    }

    /// Whoever is refused a slot from now on is so for another reason than before.
    pub fn caught_up(&self) {
        if self.burst_told.load(Ordering::Relaxed) {
            self.burst_told.store(false, Ordering::Relaxed);
        }
    }

    /// Frames that wait for the encoder, and slots that a frame may come in.
    pub fn backlog(&self) -> (usize, usize) {
        let slots = self.pool.read().as_ref().map_or(1, |pool| pool.slots());
        (self.queue.len(), slots.saturating_sub(self.loans.slots()))
    }

    /// The stream is at its end: its memory is given back before its handle is.
    pub fn drop_slots(&self) {
        self.pool.write().take();
    }
}

/// The slots that the options give to frames of a size.
pub(super) fn new_pool(frame_bytes: usize, options: &Options) -> Result<Arc<Pool>> {
    let pool = Pool::new(frame_bytes, options.queue_bytes);
    pool.map(Arc::new).ok_or(Error::plain(
        Code::EOption,
        "queue_bytes = {} is more memory than can be had: give less",
        [options.queue_bytes, 0, 0, 0],
    ))
}
