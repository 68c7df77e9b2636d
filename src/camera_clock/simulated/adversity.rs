//! Counters that are none, computers that sleep, drivers that tell half of a time: whatever comes, no frame is mapped for long by
//! what has become nonsense, and what is right again is found out.

use super::{BEGIN, Camera, Counter, Drift, FIRST_COUNT, Frame, MS, News, S, Seen};
use super::{
    assert_bounded, assert_never_worse_than, assert_within, assert_within_a_millisecond, in_order, played, played_with_doubts,
};
use super::{restarts, seeds, told_of, warm_after};
use crate::camera_clock::{CameraClock, Course, Point, Rate, Wraps, lengths};
use std::collections::VecDeque;
use std::f64::consts::TAU;

const BITS_32: u64 = 1 << 32;

/// What was told but that the counter was set.
fn verdicts(news: &[(i64, News)]) -> Vec<(i64, News)> {
    news.iter().filter(|(_, news)| !matches!(news, News::Restarted { .. })).copied().collect()
}

/// No frame of these times is mapped, or only as well as if it were stamped when it comes.
#[track_caller]
fn assert_nothing_is_mapped_wrong(seen: &[Seen], from: i64, to: i64, what: &str) {
    let wrong = seen.iter().find(|frame| (from..to).contains(&frame.at) && frame.is_mapped && frame.error > 25 * MS);
    assert_eq!(wrong.map(|frame| (frame.at as f64 / 1e9, frame.error)), None, "{what}");
}

/// From then on each frame is mapped, and well.
#[track_caller]
fn assert_is_right_from(seen: &[Seen], from: i64, what: &str) {
    let wrong = seen.iter().find(|frame| frame.at >= from && (!frame.is_mapped || frame.error > 6 * MS));
    assert_eq!(wrong.map(|frame| (frame.at as f64 / 1e9, frame.error, frame.is_mapped)), None, "{what}");
    assert!(seen.last().is_some_and(|last| last.bound.is_some()), "{what}");
}

/// The counter is such a one for 100 s, and a good one from then on.
#[track_caller]
fn assert_is_told_and_got_over(what: &str, fps: f64, found_out_within: i64, counter: Counter) {
    let what = &format!("{what}, {fps} fps");
    let good = |at: f64| 77_000_000_000 + ((at - 100.0) * 1e9) as u64;
    let (seen, news) = told_of(1e9, fps, 260.0, |at| if at < 100.0 { counter(at) } else { good(at) });
    let verdicts = verdicts(&news);
    let [(off, News::RateOff { .. }), (right, News::RateRight)] = verdicts[..] else { panic!("{what}: {verdicts:?}") };
    assert!(off <= found_out_within, "{what}: found out after {} s", off as f64 / 1e9);
    assert!(right > 159 * S, "{what}: {verdicts:?}");
    assert_nothing_is_mapped_wrong(&seen, found_out_within, 100 * S, what);
    assert_is_right_from(&seen, 160 * S, what);
}

#[test]
fn a_counter_that_begins_again_every_second_as_a_drivers_nanoseconds_without_its_seconds_is_told_and_maps_nothing() {
    for fps in [1.0, 2.0, 3.3, 7.5, 10.0, 30.0, 59.94, 60.0, 120.0, 500.0] {
        for phase in [0.0, 0.3, 0.95] {
            assert_is_told_and_got_over("tv_nsec", fps, 30 * S, &|at| ((at + phase).fract() * 1e9) as u64);
        }
    }
}

#[test]
fn a_counter_that_begins_again_every_few_seconds_is_told_and_maps_nothing() {
    for (period, within) in [(0.1, 20), (0.4, 20), (2.5, 20), (4.0, 20), (7.0, 30)] {
        for fps in [7.5, 60.0, 120.0] {
            let what = &format!("each {period} s");
            if period * fps > 2.0 {
                assert_is_told_and_got_over(what, fps, within * S, &|at| ((at + 0.3) % period * 1e9) as u64);
            }
        }
    }
}

#[test]
fn a_counter_that_leaps_from_one_end_of_its_range_to_the_other_is_told_and_maps_nothing() {
    const MAX: u64 = i64::MAX as u64;
    const MIN: u64 = i64::MIN as u64;
    let leaps: [&[u64]; 8] = [
        &[MAX, MIN, 0],
        &[MIN, MAX],
        &[0, MIN, 0, MAX],
        &[MIN, 1],
        &[u64::MAX, 1, MIN, MAX],
        &[BITS_32 - 1, 0],
        &[0, BITS_32 - 1, BITS_32],
        &[MAX, MAX, MAX, MIN, MIN, MIN],
    ];
    for leaps in leaps {
        for fps in [1.0, 10.0, 60.0, 500.0] {
            let counter = |at: f64| leaps[(at * fps).round() as usize % leaps.len()];
            assert_is_told_and_got_over(&format!("{leaps:x?}"), fps, 20 * S, &counter);
        }
    }
}

#[test]
fn negative_time_stamps_count_like_others() {
    for first in [i64::MIN, i64::MIN + 3 * S, i64::MIN / 2, -1_700_000_000 * S, -50 * S] {
        for fps in [10.0, 120.0] {
            let what = &format!("{first}, {fps} fps");
            let mut frames = in_order(Camera::usual(fps).frames(100));
            frames.iter_mut().for_each(|frame| frame.counter = first.cast_unsigned().wrapping_add(frame.counter - FIRST_COUNT));
            let seen = played(1e9, frames.clone());
            assert_eq!(restarts(&seen), [], "{what}");
            assert_bounded(&seen, what);
            assert_within_a_millisecond(&seen, warm_after(fps), what);
            // Set to another negative number, it is mapped anew.
            let set = frames.len() / 2;
            frames[set..].iter_mut().for_each(|frame| frame.counter = frame.counter.wrapping_sub(3600 * S.cast_unsigned()));
            let restarts = restarts(&played(1e9, frames));
            assert!(matches!(restarts[..], [(at, _)] if (50 * S..51 * S).contains(&at)), "{what}: {restarts:?}");
        }
    }
}

#[test]
fn a_counter_that_stands_still_under_way_is_told_and_mapped_anew_when_it_goes_on() {
    let goes_on = |at: f64| at.min(60.0) + (at - 100.0).max(0.0);
    let leaps = |at: f64| if at < 100.0 { at.min(60.0) } else { at };
    let from_zero = |at: f64| if at < 100.0 { at.min(60.0) } else { at - 100.0 };
    let counters: [(&str, &dyn Fn(f64) -> f64); 3] = [("goes on", &goes_on), ("leaps", &leaps), ("from zero", &from_zero)];
    for (what, seconds) in counters {
        for fps in [1.0, 10.0, 60.0, 500.0] {
            let what = &format!("{what}, {fps} fps");
            let (seen, news) = told_of(1e9, fps, 240.0, |at| 1 + (seconds(at) * 1e9) as u64);
            let [(off, News::RateOff { tick_hz: 0.0 }), (anew, News::Restarted { times: 1, .. }), (right, News::RateRight)] =
                news[..]
            else {
                panic!("{what}: {news:?}")
            };
            assert!((62 * S..70 * S).contains(&off) && (100 * S..103 * S).contains(&anew), "{what}: {news:?}");
            assert!((159 * S..164 * S).contains(&right), "{what}: {news:?}");
            // For a quarter of a second, or for the one frame that a slow camera sends meanwhile, it may just be a frame that came twice.
            assert_never_worse_than(&seen, S + 10 * MS, what);
            assert_nothing_is_mapped_wrong(&seen, 61 * S + S / 2, 240 * S, what);
            assert_is_right_from(&seen, 105 * S, what);
        }
    }
}

#[test]
fn frames_without_a_time_of_their_own_among_others_are_no_loss_to_the_line() {
    for fps in [10.0, 120.0] {
        let mut frames = in_order(Camera::usual(fps).frames(120));
        let mut random = fastrand::Rng::with_seed(4);
        frames.retain(|_| random.u8(..) > 180); // Of the others the clock does not hear.
        let seen = played(1e9, frames);
        assert_eq!(restarts(&seen), [], "{fps} fps");
        assert_bounded(&seen, "mixed");
        assert_within_a_millisecond(&seen, 60 * S, "mixed");
    }
}

/// A computer that sleeps from 100 s on, and what its steady clock and the camera's counter do meanwhile.
fn asleep(fps: f64, pause: i64, clock_goes: bool, counter_goes: bool) -> Vec<Frame> {
    let mut frames = in_order(Camera::usual(fps).frames(200));
    let sleeps = BEGIN + 100 * S;
    for frame in frames.iter_mut().filter(|frame| frame.taken >= sleeps) {
        // All is told by the steady clock, as if it were right.
        if clock_goes {
            frame.taken += pause;
            frame.arrives += pause;
        }
        if counter_goes {
            frame.counter += Drift::Steady(30.0).counted(pause) as u64;
        }
    }
    frames
}

#[test]
fn a_computer_that_sleeps_has_the_cameras_time_again_when_it_wakes() {
    for pause in [3 * S, 30 * S, 3600 * S, 12 * 3600 * S] {
        for fps in [10.0, 60.0] {
            for (clock_goes, counter_goes) in [(true, true), (true, false), (false, true), (false, false)] {
                let what = &format!("{} s, clock goes {clock_goes}, counter goes {counter_goes}, {fps} fps", pause / S);
                let seen = played_with_doubts(1e9, asleep(fps, pause, clock_goes, counter_goes));
                let (woken, restarts) = (100 * S + if clock_goes { pause } else { 0 }, restarts(&seen));
                assert_eq!(restarts.len(), usize::from(clock_goes != counter_goes), "{what}: {restarts:?}");
                if clock_goes == counter_goes {
                    assert_bounded(&seen, what);
                }
                assert_nothing_is_mapped_wrong(&seen, woken, woken + S / 10, what);
                assert_within_a_millisecond(&seen, woken + 40 * S + warm_after(fps), what);
                assert!(seen.iter().filter(|frame| frame.at > woken + 10 * S).all(|frame| frame.is_mapped), "{what}");
            }
        }
    }
}

#[test]
fn through_a_long_night_a_camera_that_is_warmed_and_cooled_stays_within_a_millisecond_and_the_bound() {
    let hours = if seeds() > 2 { 8 } else { 2 };
    for fps in [10.0, 60.0] {
        let mut random = fastrand::Rng::with_seed(8);
        let mut clock = CameraClock::new(1e9);
        let (mut before, mut worst) = (i64::MIN, 0);
        for number in 0..(hours as f64 * 3600.0 * fps) as i64 {
            let at = number as f64 / fps;
            // 100 ppm fast, and by 20 ppm to and fro within an hour.
            let turn = TAU / 3600.0;
            let counted = at * (1.0 + 100e-6) + 20e-6 / turn * (1.0 - (turn * at).cos());
            let taken = BEGIN + (at * 1e9) as i64;
            let arrives = before.max(taken + (20e6 * random.f64()) as i64);
            before = arrives;
            let noted = clock.note(FIRST_COUNT + (counted * 1e9) as u64, arrives);
            assert_eq!(noted.news, None, "{fps} fps, {at} s");
            let error = (noted.captured_ns.expect("it is a good counter") - taken).abs();
            if at > warm_after(fps) as f64 / 1e9 {
                worst = worst.max(error);
                let bound = clock.reading(arrives).expect("it is known").bound_ns;
                assert!(error <= MS && error <= bound, "{fps} fps, {at} s: off by {error} ns, told {bound}");
            }
        }
        println!("{hours} h at {fps} fps: off by at most {:.3} ms", worst as f64 / 1e6);
    }
}

fn each_seed(rates: &[f64]) -> impl Iterator<Item = (f64, u64)> {
    rates.iter().flat_map(|fps| (0..seeds()).map(|seed| (*fps, seed)))
}

/// A counter of 32 bits at 125 MHz, which wraps every 34.4 s: first after so many seconds.
fn short_counter(fps: f64, seconds: i64, first_wrap: f64, seed: u64) -> Vec<Frame> {
    let mut frames = in_order(Camera { tick_hz: 125e6, seed, ..Camera::usual(fps) }.frames(seconds));
    let begin = BITS_32 - (first_wrap * 125e6) as u64;
    frames.iter_mut().for_each(|frame| frame.counter = (begin + (frame.counter - FIRST_COUNT)) % BITS_32);
    frames
}

#[test]
fn a_short_counter_is_still_known_when_no_frame_has_come_for_longer_than_it_takes_to_wrap() {
    // The first wrap is seen, or happens while no frame comes.
    for first_wrap in [5.0, 25.0, 34.0] {
        for silence in [33, 35, 40, 69, 103, 250, 1000] {
            for (fps, seed) in each_seed(&[10.0, 60.0]) {
                let what = &format!("wraps first after {first_wrap} s, silent for {silence} s, {fps} fps, seed {seed}");
                let mut frames = short_counter(fps, 20 + silence + 100, first_wrap, seed);
                frames.retain(|frame| !(BEGIN + 20 * S..BEGIN + (20 + silence) * S).contains(&frame.taken));
                let seen = played(125e6, frames);
                assert_eq!(restarts(&seen), [], "{what}");
                assert_bounded(&seen, what);
                assert_within(&seen, (20 + silence + 45) * S, if fps < 30.0 { 2 * MS } else { MS }, what);
            }
        }
    }
}

#[test]
fn a_short_counter_that_stood_still_for_longer_than_it_takes_to_wrap_maps_nothing_wrong() {
    for still in [12, 33, 35, 40, 68, 70, 103, 1000] {
        for fps in [10.0, 60.0] {
            let what = &format!("still for {still} s, {fps} fps");
            let mut frames = short_counter(fps, 200, 5.0, 1);
            for frame in frames.iter_mut().filter(|frame| frame.taken >= BEGIN + 100 * S) {
                frame.taken += still * S;
                frame.arrives += still * S;
            }
            let seen = played_with_doubts(125e6, frames);
            assert_eq!(restarts(&seen).len(), 1, "{what}");
            assert_nothing_is_mapped_wrong(&seen, 100 * S, i64::MAX, what);
            assert_within_a_millisecond(&seen, (110 + still) * S + warm_after(fps), what);
        }
    }
}

#[test]
fn a_counter_that_wraps_while_frames_are_lost_loses_nothing_else() {
    // From so long before a wrap until so long behind it no frame comes.
    for (before, behind) in [(0, 20 * MS), (20 * MS, 0), (S / 2, S / 2), (5 * S, 3 * S), (20 * S, 10 * S), (MS, 33 * S)] {
        for wrap in [25, 59, 93] {
            for (fps, seed) in each_seed(&[10.0, 60.0]) {
                let what = &format!(
                    "from {before} ns before the wrap after {wrap} s until {behind} ns behind it, {fps} fps, seed {seed}"
                );
                let wraps_at = BEGIN + wrap * S + (wrap / 34) * 359_738_368; // 2^32 ticks are 34.359738368 s.
                let lost = wraps_at - before..wraps_at + behind;
                let mut frames = short_counter(fps, 200, 25.0, seed);
                frames.retain(|frame| !lost.contains(&frame.taken));
                let seen = played(125e6, frames);
                assert_eq!(restarts(&seen), [], "{what}");
                assert_bounded(&seen, what);
                assert_within_a_millisecond(&seen, lost.end - BEGIN + 45 * S, what);
            }
        }
    }
}

#[test]
fn frames_of_several_threads_that_come_in_any_order_lie_on_one_line_though_the_counter_wraps_among_them() {
    for fps in [60.0, 500.0] {
        // Each comes by itself, up to 200 ms late: behind as many as 100 others.
        let mut frames = Camera { tick_hz: 1e9, ..Camera::usual(fps) }.frames(60);
        for frame in &mut frames {
            frame.counter = (frame.counter - FIRST_COUNT + BITS_32 - 3_100_000_000) % BITS_32;
            frame.arrives = frame.taken + 10 * (frame.arrives - frame.taken);
        }
        let what = &format!("{fps} fps");
        let seen = played(1e9, frames);
        assert_eq!(restarts(&seen), [], "{what}");
        assert_bounded(&seen, what);
        let worst = seen.iter().filter(|frame| frame.at > 20 * S).map(|frame| frame.error).max();
        assert!(worst <= Some(10 * MS), "{what}: {worst:?}"); // Of delays of 200 ms.
    }
}

#[test]
fn threads_that_fall_behind_one_of_them_are_got_over_when_they_have_caught_up() {
    for late in [200 * MS, S, 5 * S] {
        for fps in [10.0, 60.0] {
            let what = &format!("{late} ns, {fps} fps");
            let mut frames = in_order(Camera::usual(fps).frames(160));
            let fall_behind = BEGIN + 50 * S..BEGIN + 55 * S;
            let one = frames.iter().position(|frame| frame.taken >= fall_behind.start + late).expect("there is one");
            let behind =
                frames.iter_mut().enumerate().filter(|(number, frame)| *number != one && fall_behind.contains(&frame.taken));
            behind.for_each(|(_, frame)| frame.arrives += late);
            let seen = played_with_doubts(1e9, frames);
            let restarts = restarts(&seen);
            assert!(restarts.len() <= 2 && restarts.iter().all(|(at, _)| (50 * S..57 * S).contains(at)), "{what}: {restarts:?}");
            let worst = seen.iter().filter(|frame| frame.is_mapped).map(|frame| frame.error).max();
            assert!(worst <= Some(late + 20 * MS), "{what}: {worst:?}"); // As if they were stamped when they come.
            assert_nothing_is_mapped_wrong(&seen, 61 * S, i64::MAX, what);
            assert_within_a_millisecond(&seen, 61 * S + warm_after(fps), what);
        }
    }
}

#[test]
fn what_was_told_may_be_as_far_from_the_line_as_times_go_and_nothing_overflows() {
    let rate = Rate { off: 0.0, error: 0.0 };
    let first = Point { ticks: 0, arrived: i64::MIN };
    let mut course = Course::begin(first, 1.0, rate, Some(0.0), VecDeque::new());
    course.told = Point { ticks: 0, arrived: i64::MAX };
    assert_eq!(course.lie().bound(0), Some(i64::MAX as f64));
    // A late frame, which is told to be as late as the one that was told before.
    assert_eq!(course.tell(Point { ticks: 0, arrived: 0 }), -1);
    // The counter is ahead by as much as can be, and has wrapped before.
    let course = Course::begin(Point::default(), 1.0, rate, None, VecDeque::new());
    for at in lengths(1e12).into_iter().flatten() {
        let mut wraps = Wraps { at: Some(at), sum: 1 << 63 };
        assert!((wraps.undone(0, 0, &course, 1e12) as i64) < 1 << 62, "{at}");
    }
}

/// Something happens to the counter each 100 s, and sometimes to the frames: so much it shows then, and so late frames are.
#[test]
fn whatever_happens_to_a_counter_it_is_mapped_within_the_bound_again_a_minute_later() {
    const EACH: i64 = 100 * S;
    for seed in 0..50 * seeds() {
        let mut random = fastrand::Rng::with_seed(seed);
        let fps = [5.0, 10.0, 30.0, 60.0][random.usize(..4)];
        let mask = [u64::MAX, u64::MAX >> 1, u64::from(u32::MAX)][random.usize(..3)];
        let tick_hz = if mask == u64::from(u32::MAX) { 1e6 } else { 1e9 };
        let drift = 1.0 + 200e-6 * (random.f64() - 0.5);
        let mut clock = CameraClock::new(tick_hz);
        let (mut shift, mut before, mut what) = (random.u64(..) >> random.u32(..64), i64::MIN, 0);
        for number in 0..(600.0 * fps) as i64 {
            let at = (number as f64 / fps * 1e9) as i64;
            let (since, is_new) = (at % EACH, at / EACH != (at - (1e9 / fps) as i64) / EACH);
            let ticks = |ns: i64| (ns as f64 * drift * tick_hz / 1e9) as u64;
            if at > S && is_new {
                what = random.u8(..12);
                shift = match what {
                    0 => 0u64.wrapping_sub(ticks(at)),
                    1 => random.u64(..) >> random.u32(..64),
                    2 => shift.wrapping_sub(ticks(random.i64(0..20 * S))),
                    3 => shift.wrapping_add(ticks(random.i64(0..20 * S))),
                    _ => shift,
                };
            }
            let lasts = since < 20 * S;
            let counts = ticks(at).wrapping_add(shift);
            let (counter, late) = match what {
                4 if lasts => (counts % tick_hz as u64, 0),
                5 if lasts => (77, 0),
                6 if lasts => (random.u64(..), 0),
                7 if lasts => (ticks(at / 2).wrapping_add(shift), 0),
                8 if lasts => (counts, 20 * S - since), // All at once.
                9 if since < 5 * S => (counts, 5 * S - since),
                10 if lasts => continue,
                11 if lasts => (counts, random.i64(0..S)),
                _ => (counts, 0),
            };
            let taken = BEGIN + at;
            let arrives = before.max(taken + late + random.i64(0..20 * MS));
            before = arrives;
            let noted = clock.note(counter & mask, arrives);
            if since > 70 * S || (10 * S..EACH).contains(&at) {
                let error = noted.captured_ns.map(|captured| (captured - taken).abs());
                let bound = clock.reading(arrives).map(|reading| reading.bound_ns);
                let is_good = error.is_some_and(|error| bound.is_some_and(|bound| error <= bound) && error < 125 * MS);
                assert!(is_good, "seed {seed}, {fps} fps, mask {mask:x}, {what}: {} s: {error:?} {bound:?}", at as f64 / 1e9);
            }
        }
    }
}
