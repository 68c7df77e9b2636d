//! The camera itself: its clock, whether it lives, and what went amiss with its frames, chunk by chunk.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::rheed_push;
use rheed_stream::codes::{Code, Event, FrameFlag, Health, NO_FRAME_ID, Stat, Text};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use support::frames::numbered;
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, Told, WIDTH};
use support::spool::{entries, only_stream, options as spool_options, with};
use support::stalled_disk::StalledDisk;
use support::waiter::Waiter;
use support::{Dialect, Linked, Workshop, root, run, service};

// ---- its clock (src/camera_clock.rs is simulated beside it) --------------------------------------------------------

#[test]
fn a_chunk_of_a_camera_with_a_clock_of_its_own_begins_when_its_first_frame_was_taken() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/device_clock.c"), Linked::Shared);
    let said = run(&program, with(service::options(&service, &workshop), &["fps=100"])).well().out;
    let told = |what: &str| -> Vec<Vec<i64>> {
        let lines = said.lines().filter_map(|line| line.strip_prefix(what));
        lines.map(|line| line.split_whitespace().map(|number| number.parse().expect("numbers")).collect()).collect()
    };
    let chunks = service::only_stream(&service).chunks;
    let starts: Vec<f64> = chunks.iter().map(|chunk| chunk.start_unix_ms_utc).collect();
    let taken = told("taken ");
    assert_eq!((chunks.len(), taken.len()), (3, 4), "{said}");
    // Between reading its clocks and its push a program may lose its core: what even the least delayed frame needed is not seen.
    const AWAY_MS: f64 = 2.0;
    for (start, frame) in starts.iter().zip(&taken).skip(1) {
        let (taken_ms, bound_ms) = (frame[1] as f64 / 1e6, frame[2] as f64 / 1e6);
        assert!(bound_ms >= 0.0, "{said}");
        assert!((start - taken_ms).abs() <= bound_ms + AWAY_MS, "{start}: {frame:?}\n{said}");
    }
    assert!(chunks.iter().all(|chunk| chunk.avg_frame_rate != chunk.raw_frame_rate), "they are stamped: {chunks:?}");
    let away = &told("away ")[0];
    assert!(away[0].abs() as f64 <= away[1] as f64 + AWAY_MS * 1e6, "{said}");
    // It had counted from 1234.6 s on for 4.5 s, and was set to 7 us.
    let restarted = told("restarted ")[0][0];
    assert!(restarted > 1_239_000_000_000 && restarted < 1_300_000_000_000, "{said}");
}

/// Pushes a hundred frames a second with this counter, until such a thing is told of it.
fn pushed_until_told(stream: &Stream, counter: impl Fn() -> i64, is_it: impl Fn(&Told) -> bool) -> Told {
    let begin = std::time::Instant::now();
    loop {
        assert_eq!(stream.push_shade(1, NO_FRAME_ID, counter()), OK);
        let told = stream.events().into_iter().find(|told| told.kind == Event::CameraClock as i32 && is_it(told));
        if let Some(told) = told {
            return told;
        }
        assert!(begin.elapsed() < support::HANGS_AFTER, "{}", stream.text(Text::Report));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_counter_that_does_not_run_as_declared_is_told_with_its_rate_and_frames_are_stamped_when_they_are_pushed() {
    let workshop = Workshop::new();
    let more = ["fps=100", "timestamp_clock=device", "device_tick_hz=125000000"];
    let stream = Stream::open(&with(spool_options(&workshop), &more));
    let begin = std::time::Instant::now();
    // A counter of nanoseconds. A second of it says nothing yet.
    let told = pushed_until_told(&stream, || 1 + begin.elapsed().as_nanos() as i64, |told| told.value == 0);
    assert!(told.text.contains("device_tick_hz = 125000000"), "{told:?}");
    assert_eq!(report(&stream)["camera_clock"]["bound_ns"], Value::Null);
    assert_eq!(stream.push_shade(1, NO_FRAME_ID, 1 + begin.elapsed().as_nanos() as i64), OK);
    assert!(report(&stream)["frames"]["odd_stamps"].as_u64().is_some_and(|odd| odd >= 1));
    assert_eq!(stream.stat(Stat::CameraClockBoundNs), -1);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn a_counter_that_does_not_move_is_told_and_frames_are_stamped_when_they_are_pushed() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=100", "timestamp_clock=device"]));
    let told = pushed_until_told(&stream, || 4711, |_| true);
    assert!(told.value == 0 && told.text.contains("counter does not move"), "{told:?}");
    assert!(report(&stream)["frames"]["odd_stamps"].as_u64().is_some_and(|odd| odd >= 1));
    assert_eq!((stream.stat(Stat::CameraClockBoundNs), &report(&stream)["camera_clock"]["restarts"]), (-1, &0.into()));
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn frames_without_a_counter_among_others_are_stamped_when_they_are_pushed_and_the_others_are_mapped_all_the_same() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=100", "timestamp_clock=device"]));
    let begin = std::time::Instant::now();
    let mut frames = 0;
    while stream.stat(Stat::CameraClockBoundNs) < 0 || frames < 100 {
        let counter = i64::MIN + begin.elapsed().as_nanos() as i64; // Its bits are a counter's, and no number of nanoseconds.
        assert_eq!(stream.push_shade(1, frames, if frames % 3 == 0 { 0 } else { counter }), OK);
        frames += 1;
        assert!(begin.elapsed() < support::HANGS_AFTER, "{}", stream.text(Text::Report));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let report = report(&stream);
    assert_eq!((&report["camera_clock"]["restarts"], &report["frames"]["odd_stamps"]), (&0.into(), &0.into()), "{report:#}");
    assert!(stream.events().iter().all(|told| told.kind != Event::CameraClock as i32));
    // The offset makes Unix time of the counter, whatever its sign.
    let (counter, now) = (i64::MIN.cast_unsigned() + begin.elapsed().as_nanos() as u64, SystemTime::now());
    let unix_ns = i128::from(counter) + i128::from(stream.stat(Stat::CameraClockOffsetNs));
    let truth = now.duration_since(UNIX_EPOCH).expect("it is after 1970").as_nanos() as i128;
    assert!((unix_ns - truth).abs() < 10_000_000_000, "{unix_ns} {truth}");
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn without_a_counter_a_frame_is_stamped_when_it_is_pushed_though_the_clock_is_the_cameras() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "timestamp_clock=device"]));
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(-1), OK);
    let chunk = &service::only_stream(&service).chunks[0];
    assert_eq!(chunk.avg_frame_rate, 10.0);
    assert_eq!((stream.stat(Stat::CameraClockOffsetNs), stream.stat(Stat::CameraClockBoundNs)), (-1, -1));
    assert_eq!(report(&stream)["camera_clock"]["restarts"], 0);
}

// ---- whether it lives ----------------------------------------------------------------------------------------------

/// At 1000 fps ten frames take 10 ms: a camera that is silent for 50 ms stands still.
const IMPATIENT: [&str; 2] = ["fps=1000", "stall_timeout_ms=50"];

fn impatient(workshop: &Workshop, more: &[&str]) -> Stream {
    Stream::open(&with(spool_options(workshop), &[&IMPATIENT[..], more].concat()))
}

fn of_the_camera(events: Vec<Told>) -> Vec<i32> {
    let kinds = [Event::CameraStalled as i32, Event::CameraBack as i32];
    events.into_iter().map(|told| told.kind).filter(|kind| kinds.contains(kind)).collect()
}

#[test]
fn a_camera_that_stands_still_is_told_once_with_how_long_and_its_return_too() {
    let workshop = Workshop::new();
    let stream = impatient(&workshop, &[]);
    for times in 1..=3 {
        stream.push_counted(0, 1);
        let told = stream.wait_for(Event::CameraStalled);
        assert!(told.value >= 50, "{told:?}");
        assert_eq!(stream.stat(Stat::CameraStalls), times);
        assert_eq!(stream.stat(Stat::Health), Health::Look as i64);
        assert!(stream.text(Text::Status).contains("THE CAMERA STANDS STILL"), "{}", stream.text(Text::Status));
        // Whatever becomes of a frame, the camera lives.
        let code = match times {
            1 => stream.push_shade(1, NO_FRAME_ID, 0),
            _ => stream.push(&[1], 2, 2, NO_FRAME_ID, 0),
        };
        assert_eq!(code, if times == 1 { OK } else { Code::EArgument as i32 });
        let told = stream.wait_for(Event::CameraBack);
        assert!(told.value >= 50, "{told:?}");
        assert!(!stream.text(Text::Status).contains("STANDS STILL"));
    }
    assert_eq!(report(&stream)["camera_stalls"], 3);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn nobody_waits_yet_for_a_camera_that_has_not_begun_nor_for_one_that_gives_whole_chunks_that_has_ended_or_where_it_was_not_asked_for()
 {
    let workshop = Workshop::new();
    let begin = |more: &[&str]| impatient(&workshop, more);
    let (silent, whole, finalized, aborted, freed_run) = (begin(&[]), begin(&[]), begin(&[]), begin(&[]), begin(&[]));
    let unasked = Stream::open(&with(spool_options(&workshop), &["fps=1000", "stall_timeout_ms=0"]));
    let slow = Stream::open(&with(spool_options(&workshop), &["fps=0.01", "stall_timeout_ms=50"]));
    // A mistake decides nothing yet: which way a stream is given its frames is said by the first good ones.
    assert_eq!([&whole, &freed_run].map(|stream| stream.push(&[1], 2, 2, NO_FRAME_ID, 0)), [Code::EArgument as i32; 2]);
    assert_eq!(whole.push_chunk(0, &[1; FRAME_BYTES], 1, 0), OK);
    for stream in [&finalized, &aborted, &unasked, &slow] {
        stream.push_counted(0, 1);
    }
    assert_eq!((finalized.finalize(-1), aborted.abort()), (OK, OK));
    assert_eq!(freed_run.run(|index| freed_run.push_shade(1, index, 0)), OK); // 0 ends it behind its first frame.
    // A busy computer may have made these wait for longer than 50 ms while they were open.
    let told_before = [&whole, &finalized, &aborted, &freed_run].map(|ended| (ended.stat(Stat::CameraStalls), ended.events()).0);
    // A frame that comes in another way than the stream's is refused, and says nothing of a camera.
    for stream in [&whole, &freed_run] {
        let before = stream.stat(Stat::FramesRejected);
        assert_eq!([9, 12].map(|id| stream.push_shade(1, id, 0)), [Code::EArgument as i32; 2]);
        assert_eq!([Stat::FramesRejected, Stat::FramesMissed].map(|stat| stream.stat(stat)), [before + 2, 0]);
    }
    // Whoever would be told of is told of before one that begins now has been told of twice.
    let later = begin(&[]);
    for _ in 0..2 {
        later.push_counted(0, 1);
        later.wait_for(Event::CameraStalled);
    }
    let never = [&silent, &unasked, &slow].map(|stream| (stream, 0));
    for (stream, stalls) in [&whole, &finalized, &aborted, &freed_run].into_iter().zip(told_before).chain(never) {
        assert_eq!(
            (stream.stat(Stat::CameraStalls), of_the_camera(stream.events())),
            (stalls, vec![]),
            "{}",
            stream.text(Text::Report)
        );
    }
}

#[test]
fn a_source_that_is_late_is_a_camera_that_stands_still() {
    let workshop = Workshop::new();
    let stream = impatient(&workshop, &[]);
    let answer = stream.run(|index| {
        if index == 1 {
            stream.wait_for(Event::CameraStalled);
        }
        assert_eq!(stream.push_shade(1, index, 0), OK);
        i32::from(index < 1)
    });
    assert_eq!(answer, OK);
    stream.wait_for(Event::CameraBack);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn it_is_told_while_the_disk_hangs_but_not_of_a_camera_whose_frame_waits_for_room() {
    const SIDE: u32 = 700;
    let large = |id: u64| numbered(id, (SIDE * SIDE) as usize);
    let workshop = Workshop::new();
    let push = |stream: &Stream, id: u64| stream.push(&large(id), SIDE, SIDE, id, 0);
    let options = |room: &str| with(vec![], &["queue_bytes=1 MiB", room]);
    for (room, waits) in [("when_full=drop", false), ("when_full=block", true)] {
        let workshop_of_its_own = Workshop::new();
        let more = options(room);
        let stream = Arc::new(impatient(&workshop_of_its_own, &more.iter().map(String::as_str).collect::<Vec<_>>()));
        let stalled = StalledDisk::under_chunk(&only_stream(&workshop_of_its_own.spool()), 0);
        assert_eq!([push(&stream, 0), push(&stream, 1)], [OK, OK]);
        stalled.holds_a_writer();
        if waits {
            let pushing = stream.clone();
            let frame = large(2);
            let waiter = Waiter::start("a push without a slot", move || pushing.push(&frame, SIDE, SIDE, 2, 0));
            assert!(waiter.is_waiting());
            let _ = of_the_camera(stream.events()); // Of before it waited.
            let stalls = stream.stat(Stat::CameraStalls);
            let other = impatient(&workshop, &[]);
            for _ in 0..2 {
                other.push_counted(0, 1);
                other.wait_for(Event::CameraStalled);
            }
            assert_eq!(stream.stat(Stat::CameraStalls), stalls);
            let flowing = stalled.flow();
            assert_eq!(waiter.answer(), OK);
            assert_eq!(stream.finalize(-1), OK);
            drop(flowing);
        } else {
            stream.wait_for(Event::CameraStalled); // The encoder is in the middle of a write.
            let flowing = stalled.flow();
            assert_eq!(stream.finalize(-1), OK);
            drop(flowing);
        }
    }
}

// ---- what went amiss, chunk by chunk -------------------------------------------------------------------------------

#[test]
fn whatever_goes_amiss_is_counted_told_and_reported_with_the_chunk_that_it_happened_in() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/amiss.c"), Linked::Shared);
    let options = with(service::options(&service, &workshop), &["fps=10", "connect_timeout_ms=100000"]);
    let said = run(&program, options).well().out;
    let mut told: Vec<&str> = said.lines().collect();
    told.sort_unstable(); // They are confirmed in any order.
    assert_eq!(
        told,
        [
            "chunk 0 confirmed, 20 frames",
            "chunk 1 confirmed, 20 frames; 3 missed by the camera, 2 incomplete",
            "chunk 2 confirmed, 20 frames; 2 rejected",
            "chunk 3 confirmed, 20 frames; 1 stall of the camera",
            "chunk 4 confirmed, 20 frames; 2 dropped",
            "chunk 5 confirmed, 20 frames",
            "chunk 6 confirmed, 20 frames; 5 missed by the camera",
            "chunk 7 confirmed, 20 frames",
            "chunk 8 confirmed, 7 frames; 1 missed by the camera",
        ]
    );
    // The final report in the spool has it too.
    let reports = entries(&workshop.spool().join("reports"));
    let [report] = &reports[..] else { panic!("{reports:?}") };
    let report: Value = serde_json::from_slice(&std::fs::read(report).expect("a file")).expect("it is JSON");
    let chunks: Vec<u64> =
        report["chunks_amiss"].as_array().expect("a list").iter().filter_map(|one| one["chunk"].as_u64()).collect();
    assert_eq!(chunks, [1, 2, 3, 4, 6, 8], "{report:#}");
    assert_eq!((&report["camera_stalls"], &report["amiss_since_last_chunk"]["rejected"]), (&1.into(), &1.into()));
    assert_eq!(report["chunks_amiss_left_out"], 0);
}

/// A folder lies where a chunk's shard is to be: it cannot be sealed.
fn in_the_way(workshop: &Workshop, chunk: u64, frames: u64) -> PathBuf {
    let folder = only_stream(&workshop.spool()).join(format!("c{chunk:010}-{frames}.shard"));
    std::fs::create_dir(&folder).expect("a folder can be made");
    folder
}

#[test]
fn what_went_amiss_before_a_chunk_that_could_not_be_sealed_is_the_next_ones() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    assert_eq!(stream.push_chunk(0, &[1; FRAME_BYTES], 2, 0), Code::EArgument as i32);
    let folder = in_the_way(&workshop, 0, 3);
    let push = || stream.push_chunk(0, &[1; 3 * FRAME_BYTES], 3, 0);
    assert_eq!(push(), Code::ESpool as i32);
    std::fs::remove_dir(folder).expect("it is empty");
    assert_eq!(push(), OK);
    assert_eq!(stream.finalize(-1), OK);
    let report = report(&stream);
    let [chunk] = &report["chunks_amiss"].as_array().expect("a list")[..] else { panic!("{report:#}") };
    assert_eq!([&chunk["chunk"], &chunk["rejected"], &chunk["dropped"]], [0, 2, 3], "{report:#}");
}

#[test]
fn what_went_amiss_before_a_chunk_that_is_never_sealed_is_told_beside_the_chunks() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    let _folder = in_the_way(&workshop, 0, 20);
    stream.push_counted(0, 19);
    assert_eq!(stream.push_shade(1, 22, 0), OK);
    stream.wait_for(Event::DiskLow);
    assert_eq!(stream.abort(), OK);
    stream.wait_until("the chunk is given up", |stream| report(stream)["amiss_since_last_chunk"]["missed"] == 3);
    assert_eq!(report(&stream)["chunks_amiss"], Value::Array(vec![]));
}

#[test]
fn what_went_amiss_is_known_to_the_process_that_takes_up_what_another_has_left() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    let incomplete = |id: u64| {
        let (size, pixels) = (FRAME_BYTES as u64, [7; FRAME_BYTES]);
        rheed_push(stream.0, pixels.as_ptr().cast(), size, WIDTH, HEIGHT, 0, 0, id, 0, FrameFlag::Incomplete as u32)
    };
    // Chunk 0 is full. In chunk 1 three frames are missed and one is incomplete, and one was rejected in its middle.
    stream.push_counted(0, 18);
    assert_eq!([stream.push_shade(1, 19, 0), incomplete(20)], [OK, OK]);
    assert_eq!(stream.push_shade(1, 21, 0), OK);
    assert_eq!(stream.push(&[1], 2, 2, 22, 0), Code::EArgument as i32);
    assert_eq!([stream.push_shade(1, 26, 0), incomplete(27)], [OK, OK]);
    stream.wait_until("all is in the spool", |stream| {
        stream.stat(Stat::QueueFrames) == 0 && support::spool::frames(&workshop.spool()) == 23
    });

    // As a process that was killed has left it, and as one that has ended.
    let killed = Workshop::new();
    support::spool::copy(&workshop.spool(), &killed.spool());
    assert_eq!(stream.finalize(-1), OK);
    for (left, of_chunk_1, rejected) in [
        // Of a frame that was refused nobody knows any more; the camera did not lose it.
        (killed, "chunk 1 confirmed, 3 frames; 3 missed by the camera, 1 incomplete", 0),
        (workshop, "chunk 1 confirmed, 3 frames; 3 missed by the camera, 1 incomplete, 1 rejected", 1),
    ] {
        let service = service::start(&left);
        let resumed = Stream::resume(&service::options(&service, &left));
        assert_eq!(resumed.flush(-1), OK);
        let confirmed = resumed.events().into_iter().filter(|told| told.kind == Event::ChunkConfirmed as i32);
        let mut confirmed: Vec<String> = confirmed.map(|told| told.text).collect();
        confirmed.sort_unstable();
        assert_eq!(confirmed, ["chunk 0 confirmed, 20 frames; 1 missed by the camera, 1 incomplete", of_chunk_1]);
        let counted = [Stat::FramesMissed, Stat::FramesIncomplete, Stat::FramesRejected].map(|stat| resumed.stat(stat));
        assert_eq!(counted, [4, 2, rejected]);
        let told = report(&resumed)["streams"][0]["chunks_amiss"].clone();
        assert_eq!(told.as_array().map(Vec::len), Some(2), "{told}");
    }
}

/// What each chunk was told to miss, as far as it was told anything, and what came after all since the last.
fn missed(report: &Value) -> (Vec<(i64, i64)>, i64) {
    let number = |value: &Value| value.as_i64().expect("a number");
    let chunks = report["chunks_amiss"].as_array().expect("a list");
    let mut chunks: Vec<_> = chunks.iter().map(|chunk| (number(&chunk["chunk"]), number(&chunk["missed"]))).collect();
    chunks.sort_unstable(); // After a resume they come as they are confirmed.
    (chunks, number(&report["amiss_since_last_chunk"]["missed"]))
}

#[test]
fn a_frame_that_comes_behind_the_chunk_that_was_told_to_miss_it_is_taken_off_what_the_next_ones_miss() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    let push = |id: u64| assert_eq!(stream.push_shade(1, id, 0), OK);
    let sealed = |chunks: i64| stream.wait_until("it is sealed", |stream| stream.stat(Stat::ChunksSealed) == chunks);
    // Chunk 0 lacks 17 and 18, which come in chunk 1. Chunk 2 lacks one, chunk 3 four.
    (0..17).chain(19..22).for_each(push);
    sealed(1);
    [18, 17].into_iter().chain(22..40).for_each(push);
    sealed(2);
    assert_eq!((stream.stat(Stat::FramesMissed), missed(&report(&stream))), (0, (vec![(0, 2)], -2)));
    let copy_of_spool = |chunks: &[u64]| {
        let killed = Workshop::new();
        chunks.iter().copied().for_each(push);
        stream.wait_until("all is in the spool", |stream| stream.stat(Stat::QueueFrames) == 0);
        stream.wait_until("it is written", |stream| {
            support::spool::frames(&workshop.spool()) as i64 == stream.stat(Stat::FramesAccepted)
        });
        support::spool::copy(&workshop.spool(), &killed.spool());
        killed
    };
    // A process that was killed in chunk 2 leaves records from which the same follows.
    let killed = copy_of_spool(&[41, 42]);
    (43..61).for_each(push);
    sealed(3);
    (61..66).chain(70..85).for_each(push);
    sealed(4);
    let killed_in_chunk_4 = copy_of_spool(&[85, 87]);
    push(86);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesMissed), missed(&report(&stream))), (5, (vec![(0, 2), (3, 3)], 0)));

    for (left, told) in
        [(killed, vec![(0, 2)]), (killed_in_chunk_4, vec![(0, 2), (3, 3), (4, 1)]), (workshop, vec![(0, 2), (3, 3)])]
    {
        let service = service::start(&left);
        let resumed = Stream::resume(&service::options(&service, &left));
        assert_eq!(resumed.flush(-1), OK);
        assert_eq!(resumed.stat(Stat::FramesMissed), told.iter().map(|(_, missed)| missed).sum::<i64>());
        assert_eq!(missed(&report(&resumed)["streams"][0]), (told, 0));
    }
}

#[test]
fn of_threads_that_overtake_each_other_no_chunk_is_told_less_than_none_and_all_together_what_was_lost() {
    const THREADS: usize = 6;
    const FRAMES: u64 = 4000;
    let is_lost = |id: u64| id % 500 == 250 || (1700..1710).contains(&id);
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "queue_bytes=16 MiB", "when_full=block"]));
    let next = AtomicU64::new(1);
    let push = || {
        let mut random = fastrand::Rng::new();
        loop {
            let id = next.fetch_add(1, Ordering::Relaxed);
            if id > FRAMES {
                return;
            }
            if random.u8(..) < 20 {
                std::thread::yield_now(); // Others overtake.
            }
            if !is_lost(id) {
                assert_eq!(stream.push_shade(1, id, 0), OK);
            }
        }
    };
    assert_eq!(stream.push_shade(1, 0, 0), OK);
    std::thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(push))));
    assert_eq!(stream.push_shade(1, FRAMES + 1, 0), OK);
    assert_eq!(stream.finalize(-1), OK);
    let lost = (1..=FRAMES).filter(|id| is_lost(*id)).count() as i64;
    let (chunks, since) = missed(&report(&stream));
    assert_eq!(stream.stat(Stat::FramesMissed), lost);
    assert_eq!(chunks.iter().map(|(_, missed)| missed).sum::<i64>() + since, lost, "{chunks:?}");
    assert!(chunks.iter().all(|(_, missed)| *missed >= 0) && since <= 0, "{chunks:?} {since}");
    let told: i64 = stream.events().iter().filter(|told| told.kind == Event::FramesMissed as i32).map(|told| told.value).sum();
    assert!(told >= lost && told <= lost + THREADS as i64, "{told}");
}

#[test]
fn what_went_amiss_with_a_chunk_that_is_set_aside_is_counted_by_the_process_that_has_taken_it_up() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    stream.push_counted(0, 20);
    assert_eq!(stream.push_shade(1, 23, 0), OK);
    assert_eq!(stream.finalize(-1), OK);
    drop(stream);
    let service = service::start_with(&workshop, |settings| settings.faults = "presign:status=422,chunk=1".into());
    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), Code::WLoss as i32);
    assert_eq!([Stat::FramesConfirmed, Stat::FramesLost, Stat::FramesMissed].map(|stat| resumed.stat(stat)), [20, 1, 3]);
    let chunks = &report(&resumed)["streams"][0]["chunks_amiss"];
    assert_eq!([&chunks[0]["chunk"], &chunks[0]["missed"]], [1, 3], "{chunks}");
}

fn report(stream: &Stream) -> Value {
    serde_json::from_str(&stream.text(Text::Report)).expect("the report is JSON")
}
