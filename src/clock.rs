//! How far this computer's clock is from the service's, estimated from four-timestamp exchanges.
//!
//! One per endpoint, shared by all its streams. The service's client feeds it; a stream reads it when it seals a chunk.

use crate::platform::{steady_ns, unix_ns};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// The exchanges that count; of these the one with the least delay.
const KEPT: usize = 8;
/// A jump of more is taken over at once, less is slewed.
const STEP_NS: i64 = 1_000_000_000;
/// Slewed is by 0.5 ms a second.
const SLEWED_IN: i64 = 2000;

/// The clock that can be set and the one that cannot, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// Unix time.
    pub wall_ns: i64,
    /// Since some moment; a computer that sleeps counts on.
    pub steady_ns: i64,
}

impl Clocks {
    /// At this moment.
    pub fn now() -> Clocks {
        // Whoever is put to sleep between two looks sees the clocks apart, and looks again.
        const TOGETHER_NS: i64 = 100_000;
        const MOST_LOOKS: u32 = 5;
        let mut looks = 0;
        let mut before = steady_ns();
        loop {
            let wall_ns = unix_ns();
            let after = steady_ns();
            looks += 1;
            if after - before < TOGETHER_NS || looks == MOST_LOOKS {
                return Clocks { wall_ns, steady_ns: before.midpoint(after) };
            }
            before = after;
        }
    }

    /// By how much the wall clock was set forward since then; less than 0: back.
    pub fn set_since(&self, before: &Clocks) -> i64 {
        self.wall_ahead().saturating_sub(before.wall_ahead())
    }

    fn wall_ahead(&self) -> i64 {
        self.wall_ns - self.steady_ns
    }
}

/// The service's clock minus this computer's, and its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockOffset {
    /// To be added to this computer's time.
    pub offset_ns: i64,
    /// The offset's error is at most this (half the round trip).
    pub uncertainty_ns: i64,
}

impl ClockOffset {
    /// The offset from the steady clock as one from what the wall clock showed at a moment.
    fn against_wall(self, moment: &Clocks) -> ClockOffset {
        ClockOffset { offset_ns: self.offset_ns.saturating_sub(moment.wall_ahead()), ..self }
    }
}

/// One exchange. The service's times are Unix nanoseconds.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// This computer, before the request.
    pub sent: Clocks,
    /// The service, when it came.
    pub server_received_ns: i64,
    /// The service, when it answered.
    pub server_sent_ns: i64,
    /// From the request to its answer.
    pub took_ns: i64,
}

impl Exchange {
    /// The service's clock minus the steady one.
    fn offset(&self) -> ClockOffset {
        let there = i128::from(self.server_received_ns) - i128::from(self.sent.steady_ns);
        let back = i128::from(self.server_sent_ns) - i128::from(self.sent.steady_ns) - i128::from(self.took_ns);
        let delay = self.took_ns.saturating_sub(self.server_sent_ns.saturating_sub(self.server_received_ns));
        ClockOffset { offset_ns: ((there + back) / 2) as i64, uncertainty_ns: (delay / 2).max(0) }
    }
}

/// The estimate of one endpoint's clock.
///
/// It is kept against the steady clock: the wall clock is set by hand, by NTP, by a day, in the middle of a chunk, and the
/// service's time must not move with it. Only what is told is the offset from the wall clock, as it stood at the moment that is
/// asked about: the sum of the two is the service's time, whatever was set since.
#[derive(Default)]
pub struct ReferenceClock {
    state: Mutex<State>,
}

/// All offsets are from the steady clock.
#[derive(Default)]
struct State {
    recent: VecDeque<ClockOffset>,
    /// What is told, and since when it was true: it moves slowly towards the best of the recent ones.
    told: Option<(i64, i64)>,
    first: Option<ClockOffset>,
}

impl ReferenceClock {
    /// The best estimate of now, for times that this computer's clock showed at that moment; none until an exchange has succeeded.
    pub fn offset(&self, moment: &Clocks) -> Option<ClockOffset> {
        self.state.lock().offset_at(steady_ns()).map(|offset| offset.against_wall(moment))
    }

    /// The first that was measured, for chunks that were sealed before.
    pub fn first_offset(&self, moment: &Clocks) -> Option<ClockOffset> {
        self.state.lock().first.map(|offset| offset.against_wall(moment))
    }

    /// Takes a new exchange into account.
    pub fn learn(&self, exchange: &Exchange) {
        self.state.lock().learn_at(exchange, steady_ns());
    }
}

impl State {
    fn learn_at(&mut self, exchange: &Exchange, now_ns: i64) {
        let measured = exchange.offset();
        let told = self.slewed(now_ns);
        // What a slow exchange is off by its own delay is no jump.
        let sure_distance = |told: i64| measured.offset_ns.saturating_sub(told).saturating_abs() - measured.uncertainty_ns;
        let jumped = told.is_some_and(|told| sure_distance(told) > STEP_NS);
        if jumped {
            // The service's clock was set, or the steady one stood still: what was measured before says nothing any more.
            self.recent.clear();
        }
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(measured);
        self.told = Some((told.filter(|_| !jumped).unwrap_or(measured.offset_ns), now_ns));
        self.first.get_or_insert(measured);
    }

    fn offset_at(&mut self, now_ns: i64) -> Option<ClockOffset> {
        let told = self.slewed(now_ns)?;
        self.told = Some((told, now_ns));
        let best = self.best()?;
        let distance = told.saturating_sub(best.offset_ns).saturating_abs();
        Some(ClockOffset { offset_ns: told, uncertainty_ns: best.uncertainty_ns.saturating_add(distance) })
    }

    fn best(&self) -> Option<ClockOffset> {
        self.recent.iter().copied().min_by_key(|offset| offset.uncertainty_ns)
    }

    fn slewed(&self, now_ns: i64) -> Option<i64> {
        let (told, since_ns) = self.told?;
        let most = (now_ns - since_ns).max(0) / SLEWED_IN;
        Some(told + self.best()?.offset_ns.saturating_sub(told).clamp(-most, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;
    const S: i64 = 1000 * MS;
    const DAY: i64 = 86_400 * S;
    /// What the wall clock shows when the steady one begins.
    const BEGIN: i64 = 1_700_000_000 * S;

    /// So long after the beginning, the wall clock having been set by so much since.
    fn at(steady_ns: i64, set_by: i64) -> Clocks {
        Clocks { wall_ns: BEGIN + steady_ns + set_by, steady_ns }
    }

    /// With a service whose clock is ahead of `BEGIN`.
    fn exchange(sent: Clocks, ahead_ns: i64, took_ns: i64) -> Exchange {
        let server = BEGIN + sent.steady_ns + took_ns / 2 + ahead_ns;
        Exchange { sent, server_received_ns: server, server_sent_ns: server, took_ns }
    }

    fn told(state: &mut State, moment: Clocks) -> ClockOffset {
        state.offset_at(moment.steady_ns).unwrap().against_wall(&moment)
    }

    #[test]
    fn the_offset_is_that_of_the_least_delayed_exchange() {
        let mut state = State::default();
        assert_eq!(state.offset_at(0), None);
        state.learn_at(&exchange(at(0, 0), 500 * MS, 2 * MS), 0);
        state.learn_at(&exchange(at(0, 0), 530 * MS, 80 * MS), 0);
        assert_eq!(told(&mut state, at(0, 0)), ClockOffset { offset_ns: 500 * MS, uncertainty_ns: MS });
    }

    #[test]
    fn one_slow_exchange_does_not_move_the_clock() {
        let mut state = State::default();
        state.learn_at(&exchange(at(0, 0), 0, 2 * MS), 0);
        // 3 s on the way there, nothing on the way back: off by 1.5 s, as its delay says.
        state.learn_at(&exchange(at(0, 0), 1500 * MS, 3000 * MS), 0);
        assert_eq!(told(&mut state, at(0, 0)), ClockOffset { offset_ns: 0, uncertainty_ns: MS });
    }

    #[test]
    fn a_small_change_of_the_services_clock_is_slewed_and_a_jump_is_taken_at_once() {
        let mut state = State::default();
        state.learn_at(&exchange(at(0, 0), 0, 4 * MS), 0);
        state.learn_at(&exchange(at(0, 0), 10 * MS, 2 * MS), 0);
        assert_eq!(told(&mut state, at(2 * S, 0)).offset_ns, MS);
        assert_eq!(told(&mut state, at(100 * S, 0)).offset_ns, 10 * MS);
        state.learn_at(&exchange(at(100 * S, 0), 5000 * MS, 50 * MS), 100 * S);
        assert_eq!(told(&mut state, at(100 * S, 0)).offset_ns, 5000 * MS);
    }

    #[test]
    fn a_wall_clock_that_is_set_moves_the_offset_against_it_at_once_and_no_bound() {
        for set_by in [DAY, -DAY, 60 * MS, -60 * MS, 1, 20 * 365 * DAY] {
            let mut state = State::default();
            state.learn_at(&exchange(at(0, 0), 500 * MS, 2 * MS), 0);
            let before = told(&mut state, at(S, 0));
            let after = told(&mut state, at(2 * S, set_by));
            assert_eq!(before, ClockOffset { offset_ns: 500 * MS, uncertainty_ns: MS });
            assert_eq!(after, ClockOffset { offset_ns: 500 * MS - set_by, uncertainty_ns: MS });
            // An exchange by the clock that was set agrees with those before, and is no jump.
            state.learn_at(&exchange(at(3 * S, set_by), 500 * MS, 4 * MS), 3 * S);
            assert_eq!((told(&mut state, at(4 * S, set_by)), state.recent.len()), (after, 2));
        }
    }

    #[test]
    fn a_chunk_that_began_before_the_clock_was_set_has_the_offset_of_its_beginning() {
        let mut state = State::default();
        let begun = at(0, 0);
        state.learn_at(&exchange(at(S, -DAY), 500 * MS, 2 * MS), S);
        let sealed = state.offset_at(2 * S).unwrap();
        assert_eq!(sealed.against_wall(&begun).offset_ns, 500 * MS);
        assert_eq!(state.first.unwrap().against_wall(&begun).offset_ns, 500 * MS);
    }

    #[test]
    fn a_clock_that_is_set_while_an_exchange_is_under_way_does_not_falsify_it() {
        let mut state = State::default();
        state.learn_at(&exchange(at(0, 0), 500 * MS, 2 * MS), MS);
        assert_eq!(told(&mut state, at(S, DAY)).offset_ns, 500 * MS - DAY);
    }

    #[test]
    fn a_slewed_wall_clock_is_followed_too() {
        let mut state = State::default();
        state.learn_at(&exchange(at(0, 0), 0, 2 * MS), 0);
        for second in 1..=300 {
            let slewed = second * MS / 2;
            assert_eq!(told(&mut state, at(second * S, slewed)), ClockOffset { offset_ns: -slewed, uncertainty_ns: MS });
        }
    }

    #[test]
    fn a_night_that_the_steady_clock_slept_through_is_taken_over_by_the_next_exchange() {
        let mut state = State::default();
        state.learn_at(&exchange(at(0, 0), 500 * MS, 2 * MS), 0);
        let woken = at(S, DAY / 2);
        state.learn_at(&exchange(woken, 500 * MS + DAY / 2, 2 * MS), woken.steady_ns);
        assert_eq!(told(&mut state, woken), ClockOffset { offset_ns: 500 * MS, uncertainty_ns: MS });
    }

    #[test]
    fn clocks_that_nobody_sets_stay_together() {
        let before = Clocks::now();
        let after = Clocks::now();
        assert!(after.steady_ns >= before.steady_ns && after.set_since(&before).abs() < S, "{before:?} {after:?}");
    }
}
