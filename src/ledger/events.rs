//! Events wait here until the host takes them.

use crate::codes;
use crate::platform;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::VecDeque;

/// How many wait at most; then the oldest is dropped and counted.
pub const MOST_WAITING: usize = 1024;

/// Something that happened to a stream.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: codes::Event,
    /// When, Unix nanoseconds.
    pub time_ns: i64,
    /// A chunk index or a count, as said for the kind.
    pub value: i64,
    /// A line for a person.
    pub text: Cow<'static, str>,
}

impl Event {
    /// "None is waiting."
    pub fn none() -> Event {
        Event { kind: codes::Event::None, time_ns: 0, value: 0, text: Cow::Borrowed("") }
    }
}

/// The events of one handle.
pub struct Events {
    waiting: Mutex<Waiting>,
}

struct Waiting {
    events: VecDeque<Event>,
    dropped: u64,
}

impl Default for Events {
    fn default() -> Self {
        Events { waiting: Mutex::new(Waiting { events: VecDeque::with_capacity(MOST_WAITING), dropped: 0 }) }
    }
}

impl Events {
    /// A new event, now.
    pub fn put(&self, kind: codes::Event, value: i64, text: Cow<'static, str>) {
        let event = Event { kind, time_ns: platform::unix_ns(), value, text };
        let mut waiting = self.waiting.lock();
        if waiting.events.len() == MOST_WAITING {
            waiting.events.pop_front();
            waiting.dropped += 1;
        }
        waiting.events.push_back(event);
    }

    /// The oldest.
    pub fn take(&self) -> Option<Event> {
        self.waiting.lock().events.pop_front()
    }

    /// How many were dropped unread.
    pub fn dropped(&self) -> u64 {
        self.waiting.lock().dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_event_is_dropped_and_counted_when_too_many_wait() {
        let events = Events::default();
        for value in 0..=MOST_WAITING as i64 {
            events.put(codes::Event::ChunkConfirmed, value, "".into());
        }
        assert_eq!(events.dropped(), 1);
        assert_eq!(events.take().map(|event| event.value), Some(1));
    }
}
