//! How a camera's clock stands to this computer's: when a frame was taken, from the camera's counter and from when frames came.
//!
//! A frame comes later than it is taken: by a delay that is never less than some smallest one, which cannot be seen from here, and
//! often more. So of all frames those with the least delay count: below the points (counter, arrival) lies a straight line that
//! touches some of them and that none is under, and its slope is how fast the camera's oscillator runs. A late frame lies above
//! that line and does not move it, however late.
//!
//! The lowest point of each of up to 64 stretches of time is kept, which are short at first, and of 2 s when the last two minutes
//! are known. The line lies along their lower convex hull, as Zhang, Liu and Xia have it (*Clock synchronization algorithms for
//! network measurements*, INFOCOM 2002), or nearly.
//!
//! All times are nanoseconds of the steady clock, and come from outside. A frame costs a few operations, the end of a stretch some
//! microseconds; nothing is allocated but by `new`.

use std::collections::VecDeque;

const S: i64 = 1_000_000_000;

/// As many stretches are kept, and at least so many are needed to see how well they agree, in as many parts.
const STRETCHES: usize = 64;
const PARTS: usize = 8;
/// How long a stretch is at first. Where there are too many of them two become one, until they have so many frames.
const FIRST_STRETCH: i64 = S / 16;
const ENOUGH_FRAMES: u32 = 4;
/// So far back is looked, up to twice as far to have enough frames, and further where there are fewer than that.
const WINDOW: i64 = 128 * S;
/// A gap between stretches is long from this part of the whole on, and so many behind it show where the line is by then.
const LONG_GAP: i64 = 4;
const BEHIND_GAP: usize = 2 * PARTS;
/// The slope is that of the hull's chord from here to there in the window: less moved by chance than that of one edge.
const FROM: f64 = 0.2;
const TO: f64 = 0.85;
/// An oscillator is never further off than this, and hardly ever further than the second.
const MOST_OFF: f64 = 1e-3;
const USUALLY_OFF: f64 = 150e-6;
/// By so much its rate may change each second. One that warms up changes it by some 0.03 ppm a second.
const RATE_CHANGES_BY: f64 = 0.2e-6;
/// A rate that is further off, after so long, is not the one that was declared.
const NOT_DECLARED: f64 = 2e-3;
const RATE_SHOWS_AFTER: i64 = 5 * S;
/// So many times the delay that the parts have on the average, and of the stretches' median divided by their number: the bound.
/// Found by simulation, with half as much again and more to spare.
const OF_PARTS: f64 = 5.0;
const OF_STRETCHES: f64 = 17.0;
/// A frame that is behind others by more comes from no other thread: the counter was set back.
const LATEST: f64 = 10e9;
/// A frame that is ahead of the line by more than this, and by four times the bound, is on another one.
const EARLIEST: f64 = 5e6;
/// Frames that all come later, for so long, by so much, and not less and less so: the counter stood still meanwhile.
const STOOD_STILL_FOR: i64 = 8 * S;
const STOOD_STILL_BY: f64 = 100e6;
/// The same of frames that all show less than one before them did, so many at least: the counter was set back.
const BEHIND_FOR: i64 = S / 2;
const BEHIND_FRAMES: u32 = 4;
/// After so long without a frame, those before it say nothing of where the counter is.
const SILENCE: i64 = 2 * S;
/// After so long that may be another clock altogether: what comes later than half of it, or than `LATEST`, stood still or wrapped.
const LONG_SILENCE: i64 = 10 * S;
/// While nothing is known of the rate, a frame may be off the line by no more.
const UNPROVEN: f64 = 1e9;
/// A counter that has not grown beyond what it had shown, for so long, and for so many ticks of its own, does not count.
const COUNTS_WITHIN: i64 = 2 * S;
/// After so long there is doubt.
const COUNTS_WITHOUT_DOUBT: i64 = S / 4;
const COUNTS_WITHIN_TICKS: f64 = 2.0;
/// So many times it may be set back or stand still in so long, and in so many times the time after which that is found out; so many
/// frames one after another may each begin anew, over so long.
const SET_BACK: usize = 3;
const SET_BACK_WITHIN: i64 = 30 * S;
const SET_BACK_FINDS: i64 = 5;
const ANEW_IN_A_ROW: u32 = 3;
const ANEW_FOR: i64 = 2 * S;
/// A counter that was wrong is told to be right when it has been so for so long.
const RIGHT_AFTER: i64 = 60 * S;
/// So far apart captures are told at least: as much as the service is told.
const SLOWEST: i64 = 1000;

/// A camera's clock.
pub struct CameraClock {
    tick_hz: f64,
    wraps: Wraps,
    course: Option<Course>,
    counting: Counting,
    anew: Anew,
    restarts: u64,
    /// Since when the counter is right again, where it is told to be wrong.
    told_wrong: Option<Option<i64>>,
    /// Memory for the course to come.
    room: VecDeque<Stretch>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noted {
    /// When it was taken; `None` while that is not known: the counter does not count, or not at the declared rate, or there is doubt.
    pub captured_ns: Option<i64>,
    /// What there is to tell.
    pub news: Option<News>,
}

/// What there is to tell of a camera's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// The counter was reset or set, or stood still: what it shows is now so much later than before, or earlier.
    Restarted {
        /// Nanoseconds.
        by_ns: i64,
        /// How often it has happened.
        times: u64,
    },
    /// The counter does not run at the declared rate.
    RateOff {
        /// Its ticks a second, as measured; 0: it does not count.
        tick_hz: f64,
    },
    /// It has run at the declared rate for a minute again.
    RateRight,
}

/// How a camera's clock stands: of what the last frame left, to be read at any moment.
#[derive(Clone, Copy)]
pub struct Standing {
    tick_hz: f64,
    wraps: u64,
    lie: Option<Lie>,
    restarts: u64,
}

/// How a camera's clock stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// The steady clock minus the camera's.
    pub offset_ns: i64,
    /// So far off the captures may be, beyond the smallest delay.
    pub bound_ns: i64,
    /// By how many millionths the camera's clock runs faster than this computer's.
    pub drift_ppm: f64,
}

/// A frame: the counter, without its wraps, and when the frame came.
#[derive(Clone, Copy, Default)]
struct Point {
    ticks: u64,
    arrived: i64,
}

/// A counter that goes so far and begins again.
#[derive(Default)]
struct Wraps {
    /// Known when it was seen.
    at: Option<u64>,
    /// What all of them have been worth.
    sum: u64,
}

/// Whether the counter counts at all.
struct Counting {
    counter: u64,
    last: Point,
    /// The furthest that it has been since it began anew; while it does not count, the last.
    furthest: u64,
    /// When it grew last, and how many frames have come since.
    grew: i64,
    frames: u32,
    /// Until when it counts that it was set back or stood still, the last time first.
    set_back: [i64; SET_BACK],
}

/// Frames that each began anew, with none between them that was where it should be: so many, from the one before the first.
#[derive(Default)]
struct Anew {
    frames: u32,
    from: Point,
}

/// On it frames are taken; they come above it.
#[derive(Clone, Copy)]
struct Line {
    through: Point,
    ns_per_tick: f64,
}

/// How fast the counter runs.
#[derive(Clone, Copy)]
struct Rate {
    /// The time that it takes for a tick, as a share of the declared one, minus 1.
    off: f64,
    /// How far that may be wrong.
    error: f64,
}

/// Where the line lies, and how well that is known.
#[derive(Clone, Copy)]
struct Lie {
    line: Line,
    rate: Rate,
    spread: Option<Spread>,
    worst_before: Option<f64>,
    told: Point,
    /// The least delay of late.
    recent: f64,
}

/// Frames that came one after another.
struct Stretch {
    began: i64,
    /// The one with the least delay.
    lowest: Point,
    /// The largest delay.
    worst: f64,
    frames: u32,
}

/// What is known since the counter last began anew.
struct Course {
    /// As declared.
    ns_per_tick: f64,
    line: Line,
    rate: Rate,
    /// Known from before, or from what oscillators are.
    rate_before: Rate,
    /// Whether the counter does not seem to run at the declared rate, and whether that is certain.
    is_rate_doubtful: bool,
    is_other_rate: bool,
    stretches: VecDeque<Stretch>,
    stretch_ns: i64,
    stretch_frames: u32,
    began: Point,
    /// The frame that was taken last, as told.
    told: Point,
    last_arrived: i64,
    /// What the stretches disagree by; none while they are few.
    spread: Option<Spread>,
    /// The largest delay of earlier courses.
    worst_before: Option<f64>,
    recent: Recent,
    late: Option<Late>,
}

#[derive(Clone, Copy)]
struct Spread {
    /// How far the line may be off.
    line: f64,
    /// Most stretches' least delays are less.
    usual: f64,
    /// Until then.
    at: i64,
}

/// The least delay of late.
struct Recent {
    since: i64,
    least: f64,
    /// The same for the time before.
    before: f64,
}

/// Frames that came late, one and all.
struct Late {
    since: i64,
    first: Point,
    /// They came after a silence: whether the counter stood still, or they wait since then, is not known.
    is_doubtful: bool,
    /// None of them shows more than one that came before them.
    is_behind: bool,
    frames: u32,
    /// The least delay of the first second, of the last second that is over, and of the one that is not.
    at_first: f64,
    at_last: f64,
    now: f64,
    now_since: i64,
}

impl Line {
    fn at(&self, ticks: u64) -> i64 {
        let since = ticks.wrapping_sub(self.through.ticks) as i64;
        self.through.arrived.saturating_add((since as f64 * self.ns_per_tick).round() as i64)
    }

    fn delay(&self, point: Point) -> f64 {
        point.arrived.saturating_sub(self.at(point.ticks)) as f64
    }

    /// What the counter shows then.
    fn ticks_at(&self, time: i64) -> u64 {
        let since = (time.saturating_sub(self.through.arrived) as f64 / self.ns_per_tick).round() as i64;
        self.through.ticks.wrapping_add(since as u64)
    }
}

impl Recent {
    fn since(now: i64) -> Recent {
        Recent { since: now, least: f64::INFINITY, before: f64::INFINITY }
    }
}

impl Late {
    fn since(first: Point, is_doubtful: bool) -> Late {
        let (since, now, none) = (first.arrived, f64::INFINITY, f64::NAN);
        Late { since, first, is_doubtful, is_behind: true, frames: 0, at_first: none, at_last: none, now, now_since: since }
    }

    fn note(&mut self, delay: f64, now: i64) {
        if now - self.now_since >= S {
            if self.at_first.is_nan() {
                self.at_first = self.now;
            }
            (self.at_last, self.now, self.now_since) = (self.now, f64::INFINITY, now);
        }
        self.now = self.now.min(delay);
        self.frames += 1;
    }
}

impl CameraClock {
    /// Of a counter that makes so many ticks a second.
    pub fn new(tick_hz: f64) -> CameraClock {
        CameraClock {
            tick_hz,
            wraps: Wraps::default(),
            course: None,
            counting: Counting::default(),
            anew: Anew::default(),
            restarts: 0,
            told_wrong: None,
            room: VecDeque::with_capacity(STRETCHES),
        }
    }

    /// A frame came, with the counter at that.
    pub fn note(&mut self, counter: u64, arrived: i64) -> Noted {
        let Some(course) = &mut self.course else {
            let rate = Rate { off: 0.0, error: USUALLY_OFF };
            let (first, room) = (Point { ticks: counter, arrived }, std::mem::take(&mut self.room));
            let mut course = Course::begin(first, 1e9 / self.tick_hz, rate, None, room);
            course.learn(first);
            self.course = Some(course);
            self.counting = Counting { counter, last: first, furthest: first.ticks, grew: arrived, ..Counting::default() };
            return Noted { captured_ns: Some(arrived), news: None };
        };
        let point = Point { ticks: self.wraps.undone(counter, arrived, course, self.tick_hz), arrived };
        let (before, grew, stood) = (self.counting.last, self.counting.grew, self.counting.stands(self.tick_hz));
        self.counting.note(counter, point, self.tick_hz);
        if self.counting.stands(self.tick_hz) {
            return Noted { captured_ns: None, news: self.news(None, true, arrived) };
        }
        let by_ns = course.line.delay(point) as i64;
        let is_set = course.is_on_another_line(point);
        let since = if is_set || stood {
            course.begin_anew(point, i64::MAX);
            Some(if stood { grew } else { arrived })
        } else {
            course.has_stood_still(point)
        };
        let restarted = since.is_some();
        if let Some(since) = since {
            self.restarts += 1;
            self.counting.begin_anew(before);
            if by_ns > 0 || stood {
                self.counting.note_set_back(since);
            }
        }
        let says_nothing = course.is_in_doubt(point) || (by_ns as f64) < -UNPROVEN / 10.0;
        if let Some(off) = self.anew.note(is_set, says_nothing, before, point, course.ns_per_tick) {
            course.runs_at_another_rate(off);
        }
        course.learn(point);
        let captured = course.tell(point);
        let is_unsteady = self.counting.is_unsteady();
        let is_doubtful = self.counting.stands_for(COUNTS_WITHOUT_DOUBT, 1, self.tick_hz) || course.is_in_doubt(point);
        let (is_known, is_wrong) = (!is_unsteady && !is_doubtful, is_unsteady || course.is_other_rate);
        let news = self.news(restarted.then_some(by_ns), is_wrong, arrived);
        Noted { captured_ns: is_known.then_some(captured), news }
    }

    /// What there is to tell, where the counter was set by so much, or is wrong.
    fn news(&mut self, restarted: Option<i64>, is_wrong: bool, now: i64) -> Option<News> {
        match &mut self.told_wrong {
            None if is_wrong => {
                self.told_wrong = Some(None);
                return Some(News::RateOff { tick_hz: self.measured_hz() });
            }
            Some(right_since) if is_wrong => *right_since = None,
            Some(None) => self.told_wrong = Some(Some(now)),
            Some(Some(right_since)) if now.saturating_sub(*right_since) >= RIGHT_AFTER => {
                self.told_wrong = None;
                return Some(News::RateRight);
            }
            _ => {}
        }
        restarted.filter(|_| !is_wrong).map(|by_ns| News::Restarted { by_ns, times: self.restarts })
    }

    fn measured_hz(&self) -> f64 {
        self.course.as_ref().filter(|course| course.is_other_rate).map_or(0.0, Course::measured_hz)
    }

    /// How it stands, whenever that is read.
    pub fn standing(&self) -> Standing {
        let counts = !self.counting.stands(self.tick_hz) && !self.counting.is_unsteady();
        let course = self.course.as_ref().filter(|course| counts && !course.is_rate_doubtful);
        let (tick_hz, wraps) = (self.tick_hz, self.wraps.sum);
        Standing { tick_hz, wraps, lie: course.map(Course::lie), restarts: self.restarts }
    }
}

impl Standing {
    /// Before any frame.
    pub fn unknown(tick_hz: f64) -> Standing {
        Standing { tick_hz, wraps: 0, lie: None, restarts: 0 }
    }

    /// How often the counter began anew.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How it stands at a moment; `None` while that is not known.
    pub fn reading(&self, now: i64) -> Option<Reading> {
        let lie = self.lie?;
        let bound_ns = lie.bound(now)? as i64;
        let shown = lie.line.ticks_at(now).wrapping_sub(self.wraps);
        let offset_ns = i128::from(now) - nanoseconds(shown, self.tick_hz);
        let offset_ns = offset_ns.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        Some(Reading { offset_ns, bound_ns, drift_ppm: -1e6 * lie.rate.off })
    }
}

impl Lie {
    fn bound(&self, now: i64) -> Option<f64> {
        let slowed = self.told.arrived.saturating_sub(self.line.at(self.told.ticks)).max(0) as f64;
        let Some(spread) = self.spread else { return self.worst_before.map(|worst| worst + slowed) };
        let recent = if self.recent > spread.usual { self.recent } else { 0.0 };
        Some(spread.line_error(self.rate, now).max(recent) + slowed)
    }
}

impl Spread {
    /// How far the line may be off by then.
    fn line_error(&self, rate: Rate, now: i64) -> f64 {
        let since = now.saturating_sub(self.at).max(0) as f64;
        self.line + since * (rate.error + RATE_CHANGES_BY * since / 1e9)
    }
}

impl Default for Counting {
    fn default() -> Counting {
        Counting { counter: 0, last: Point::default(), furthest: 0, grew: 0, frames: 0, set_back: [i64::MIN; SET_BACK] }
    }
}

impl Counting {
    fn note(&mut self, counter: u64, point: Point, tick_hz: f64) {
        let grew = counter != self.counter && point.ticks.wrapping_sub(self.furthest) as i64 > 0;
        self.frames = self.frames.saturating_add(1);
        (self.counter, self.last) = (counter, point);
        if grew {
            (self.grew, self.frames) = (point.arrived, 0);
        }
        if grew || self.stands(tick_hz) {
            self.furthest = point.ticks;
        }
    }

    /// Whatever it has shown before; it grows if it shows more than in the frame before.
    fn begin_anew(&mut self, before: Point) {
        self.furthest = self.last.ticks;
        if self.last.ticks.wrapping_sub(before.ticks) as i64 > 0 {
            (self.grew, self.frames) = (self.last.arrived, 0);
        }
    }

    /// It was set back or stood still at that time, which is found out now.
    fn note_set_back(&mut self, at: i64) {
        let now = self.last.arrived;
        let until = now.saturating_add(SET_BACK_WITHIN.max(now.saturating_sub(at).saturating_mul(SET_BACK_FINDS)));
        if self.is_unsteady() {
            self.set_back.fill(until); // It goes on.
        } else {
            self.set_back.rotate_right(1);
            self.set_back[0] = until;
        }
    }

    /// It does not grow.
    fn stands(&self, tick_hz: f64) -> bool {
        self.stands_for(COUNTS_WITHIN, PARTS as u32, tick_hz)
    }

    fn stands_for(&self, time: i64, frames: u32, tick_hz: f64) -> bool {
        let ticks_take = (COUNTS_WITHIN_TICKS * 1e9 / tick_hz) as i64;
        self.frames >= frames && self.last.arrived.saturating_sub(self.grew) > time.max(ticks_take)
    }

    /// It is set back again and again.
    fn is_unsteady(&self) -> bool {
        self.last.arrived < self.set_back[SET_BACK - 1]
    }
}

impl Anew {
    /// How far the time for a tick is off, where one frame after the other is ahead, or behind, as it is at another rate.
    fn note(&mut self, is_anew: bool, says_nothing: bool, before: Point, point: Point, ns_per_tick: f64) -> Option<f64> {
        if !is_anew {
            self.frames = if says_nothing { self.frames } else { 0 };
            return None;
        }
        if self.frames == 0 {
            self.from = before;
        }
        self.frames = self.frames.saturating_add(1);
        let slope = |from: Point| {
            let ticks = point.ticks.wrapping_sub(from.ticks) as i64 as f64;
            point.arrived.saturating_sub(from.arrived) as f64 / (ticks * ns_per_tick)
        };
        let (all, last) = (slope(self.from), slope(before));
        let lasts = self.frames >= ANEW_IN_A_ROW && point.arrived.saturating_sub(self.from.arrived) >= ANEW_FOR;
        let is_steady = all > 0.0 && all.is_finite() && last > all / 2.0 && last < all * 2.0;
        (lasts && is_steady && (all - 1.0).abs() > NOT_DECLARED).then_some(all - 1.0)
    }
}

/// Ticks of such a counter.
fn nanoseconds(ticks: u64, tick_hz: f64) -> i128 {
    if tick_hz.fract() == 0.0 {
        (u128::from(ticks) * 1_000_000_000 / tick_hz as u128) as i128
    } else {
        (ticks as f64 * (1e9 / tick_hz)) as i128
    }
}

impl Wraps {
    /// What the counter would show if it had never wrapped.
    fn undone(&mut self, counter: u64, arrived: i64, course: &Course, tick_hz: f64) -> u64 {
        let ticks = counter.wrapping_add(self.sum);
        // By so much it seems to be behind what it should show now.
        let behind = course.line.ticks_at(arrived).wrapping_sub(ticks);
        self.at = self.at.filter(|at| counter < *at); // Else it was something else.
        if let Some(at) = self.at {
            // A frame comes late rather than early.
            let early = at / 8;
            let wraps = if behind as i64 >= 0 {
                behind.saturating_add(early) / at
            } else if behind.wrapping_neg() > early {
                let wraps = (behind.wrapping_neg() - early).div_ceil(at);
                return ticks.wrapping_sub(wraps * at); // Of before the last wrap. It is 2^63 ticks ahead at most, and so is `at`.
            } else {
                0
            };
            self.sum = self.sum.wrapping_add(wraps * at);
            return counter.wrapping_add(self.sum);
        }
        let last = course.told.ticks.wrapping_sub(self.sum);
        let is_ahead = behind.wrapping_neg() < 1 << 62;
        if is_ahead {
            return ticks;
        }
        let silence = (course.silence_before(arrived) as f64 / course.ns_per_tick) as u64;
        for at in lengths(tick_hz).into_iter().flatten() {
            let early = (course.earliest(arrived) / course.ns_per_tick) as u64;
            let late = ((LATEST / course.ns_per_tick) as u64).min(at / 16);
            let (wraps, rest) = (behind.saturating_add(early) / at, behind.saturating_add(early) % at);
            // While no frame came it may have gone all the way round, and further.
            let has_turned = counter < last || (counter < at && silence >= at - late && early < at / 8);
            if has_turned && last < at && wraps > 0 && rest < early.saturating_add(late) {
                self.at = Some(at);
                self.sum = wraps * at;
                return counter.wrapping_add(self.sum);
            }
        }
        ticks
    }
}

/// How far counters go: 32 bits of ticks, or of another unit that an SDK has converted since; 63 bits. (64 bits wrap by themselves.)
fn lengths(tick_hz: f64) -> [Option<u64>; 6] {
    const BITS_32: f64 = (1u64 << 32) as f64;
    let of_units = |unit_ns: f64| {
        let ticks = BITS_32 * unit_ns * tick_hz / 1e9;
        (ticks > BITS_32 && ticks.fract() == 0.0 && ticks < u64::MAX as f64).then_some(ticks as u64)
    };
    let [of_8_ns, of_10_ns, of_us, of_ms] = [8.0, 10.0, 1e3, 1e6].map(of_units);
    [Some(1 << 32), of_8_ns, of_10_ns, of_us, of_ms, Some(1 << 63)]
}

impl Course {
    fn begin(first: Point, ns_per_tick: f64, rate: Rate, worst_before: Option<f64>, mut stretches: VecDeque<Stretch>) -> Course {
        stretches.clear();
        Course {
            ns_per_tick,
            line: Line { through: first, ns_per_tick: ns_per_tick * (1.0 + rate.off) },
            rate,
            rate_before: rate,
            is_rate_doubtful: false,
            is_other_rate: false,
            stretches,
            stretch_ns: FIRST_STRETCH,
            stretch_frames: 1,
            began: first,
            told: first,
            last_arrived: first.arrived,
            spread: None,
            worst_before,
            recent: Recent::since(first.arrived),
            late: None,
        }
    }

    /// Along another line, as fast as before as far as is known. `until` then delays were what they are.
    fn begin_anew(&mut self, first: Point, until: i64) {
        let before = self.stretches.iter().filter(|stretch| stretch.began < until);
        let was_silent = self.silence_before(first.arrived) >= LONG_SILENCE; // These may all have waited since.
        let worst = self.spread.map(|_| before.map(|stretch| stretch.worst).fold(0.0, f64::max)).or(self.worst_before);
        let rate = if self.is_rate_doubtful { Rate { off: 0.0, error: USUALLY_OFF } } else { self.rate };
        let (told, stretches) = (self.told.arrived, std::mem::take(&mut self.stretches));
        *self = Course::begin(first, self.ns_per_tick, rate, worst.filter(|_| !was_silent), stretches);
        self.told.arrived = first.arrived.max(told.saturating_add(1));
    }

    fn span(&self) -> i64 {
        self.stretches.front().map_or(0, |first| self.last_arrived - first.began)
    }

    /// So far ahead of the line a frame may be.
    fn earliest(&self, now: i64) -> f64 {
        match self.spread {
            Some(spread) => EARLIEST + 4.0 * spread.line_error(self.rate, now),
            None if self.is_other_rate => f64::INFINITY,
            None => UNPROVEN.max(NOT_DECLARED * now.saturating_sub(self.began.arrived) as f64),
        }
    }

    /// How long no frame came before this one.
    fn silence_before(&self, arrived: i64) -> i64 {
        arrived.saturating_sub(self.last_arrived)
    }

    /// So late stretches are that say nothing of the line.
    fn latest(&self) -> f64 {
        self.spread.map_or(f64::INFINITY, |spread| STOOD_STILL_BY.max(8.0 * spread.usual))
    }

    /// Whether the counter was set.
    fn is_on_another_line(&self, point: Point) -> bool {
        let ns_since = |then: Point| point.ticks.wrapping_sub(then.ticks) as i64 as f64 * self.ns_per_tick;
        let delay = self.line.delay(point);
        let silence = self.silence_before(point.arrived);
        ns_since(self.told) < -LATEST
            || ns_since(self.began) < -1e9
            || delay < -self.earliest(point.arrived)
            || (silence >= LONG_SILENCE && delay > LATEST.min(silence as f64 / 2.0))
    }

    /// Since when the counter has stood still, or was set back, as it is found out: then what was before is forgotten.
    fn has_stood_still(&mut self, point: Point) -> Option<i64> {
        let delay = self.line.delay(point);
        let is_behind = (point.ticks.wrapping_sub(self.told.ticks) as i64) < 0;
        let latest = if is_behind && self.spread.is_none() { UNPROVEN / 2.0 } else { self.latest() };
        if delay < latest {
            self.late = None;
            return None;
        }
        let (now, silence) = (point.arrived, self.silence_before(point.arrived));
        let is_doubtful = silence >= LONG_SILENCE || (silence >= SILENCE && delay > silence as f64 / 2.0);
        let late = self.late.get_or_insert(Late::since(point, is_doubtful));
        late.note(delay, now);
        late.is_behind &= is_behind;
        // Frames that have waited come faster than they were taken.
        let gained = self.line.delay(late.first) - delay;
        let passed = point.ticks.wrapping_sub(late.first.ticks) as i64 as f64 * self.ns_per_tick;
        late.is_doubtful &= gained < STOOD_STILL_BY || gained < passed / 2.0;
        let (lasts, frames) = if late.is_behind { (BEHIND_FOR, BEHIND_FRAMES) } else { (STOOD_STILL_FOR, PARTS as u32) };
        if now - late.since < lasts || late.frames < frames || (late.is_behind && gained > passed / 2.0) {
            return None;
        }
        let Late { since, at_first, at_last, is_behind, .. } = *late;
        self.late = None;
        if at_last < 0.9 * at_first - STOOD_STILL_BY / 2.0 {
            return None; // A backlog that is being worked off. Looked at again after as long.
        }
        let of_late = self.stretches.iter().filter(|stretch| stretch.began >= since).map(|stretch| stretch.lowest);
        let by_delay = |a: &Point, b: &Point| self.line.delay(*a).total_cmp(&self.line.delay(*b));
        let lowest = of_late.chain([point]).min_by(by_delay).unwrap_or(point);
        let told = self.told;
        self.begin_anew(lowest, since);
        if !is_behind {
            self.told = told;
        }
        Some(since)
    }

    /// Takes a frame into account.
    fn learn(&mut self, point: Point) {
        let now = point.arrived;
        let is_over = |stretch: &Stretch| now - stretch.began >= self.stretch_ns && stretch.frames >= self.stretch_frames;
        if self.stretches.back().is_none_or(is_over) {
            self.fit();
            self.make_room();
            self.stretches.push_back(Stretch { began: now, lowest: point, worst: 0.0, frames: 0 });
        }
        let delay = self.line.delay(point);
        if let Some(stretch) = self.stretches.back_mut() {
            stretch.worst = stretch.worst.max(delay);
            stretch.frames += 1;
            if delay < self.line.delay(stretch.lowest) {
                stretch.lowest = point;
            }
        }
        if delay < 0.0 {
            self.line.through = point;
        }
        self.note_recent(point, delay.max(0.0));
        self.last_arrived = self.last_arrived.max(now);
    }

    fn note_recent(&mut self, point: Point, delay: f64) {
        let now = point.arrived;
        let behind = self.told.ticks.wrapping_sub(point.ticks) as i64 as f64 * self.ns_per_tick;
        if now - self.last_arrived >= SILENCE || behind > STOOD_STILL_BY {
            self.recent = Recent::since(now);
        } else if now - self.recent.since >= SILENCE {
            self.recent = Recent { before: self.recent.least, ..Recent::since(now) };
        }
        self.recent.least = self.recent.least.min(delay);
    }

    fn make_room(&mut self) {
        if self.stretches.len() < STRETCHES {
            return;
        }
        let span = self.span();
        if span >= 2 * WINDOW || (span >= WINDOW && self.stretch_frames >= ENOUGH_FRAMES) {
            self.stretches.pop_front();
            return;
        }
        self.stretch_ns *= 2;
        self.stretch_frames = ENOUGH_FRAMES.min(2 * self.stretch_frames);
        for _ in 0..STRETCHES / 2 {
            let (Some(first), Some(second)) = (self.stretches.pop_front(), self.stretches.pop_front()) else { return };
            let is_lower = self.line.delay(second.lowest) < self.line.delay(first.lowest);
            let lowest = if is_lower { second.lowest } else { first.lowest };
            self.stretches.push_back(Stretch {
                began: first.began,
                lowest,
                worst: first.worst.max(second.worst),
                frames: first.frames + second.frames,
            });
        }
    }

    /// So many stretches count: those behind a long gap do so when they are enough to show where the line is by then. Else a late one
    /// of few frames, so far from the others, would tilt it.
    fn counting_stretches(&self) -> usize {
        let (count, gap) = (self.stretches.len(), self.span() / LONG_GAP);
        let came = |at: usize| self.stretches[at].lowest.arrived;
        let is_behind_gap = |at: &usize| came(*at).saturating_sub(came(*at - 1)) > gap;
        (1..count).rev().take(BEHIND_GAP - 1).find(is_behind_gap).unwrap_or(count)
    }

    /// The line anew, from the stretches that are over.
    fn fit(&mut self) {
        let counting = self.counting_stretches();
        let Some(origin) = counting.checked_sub(1).map(|last| self.stretches[last].lowest) else { return };
        // x: the camera's time, y: how much later than that frames came.
        let (mut places, mut count, mut last) = ([(0.0, 0.0); STRETCHES], 0, i64::MIN);
        let latest = self.latest();
        for Point { ticks, arrived } in self.stretches.iter().take(counting).map(|stretch| stretch.lowest) {
            if self.line.delay(Point { ticks, arrived }) < latest {
                let x = ticks.wrapping_sub(origin.ticks) as i64 as f64 * self.ns_per_tick;
                places[count] = (x, arrived.saturating_sub(origin.arrived) as f64 - x);
                (count, last) = (count + 1, arrived.max(last));
            }
        }
        if count < PARTS {
            return;
        }
        let places = &places[..count];
        let Some((slope, span)) = slope_below(places) else { return };
        let error = 3.0 * Lowest::along(slope, places).of_parts / span;
        self.is_rate_doubtful = slope.abs() > NOT_DECLARED + 4.0 * error;
        self.is_other_rate = self.is_rate_doubtful && (self.is_other_rate || self.span() >= RATE_SHOWS_AFTER);
        // While little is known, what was known before counts for more.
        let before = self.rate_before;
        let aged = before.error + RATE_CHANGES_BY * span / 1e9;
        let weight = aged * aged / (aged * aged + error * error);
        let off = (before.off + weight * (slope - before.off)).clamp(-MOST_OFF, MOST_OFF);
        let off = if self.is_other_rate { slope } else { off };
        self.rate = Rate { off, error: error.min(aged) };
        let lowest = Lowest::along(off, places);
        let through = Point { ticks: origin.ticks, arrived: origin.arrived.saturating_add(lowest.at_origin.round() as i64) };
        self.line = Line { through, ns_per_tick: self.ns_per_tick * (1.0 + off) };
        // Sorted as they come: few enough, and the library's code for sorting is large.
        let mut delays = [0.0; STRETCHES];
        for (sorted, (x, y)) in places.iter().enumerate() {
            let delay = y - off * x - lowest.at_origin;
            let place = delays[..sorted].partition_point(|other| *other < delay);
            delays.copy_within(place..sorted, place + 1);
            delays[place] = delay;
        }
        let bent = 0.1 * RATE_CHANGES_BY * span * span / 1e9; // However straight it looks.
        let line = OF_PARTS * lowest.of_parts + OF_STRETCHES * delays[count / 2] / count as f64 + bent;
        self.spread = Some(Spread { line, usual: 3.0 * delays[count * 3 / 4], at: last });
    }

    fn lie(&self) -> Lie {
        let Course { line, rate, spread, worst_before, told, .. } = *self;
        Lie { line, rate, spread, worst_before, told, recent: self.recent.least.min(self.recent.before) }
    }

    /// Whether what is told of this frame could be far wrong.
    fn is_in_doubt(&self, point: Point) -> bool {
        let is_unproven = self.spread.is_none() && self.line.delay(point) > UNPROVEN;
        self.is_rate_doubtful || is_unproven || self.late.as_ref().is_some_and(|late| late.is_doubtful)
    }

    fn runs_at_another_rate(&mut self, off: f64) {
        self.rate = Rate { off, error: off.abs() };
        self.line.ns_per_tick = self.ns_per_tick * (1.0 + off);
        (self.is_other_rate, self.is_rate_doubtful) = (true, true);
    }

    /// When a frame was taken. Of two frames the later one is told to be taken later: when the line has sunk, the told time nearly
    /// stands still until it is right.
    fn tell(&mut self, point: Point) -> i64 {
        let captured = self.line.at(point.ticks);
        let since = point.ticks.wrapping_sub(self.told.ticks) as i64;
        if since <= 0 {
            let slowed = self.told.arrived.saturating_sub(self.line.at(self.told.ticks)).max(0);
            return captured.saturating_add(slowed);
        }
        let least = ((since as f64 * self.ns_per_tick / 2.0) as i64).clamp(1, SLOWEST);
        let captured = captured.max(self.told.arrived.saturating_add(least));
        self.told = Point { ticks: point.ticks, arrived: captured };
        captured
    }

    fn measured_hz(&self) -> f64 {
        1e9 / (self.ns_per_tick * (1.0 + self.rate.off))
    }
}

/// The slope of the lower hull of these places, and how far it reaches.
fn slope_below(places: &[(f64, f64)]) -> Option<(f64, f64)> {
    let mut hull = [(0.0, 0.0); STRETCHES];
    let mut corners = 0;
    for &(x, y) in places {
        // A late frame may have been taken before the one that came before it.
        while corners > 0 && hull[corners - 1].0 >= x && hull[corners - 1].1 >= y {
            corners -= 1;
        }
        if corners > 0 && hull[corners - 1].0 >= x {
            continue;
        }
        while corners > 1 && is_above(hull[corners - 2], hull[corners - 1], (x, y)) {
            corners -= 1;
        }
        hull[corners] = (x, y);
        corners += 1;
    }
    let hull = &hull[..corners];
    let (Some(first), Some(last)) = (hull.first(), hull.last().filter(|_| corners > 1)) else { return None };
    let span = last.0 - first.0;
    let at = |share: f64| {
        let x = first.0 + share * span;
        let right = hull[1..corners - 1].partition_point(|corner| corner.0 < x) + 1;
        let (from, to) = (hull[right - 1], hull[right]);
        from.1 + (to.1 - from.1) * (x - from.0) / (to.0 - from.0)
    };
    Some(((at(TO) - at(FROM)) / ((TO - FROM) * span), span))
}

/// Whether the middle one of three places, from left to right, is not below the line between the others.
fn is_above(a: (f64, f64), b: (f64, f64), c: (f64, f64)) -> bool {
    (b.0 - a.0) * (c.1 - a.1) <= (c.0 - a.0) * (b.1 - a.1)
}

/// The line of a slope that no place is below.
struct Lowest {
    at_origin: f64,
    /// How far above it the lowest place of each part is, on the average.
    of_parts: f64,
}

impl Lowest {
    fn along(slope: f64, places: &[(f64, f64)]) -> Lowest {
        let above = |places: &[(f64, f64)]| places.iter().map(|(x, y)| y - slope * x).fold(f64::INFINITY, f64::min);
        let at_origin = above(places);
        let parts = (0..PARTS).map(|part| &places[part * places.len() / PARTS..(part + 1) * places.len() / PARTS]);
        Lowest { at_origin, of_parts: parts.map(|part| above(part) - at_origin).sum::<f64>() / PARTS as f64 }
    }
}

#[cfg(test)]
mod simulated;
