//! The gate of a stream: a bit that says closed, and a count of those who are just passing, in one atomic.
//!
//! Closing it is all that has to be done to end the taking of frames: each is either handed over before, or refused.

use std::sync::atomic::{AtomicUsize, Ordering};

const CLOSED: usize = 1 << (usize::BITS - 1);

/// Open, and at some time closed for good.
#[derive(Default)]
pub struct Gate(AtomicUsize);

impl Gate {
    /// Whether it can be passed.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED == 0
    }

    /// Passes it, unless it is closed. What is done until the answer is dropped is done before it is shut.
    pub fn pass(&self) -> Option<Passing<'_>> {
        let passing = Passing(self);
        (self.0.fetch_add(1, Ordering::AcqRel) & CLOSED == 0).then_some(passing)
    }

    /// Nobody passes any more but those who are passing.
    pub fn close(&self) {
        self.0.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Whether somebody is just passing.
    pub fn is_being_passed(&self) -> bool {
        self.0.load(Ordering::Acquire) & !CLOSED != 0
    }

    /// Whether it is closed, and all are through.
    pub fn is_shut(&self) -> bool {
        self.0.load(Ordering::Acquire) == CLOSED
    }
}

/// Somebody is just passing.
pub struct Passing<'a>(&'a Gate);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_passes_a_closed_gate_and_it_is_shut_when_the_last_one_is_through() {
        let gate = Gate::default();
        assert!(gate.is_open() && !gate.is_being_passed());
        let [first, last] = [gate.pass().unwrap(), gate.pass().unwrap()];
        drop(first);
        gate.close();
        assert!(!gate.is_open() && gate.is_being_passed() && gate.pass().is_none() && !gate.is_shut());
        drop(last);
        assert!(!gate.is_being_passed() && gate.is_shut());
    }

    #[test]
    fn what_is_done_while_passing_is_seen_by_who_finds_the_gate_shut() {
        for _ in 0..if cfg!(miri) { 10 } else { 300 } {
            let (gate, passed, done) = (Gate::default(), AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                let threads = [(); 3].map(|()| {
                    scope.spawn(|| {
                        while let Some(_passing) = gate.pass() {
                            passed.fetch_add(1, Ordering::Relaxed);
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                    })
                });
                while passed.load(Ordering::Relaxed) < 3 {
                    std::thread::yield_now();
                }
                gate.close();
                while !gate.is_shut() {
                    std::thread::yield_now();
                }
                assert_eq!(done.load(Ordering::Relaxed), passed.load(Ordering::Relaxed));
                // ThreadSanitizer sees no other end of a thread.
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            });
        }
    }
}
