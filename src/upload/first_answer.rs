//! The service's first answer, for which `rheed_init` waits: only one that is still awaited may fail an init.
//!
//! Both ends agree on that under one lock. Otherwise a refusal that comes just when init gives up waiting would end the
//! uploads of a stream that init calls open.

use crate::error::Error;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What the service first says about a stream.
pub enum FirstAnswer {
    /// The stream exists.
    Connected,
    /// Not yet: why.
    Offline(String),
    /// The service will not have it. The courier has ended.
    Refused(Error),
}

/// How the wait ended.
pub enum Waited {
    /// With an answer.
    Answered(FirstAnswer),
    /// None came in time. The courier goes on.
    OutOfTime,
    /// None will come: the courier was stopped.
    Stopped,
}

enum State {
    Awaited,
    /// The courier has heard a refusal and is about to tell: init waits for that, whatever the time.
    Held,
    Given(FirstAnswer),
    /// Nobody waits any more.
    Left,
    Stopped,
}

struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

/// The courier's end. Dropped without an answer, it stops the wait.
pub struct Answering(Arc<Desk>);

/// Init's end.
pub struct Awaiting(Arc<Desk>);

/// Both ends.
pub fn first_answer() -> (Answering, Awaiting) {
    let desk = Arc::new(Desk { state: Mutex::new(State::Awaited), changed: Condvar::new() });
    (Answering(desk.clone()), Awaiting(desk))
}

impl Answering {
    /// Whether somebody waits just now.
    pub fn is_awaited(&self) -> bool {
        matches!(*self.0.state.lock(), State::Awaited | State::Held)
    }

    /// Whether somebody waits; if so, until the answer is given.
    pub fn hold(&self) -> bool {
        let mut state = self.0.state.lock();
        if matches!(*state, State::Awaited) {
            *state = State::Held;
        }
        matches!(*state, State::Held)
    }

    /// Gives the answer, if somebody waits for it.
    pub fn give(self, answer: FirstAnswer) {
        let mut state = self.0.state.lock();
        if matches!(*state, State::Awaited | State::Held) {
            *state = State::Given(answer);
            self.0.changed.notify_one();
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if matches!(*state, State::Awaited | State::Held) {
            *state = State::Stopped;
            self.0.changed.notify_one();
        }
    }
}

impl Awaiting {
    /// Waits so long, and longer only while an answer is held ready.
    pub fn wait(self, patience: Duration) -> Waited {
        let end = Instant::now() + patience;
        let mut state = self.0.state.lock();
        loop {
            match std::mem::replace(&mut *state, State::Left) {
                State::Given(answer) => return Waited::Answered(answer),
                State::Stopped => return Waited::Stopped,
                State::Held => {
                    *state = State::Held;
                    self.0.changed.wait(&mut state);
                }
                _ if Instant::now() >= end => return Waited::OutOfTime,
                _ => {
                    *state = State::Awaited;
                    self.0.changed.wait_until(&mut state, end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_comes_too_late_is_held_for_nobody() {
        let (answering, awaiting) = first_answer();
        assert!(matches!(awaiting.wait(Duration::ZERO), Waited::OutOfTime));
        assert!(!answering.hold());
    }

    #[test]
    fn an_answer_that_is_held_is_waited_for_whatever_the_time() {
        let (answering, awaiting) = first_answer();
        assert!(answering.hold());
        let waiter = std::thread::spawn(move || awaiting.wait(Duration::ZERO));
        answering.give(FirstAnswer::Connected);
        assert!(matches!(waiter.join().unwrap(), Waited::Answered(FirstAnswer::Connected)));
    }

    #[test]
    fn a_courier_that_stops_ends_the_wait() {
        let (answering, awaiting) = first_answer();
        drop(answering);
        assert!(matches!(awaiting.wait(Duration::from_secs(3600)), Waited::Stopped));
    }
}
