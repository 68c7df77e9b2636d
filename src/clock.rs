//! How far this computer's clock is from the service's, estimated from four-timestamp exchanges.
//!
//! One per endpoint, shared by all its streams. The service's client feeds it; a stream reads it when it seals a chunk.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::Instant;

/// The exchanges that count; of these the one with the least delay.
const KEPT: usize = 8;
/// A jump of more is taken over at once, less is slewed.
const STEP_NS: i64 = 1_000_000_000;
/// 0.5 ms a second.
const SLEW_NS_PER_S: f64 = 500_000.0;

/// The service's clock minus this computer's, and its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// To be added to this computer's time.
    pub offset_ns: i64,
    /// The offset's error is at most this (half the round trip).
    pub uncertainty_ns: i64,
}

/// One exchange: the four times, Unix nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// This computer, before the request.
    pub sent_ns: i64,
    /// The service, when it came.
    pub server_received_ns: i64,
    /// The service, when it answered.
    pub server_sent_ns: i64,
    /// This computer, when the answer came.
    pub received_ns: i64,
}

impl Exchange {
    fn offset(&self) -> ClockOffset {
        let there = i128::from(self.server_received_ns) - i128::from(self.sent_ns);
        let back = i128::from(self.server_sent_ns) - i128::from(self.received_ns);
        let delay = (self.received_ns - self.sent_ns).saturating_sub(self.server_sent_ns.saturating_sub(self.server_received_ns));
        ClockOffset { offset_ns: ((there + back) / 2) as i64, uncertainty_ns: (delay / 2).max(0) }
    }
}

/// The estimate of one endpoint's clock.
#[derive(Default)]
pub struct ReferenceClock {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    recent: VecDeque<ClockOffset>,
    /// What is told, and since when it was true: it moves slowly towards the best of the recent ones.
    told: Option<(f64, Instant)>,
    first: Option<ClockOffset>,
}

impl ReferenceClock {
    /// The offset now; none until an exchange has succeeded.
    pub fn offset(&self) -> Option<ClockOffset> {
        self.offset_at(Instant::now())
    }

    /// The first one that was measured, for chunks that were sealed before.
    pub fn first_offset(&self) -> Option<ClockOffset> {
        self.state.lock().first
    }

    /// Takes a new exchange into account.
    pub fn learn(&self, exchange: Exchange) {
        self.learn_at(exchange, Instant::now());
    }

    fn learn_at(&self, exchange: Exchange, now: Instant) {
        let measured = exchange.offset();
        let mut state = self.state.lock();
        let told = state.slewed(now);
        // What a slow exchange is off by its own delay is no jump.
        let sure_distance = |told: f64| (measured.offset_ns as f64 - told).abs() - measured.uncertainty_ns as f64;
        let jumped = told.is_some_and(|told| sure_distance(told) > STEP_NS as f64);
        if jumped {
            state.recent.clear(); // One of the clocks was set: what was measured before says nothing any more.
        }
        if state.recent.len() == KEPT {
            state.recent.pop_front();
        }
        state.recent.push_back(measured);
        state.told = Some((told.filter(|_| !jumped).unwrap_or(measured.offset_ns as f64), now));
        state.first.get_or_insert(measured);
    }

    fn offset_at(&self, now: Instant) -> Option<ClockOffset> {
        let mut state = self.state.lock();
        let told = state.slewed(now)?;
        state.told = Some((told, now));
        let best = state.best()?;
        let distance = (told - best.offset_ns as f64).abs() as i64;
        Some(ClockOffset { offset_ns: told.round() as i64, uncertainty_ns: best.uncertainty_ns + distance })
    }
}

impl State {
    fn best(&self) -> Option<ClockOffset> {
        self.recent.iter().copied().min_by_key(|offset| offset.uncertainty_ns)
    }

    fn slewed(&self, now: Instant) -> Option<f64> {
        let (told, since) = self.told?;
        let target = self.best()?.offset_ns as f64;
        let most = SLEW_NS_PER_S * now.saturating_duration_since(since).as_secs_f64();
        Some(told + (target - told).clamp(-most, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MS: i64 = 1_000_000;

    fn exchange(offset_ns: i64, delay_ns: i64) -> Exchange {
        let sent_ns = 1_700_000_000_000 * MS;
        let server = sent_ns + delay_ns / 2 + offset_ns;
        Exchange { sent_ns, server_received_ns: server, server_sent_ns: server, received_ns: sent_ns + delay_ns }
    }

    #[test]
    fn the_offset_is_that_of_the_least_delayed_exchange() {
        let clock = ReferenceClock::default();
        assert_eq!(clock.offset(), None);
        let now = Instant::now();
        clock.learn_at(exchange(500 * MS, 2 * MS), now);
        clock.learn_at(exchange(530 * MS, 80 * MS), now);
        assert_eq!(clock.offset_at(now), Some(ClockOffset { offset_ns: 500 * MS, uncertainty_ns: MS }));
    }

    #[test]
    fn one_slow_exchange_does_not_move_the_clock() {
        let clock = ReferenceClock::default();
        let now = Instant::now();
        clock.learn_at(exchange(0, 2 * MS), now);
        // 3 s on the way there, nothing on the way back: off by 1.5 s, as its delay says.
        clock.learn_at(exchange(1_500 * MS, 3_000 * MS), now);
        assert_eq!(clock.offset_at(now), Some(ClockOffset { offset_ns: 0, uncertainty_ns: MS }));
    }

    #[test]
    fn a_small_change_is_slewed_and_a_jump_is_taken_at_once() {
        let clock = ReferenceClock::default();
        let start = Instant::now();
        clock.learn_at(exchange(0, 4 * MS), start);
        clock.learn_at(exchange(10 * MS, 2 * MS), start);
        let after = |seconds| clock.offset_at(start + Duration::from_secs(seconds)).unwrap().offset_ns;
        assert_eq!(after(2), MS);
        assert_eq!(after(100), 10 * MS);
        clock.learn_at(exchange(5_000 * MS, 50 * MS), start + Duration::from_secs(100));
        assert_eq!(after(100), 5_000 * MS);
    }
}
