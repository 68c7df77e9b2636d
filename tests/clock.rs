//! When the frames were taken, as the service is told: their time stamps, by its own clock.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Stat};
use rheed_stream::receiver::{ChunkRecord, Receiver};
use std::time::{SystemTime, UNIX_EPOCH};
use support::Workshop;
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::service;
use support::spool::with;

const MS: i64 = 1_000_000;
const NO_ID: u64 = u64::MAX;
/// A time of capture: 2023-11-14T22:13:20Z.
const T: i64 = 1_700_000_000_000 * MS;
const T_MS: f64 = 1_700_000_000_000.0;

// ---- by this computer's clock --------------------------------------------------------------------------------------

#[test]
fn a_stamped_chunk_lasts_from_its_first_stamp_to_a_frame_after_its_last_at_the_rate_it_had() {
    // Declared are 10 frames per second, one comes each 125 ms.
    let (chunks, events) = streamed("fps=10", |stream| push_stamped(stream, (0..20).map(|frame| T + frame * 125 * MS)));
    let [chunk] = &chunks[..] else { panic!("{chunks:?}") };
    assert_eq!((chunk.start_unix_ms_utc, chunk.end_unix_ms_utc), (T_MS, T_MS + 19.0 * 125.0 + 100.0));
    assert_eq!((chunk.raw_frame_rate, chunk.avg_frame_rate), (10.0, 8.0));
    assert_eq!((chunk.clock_offset_ms, chunk.clock_uncertainty_ms), (None, None));
    assert_eq!(events, [(Event::RateOff as i32, 8000)]);
}

#[test]
fn a_rate_that_is_off_by_more_than_5_percent_is_told_and_one_by_less_is_not() {
    for (frame_us, told) in [(97_000, vec![]), (103_000, vec![]), (94_000, vec![10_638]), (106_000, vec![9_434])] {
        let (chunks, events) =
            streamed("fps=10", |stream| push_stamped(stream, (0..20).map(|frame| T + frame * frame_us * 1000)));
        assert!((chunks[0].avg_frame_rate - 1e6 / frame_us as f64).abs() < 1e-9, "{chunks:?}");
        assert_eq!(events, told.iter().map(|milli| (Event::RateOff as i32, *milli)).collect::<Vec<_>>(), "{frame_us} us");
    }
}

#[test]
fn a_camera_that_loses_frames_or_whose_frames_are_refused_does_not_have_another_rate() {
    // Of each six frames, 20 ms apart, the last one never comes, or comes as none that can be taken.
    let push = |stream: &Stream, frame_ms: i64, refused: bool| {
        for frame in 0..720 {
            let stamp = T + frame * frame_ms * MS;
            let (pixels, code) = if frame % 6 < 5 { (FRAME_BYTES, OK) } else { (1, Code::EArgument as i32) };
            if code == OK || refused {
                assert_eq!(stream.push(&[7; FRAME_BYTES][..pixels], WIDTH, HEIGHT, frame as u64, stamp), code);
            }
        }
    };
    for decimate in ["", "\ndecimate=5"] {
        let options = format!("fps=50\nchunk_size=100{decimate}");
        for refused in [false, true] {
            let (chunks, events) = streamed(&options, |stream| push(stream, 20, refused));
            assert!(chunks[0].avg_frame_rate < 0.9 * chunks[0].raw_frame_rate, "{chunks:?}");
            assert_eq!(events, [], "{options}, {refused}");
        }
        // Those that are lost do not make up for a camera that is too slow, nor for one that is too fast.
        for frame_ms in [23, 15] {
            let (_, events) = streamed(&options, |stream| push(stream, frame_ms, false));
            assert_eq!(
                events.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
                [Event::RateOff as i32],
                "{options}, {frame_ms}"
            );
        }
    }
}

#[test]
fn an_unstamped_chunk_begins_a_frame_before_its_first_push_and_has_the_declared_rate() {
    let before = unix_ms();
    let (chunks, events) = streamed("fps=10", |stream| stream.push_counted(0, 20));
    let [chunk] = &chunks[..] else { panic!("{chunks:?}") };
    // Microseconds are what a time in milliseconds is rounded to.
    assert!(chunk.start_unix_ms_utc >= before - 100.001 && chunk.start_unix_ms_utc <= unix_ms() - 100.0, "{chunk:?}");
    assert!((chunk.end_unix_ms_utc - chunk.start_unix_ms_utc - 2000.0).abs() < 0.002, "{chunk:?}");
    assert_eq!((chunk.avg_frame_rate, events), (10.0, vec![]));
}

#[test]
fn stamps_that_do_not_increase_are_told_and_the_declared_rate_counts() {
    let stamps = (0..20).map(|frame| T + if frame == 7 || frame == 9 { 0 } else { frame * 125 * MS });
    let (chunks, events) = streamed("fps=10", |stream| push_stamped(stream, stamps));
    let [chunk] = &chunks[..] else { panic!("{chunks:?}") };
    assert_eq!((chunk.start_unix_ms_utc, chunk.end_unix_ms_utc), (T_MS, T_MS + 2000.0));
    assert_eq!((chunk.avg_frame_rate, events), (10.0, vec![(Event::StampsOdd as i32, 2)]));
}

#[test]
fn stamps_that_are_no_unix_time_are_told_once_and_replaced_by_the_time_of_the_push() {
    let before = unix_ms();
    let (chunks, events) = streamed("fps=10", |stream| push_stamped(stream, (1..41).map(|tick| tick * 1000)));
    let [first, second] = &chunks[..] else { panic!("{chunks:?}") };
    for chunk in [first, second] {
        assert!(chunk.start_unix_ms_utc >= before - 100.001 && chunk.start_unix_ms_utc <= unix_ms() - 100.0, "{chunk:?}");
        assert_eq!(chunk.avg_frame_rate, 10.0);
    }
    assert_eq!(events, [(Event::StampsOdd as i32, 1)]);
}

#[test]
fn a_whole_chunk_begins_when_its_giver_says_or_has_just_ended() {
    let frames = vec![7; 20 * FRAME_BYTES];
    let before = unix_ms();
    let (chunks, _) = streamed("fps=10", |stream| {
        assert_eq!(stream.push_chunk(0, &frames, 20, T), OK);
        assert_eq!(stream.push_chunk(1, &frames[..7 * FRAME_BYTES], 7, 0), OK);
    });
    let [given, just_ended] = &chunks[..] else { panic!("{chunks:?}") };
    assert_eq!((given.start_unix_ms_utc, given.end_unix_ms_utc, given.avg_frame_rate), (T_MS, T_MS + 2000.0, 10.0));
    assert!(just_ended.end_unix_ms_utc >= before - 0.001 && just_ended.end_unix_ms_utc <= unix_ms() + 0.001, "{just_ended:?}");
    assert!((just_ended.end_unix_ms_utc - just_ended.start_unix_ms_utc - 700.0).abs() < 0.002, "{just_ended:?}");
}

// ---- by the service's clock ----------------------------------------------------------------------------------------

#[test]
fn times_are_told_by_the_services_clock_with_the_offset_and_its_bound_beside_them() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.clock_offset_ms = 5000.0);
    let stream = Stream::open(&with_clock(&service, &workshop, &["fps=10"]));
    let chunk = first_measured_chunk(&service, &stream);
    let (offset, bound) = (chunk.clock_offset_ms.expect("it is measured"), chunk.clock_uncertainty_ms.expect("so is its bound"));
    assert!((offset - 5000.0).abs() <= bound, "{offset} +- {bound}");
    let stamp = T_MS + chunk.index as f64 * 2000.0;
    assert!((chunk.start_unix_ms_utc - stamp - offset).abs() < 0.002, "{chunk:?}");
    assert!((chunk.end_unix_ms_utc - stamp - 2000.0 - offset).abs() < 0.002, "{chunk:?}");
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn streams_of_one_endpoint_share_one_clock() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let options = with_clock(&service, &workshop, &["fps=10"]);
    let first = Stream::open(&options);
    first_measured_chunk(&service, &first);
    let second = Stream::open(&options);
    push_stamped(&second, (0..20).map(|frame| T + frame * 100 * MS));
    assert_eq!(second.finalize(-1), OK);
    // What was measured for the first stream holds for the second one's first chunk.
    assert!(service.streams()[1].chunks[0].clock_offset_ms.is_some());
    let asked = || service::requests_to(&service, "GET", "/gateway/time");
    service::wait_until(&service, "the clock is asked again", |_| asked().len() > 1);
    // A series of its own for the second stream would have begun within the 2 s that lie between two samples of the first.
    assert!(asked()[1].unix_ms - asked()[0].unix_ms >= 2000.0, "{:#?}", asked());
    assert_eq!(first.finalize(-1), OK);
}

#[test]
fn a_clock_that_is_not_to_be_compared_is_not_asked() {
    let (chunks, _) = streamed("fps=10\nclock_sync=off", |stream| stream.push_counted(0, 20));
    assert_eq!((chunks[0].clock_offset_ms, chunks[0].clock_uncertainty_ms), (None, None));
}

#[test]
fn a_clock_that_does_not_answer_is_no_obstacle() {
    for rule in ["time:status=500", "time:body=garbage", "time:body=wrong", "time:cut=request", "time:hang=request"] {
        let workshop = Workshop::new();
        let service = service::start_with(&workshop, |settings| settings.faults = rule.into());
        let stream = Stream::open(&with_clock(&service, &workshop, &["fps=10"]));
        service::wait_until(&service, "the clock is asked", |service| {
            service.requests().iter().any(|request| request.path == "/gateway/time")
        });
        stream.push_counted(0, 20);
        assert_eq!(stream.finalize(-1), OK, "{rule}");
        let kept = service::only_stream(&service);
        assert_eq!((kept.frames(), kept.chunks[0].clock_offset_ms), (20, None), "{rule}");
    }
}

#[test]
fn the_environment_can_turn_the_clock_off() {
    if support::run_alone(&[("ATOMSCALE_SKIP_CLOCK_SYNC", "1")]).is_some() {
        return;
    }
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with_clock(&service, &workshop, &["fps=10"]));
    stream.push_counted(0, 45);
    assert_eq!(stream.finalize(-1), OK);
    assert!(service::requests_to(&service, "GET", "/gateway/time").is_empty());
    assert!(service::only_stream(&service).chunks.iter().all(|chunk| chunk.clock_offset_ms.is_none()));
}

// ---- for the tests above -------------------------------------------------------------------------------------------

/// What a stream's chunks are told to be, and the events about rate and stamps, with their values.
#[track_caller]
fn streamed(options: &str, push: impl FnOnce(&Stream)) -> (Vec<ChunkRecord>, Vec<(i32, i64)>) {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let mut all = service::options(&service, &workshop);
    all.retain(|line| !options.contains(line));
    let stream = Stream::open(&with(all, &[options]));
    push(&stream);
    assert_eq!(stream.finalize(-1), OK);
    assert!(service::requests_to(&service, "GET", "/gateway/time").is_empty());
    let kinds = [Event::RateOff as i32, Event::StampsOdd as i32];
    let events = stream.events().into_iter().filter(|event| kinds.contains(&event.kind));
    let events = events.map(|event| (event.kind, event.value)).collect();
    (service::only_stream(&service).chunks, events)
}

#[track_caller]
fn push_stamped(stream: &Stream, stamps: impl IntoIterator<Item = i64>) {
    for (frame, stamp) in stamps.into_iter().enumerate() {
        assert_eq!(stream.push_shade(frame as u8, NO_ID, stamp), OK);
    }
}

fn with_clock(service: &Receiver, workshop: &Workshop, more: &[&str]) -> Vec<String> {
    let mut options = service::options(service, workshop);
    options.retain(|line| line != "clock_sync=off");
    with(options, more)
}

/// Sends chunks of 20 stamped frames, one after another, until one bears the clock's offset.
#[track_caller]
fn first_measured_chunk(service: &Receiver, stream: &Stream) -> ChunkRecord {
    let mut next = 0;
    let mut measured = None;
    stream.wait_until("a chunk bears the clock's offset", |stream| {
        push_stamped(stream, (next * 20..next * 20 + 20).map(|frame| T + frame * 100 * MS));
        next += 1;
        assert_eq!(stream.flush(-1), OK);
        let streams = service.streams();
        let mut chunks = streams.iter().flat_map(|stream| &stream.chunks);
        measured = chunks.find(|chunk| chunk.clock_offset_ms.is_some()).cloned();
        measured.is_some()
    });
    assert_eq!(stream.stat(Stat::FramesLost), 0);
    measured.expect("it was waited for")
}

fn unix_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs_f64() * 1e3
}
