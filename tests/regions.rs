//! Regions: every frame that is taken is measured, whatever becomes of the network and the disk, and by however many threads it is
//! compressed.

mod support;

use rheed_stream::codes::{Code, FrameFlag, Stat};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::Workshop;
use support::frames::numbered;
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::spool::{only_stream, options, with};
use support::stalled_disk::StalledDisk;
use support::waiter::Waiter;

/// A frame of noise, 300 x 300 pixels: large enough that others help to compress it.
const SIDE: u32 = 300;

/// Of the part of a frame that is so wide.
fn sum(frame: &[u8], frame_width: u32, [x, y, width, height]: [u32; 4]) -> i64 {
    let rows = frame.chunks_exact(frame_width as usize).skip(y as usize).take(height as usize);
    rows.flat_map(|row| &row[x as usize..][..width as usize]).map(|pixel| i64::from(*pixel)).sum()
}

/// A stream whose region 0 is the whole of frames of that side.
fn watched(workshop: &Workshop, side: u32, more: &[&str]) -> Stream {
    let stream = Stream::open(&with(options(workshop), more));
    assert_eq!(stream.set_region(0, 0, 0, side, side), OK);
    stream
}

#[test]
fn frames_that_several_threads_compress_are_measured_once_and_in_their_order() {
    const FRAMES: u64 = 300;
    const PART: [u32; 4] = [17, 50, 99, 211];
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "when_full=block", "queue_bytes=2MiB"]));
    let [x, y, width, height] = PART;
    assert_eq!(stream.set_region(2, x, y, width, height), OK);
    let frame = |number| numbered(number, (SIDE * SIDE) as usize);
    for number in 0..FRAMES {
        assert_eq!(stream.push(&frame(number), SIDE, SIDE, number, 0), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    let readings = stream.readings(2, &mut 0);
    assert_eq!(readings.len() as u64, FRAMES);
    for (number, reading) in (0..).zip(readings) {
        assert_eq!((reading.frame_id, reading.sum), (number, sum(&frame(number), SIDE, PART)));
    }
}

#[test]
fn without_the_service_every_frame_is_measured_all_the_same() {
    const FRAMES: u64 = 500;
    let silent = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("loopback has free ports");
    let workshop = Workshop::new();
    let spool = format!("spool_dir={}", workshop.spool().display());
    let endpoint = format!("endpoint=http://{silent}");
    let stream = Stream::open(&[&endpoint, "api_key=k", &spool, "log_file=none", "fps=10"].map(String::from));
    assert_eq!(stream.set_region(0, 0, 0, WIDTH, HEIGHT), OK);
    let mut position = 0;
    let mut read = Vec::new();
    for number in 0..FRAMES {
        assert_eq!(stream.push_shade(number as u8, number, 0), OK);
        read.extend(stream.readings(0, &mut position));
    }
    stream.wait_until("every frame is measured", |stream| {
        read.extend(stream.readings(0, &mut position));
        read.len() as u64 == FRAMES
    });
    assert!((0..).zip(&read).all(|(number, reading)| reading.frame_id == number && reading.mean == f64::from(number as u8)));
    assert!(read.windows(2).all(|pair| pair[0].time_ns <= pair[1].time_ns), "stamped as they were pushed");
}

#[test]
fn behind_a_disk_that_takes_nothing_frames_are_measured_when_it_goes_on_and_a_refused_one_never() {
    let workshop = Workshop::new();
    let stream = watched(&workshop, SIDE, &["fps=100", "queue_bytes=1MiB"]);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let (mut taken, mut number) = (Vec::new(), 0);
    let mut push = |stream: &Stream| {
        let code = stream.push(&numbered(number, (SIDE * SIDE) as usize), SIDE, SIDE, number, 0);
        taken.extend((code == OK).then_some(number));
        number += 1;
        code
    };
    // Until the disk has stopped the encoder, and the frames behind it have filled the slots.
    assert_eq!(push(&stream), OK);
    stalled.holds_a_writer();
    while push(&stream) != Code::EQueueFull as i32 {}
    let stopped = stream.readings(0, &mut 0).len();
    assert_eq!(push(&stream), Code::EQueueFull as i32);
    assert_eq!(stream.set_region(1, 0, 0, 1, 1), OK, "nobody waits for the disk");
    let flowing = stalled.flow();
    stream.wait_until("the queue is empty", |stream| stream.stat(Stat::QueueFrames) == 0);
    assert_eq!(push(&stream), OK);
    assert_eq!(stream.flush(support::PATIENCE_MS), OK);
    let readings = stream.readings(0, &mut 0);
    assert!(stopped < readings.len(), "{stopped} frames were measured while the disk stood still");
    assert_eq!(readings.iter().map(|reading| reading.frame_id).collect::<Vec<_>>(), taken);
    stream.abort();
    drop((stream, flowing));
}

/// So many small frames, given in a way, of which the stream keeps every third: what was measured of them.
#[track_caller]
fn measured_of(give: impl Fn(&Stream, u64) -> i32, is_run: bool) {
    const FRAMES: u64 = 301;
    let workshop = Workshop::new();
    let lines = ["fps=300", "decimate=3", "when_full=block", "queue_bytes=1MiB", "pace=off", "chunk_size=2000"];
    let stream = Stream::open(&with(options(&workshop), &lines));
    assert_eq!(stream.set_region(0, 1, 2, 17, 9), OK);
    if is_run {
        let run = stream.run(|number| if number < FRAMES { i32::from(give(&stream, number) == OK) } else { 0 });
        assert_eq!(run, OK);
    } else {
        (0..FRAMES).for_each(|number| assert_eq!(give(&stream, number), OK, "{number}"));
    }
    assert_eq!(stream.finalize(-1), OK);
    let counts = [Stat::FramesAccepted, Stat::FramesLeftOut, Stat::FramesDropped, Stat::FramesLost, Stat::QueueFrames];
    assert_eq!(counts.map(|stat| stream.stat(stat)), [101, 200, 0, 0, 0]);
    let readings = stream.readings(0, &mut 0);
    assert_eq!(readings.iter().map(|reading| reading.frame_id).collect::<Vec<_>>(), (0..FRAMES).collect::<Vec<_>>());
    for reading in readings {
        assert_eq!(reading.sum, sum(&numbered(reading.frame_id, FRAME_BYTES), WIDTH, [1, 2, 17, 9]), "{}", reading.frame_id);
    }
}

#[test]
fn frames_that_decimate_leaves_out_are_measured_like_those_that_are_kept() {
    let push = |stream: &Stream, number| stream.push(&numbered(number, FRAME_BYTES), WIDTH, HEIGHT, number, 0);
    let commit = |stream: &Stream, number| {
        let slot = stream.acquire(FRAME_BYTES).expect("it waits for one");
        slot.copy_from_slice(&numbered(number, FRAME_BYTES));
        stream.commit(slot, WIDTH, HEIGHT, number, 0)
    };
    measured_of(push, false);
    measured_of(commit, false);
    measured_of(push, true);
    measured_of(|stream, number| if number % 2 == 0 { push(stream, number) } else { commit(stream, number) }, false);
}

#[test]
fn an_incomplete_frame_is_measured_as_it_came_and_its_reading_says_so_also_where_it_is_left_out() {
    let flags = |number: u64| if number % 5 < 2 { FrameFlag::Incomplete as u32 } else { 0 };
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=100", "decimate=3", "when_full=block"]));
    assert_eq!(stream.set_region(4, 1, 2, 17, 9), OK);
    // What is missing is dark.
    let frame = |number: u64| {
        let mut frame = numbered(number, FRAME_BYTES);
        if flags(number) != 0 {
            frame[FRAME_BYTES / 3..].fill(0);
        }
        frame
    };
    for number in 0..100 {
        assert_eq!(stream.push_flagged(&frame(number), WIDTH, HEIGHT, number, 0, flags(number)), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesLeftOut), stream.stat(Stat::FramesIncomplete)), (66, 40));
    let readings = stream.readings(4, &mut 0);
    assert_eq!(readings.len(), 100);
    for (number, reading) in (0..).zip(readings) {
        let expected = (number, flags(number), sum(&frame(number), WIDTH, [1, 2, 17, 9]));
        assert_eq!((reading.frame_id, reading.flags, reading.sum), expected);
    }
}

#[test]
fn by_a_cameras_clock_a_readings_time_is_when_the_frame_was_captured_and_neither_the_counter_nor_the_push() {
    const LATE: Duration = Duration::from_millis(50);
    let unix_ns = || SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_nanos() as i64;
    // A machine that is busy for longer stamps by the push, as it promises: another try.
    loop {
        let workshop = Workshop::new();
        let stream = Stream::open(&with(options(&workshop), &["fps=10", "timestamp_clock=device"]));
        assert_eq!(stream.set_region(0, 0, 0, WIDTH, HEIGHT), OK);
        let (powered, begin_ns) = (Instant::now(), unix_ns());
        let counter = || 1_000_000_007 + powered.elapsed().as_nanos() as i64;
        let first = counter();
        assert_eq!(stream.push_shade(1, 0, first), OK);
        let second = counter();
        let captured = Instant::now();
        while captured.elapsed() < LATE {}
        assert_eq!(stream.push_shade(1, 1, second), OK);
        if powered.elapsed() > 3 * LATE {
            continue;
        }
        assert_eq!(stream.flush(-1), OK);
        let times: Vec<i64> = stream.readings(0, &mut 0).iter().map(|reading| reading.time_ns).collect();
        let [of_first, of_second] = times[..] else { panic!("{times:?}") };
        assert!((begin_ns - 1_000_000_000..=unix_ns()).contains(&of_first), "Unix time: {of_first}");
        let apart = of_second - of_first - (second - first);
        assert!(apart.abs() < LATE.as_nanos() as i64 / 10, "{times:?} of {first} and {second}");
        return;
    }
}

#[test]
fn of_the_slots_at_least_half_are_left_to_the_frames_that_are_kept() {
    let workshop = Workshop::new();
    // 11 slots.
    let stream = watched(&workshop, SIDE, &["fps=100", "decimate=5", "queue_bytes=1MiB"]);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let mut number = 0;
    let mut push = || {
        number += 1;
        stream.push(&numbered(number, (SIDE * SIDE) as usize), SIDE, SIDE, number, 0)
    };
    assert_eq!(push(), OK);
    stalled.holds_a_writer();
    while push() == OK {}
    assert!(stream.stat(Stat::FramesAccepted) >= 6, "{}", stream.stat(Stat::FramesAccepted));
    let flowing = stalled.flow();
    assert_eq!(stream.finalize(support::PATIENCE_MS), OK);
    drop(flowing);
    let measured = stream.readings(0, &mut 0).len() as i64;
    assert!(measured > stream.stat(Stat::FramesAccepted), "while there is room those that are left out are measured: {measured}");
}

#[test]
fn where_frames_wait_for_slots_those_that_are_left_out_wait_for_none_to_be_measured_in() {
    const SIDE: u32 = 700; // 2 slots.
    let workshop = Workshop::new();
    let lines = ["fps=10", "decimate=3", "queue_bytes=1MiB", "when_full=block"];
    let stream = Arc::new(watched(&workshop, SIDE, &lines));
    let push = |stream: &Stream, number| stream.push(&numbered(number, (SIDE * SIDE) as usize), SIDE, SIDE, number, 0);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let pushing = stream.clone();
    let first = Waiter::start("six pushes", move || (0..6).all(|number| push(&pushing, number) == OK));
    assert!(first.answer());
    let pushing = stream.clone();
    let picked = Waiter::start("the picked frame", move || push(&pushing, 6));
    assert!(picked.is_waiting());
    let pushing = stream.clone();
    let left_out = Waiter::start("pushes that are left out", move || (7..9).all(|number| push(&pushing, number) == OK));
    assert!(left_out.answer());
    let flowing = stalled.flow();
    assert_eq!(picked.answer(), OK);
    assert_eq!(stream.finalize(support::PATIENCE_MS), OK);
    drop(flowing);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (3, 6));
    let ids: Vec<u64> = stream.readings(0, &mut 0).iter().map(|reading| reading.frame_id).collect();
    assert_eq!(ids, [0, 3, 6]);
}

#[test]
fn a_frame_that_is_left_out_is_so_also_where_there_is_no_slot_to_measure_it_in() {
    let workshop = Workshop::new();
    let stream = watched(&workshop, SIDE, &["fps=100", "decimate=2", "queue_bytes=1MiB"]);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let mut answers = Vec::new();
    let mut push = |stream: &Stream| {
        let number = answers.len() as u64;
        answers.push(stream.push(&numbered(number, (SIDE * SIDE) as usize), SIDE, SIDE, number, 0));
        *answers.last().expect("one was pushed")
    };
    assert_eq!(push(&stream), OK);
    stalled.holds_a_writer();
    while push(&stream) == OK {}
    let flowing = stalled.flow();
    stream.wait_until("the queue is empty", |stream| stream.stat(Stat::QueueFrames) == 0);
    (0..5).for_each(|_| assert_eq!(push(&stream), OK));
    assert_eq!(stream.finalize(support::PATIENCE_MS), OK);
    drop(flowing);
    let refused = answers.iter().filter(|code| **code == Code::EQueueFull as i32).count() as i64;
    let counts = [Stat::FramesAccepted, Stat::FramesLeftOut, Stat::FramesDropped].map(|stat| stream.stat(stat));
    assert_eq!((counts.iter().sum::<i64>(), counts[2]), (answers.len() as i64, refused));
    assert!(refused > 0 && counts[1] > 0, "{counts:?}");
    let ids: Vec<u64> = stream.readings(0, &mut 0).iter().map(|reading| reading.frame_id).collect();
    assert!(ids.is_sorted() && ids.len() as i64 >= counts[0], "all that are kept are measured: {ids:?}");
    assert!(ids.iter().all(|id| answers[*id as usize] == OK), "what is refused is not: {ids:?}");
}

#[test]
fn regions_lie_in_the_frames_as_they_are_kept() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "roi=8,4,20,10", "bin=2"]));
    assert_eq!(stream.push_shade(9, 0, 0), OK);
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.set_region(0, 0, 0, 11, 5), Code::EArgument as i32, "10 x 5 pixels are kept");
    assert_eq!(stream.set_region(0, 9, 4, 1, 1), OK);
    assert_eq!(stream.set_region(1, 0, 0, 10, 5), OK);
    let mut frame = vec![9; FRAME_BYTES];
    for (x, y) in [(26, 12), (27, 12), (26, 13), (27, 13)] {
        frame[y * WIDTH as usize + x] = 200; // The last square of the window.
    }
    assert_eq!(stream.push(&frame, WIDTH, HEIGHT, 1, 0), OK);
    assert_eq!(stream.flush(-1), OK);
    let of = |region| stream.readings(region, &mut 0).iter().map(|reading| reading.sum).collect::<Vec<_>>();
    assert_eq!([of(0), of(1)], [[200], [49 * 9 + 200]]);
}

#[test]
fn what_was_measured_can_be_read_after_an_abort() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10"]));
    assert_eq!(stream.set_region(7, 3, 3, 5, 5), OK);
    stream.push_counted(0, 50);
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.abort(), OK);
    assert_eq!(stream.push(&[0; FRAME_BYTES], WIDTH, HEIGHT, 50, 0), Code::EAborted as i32);
    let readings = stream.readings(7, &mut 0);
    assert_eq!(
        readings.iter().map(|reading| reading.sum).collect::<Vec<_>>(),
        (0..50).map(|shade| 25 * shade).collect::<Vec<_>>()
    );
}
