//! Waiting for something to change, with a deadline, and being woken.

use parking_lot::{Condvar, Mutex};
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant};

/// Until when a call may wait.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Until it is done.
    pub fn never() -> Deadline {
        Deadline(None)
    }

    /// Until that moment.
    pub fn at(end: Instant) -> Deadline {
        Deadline(Some(end))
    }

    /// For so long; nothing = look and return.
    pub fn after(time: Duration) -> Deadline {
        Deadline(Some(Instant::now() + time))
    }

    /// Whether the time is over.
    pub fn passed(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// What is left, if there is an end.
    pub fn left(&self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }
}

/// Wakes all who wait for something of a stream. Ringing costs one load when nobody waits, so a frame can afford it.
#[derive(Default)]
pub struct Bell {
    waiting: AtomicUsize,
    lock: Mutex<()>,
    rung: Condvar,
}

impl Bell {
    /// To be called after every change that somebody may wait for.
    pub fn ring(&self) {
        // Pairs with the fence in wait_until: either the waiter sees the change, or this sees the waiter.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            drop(self.lock.lock());
            self.rung.notify_all();
        }
    }

    /// Looks until `look` finds something or the time is over. `look` must not ring this bell, and nobody may ring it who holds a
    /// lock that a `look` takes.
    pub fn wait_until<T>(&self, deadline: Deadline, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        if let Some(found) = look() {
            return Some(found);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let mut guard = self.lock.lock();
        let found = loop {
            fence(Ordering::SeqCst);
            if let Some(found) = look() {
                break Some(found);
            }
            match deadline.0 {
                None => self.rung.wait(&mut guard),
                Some(end) => {
                    if self.rung.wait_until(&mut guard, end).timed_out() {
                        break look();
                    }
                }
            }
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_waiter_is_woken_by_the_change_it_waits_for() {
        let bell = Arc::new(Bell::default());
        let changed = Arc::new(AtomicBool::new(false));
        let waiter = std::thread::spawn({
            let (bell, changed) = (bell.clone(), changed.clone());
            move || bell.wait_until(Deadline::never(), || changed.load(Ordering::Relaxed).then_some(7))
        });
        changed.store(true, Ordering::Relaxed);
        bell.ring();
        assert_eq!(waiter.join().unwrap(), Some(7));
    }

    #[test]
    fn a_time_out_of_nothing_looks_once_and_returns() {
        assert_eq!(Bell::default().wait_until(Deadline::after(Duration::ZERO), || None::<i32>), None);
        assert_eq!(Bell::default().wait_until(Deadline::after(Duration::ZERO), || Some(1)), Some(1));
    }
}
