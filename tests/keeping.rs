//! What is kept of what a camera gives: a window of its frames, binned, and every n-th of them. What arrives is that and nothing
//! else, and all that is told of the stream, its sizes, rates and times, is told of that.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::{rheed_commit, rheed_push, rheed_push_chunk};
use rheed_stream::codes::{Code, Event, FrameFlag, NO_FRAME_ID, Stat, Text};
use rheed_stream::receiver::{ChunkRecord, StreamRecord};
use serde_json::Value;
use std::process::Command;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use support::formats::{TAKEN, Window};
use support::frames::{numbered, numbers};
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::spool::{copy, frames as spool_frames, only_stream, options as spool_options, with};
use support::stalled_disk::StalledDisk;
use support::waiter::Waiter;
use support::{Dialect, Linked, MustSucceed, Workshop, aftermath, root, run, service, skip};

const ARGUMENT: i32 = Code::EArgument as i32;
const QUEUE_FULL: i32 = Code::EQueueFull as i32;
/// Of the time stamps that are given.
const START_NS: i64 = 1_700_000_000_000_000_000;

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|_| fastrand::u8(..)).collect()
}

#[test]
fn of_every_format_a_window_binned_arrives_whichever_way_the_frame_is_given() {
    const SIDES: (usize, usize) = (61, 23);
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    for (x, y, width, height, bin) in [(0, 0, 61, 23, 1), (3, 5, 33, 10, 1), (7, 1, 41, 22, 2), (1, 0, 60, 21, 4)] {
        let window = Window { x, y, width, height, bin };
        let lines = ["fps=1", "chunk_size=2", &format!("roi={x},{y},{width},{height}"), &format!("bin={bin}")];
        let options = with(service::options(&service, &workshop), &lines);
        let (frames, chunks) = (Stream::open(&options), Stream::open(&options));
        let mut expected: Vec<u8> = Vec::new();
        for (index, stored) in (0..).zip(TAKEN) {
            let (columns, rows) = (SIDES.0 as u32, SIDES.1 as u32);
            let (row, stride) = (stored.row_bytes(SIDES.0), stored.row_bytes(SIDES.0) + 3);
            let memory = noise(stride * (SIDES.1 - 1) + row);
            let (pixels, size, stride_bytes, format) = (memory.as_ptr().cast(), memory.len(), stride as u32, stored.code);
            let pushed = rheed_push(frames.0, pixels, size as u64, columns, rows, stride_bytes, format, NO_FRAME_ID, 0, 0);
            let slot = frames.acquire(size).expect("a slot is free");
            slot.copy_from_slice(&memory);
            let slot = slot.as_mut_ptr().cast();
            let committed = rheed_commit(frames.0, slot, columns, rows, stride_bytes, format, NO_FRAME_ID, 0, 0);
            let kept = stored.kept(&memory, stride, window);
            expected.extend(kept.iter().chain(&kept));

            let tight: Vec<u8> =
                memory.chunks(stride).flat_map(|line| &line[..row]).copied().cycle().take(2 * row * SIDES.1).collect();
            let (pixels, size) = (tight.as_ptr().cast(), tight.len() as u64);
            let given = rheed_push_chunk(chunks.0, index, pixels, size, 2, columns, rows, format, 0);
            assert_eq!((pushed, committed, given), (OK, OK, OK), "{stored:x?} {window:?}");
        }
        let (kept_width, kept_height) = window.kept();
        for stream in [frames, chunks] {
            assert_eq!(stream.stat(Stat::BytesRaw) as usize, expected.len());
            assert_eq!(stream.finalize(-1), OK);
            let data_id = stream.text(Text::DataId);
            let kept = service.streams().into_iter().find(|kept| kept.data_id == data_id).expect("the stream is kept");
            let sizes = |chunk: &ChunkRecord| (chunk.width as usize, chunk.height as usize, chunk.array == "frames");
            assert!(kept.chunks.iter().all(|chunk| sizes(chunk) == (kept_width, kept_height, true)), "{kept:?}");
            assert!(service::pixels(&kept) == expected, "{window:?}");
        }
    }
}

#[test]
fn frames_of_several_sizes_that_the_window_fits_into_are_one_picture() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "roi=0,0,8,16"]));
    for (number, width) in [(0, 8), (1, 32), (2, 9)] {
        assert_eq!(stream.push(&vec![number; 16 * width as usize], width, 16, NO_FRAME_ID, 0), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!(kept.chunks.len(), 1);
    assert!(service::pixels(&kept) == [[0; 128], [1; 128], [2; 128]].concat());
}

#[test]
fn a_frame_that_the_window_does_not_fit_into_is_rejected_with_the_numbers_and_its_slot_stays_as_it_was() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "roi=24,8,8,9", "bin=2"]));
    let frame = numbered(1, FRAME_BYTES);
    assert_eq!(stream.push(&frame, WIDTH, HEIGHT, 0, 0), ARGUMENT);
    let told = "a frame of 32 x 16 pixels, but roi reaches to 32 x 17";
    assert!(stream.text(Text::LastError).starts_with(told), "{}", stream.text(Text::LastError));
    let slot = stream.acquire(FRAME_BYTES).expect("a slot is free");
    slot.copy_from_slice(&frame);
    assert_eq!(stream.commit(slot, WIDTH, HEIGHT, 1, 0), ARGUMENT);
    assert!(slot == frame, "what is refused is left as it is");
    assert_eq!(stream.push_chunk(0, &frame, 1, 0), ARGUMENT);
    // The same bytes as a frame of half the width.
    assert_eq!(stream.commit(slot, WIDTH / 2, 2 * HEIGHT, 2, 0), ARGUMENT);
    assert_eq!(stream.push(&numbered(1, 32 * 17), 32, 17, 3, 0), OK);
    assert_eq!(stream.discard(slot), OK);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesRejected), stream.stat(Stat::FramesAccepted)), (4, 1));
    assert_eq!(stream.stat(Stat::BytesRaw), 16);
}

#[test]
fn a_large_frame_of_which_little_is_kept_fits_a_small_queue() {
    let workshop = Workshop::new();
    let lines = ["fps=10", "queue_bytes=1 MiB", "roi=100,100,512,512", "frame_bytes=262144"];
    let stream = Stream::open(&with(spool_options(&workshop), &lines));
    let frame = numbered(1, 2000 * 2000);
    for id in 0..20 {
        while stream.push(&frame, 2000, 2000, id, 0) == QUEUE_FULL {}
    }
    assert_eq!(stream.acquire(frame.len()).err(), Some(ARGUMENT), "a slot has to hold what the camera writes");
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::BytesRaw)), (20, 20 * 512 * 512));
}

/// Pushes numbered frames, with stamps of a camera that keeps its rate.
#[track_caller]
fn film(stream: &Stream, frames: std::ops::Range<u64>, fps: i64) {
    for number in frames {
        let stamp_ns = START_NS + number as i64 * 1_000_000_000 / fps;
        assert_eq!(stream.push(&numbered(number, FRAME_BYTES), WIDTH, HEIGHT, number, stamp_ns), OK, "frame {number}");
    }
}

/// Each chunk's start and end, in milliseconds since the first stamp.
fn times_ms(kept: &StreamRecord) -> Vec<(f64, f64)> {
    let since = |ms: f64| ms - START_NS as f64 / 1e6;
    kept.chunks.iter().map(|chunk| (since(chunk.start_unix_ms_utc), since(chunk.end_unix_ms_utc))).collect()
}

#[test]
fn every_nth_frame_is_kept_and_all_that_is_told_of_rates_and_times_is_told_of_these() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let lines = with(service::options(&service, &workshop), &["fps=100", "decimate=4", "rotations_per_min=30"]);
    let stream = Stream::open(&lines);
    film(&stream, 0..301, 100);
    let counts = [Stat::FramesAccepted, Stat::FramesLeftOut, Stat::FramesMissed, Stat::FramesRejected];
    assert_eq!(counts.map(|stat| stream.stat(stat)), [76, 225, 0, 0]);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::FramesConfirmed), 76);
    assert_eq!(stream.stat(Stat::FpsMilli), 25_000);
    assert!(stream.text(Text::Report).contains(r#""left_out":225"#), "{}", stream.text(Text::Report));
    assert!(stream.text(Text::Status).contains("225 left out"), "{}", stream.text(Text::Status));
    let events = stream.events();
    assert!(
        events.iter().all(|told| ![Event::RateOff, Event::StampsOdd].map(|kind| kind as i32).contains(&told.kind)),
        "{events:?}"
    );

    let kept = service::only_stream(&service);
    assert!(numbers(&service::pixels(&kept), FRAME_BYTES).into_iter().eq((0..301).step_by(4)));
    assert_eq!((kept.fps_capture_rate, kept.rotational_period), (25.0, Some(50.0)));
    assert_eq!(kept.chunks.iter().map(|chunk| (chunk.frames, chunk.chunk_size)).collect::<Vec<_>>(), [(50, 50), (26, 50)]);
    for chunk in &kept.chunks {
        assert_eq!((chunk.raw_frame_rate, chunk.avg_frame_rate), (25.0, 25.0), "{chunk:?}");
    }
    // A frame that is kept lasts until the next one that is.
    assert_eq!(times_ms(&kept), [(0.0, 2000.0), (2000.0, 3040.0)]);
}

#[test]
fn a_rate_that_is_not_the_declared_one_is_told_of_the_frames_that_are_kept() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=100", "decimate=4"]));
    film(&stream, 0..200, 80);
    assert_eq!(stream.finalize(-1), OK);
    let told = stream.wait_for(Event::RateOff);
    assert_eq!(told.value, 20_000);
    assert!(told.text.contains("but fps / decimate = 25.000"), "{told:?}");
}

fn unix_ms() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
    now.as_secs_f64() * 1000.0
}

#[test]
fn without_stamps_a_frame_that_is_kept_has_the_time_of_all_that_it_stands_for() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    // A frame of the camera takes 10 s.
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=0.1", "decimate=100", "chunk_size=50"]));
    let before_ms = unix_ms();
    stream.push_counted(0, 301);
    stream
        .wait_until("all is in the spool", |stream| stream.stat(Stat::QueueFrames) == 0 && spool_frames(&workshop.spool()) == 4);
    let (pushed_ms, killed) = (before_ms - 0.01..unix_ms(), Workshop::new()); // Told in whole microseconds.
    copy(&workshop.spool(), &killed.spool());
    assert_eq!(stream.finalize(-1), OK);
    drop(stream);
    for left in [&workshop, &killed] {
        aftermath::resume(&service, left);
    }
    let streams = service.streams();
    assert_eq!(streams.len(), 2);
    for kept in streams {
        let [chunk] = &kept.chunks[..] else { panic!("{kept:?}") };
        let (start, end) = (chunk.start_unix_ms_utc, chunk.end_unix_ms_utc);
        // The first frame was pushed when it had been taken, and it is 1000 s until the next one that is kept.
        assert!(pushed_ms.contains(&(start + 10_000.0)), "{start} {pushed_ms:?}");
        assert!((end - start - 4_000_000.0).abs() < 0.01, "{start} {end}");
        assert_eq!(chunk.avg_frame_rate, 0.001);
    }
}

#[test]
fn what_waited_without_a_service_is_sent_the_morning_after_at_its_own_rate() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=100", "decimate=4", "roi=8,0,24,16", "bin=2"]));
    film(&stream, 0..120, 100);
    assert_eq!(stream.finalize(-1), OK);
    drop(stream);
    let service = service::start(&workshop);
    aftermath::resume(&service, &workshop);
    let kept = service::only_stream(&service);
    assert_eq!((kept.frames(), kept.fps_capture_rate), (30, 25.0));
    assert_eq!((kept.chunks[0].width, kept.chunks[0].height, kept.chunks[0].chunk_size), (12, 8, 50));
    assert_eq!(times_ms(&kept), [(0.0, 1200.0)]);
}

#[test]
fn of_a_killed_process_only_what_the_camera_lost_is_missed_and_not_what_was_left_out_or_refused() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=100", "decimate=4"]));
    // Two frames are missed before the last of the chunk before, three before one that is left out.
    let lost = [180..182, 230..233];
    for id in (0..300).filter(|id| !lost.iter().any(|lost| lost.contains(id))) {
        assert_eq!(stream.push_shade(id as u8, id, 0), OK);
        if id % 7 == 0 {
            assert_eq!(stream.push(&[1], 2, 2, NO_FRAME_ID, 0), ARGUMENT);
        }
    }
    stream
        .wait_until("all is in the spool", |stream| stream.stat(Stat::QueueFrames) == 0 && spool_frames(&workshop.spool()) == 74);
    let killed = Workshop::new();
    copy(&workshop.spool(), &killed.spool());
    assert_eq!((stream.stat(Stat::FramesMissed), stream.finalize(-1)), (5, OK));
    let service = service::start(&killed);
    let resumed = Stream::resume(&service::options(&service, &killed));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!((service::only_stream(&service).frames(), resumed.stat(Stat::FramesMissed)), (74, 5));
    let mut told = resumed.events().into_iter().filter(|told| told.kind == Event::ChunkConfirmed as i32);
    let chunk_1 = told.find(|told| told.text.starts_with("chunk 1")).expect("it is confirmed").text;
    assert_eq!(chunk_1, "chunk 1 confirmed, 24 frames; 3 missed by the camera");
}

#[test]
fn bad_frames_are_rejected_also_where_good_ones_are_left_out_and_have_no_turn() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "decimate=3"]));
    for number in 0..7 {
        assert_eq!(stream.push(&[1; FRAME_BYTES - 1], WIDTH, HEIGHT, NO_FRAME_ID, 0), ARGUMENT);
        assert_eq!(stream.push_shade(number, NO_FRAME_ID, 0), OK);
        let kept = i64::from(number / 3 + 1);
        assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (kept, i64::from(number + 1) - kept));
    }
    assert_eq!(stream.stat(Stat::FramesRejected), 7);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.push_shade(1, NO_FRAME_ID, 0), Code::EClosed as i32);
    assert_eq!(stream.stat(Stat::FramesLeftOut), 4, "behind the end none is left out");
}

#[test]
fn ids_are_noted_and_incomplete_frames_counted_also_of_frames_that_are_left_out() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "decimate=2"]));
    let push = |id: u64, flags| {
        let frame = [id as u8; FRAME_BYTES];
        rheed_push(stream.0, frame.as_ptr().cast(), FRAME_BYTES as u64, WIDTH, HEIGHT, 0, 0, id, 0, flags)
    };
    let incomplete = FrameFlag::Incomplete as u32;
    // 0 and 8 are kept; the gaps are before one that is left out, and before one that is kept.
    let answers = [(0, 0), (4, incomplete), (8, incomplete), (9, 0)].map(|(id, flags)| push(id, flags));
    assert_eq!(answers, [OK; 4]);
    assert_eq!((stream.stat(Stat::FramesMissed), stream.stat(Stat::FramesIncomplete)), (6, 2));
    assert_eq!(push(10, 0), OK);
    assert_eq!((push(11, incomplete), stream.finalize(-1)), (OK, OK));
    // The chunk has its own and the one before it; the last one came behind its last frame.
    let report: Value = serde_json::from_str(&stream.text(Text::Report)).expect("the report is JSON");
    let [in_chunk, since] = [&report["chunks_amiss"][0], &report["amiss_since_last_chunk"]].map(|amiss| &amiss["incomplete"]);
    assert_eq!((in_chunk, since, stream.stat(Stat::FramesIncomplete)), (&2.into(), &1.into(), 3), "{report:#}");
}

/// A frame of which two fit the smallest queue, and of which no pipe swallows one.
const LARGE_SIDE: u32 = 700;
const LARGE: usize = (LARGE_SIDE * LARGE_SIDE) as usize;

fn push_large(stream: &Stream, number: u64) -> i32 {
    stream.push(&numbered(number, LARGE), LARGE_SIDE, LARGE_SIDE, NO_FRAME_ID, 0)
}

#[test]
fn where_the_picked_frame_finds_no_room_the_next_takes_its_place_and_counting_begins_there() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "queue_bytes=1 MiB", "decimate=3"]));
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let answers: Vec<i32> = (0..9).map(|number| push_large(&stream, number)).collect();
    // 0 and 3 are taken, and fill the queue; 6, and then each that comes, is tried in vain.
    assert_eq!(answers, [OK, OK, OK, OK, OK, OK, QUEUE_FULL, QUEUE_FULL, QUEUE_FULL]);
    assert_eq!((stream.stat(Stat::FramesLeftOut), stream.stat(Stat::FramesDropped)), (4, 3));
    let flowing = stalled.flow();
    assert_eq!((stream.flush(-1), push_large(&stream, 9)), (OK, OK));
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (3, 4));
    assert_eq!([push_large(&stream, 10), push_large(&stream, 11)], [OK, OK]);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (3, 6));
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.push(&[1], 1, 1, NO_FRAME_ID, 0), OK, "it is picked, and closes the chunk");
    assert_eq!(stream.finalize(-1), OK);
    drop(flowing);
    assert_eq!(stream.stat(Stat::FramesAccepted), 4);
}

#[test]
fn while_the_picked_frame_waits_for_a_slot_those_that_are_left_out_wait_for_nothing() {
    let workshop = Workshop::new();
    let lines = ["fps=10", "queue_bytes=1 MiB", "decimate=3", "when_full=block"];
    let stream = Arc::new(Stream::open(&with(spool_options(&workshop), &lines)));
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    assert_eq!((0..6).map(|number| push_large(&stream, number)).collect::<Vec<_>>(), [OK; 6]);
    let waiting = stream.clone();
    let waiter = Waiter::start("the picked frame", move || push_large(&waiting, 6));
    assert!(waiter.is_waiting());
    assert_eq!([push_large(&stream, 7), push_large(&stream, 8)], [OK, OK]);
    let flowing = stalled.flow();
    assert_eq!(waiter.answer(), OK);
    assert_eq!(stream.finalize(-1), OK);
    drop(flowing);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (3, 6));
}

#[test]
fn the_slot_of_a_frame_that_is_left_out_is_free_again_and_wakes_who_waits_for_one() {
    let workshop = Workshop::new();
    let lines = ["fps=10", "queue_bytes=1 MiB", "decimate=100", "when_full=block"];
    let stream = Arc::new(Stream::open(&with(spool_options(&workshop), &lines)));
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    assert_eq!(push_large(&stream, 0), OK);
    // The second and last slot, again and again.
    for id in 1..50 {
        let slot = stream.acquire(LARGE).expect("a slot is free");
        assert_eq!(stream.commit(slot, LARGE_SIDE, LARGE_SIDE, id, 0), OK);
        assert_eq!(stream.discard(slot), ARGUMENT, "it is not the host's any more");
    }
    let slot = stream.acquire(LARGE).expect("a slot is free");
    let waits = stream.clone();
    let waiter = Waiter::start("an acquire without a slot", move || waits.acquire(LARGE).map(|slot| slot.as_mut_ptr().addr()));
    assert!(waiter.is_waiting());
    let address = slot.as_ptr().addr();
    assert_eq!(stream.commit(slot, LARGE_SIDE, LARGE_SIDE, 50, 0), OK);
    assert_eq!(waiter.answer(), Ok(address));
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (1, 50));
    let flowing = stalled.flow();
    assert_eq!(stream.finalize(-1), OK);
    drop(flowing);
}

#[test]
fn of_the_frames_that_many_threads_push_and_commit_exactly_every_nth_is_kept() {
    const THREADS: u64 = 6;
    const EACH: u64 = 700;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let lines = ["fps=1000", "decimate=7", "when_full=block"];
    let stream = Stream::open(&with(service::options(&service, &workshop), &lines));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let stream = &stream;
            scope.spawn(move || {
                for number in 0..EACH {
                    let frame = numbered(thread << 32 | number, FRAME_BYTES);
                    if number % 2 == 0 {
                        assert_eq!(stream.push(&frame, WIDTH, HEIGHT, NO_FRAME_ID, 0), OK);
                    } else {
                        let slot = stream.acquire(FRAME_BYTES).expect("it waits for one");
                        slot.copy_from_slice(&frame);
                        assert_eq!(stream.commit(slot, WIDTH, HEIGHT, NO_FRAME_ID, 0), OK);
                    }
                }
            });
        }
    });
    let kept = (THREADS * EACH / 7) as i64;
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (kept, 6 * kept));
    assert_eq!(stream.finalize(-1), OK);
    let mut arrived = numbers(&service::pixels(&service::only_stream(&service)), FRAME_BYTES);
    arrived.sort_unstable();
    arrived.dedup();
    assert_eq!(arrived.len() as i64, kept, "each is whole, and another one");
}

#[test]
fn a_frame_that_is_left_out_says_that_the_camera_is_there() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "decimate=1000"]));
    stream.push_counted(0, 1);
    stream.wait_until("a frame is old", |stream| stream.stat(Stat::LastFrameAgeMs) >= 20);
    let before = Instant::now();
    stream.push_counted(1, 1);
    let age_ms = stream.stat(Stat::LastFrameAgeMs) as u128;
    assert!(age_ms <= before.elapsed().as_millis(), "{age_ms}");
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (1, 1));
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn a_run_is_asked_for_every_frame_and_keeps_every_nth() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let lines = ["fps=100", "decimate=4", "pace=off"];
    let stream = Stream::open(&with(service::options(&service, &workshop), &lines));
    let ran = stream.run(|index| {
        assert_eq!(stream.push(&numbered(index, FRAME_BYTES), WIDTH, HEIGHT, index, 0), OK);
        i32::from(index < 80)
    });
    assert_eq!(ran, OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLeftOut)), (21, 60));
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert!(numbers(&service::pixels(&kept), FRAME_BYTES).into_iter().eq((0..81).step_by(4)));
}

#[test]
fn whole_chunks_are_not_decimated_which_is_said() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "decimate=2", "chunk_size=20"]));
    assert_eq!(stream.push_chunk(0, &[1; 20 * FRAME_BYTES], 20, 0), ARGUMENT);
    assert!(stream.text(Text::LastError).starts_with("decimate is for frames"), "{}", stream.text(Text::LastError));
    assert_eq!(stream.stat(Stat::FramesRejected), 20);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn who_opens_a_stream_faster_than_the_service_is_told_what_would_do() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let opened = |lines: &[&str]| Stream::try_open(&with(service::options(&service, &workshop), lines)).map(|(_, said)| said);
    let told = opened(&["fps=500"]).expect("it is no error");
    assert!(told.contains("at most 120 frames per second: decimate = 5 would do"), "{told}");
    assert_eq!(opened(&["fps=500", "decimate=5"]), Ok(String::new()));
}

/// What `tests/c/window.c` streams and the service is to have: 11 of 41 frames, of which a window in the middle of three pages a
/// row, and of each square of 4 x 4 pixels the mean.
fn squares(frame: usize, width: usize, left: usize) -> Vec<u8> {
    let mean = |row: usize, column: usize| {
        let square = (0..16).map(|at| (4 + 4 * row + at / 4, left + 4 * column + at % 4));
        let sum: usize = square.map(|(row, column)| (7 * 4 * frame + column + 5 * row) & 0xFF).sum();
        (sum as f64 / 16.0).round() as u8
    };
    (0..2 * width).map(|at| mean(at / width, at % width)).collect()
}

#[test]
fn memory_outside_the_window_may_be_forbidden_and_the_means_arrive() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let program = workshop.build(&Dialect::c("c99"), &root().join("tests/c/window.c"), Linked::Shared);
    run(&program, with(service::options(&service, &workshop), &["fps=10"])).well();

    // SAFETY: it asks for a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let (left, right) = (page.div_ceil(3), 2 * page / 3);
    let width = (right - left) / 4;
    let kept = service::only_stream(&service);
    assert_eq!((kept.fps_capture_rate, kept.frames()), (2.5, 11));
    for chunk in &kept.chunks {
        assert_eq!((chunk.width as usize, chunk.height, chunk.chunk_size), (width, 2, 5), "{chunk:?}");
        let rate = if chunk.frames > 1 { chunk.avg_frame_rate } else { 2.5 };
        assert!((rate - 2.5).abs() < 1e-9 && chunk.raw_frame_rate == 2.5, "{chunk:?}");
    }
    assert_eq!(times_ms(&kept), [(0.0, 2000.0), (2000.0, 4000.0), (4000.0, 4400.0)]);
    let expected: Vec<u8> = (0..11).flat_map(|frame| squares(frame, width, left)).collect();
    assert!(service::pixels(&kept) == expected);

    let Some(python) = support::python() else {
        return skip("binned frames read by zarr-python", "RHEED_TEST_PYTHON names none");
    };
    let file = workshop.path().join("kept.raw");
    std::fs::write(&file, &expected).expect("target can be written");
    let array = kept.folder.join(&kept.chunks[0].array);
    Command::new(python).arg(root().join("tests/python/same_pixels.py")).arg(array).arg(file).must_succeed();
}
