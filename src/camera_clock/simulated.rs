//! The camera's clock beside cameras that are simulated, so that it is known when each frame was taken: oscillators that are off
//! and drift, callbacks that come late, counters that wrap, are reset, stand still.
//!
//! `docs/time.md` has the figures.

use super::{CameraClock, News, Noted, Reading, S};
use std::collections::BTreeSet;

mod adversity;

impl CameraClock {
    fn reading(&self, now: i64) -> Option<Reading> {
        self.standing().reading(now)
    }
}

const MS: i64 = 1_000_000;
/// When the camera begins, by the steady clock.
const BEGIN: i64 = 1000 * S;
/// What the counter shows then.
const FIRST_COUNT: u64 = 123_456_789_123;

/// How late frames come, at random.
#[derive(Clone, Copy, Debug)]
enum Jitter {
    /// Up to 20 ms, any delay as likely as another.
    Even,
    /// 20 ms on the average, and some several times that.
    Exponential,
}

/// How fast the camera's oscillator runs.
#[derive(Clone, Copy, Debug)]
enum Drift {
    /// In millionths, all the time.
    Steady(f64),
    /// By 100 ppm to and fro, in an hour: up to 0.17 ppm a second.
    Slow,
}

impl Drift {
    /// What the camera's clock has counted after so long.
    fn counted(self, ns: i64) -> f64 {
        match self {
            Drift::Steady(ppm) => ns as f64 * (1.0 + ppm * 1e-6),
            Drift::Slow => {
                let turn = std::f64::consts::TAU / (3600.0 * S as f64);
                ns as f64 + 100e-6 / turn * (1.0 - (turn * ns as f64).cos())
            }
        }
    }
}

/// A frame that comes.
#[derive(Clone, Copy)]
struct Frame {
    taken: i64,
    counter: u64,
    arrives: i64,
}

struct Camera {
    fps: f64,
    tick_hz: f64,
    jitter: Jitter,
    drift: Drift,
    seed: u64,
}

impl Camera {
    fn usual(fps: f64) -> Camera {
        Camera { fps, tick_hz: 1e9, jitter: Jitter::Even, drift: Drift::Steady(30.0), seed: 1 }
    }

    /// Its frames of so many seconds, each called back by itself.
    fn frames(&self, seconds: i64) -> Vec<Frame> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let count = (seconds as f64 * self.fps) as i64;
        let frame = |number: i64| {
            let taken = (number as f64 * S as f64 / self.fps) as i64;
            let delay = match self.jitter {
                Jitter::Even => 20e6 * random.f64(),
                Jitter::Exponential => -20e6 * (1.0 - random.f64()).ln(),
            };
            let ticks = self.drift.counted(taken) * (self.tick_hz / 1e9);
            let counter = FIRST_COUNT.wrapping_add(ticks as u64);
            Frame { taken: BEGIN + taken, counter, arrives: BEGIN + taken + delay as i64 }
        };
        (0..count).map(frame).collect()
    }
}

/// What became of a frame.
struct Seen {
    /// When it was taken, since the beginning.
    at: i64,
    captured: i64,
    error: i64,
    /// Else it is stamped when it comes.
    is_mapped: bool,
    bound: Option<i64>,
    news: Option<News>,
}

/// All frames through one callback, which is late for one when it was late for the one before.
fn in_order(mut frames: Vec<Frame>) -> Vec<Frame> {
    let mut before = i64::MIN;
    for frame in &mut frames {
        frame.arrives = frame.arrives.max(before);
        before = frame.arrives;
    }
    frames
}

#[track_caller]
fn played(tick_hz: f64, frames: Vec<Frame>) -> Vec<Seen> {
    let seen = played_with_doubts(tick_hz, frames);
    assert_eq!(seen.iter().find(|frame| !frame.is_mapped).map(|frame| frame.at), None, "the counter runs as declared");
    seen
}

fn played_with_doubts(tick_hz: f64, mut frames: Vec<Frame>) -> Vec<Seen> {
    frames.sort_by_key(|frame| frame.arrives);
    let mut clock = CameraClock::new(tick_hz);
    let play = |frame: Frame| {
        let Noted { captured_ns, news } = clock.note(frame.counter, frame.arrives);
        let (captured, is_mapped) = (captured_ns.unwrap_or(frame.arrives), captured_ns.is_some());
        let bound = clock.reading(frame.arrives).map(|reading| reading.bound_ns);
        Seen { at: frame.taken - BEGIN, captured, error: (captured - frame.taken).abs(), is_mapped, bound, news }
    };
    frames.into_iter().map(play).collect()
}

/// No frame is off by more than was told, once something was told; and after the first second it is.
#[track_caller]
fn assert_bounded(seen: &[Seen], what: &str) {
    for frame in seen.iter().filter(|frame| frame.at > S && frame.is_mapped) {
        let Some(bound) = frame.bound else {
            assert!(seen.iter().filter(|other| other.at <= frame.at).count() < 10, "{what}: no bound after {} ns", frame.at);
            continue;
        };
        assert!(frame.error <= bound, "{what}: {} s: off by {} ns, told {bound}", frame.at as f64 / 1e9, frame.error);
    }
}

#[track_caller]
fn assert_within_a_millisecond(seen: &[Seen], from: i64, what: &str) {
    assert_within(seen, from, MS, what);
}

#[track_caller]
fn assert_within(seen: &[Seen], from: i64, most: i64, what: &str) {
    let worst = seen
        .iter()
        .filter(|frame| frame.at >= from && frame.is_mapped)
        .max_by_key(|frame| frame.error)
        .expect("there are frames");
    assert!(worst.error <= most, "{what}: {} s: off by {} ns", worst.at as f64 / 1e9, worst.error);
}

fn restarts(seen: &[Seen]) -> Vec<(i64, i64)> {
    let restart = |frame: &Seen| match frame.news {
        Some(News::Restarted { by_ns, .. }) => Some((frame.at, by_ns)),
        Some(News::RateOff { tick_hz }) => panic!("{tick_hz} ticks a second"),
        Some(News::RateRight) => panic!("it was wrong"),
        None => None,
    };
    seen.iter().filter_map(restart).collect()
}

/// After so long nothing is off by more than a millisecond where frames are jittered by 20.
fn warm_after(fps: f64) -> i64 {
    if fps < 30.0 { 45 * S } else { 3 * S }
}

/// As many are tried, of whatever happens at random.
fn seeds() -> u64 {
    std::env::var("RHEED_TORTURE_CLOCKS").map_or(2, |seeds| seeds.parse().expect("a count is wanted"))
}

#[test]
fn jitter_of_20_ms_and_drift_leave_a_millisecond_and_never_more_than_the_bound() {
    for fps in [10.0, 60.0, 120.0, 500.0] {
        let (mut worst_warm, mut last_off, mut bounds) = (0, 0, (0, 0));
        for jitter in [Jitter::Even, Jitter::Exponential] {
            for drift in [Drift::Steady(100.0), Drift::Steady(-100.0), Drift::Steady(0.0), Drift::Slow] {
                for seed in 0..seeds() {
                    let camera = Camera { jitter, drift, seed, ..Camera::usual(fps) };
                    let what = format!("{fps} fps, {jitter:?}, {drift:?}, seed {seed}");
                    let each_by_itself = camera.frames(200);
                    // Faster ones would wait for several others each, and hardly one come early.
                    let orders = if fps < 50.0 { &[false, true][..] } else { &[false] };
                    for one_by_one in orders {
                        let frames = each_by_itself.clone();
                        let seen = played(1e9, if *one_by_one { in_order(frames) } else { frames });
                        assert_bounded(&seen, &what);
                        assert_within_a_millisecond(&seen, warm_after(fps), &what);
                        assert_eq!(restarts(&seen), [], "{what}");
                        let off = seen.iter().filter(|frame| frame.error > MS).map(|frame| frame.at);
                        last_off = off.max().unwrap_or(0).max(last_off);
                        let warm = seen.iter().filter(|frame| frame.at > 130 * S);
                        for frame in warm {
                            worst_warm = worst_warm.max(frame.error);
                            bounds = (bounds.0 + frame.bound.expect("there is one"), bounds.1 + 1);
                        }
                    }
                }
            }
        }
        println!(
            "{fps} fps: off by more than 1 ms until {:.1} s; after 130 s by at most {:.3} ms, told on the average {:.3} ms",
            last_off as f64 / 1e9,
            worst_warm as f64 / 1e6,
            bounds.0 as f64 / bounds.1 as f64 / 1e6
        );
    }
}

#[test]
fn frames_that_are_taken_one_after_the_other_are_told_so_even_while_the_line_sinks() {
    for seed in 0..20 {
        let camera = Camera { seed, jitter: Jitter::Exponential, ..Camera::usual(500.0) };
        let seen = played(1e9, in_order(camera.frames(10)));
        assert!(seen.windows(2).all(|pair| pair[0].captured < pair[1].captured), "seed {seed}");
    }
}

#[test]
fn a_callback_that_hangs_for_seconds_and_then_brings_all_at_once_moves_nothing() {
    for fps in [10.0, 60.0, 120.0] {
        let mut frames = Camera::usual(fps).frames(120);
        for (from, to) in [(60, 63), (90, 95), (97, 98)] {
            let hangs = BEGIN + from * S..BEGIN + to * S;
            frames.iter_mut().filter(|frame| hangs.contains(&frame.arrives)).for_each(|frame| frame.arrives = hangs.end);
        }
        let seen = played_with_doubts(1e9, in_order(frames));
        assert_eq!(restarts(&seen), []);
        assert_bounded(&seen, "late");
        assert_within_a_millisecond(&seen, warm_after(fps), "late");
        // The first ones of those that waited could come from a counter that had stood still.
        let doubted = seen.iter().filter(|frame| !frame.is_mapped).map(|frame| frame.at / (S / 2)).collect::<BTreeSet<_>>();
        assert!(doubted.iter().all(|half| [119, 120, 179, 180].contains(half)), "{doubted:?}");
    }
}

#[test]
fn a_callback_that_hangs_for_half_a_minute_or_a_whole_one_is_taken_for_a_counter_that_stood_still_and_got_over_within_the_bound()
{
    for (fps, hung) in [0.5, 1.0, 10.0, 60.0].into_iter().flat_map(|fps| [(fps, 30), (fps, 60)]) {
        let mut frames = Camera::usual(fps).frames(400);
        let until = 200 + hung;
        let hangs = BEGIN + 200 * S..BEGIN + until * S;
        frames.iter_mut().filter(|frame| hangs.contains(&frame.arrives)).for_each(|frame| frame.arrives = hangs.end);
        let seen = played_with_doubts(1e9, in_order(frames));
        let restarts = restarts(&seen);
        assert!(restarts.iter().all(|(at, _)| (199 * S..(until + 2) * S).contains(at)), "{fps} fps: {restarts:?}");
        let beyond = seen.iter().find(|frame| frame.is_mapped && frame.bound.is_some_and(|bound| frame.error > bound));
        assert_eq!(beyond.map(|frame| (frame.at, frame.error, frame.bound)), None, "{fps} fps");
        let late =
            seen.iter().filter(|frame| frame.at >= (until + 1) * S).find(|frame| frame.error > 25 * MS || !frame.is_mapped);
        assert_eq!(late.map(|frame| (frame.at, frame.error)), None, "{fps} fps");
    }
}

#[test]
fn a_callback_that_hangs_at_the_very_beginning_is_got_over() {
    let mut frames = Camera::usual(60.0).frames(60);
    frames.iter_mut().filter(|frame| frame.arrives < BEGIN + 4 * S).for_each(|frame| frame.arrives = BEGIN + 4 * S);
    let seen = played(1e9, in_order(frames));
    assert_within_a_millisecond(&seen, 4 * S + warm_after(60.0), "hung");
}

#[test]
fn a_single_frame_that_comes_late_among_others_moves_nothing_and_is_no_restart() {
    for late in [50 * MS, 3 * S, 9 * S] {
        let mut frames = Camera::usual(60.0).frames(60);
        for number in [600, 1200, 1201, 2000] {
            frames[number].arrives += late;
        }
        let seen = played(1e9, frames);
        assert_eq!(restarts(&seen), [], "{late}");
        assert_within_a_millisecond(&seen, warm_after(60.0), "single");
        assert_bounded(&seen, "single");
    }
}

#[test]
fn frames_of_several_threads_in_any_order_lie_on_one_line() {
    let mut frames = Camera::usual(120.0).frames(60);
    for four in frames.chunks_exact_mut(4) {
        let arrives = four[3].arrives;
        four.iter_mut().rev().zip(0..).for_each(|(frame, place)| frame.arrives = arrives + 1000 * place);
    }
    let seen = played(1e9, frames);
    assert_eq!(restarts(&seen), []);
    assert_bounded(&seen, "threads");
    assert_within_a_millisecond(&seen, warm_after(120.0), "threads");
}

#[test]
fn frames_that_are_lost_are_no_loss_to_the_line() {
    let mut frames = Camera::usual(60.0).frames(200);
    let mut random = fastrand::Rng::with_seed(3);
    frames.retain(|frame| {
        let at = frame.taken - BEGIN;
        !(50 * S..80 * S).contains(&at) && (at < 100 * S || random.u8(..) > 200)
    });
    let seen = played(1e9, in_order(frames));
    assert_eq!(restarts(&seen), []);
    assert_bounded(&seen, "lost");
    assert_within_a_millisecond(&seen, warm_after(60.0), "lost");
}

#[test]
fn a_counter_that_is_set_back_or_ahead_begins_anew_at_once_within_the_bound() {
    for (first, fps) in
        [(FIRST_COUNT, 60.0), (0, 60.0), (5_000_000_000, 60.0), (0, 10.0), (900_000_000_000_000, 60.0), (u64::MAX - 999, 120.0)]
    {
        let mut frames = Camera::usual(fps).frames(200);
        let reset = frames.iter().position(|frame| frame.taken >= BEGIN + 100 * S).expect("there is one");
        let before = frames[reset].counter;
        frames[reset..].iter_mut().for_each(|frame| frame.counter = (frame.counter - before).wrapping_add(first));
        let seen = played(1e9, in_order(frames));
        let restarts = restarts(&seen);
        let [(at, by_ns)] = restarts[..] else { panic!("{first}: {restarts:?}") };
        let set_by = first.wrapping_sub(before) as i64;
        assert!(at >= 100 * S && at < 100 * S + 2 * (S as f64 / fps) as i64, "{at}");
        assert!((by_ns + set_by).abs() < 100 * MS + set_by.abs() / 10_000, "{by_ns} for {set_by}");
        assert_bounded(&seen, "restart");
        assert!(seen[reset].bound.is_some_and(|bound| bound < 100 * MS), "{:?}", seen[reset].bound);
        let again = seen.iter().filter(|frame| !(100 * S..100 * S + warm_after(fps)).contains(&frame.at));
        let worst = again.filter(|frame| frame.at > warm_after(fps)).map(|frame| frame.error).max();
        assert!(worst.is_some_and(|worst| worst <= MS), "{first}: {worst:?}");
        assert!(seen.windows(2).all(|pair| pair[0].captured < pair[1].captured));
    }
}

#[test]
fn a_counter_that_stood_still_while_acquisition_was_stopped_is_found_out() {
    for (still, fps) in [(S / 4, 60.0), (5 * S, 60.0), (5 * S, 10.0), (3000 * S, 60.0)] {
        let mut frames = Camera::usual(fps).frames(200);
        for frame in frames.iter_mut().filter(|frame| frame.taken >= BEGIN + 100 * S) {
            frame.taken += still;
            frame.arrives += still;
        }
        let seen = played_with_doubts(1e9, in_order(frames));
        let restarts = restarts(&seen);
        let [(at, by_ns)] = restarts[..] else { panic!("{still}: {restarts:?}") };
        assert!(at - still < 110 * S, "found out after {at}");
        assert!(still < 10 * S || at - still < 101 * S, "found out after {at}");
        if still > super::SILENCE {
            let wrong = seen.iter().find(|frame| frame.is_mapped && frame.error > 100 * MS);
            assert!(wrong.is_none(), "{still}: {} ns", wrong.map_or(0, |frame| frame.at));
        }
        let mut doubted = seen.iter().filter(|frame| !frame.is_mapped);
        assert!(doubted.all(|frame| frame.at >= 100 * S + still && frame.at < at), "{still}: doubted for no reason");
        assert!((by_ns - still).abs() < 100 * MS, "{by_ns}");
        if (super::SILENCE..super::LONG_SILENCE).contains(&still) {
            assert_bounded(&seen, "stood still"); // Until it is known the bound says that it may be so.
        }
        assert_within_a_millisecond(&seen, still + 110 * S + warm_after(fps), "stood still");
    }
}

#[test]
fn a_backlog_that_is_worked_off_slowly_is_no_counter_that_stood_still() {
    for ppm in [-100.0, 30.0, 100.0] {
        let mut frames = Camera { drift: Drift::Steady(ppm), ..Camera::usual(60.0) }.frames(200);
        for frame in frames.iter_mut().filter(|frame| frame.taken >= BEGIN + 100 * S) {
            // 5 s late, and 100 ms less each second.
            frame.arrives += (5 * S - (frame.taken - BEGIN - 100 * S) / 10).max(0);
        }
        let seen = played_with_doubts(1e9, in_order(frames));
        assert_eq!(restarts(&seen), []);
        assert_bounded(&seen, "backlog");
        let mut doubted = seen.iter().filter(|frame| !frame.is_mapped);
        assert!(doubted.all(|frame| (100 * S..110 * S).contains(&frame.at)), "until it is known what that is");
        // While the last ones come, a little late, they could be punctual ones of an oscillator that has changed.
        let worst = |from: i64, to: i64| {
            let frames = seen.iter().filter(|frame| frame.is_mapped && (from * S..to * S).contains(&frame.at));
            frames.map(|frame| frame.error).max()
        };
        let [before, under_way, at_its_end, after] =
            [(10, 100), (100, 149), (149, 160), (160, 200)].map(|(from, to)| worst(from, to));
        assert!([before, under_way, after].iter().all(|worst| *worst < Some(MS)), "{ppm}: {before:?} {under_way:?} {after:?}");
        assert!(at_its_end < Some(10 * MS), "{ppm}: {at_its_end:?}");
    }
}

#[test]
fn a_counter_that_is_reset_where_it_had_been_just_before_is_found_out_too() {
    for fps in [10.0, 120.0] {
        let mut frames = Camera::usual(fps).frames(60);
        let reset = frames.iter().position(|frame| frame.taken >= BEGIN + 6 * S).expect("there is one");
        let back = frames[reset].counter - FIRST_COUNT;
        frames[reset..].iter_mut().for_each(|frame| frame.counter -= back);
        let seen = played_with_doubts(1e9, in_order(frames));
        let restarts = restarts(&seen);
        assert!(matches!(restarts[..], [(at, by_ns)] if at <= 7 * S && (by_ns - 6 * S).abs() < 100 * MS), "{restarts:?}");
        assert_bounded(&seen, "reset");
        let doubted = |frame: &&Seen| frame.at >= 6 * S && frame.at < restarts[0].0;
        assert!(seen.iter().filter(|frame| !frame.is_mapped).all(|frame| doubted(&frame)), "{fps} fps");
        assert!(seen.iter().filter(|frame| frame.is_mapped && frame.error > 25 * MS).filter(doubted).count() < fps as usize / 2);
    }
}

#[test]
fn a_counter_that_wraps_loses_nothing() {
    const BITS_32: u64 = 1 << 32;
    // How far it goes, its ticks, and by how much it is multiplied until it comes here.
    for (wraps_at, tick_hz, unit) in [
        (BITS_32, 1e6, 1),
        (BITS_32, 125e6, 1),
        (BITS_32, 1e9, 1),
        (BITS_32, 1e9, 8),
        (BITS_32, 1e9, 1000),
        (BITS_32, 1e9, 1_000_000),
        (BITS_32, 1e6, 1000),
        (1 << 63, 1e9, 1),
        (0, 1e9, 1),
    ] {
        for fps in [10.0, 120.0] {
            let camera = Camera { tick_hz, ..Camera::usual(fps) };
            let mut frames = camera.frames(200);
            // It wraps after 3.1 s, and where it is short, again and again.
            let begin = wraps_at.wrapping_sub((3.1 * tick_hz) as u64 / unit);
            for frame in &mut frames {
                let count = begin.wrapping_add((frame.counter - FIRST_COUNT) / unit);
                frame.counter = if wraps_at == 0 { count } else { count % wraps_at } * unit;
            }
            let lost = |frame: &Frame| (BEGIN + 80 * S..BEGIN + 91 * S).contains(&frame.taken);
            frames.retain(|frame| !lost(frame)); // A wrap in there is not seen.
            let what = format!("{wraps_at} at {tick_hz} times {unit}, {fps} fps");
            let seen = played(tick_hz, in_order(frames));
            assert_eq!(restarts(&seen), [], "{what}");
            let coarse = unit as f64 / tick_hz > 0.9e-3; // A counter is no better than its steps.
            if !coarse {
                assert_bounded(&seen, &what);
                assert_within_a_millisecond(&seen, warm_after(fps), &what);
            }
            let worst = seen.iter().filter(|frame| frame.at > warm_after(fps)).map(|frame| frame.error).max();
            assert!(worst.is_some_and(|worst| worst <= if coarse { 2 * MS } else { MS }), "{what}: {worst:?}");
        }
    }
}

#[test]
fn a_late_frame_of_before_a_wrap_is_mapped_as_such() {
    let mut frames = Camera { tick_hz: 1e6, ..Camera::usual(60.0) }.frames(60);
    let wrap = frames[1200].counter;
    frames.iter_mut().for_each(|frame| frame.counter = frame.counter.wrapping_sub(wrap) as u32 as u64);
    frames[1199].arrives += 500 * MS;
    let seen = played(1e6, frames);
    assert_eq!(restarts(&seen), []);
    assert_within_a_millisecond(&seen, warm_after(60.0), "wrapped");
}

#[test]
fn a_counter_that_runs_at_another_rate_than_declared_is_told_with_its_rate_and_maps_nothing() {
    for (declared, real) in [(1e9, 125e6), (125e6, 1e9), (1e9, 1e6), (1e6, 1e9), (1e9, 1.005e9), (1e9, 2e9), (1e8, 2e8)] {
        let mut clock = CameraClock::new(declared);
        let mut told = Vec::new();
        for frame in in_order(Camera { tick_hz: real, ..Camera::usual(60.0) }.frames(100)) {
            let noted = clock.note(frame.counter, frame.arrives);
            if let Some(News::RateOff { tick_hz }) = noted.news {
                told.push(tick_hz);
            }
            if frame.taken > BEGIN + 10 * S {
                assert_eq!((noted.captured_ns, clock.reading(frame.arrives)), (None, None), "{declared} {real}");
            }
        }
        assert!(matches!(told[..], [hz] if (hz / real - 1.0).abs() < 0.01), "{declared} {real}: {told:?}");
    }
}

#[test]
fn the_reading_turns_the_cameras_time_into_the_steady_clocks() {
    for (tick_hz, bits) in [(1e9, 64), (1e6, 64), (1e6, 32), (29.97e6, 64)] {
        let mut clock = CameraClock::new(tick_hz);
        let frames = in_order(Camera { tick_hz, drift: Drift::Steady(80.0), ..Camera::usual(60.0) }.frames(120));
        let mask = u64::MAX >> (64 - bits);
        for frame in &frames {
            clock.note(frame.counter & mask, frame.arrives);
        }
        let last = frames.last().expect("there are frames");
        let reading = clock.reading(last.taken).expect("it is known");
        let camera_ns = ((last.counter & mask) as f64 / tick_hz * 1e9) as i64;
        assert!((camera_ns + reading.offset_ns - last.taken).abs() < MS / 2, "{tick_hz}: {reading:?}");
        assert!((reading.drift_ppm - 80.0).abs() < 2.0, "{reading:?}");
    }
}

/// What a counter shows after so many seconds.
type Counter<'a> = &'a dyn Fn(f64) -> u64;

/// The stamps that are told of a counter that shows so much after so many seconds, beside those at entry; and what is told of it.
fn told_of(tick_hz: f64, fps: f64, seconds: f64, counter: impl Fn(f64) -> u64) -> (Vec<Seen>, Vec<(i64, News)>) {
    let mut random = fastrand::Rng::with_seed(5);
    let frame = |number: i64| {
        let at = number as f64 / fps;
        let taken = BEGIN + (at * 1e9) as i64;
        Frame { taken, counter: counter(at), arrives: taken + (5e6 * random.f64()) as i64 }
    };
    let frames = (0..(seconds * fps) as i64).map(frame).collect();
    let seen = played_with_doubts(tick_hz, in_order(frames));
    let news = seen.iter().filter_map(|frame| Some((frame.at, frame.news?))).collect();
    (seen, news)
}

#[track_caller]
fn assert_never_worse_than(seen: &[Seen], most: i64, what: &str) {
    let worst = seen.iter().max_by_key(|frame| frame.error).expect("there are frames");
    assert!(worst.error <= most, "{what}: {} s: off by {} ns", worst.at as f64 / 1e9, worst.error);
}

#[test]
fn a_counter_that_does_not_move_or_runs_backwards_maps_nothing_is_told_and_told_again_when_it_counts() {
    let from = |begin: f64, at: f64| FIRST_COUNT + ((at - begin).max(0.0) * 1e9) as u64;
    let stands = |at: f64| FIRST_COUNT + (at.min(60.0) * 1e9) as u64;
    let backwards = |at: f64| (1 << 60) - (at * 1e9) as u64;
    let set_back = |at: f64| (1 << 60) - (at.trunc() * 20e9) as u64 + (at.fract() * 1e9) as u64;
    for fps in [1.0 / 60.0, 1.0, 10.0, 60.0, 500.0] {
        let seconds = if fps < 1.0 { 3600.0 } else { 100.0 };
        let counters: [(&str, Counter, i64); 4] = [
            ("constant", &|_| FIRST_COUNT, 0),
            ("stands", &stands, 60),
            ("backwards", &backwards, 0),
            ("set back each second", &set_back, 0),
        ];
        for (what, counter, good_until) in counters {
            let what = &format!("{what}, {fps} fps");
            let (seen, news) = told_of(1e9, fps, seconds, counter);
            assert_never_worse_than(&seen, S + 10 * MS, what);
            let off: Vec<_> = news.iter().filter(|(_, news)| !matches!(news, News::Restarted { .. })).collect();
            let soon = (good_until + 5) * S + (9.0 / fps * 1e9) as i64;
            assert!(matches!(off[..], [(at, News::RateOff { tick_hz: 0.0 })] if *at <= soon), "{what}: {news:?}");
            assert!(news.len() < 12, "{what}: {news:?}");
            assert!(seen.iter().filter(|frame| frame.at > soon).all(|frame| frame.bound.is_none()), "{what}");
        }
    }
    let (seen, news) = told_of(1e9, 60.0, 300.0, |at| from(100.0, at));
    let [(_, News::RateOff { tick_hz: 0.0 }), (_, News::Restarted { .. }), (right, News::RateRight)] = news[..] else {
        panic!("{news:?}")
    };
    assert!((160 * S..162 * S).contains(&right), "{news:?}");
    assert!(seen.iter().filter(|frame| frame.at > 103 * S).all(|frame| frame.is_mapped && frame.error < 10 * MS));
}

#[test]
fn until_its_rate_is_proven_which_is_soon_no_frame_of_a_wrong_one_is_off_by_more_than_a_second() {
    for fps in [1.0 / 60.0, 1.0, 4.0, 10.0, 60.0, 500.0] {
        for (declared, real) in [(1e9, 125e6), (125e6, 1e9), (1e9, 0.9e9), (1e6, 1e9), (1e9, 1e6), (1e9, 2e9), (1e9, 5e8)] {
            let what = &format!("{declared}, really {real}, {fps} fps");
            let seconds = if fps < 1.0 { 3600.0 } else { 60.0 };
            let (seen, news) = told_of(declared, fps, seconds, |at| FIRST_COUNT + (at * real) as u64);
            assert_never_worse_than(&seen, S + 10 * MS, what);
            let off: Vec<_> = news.iter().filter(|(_, news)| !matches!(news, News::Restarted { .. })).collect();
            let soon = 10 * S + (8.0 / fps * 1e9) as i64;
            assert!(
                matches!(off[..], [(at, News::RateOff { tick_hz })] if (tick_hz / real - 1.0).abs() < 0.01 && *at <= soon),
                "{what}: {news:?}"
            );
        }
    }
}

#[test]
fn after_a_pause_of_hours_not_even_the_first_frame_is_stamped_by_where_the_counter_stood() {
    const PAUSE: f64 = 12.0 * 3600.0;
    // After 10 s of frames: stood still; stood still for a part of it; 32 bits at 1 MHz that nobody saw wrap.
    let paused = |at: f64| at - if at > 10.0 { PAUSE } else { 0.0 };
    let partly = |at: f64| at - if at > 10.0 { PAUSE / 12.0 } else { 0.0 };
    let counters: [(&str, f64, Counter); 3] = [
        ("stood still", 1e9, &|at| FIRST_COUNT + (paused(at) * 1e9) as u64),
        ("stood still for an hour", 1e9, &|at| FIRST_COUNT + (partly(at) * 1e9) as u64),
        ("wrapped", 1e6, &|at| (FIRST_COUNT + (at * 1e6) as u64) & u64::from(u32::MAX)),
    ];
    for (what, tick_hz, counter) in counters {
        let mut clock = CameraClock::new(tick_hz);
        let mut restarts = 0;
        for number in 0..6000 {
            let at = number as f64 / 60.0;
            let at = if at >= 10.0 { at + PAUSE } else { at };
            let taken = BEGIN + (at * 1e9) as i64;
            let arrives = taken + number % 5 * MS;
            let noted = clock.note(counter(at), arrives);
            restarts += i32::from(noted.news.is_some());
            let error = (noted.captured_ns.unwrap_or(arrives) - taken).abs();
            assert!(error < 10 * MS, "{what}: {at} s: off by {error} ns");
        }
        assert_eq!(restarts, 1, "{what}");
    }
}

#[test]
fn a_counter_that_is_set_ahead_among_the_first_frames_is_no_other_rate() {
    for fps in [1.0, 2.0, 4.0, 10.0, 30.0] {
        for good in [1, 2, 3, 4, 6, 8] {
            let set = |at: f64| if at * fps + 0.5 < good as f64 { 0.0 } else { 3600e9 };
            let (seen, news) = told_of(1e9, fps, 300.0, |at| FIRST_COUNT + (set(at) + at * 1e9) as u64);
            let what = &format!("{fps} fps, {good} frames");
            assert!(matches!(news[..], [(_, News::Restarted { times: 1, .. })]), "{what}: {news:?}");
            assert_never_worse_than(&seen, 10 * MS, what);
            assert!(seen.iter().all(|frame| frame.is_mapped), "{what}");
        }
    }
}

#[test]
fn whatever_counters_and_times_come_nothing_overflows() {
    let mut random = fastrand::Rng::with_seed(9);
    for tick_hz in [1.0, 1e6, 0.7e9, 1e12] {
        for extreme in [u64::MAX, u64::MAX >> 20, 1 << 40] {
            let mut clock = CameraClock::new(tick_hz);
            for _ in 0..20_000 {
                let counter = if random.bool() { random.u64(..) } else { random.u64(..) & extreme };
                let arrived = random.i64(0..i64::MAX) & (extreme >> 1) as i64;
                clock.note(counter, arrived);
                clock.reading(arrived);
            }
        }
    }
}

/// Counters that run steadily, but for a reset, an extreme, or a pause now and then.
#[test]
fn whatever_becomes_of_a_steady_counter_nothing_overflows() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let tick_hz = [1.0, 29.97, 1e3, 1e6, 125e6, 1e9, 1e12][random.usize(..7)];
        let mask = u64::MAX >> [0, 1, 32, 32, 16, 0][random.usize(..6)];
        let mut clock = CameraClock::new(tick_hz);
        let (mut now, mut counter) = (1000 * S, random.u64(..) >> random.u32(..64));
        for _ in 0..2000 {
            let passed = match random.u8(..40) {
                0 => random.i64(0..3600 * S),
                1 => random.i64(0..100 * 86_400 * S) >> random.u32(..20),
                _ => random.i64(0..S / 5),
            };
            now += passed;
            let ticks = (passed as f64 * tick_hz / 1e9) as u64;
            counter = match random.u8(..60) {
                0 => random.u64(..) >> random.u32(..64),
                1 => 0,
                2 => counter.wrapping_neg(),
                3 => 1 << random.u32(..64),
                4 => (1u64 << random.u32(..64)).wrapping_sub(ticks),
                5 => counter.wrapping_sub(ticks.wrapping_mul(random.u64(..1000))),
                _ => counter.wrapping_add(ticks),
            };
            let early = if random.u8(..20) == 0 { random.i64(0..S) } else { 0 };
            clock.note(counter & mask, now - early);
            clock.reading(now);
        }
    }
}
