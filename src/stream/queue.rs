//! From the pushes to the encoder: the queue of frames in their slots, and the encoder's sleep while it is empty.
//!
//! Neither side locks: a push that was put to sleep holds up no other.

use super::intake::Filled;
use super::slots::MOST_SLOTS;
use crate::wait::Deadline;
use crossbeam_queue::ArrayQueue;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::thread::Thread;

/// Frames that wait for the encoder.
pub struct Queue {
    frames: ArrayQueue<Filled>,
    /// Free places. Slots of one size are never more than there are, but slots of several sizes may be.
    places: AtomicUsize,
    encoder: OnceLock<Thread>,
    encoder_sleeps: AtomicBool,
}

impl Queue {
    /// An empty one.
    pub fn new() -> Queue {
        Queue {
            frames: ArrayQueue::new(MOST_SLOTS),
            places: AtomicUsize::new(MOST_SLOTS),
            encoder: OnceLock::new(),
            encoder_sleeps: AtomicBool::new(false),
        }
    }

    /// Reserves a place, if one is free.
    pub fn place(&self) -> Option<Place<'_>> {
        let taken = self.places.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |places| places.checked_sub(1));
        taken.ok().map(|_| Place(self))
    }

    /// The next frame.
    pub fn pop(&self) -> Option<Filled> {
        let next = self.frames.pop()?;
        self.places.fetch_add(1, Ordering::AcqRel);
        Some(next)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The encoder's thread begins.
    pub fn attach_encoder(&self) {
        let _ = self.encoder.set(std::thread::current());
    }

    /// The encoder has something to do: a frame, or what it is called for.
    pub fn wake_encoder(&self) {
        // Pairs with the fence in `sleep`: either the encoder sees what there is to do, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.encoder_sleeps.load(Ordering::Relaxed)
            && self.encoder_sleeps.swap(false, Ordering::Relaxed)
            && let Some(encoder) = self.encoder.get()
        {
            encoder.unpark();
        }
    }

    /// The encoder sleeps until it is woken or the time is over, unless there is a frame or it is called; tells whether it did.
    pub fn sleep(&self, deadline: Deadline, is_called: impl FnOnce() -> bool) -> bool {
        self.encoder_sleeps.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let sleeps = self.is_empty() && !is_called();
        if sleeps {
            match deadline.left() {
                Some(left) => std::thread::park_timeout(left),
                None => std::thread::park(),
            }
        }
        self.encoder_sleeps.store(false, Ordering::Relaxed);
        sleeps
    }
}

/// A reserved place; free again when this is dropped.
pub struct Place<'a>(&'a Queue);

impl Place<'_> {
    /// The frame waits there from now on. The encoder is yet to be woken.
    pub fn fill(self, frame: Filled) {
        let queued = self.0.frames.push(frame);
        assert!(queued.is_ok(), "a place in the queue was reserved");
        std::mem::forget(self); // Whoever takes the frame frees it.
    }
}

impl Drop for Place<'_> {
    /// Whoever waits for one looks again when the next frame is dealt with.
    fn drop(&mut self) {
        self.0.places.fetch_add(1, Ordering::AcqRel);
    }
}
