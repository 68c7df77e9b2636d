//! Frames that are pushed: every pixel of every format arrives, from any number of threads, and what cannot be taken is counted.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::rheed_push;
use rheed_stream::codes::{Code, Event, Format, FrameFlag, NO_FRAME_ID, Stat, Text};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use support::formats::{Stored, TAKEN};
use support::frames::{numbered, numbers};
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::spool::{only_stream, options as spool_options, with};
use support::stalled_disk::StalledDisk;
use support::waiter::Waiter;
use support::{Workshop, service};

const QUEUE_FULL: i32 = Code::EQueueFull as i32;

#[test]
fn pixels_of_every_format_arrive_with_eight_bits_whatever_the_stride() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let (width, height, padding) = (33, 7, 10);
    let (low, mono16) = ("significant_bits_at=low", Format::Mono16 as u32);
    let others = [(mono16, 12, low), (mono16, 12, "significant_bits_at=high")];
    for (format, significant_bits, at) in TAKEN.map(|stored| (stored.code, 16, low)).into_iter().chain(others) {
        // Of bits at the high end, the 8 highest of the word are kept.
        let stored = Stored::of(format, if at == low { significant_bits } else { 16 }).expect("it is taken");
        let bits = format!("significant_bits={significant_bits}");
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", &bits, at]));
        let mut expected = Vec::new();
        for _ in 0..3 {
            // What lies between the rows is no picture; the last row comes without its padding.
            let (row, stride) = (stored.row_bytes(width), stored.row_bytes(width) + padding);
            let memory: Vec<u8> = (0..stride * (height - 1) + row).map(|_| fastrand::u8(..)).collect();
            expected.extend(stored.kept_of_frame(&memory, width, height, stride));
            let (size, pixels) = (memory.len() as u64, memory.as_ptr().cast());
            let (width, height, stride) = (width as u32, height as u32, stride as u32);
            assert_eq!(rheed_push(stream.0, pixels, size, width, height, stride, format, NO_FRAME_ID, 0, 0), OK, "{stored:x?}");
        }
        assert_eq!(stream.finalize(-1), OK);
        let data_id = stream.text(Text::DataId);
        let kept = service.streams().into_iter().find(|kept| kept.data_id == data_id).expect("the stream is kept");
        assert!(service::pixels(&kept) == expected, "{stored:x?}");
    }
}

#[test]
fn a_new_frame_size_closes_the_chunk_and_opens_the_next_array() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    let mut expected = Vec::new();
    for (frames, width, height) in [(5, 32, 16), (3, 48, 8), (1, 8, 48), (22, 32, 16)] {
        for _ in 0..frames {
            let frame = numbered(expected.len() as u64, (width * height) as usize);
            assert_eq!(stream.push(&frame, width, height, NO_FRAME_ID, 0), OK);
            expected.extend(frame);
        }
    }
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    let chunks: Vec<_> =
        kept.chunks.iter().map(|chunk| (chunk.index, chunk.array.as_str(), chunk.frames, chunk.width, chunk.height)).collect();
    assert_eq!(
        chunks,
        [
            (0, "frames", 5, 32, 16),
            (1, "frames_1", 3, 48, 8),
            (2, "frames_2", 1, 8, 48),
            (3, "frames_3", 20, 32, 16),
            (4, "frames_3", 2, 32, 16)
        ]
    );
    assert!(service::pixels(&kept) == expected);
}

#[test]
fn dark_frames_are_frames() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    for _ in 0..25 {
        assert_eq!(stream.push_shade(0, NO_FRAME_ID, 0), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!(kept.frames(), 25);
    assert!(kept.chunks.iter().all(|chunk| chunk.empty_frames == 0), "{:?}", kept.chunks);
    assert!(service::pixels(&kept) == vec![0; 25 * FRAME_BYTES]);
}

#[test]
fn frames_of_many_threads_arrive_whole_once_and_each_threads_in_its_order() {
    const THREADS: u64 = 6;
    const EACH: u64 = 250;
    const SIDE: u32 = 128;
    let frame_bytes = (SIDE * SIDE) as usize;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "queue_bytes=1048576"]));
    let (offered, taken, over) = (AtomicI64::new(0), AtomicI64::new(0), AtomicBool::new(false));
    let refused: i64 = std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (stream, offered, taken) = (&stream, &offered, &taken);
                scope.spawn(move || {
                    let mut refused = 0;
                    for number in 0..EACH {
                        let frame = numbered(thread << 32 | number, frame_bytes);
                        offered.fetch_add(1, Ordering::SeqCst);
                        loop {
                            match stream.push(&frame, SIDE, SIDE, NO_FRAME_ID, 0) {
                                OK => break,
                                QUEUE_FULL => refused += 1,
                                code => panic!("rheed_push answers {code}"),
                            }
                        }
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                    refused
                })
            })
            .collect();
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let least = taken.load(Ordering::SeqCst);
                let values = stream.stats();
                let most = offered.load(Ordering::SeqCst);
                let of = |stat: Stat| values[stat as usize];
                let accepted = of(Stat::FramesAccepted);
                assert!((least..=most).contains(&accepted), "{accepted} accepted, {least} to {most} were given");
                assert!(of(Stat::FramesPending) >= 0 && of(Stat::QueueFrames) <= 64, "{values:?}");
            }
        });
        let refused = pushers.into_iter().map(|pusher| pusher.join().expect("a pusher ends")).sum();
        assert_eq!(stream.finalize(-1), OK);
        over.store(true, Ordering::SeqCst);
        refused
    });
    let values = stream.stats();
    assert_eq!(values[Stat::FramesConfirmed as usize], (THREADS * EACH) as i64);
    assert_eq!(values[Stat::FramesPending as usize], 0);
    assert_eq!(values[Stat::FramesDropped as usize], refused);

    let mut by_thread: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for number in numbers(&service::pixels(&service::only_stream(&service)), frame_bytes) {
        by_thread.entry(number >> 32).or_default().push(number & 0xFFFF_FFFF);
    }
    assert_eq!(by_thread.len() as u64, THREADS);
    assert!(by_thread.values().all(|numbers| numbers.iter().copied().eq(0..EACH)), "{by_thread:?}");
}

/// A frame of which two fit the smallest queue, and of which no pipe swallows one.
const LARGE_SIDE: u32 = 700;
const LARGE: usize = (LARGE_SIDE * LARGE_SIDE) as usize;

fn push_large(stream: &Stream, id: u64) -> i32 {
    stream.push(&numbered(id, LARGE), LARGE_SIDE, LARGE_SIDE, id, 0)
}

/// The disk stalls, so that two frames are taken and the next three refused; then it goes on, and all is written.
fn burst(stream: &Stream, workshop: &Workshop, chunk: u64, first_id: u64) {
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), chunk);
    for (id, expected) in (first_id..).zip([OK, OK, QUEUE_FULL, QUEUE_FULL, QUEUE_FULL]) {
        assert_eq!(push_large(stream, id), expected, "frame {id}");
    }
    let flowing = stalled.flow();
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.push(&[1], 1, 1, first_id + 5, 0), OK, "another size closes the chunk");
    assert_eq!(stream.flush(-1), OK);
    drop(flowing);
}

#[test]
fn a_full_queue_refuses_and_counts_tells_once_a_burst_and_notes_the_refused_frames_ids() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576"]));
    let told = || stream.events().into_iter().filter(|told| told.kind == Event::QueueFull as i32).collect::<Vec<_>>();
    burst(&stream, &workshop, 0, 0);
    let first = told();
    assert_eq!(first.iter().map(|told| told.value).collect::<Vec<_>>(), [1]);
    // The next burst is told when the encoder found its queue empty in between: it looks right after its last frame.
    let again = (1..1000).find_map(|turn| {
        burst(&stream, &workshop, 2 * turn, 6 * turn);
        let told = told();
        assert!(told.len() <= 1, "{told:?}");
        told.first().map(|told| (turn, told.value))
    });
    let (turn, so_far) = again.expect("the next burst is told too");
    assert_eq!(so_far, 3 * turn as i64 + 1);
    assert_eq!(stream.stat(Stat::FramesDropped), 3 * (turn as i64 + 1));
    assert_eq!(stream.stat(Stat::FramesAccepted), 3 * (turn as i64 + 1));
    assert_eq!(stream.stat(Stat::FramesMissed), 0, "the camera has lost none of those that were refused");
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn with_when_full_block_a_push_waits_for_a_slot_and_nothing_is_refused() {
    let workshop = Workshop::new();
    let options = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "when_full=block"]);
    let stream = Arc::new(Stream::open(&options));
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    assert_eq!([push_large(&stream, 0), push_large(&stream, 1)], [OK, OK]);
    let waiters: Vec<_> = (2..5)
        .map(|id| {
            let stream = stream.clone();
            Waiter::start("a push without a slot", move || push_large(&stream, id))
        })
        .collect();
    assert!(waiters.iter().all(Waiter::is_waiting));
    assert_eq!(stream.stat(Stat::FramesAccepted), 2);
    let flowing = stalled.flow();
    for waiter in waiters {
        assert_eq!(waiter.answer(), OK);
    }
    assert_eq!(stream.finalize(-1), OK);
    drop(flowing);
    assert_eq!(stream.stat(Stat::FramesAccepted), 5);
    assert_eq!(stream.stat(Stat::FramesDropped), 0);
    assert_eq!(stream.stat(Stat::FramesLost), 0);
}

#[test]
fn a_frame_that_no_queue_could_hold_is_rejected_and_the_next_is_taken() {
    let workshop = Workshop::new();
    let options = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "frame_bytes=1048576"]);
    let stream = Stream::open(&options);
    assert_eq!(stream.push(&vec![7; 1024 * 1025], 1025, 1024, 0, 0), Code::EArgument as i32);
    assert!(stream.text(Text::LastError).contains("queue_bytes"), "{}", stream.text(Text::LastError));
    assert_eq!(stream.push(&vec![7; 1024 * 1024], 1024, 1024, 0, 0), OK);
    assert_eq!(stream.stat(Stat::FramesRejected), 1);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::FramesAccepted), 1);
}

#[test]
fn a_counter_that_wraps_or_begins_anew_misses_nothing_and_gaps_are_counted() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(spool_options(&workshop), &["fps=10"]));
    for (id, missed) in [(65_534, 0), (65_535, 0), (1, 0), (2, 0), (6, 3), (0, 3), (1, 3), (2, 3), (NO_FRAME_ID, 3), (4, 4)] {
        assert_eq!(stream.push_shade(1, id, 0), OK);
        assert_eq!(stream.stat(Stat::FramesMissed), missed, "after id {id}");
    }
    // The first gap is told at once, the others together when the chunk is sealed.
    let told = || {
        let missed = stream.events().into_iter().filter(|told| told.kind == Event::FramesMissed as i32);
        missed.map(|told| told.value).collect::<Vec<i64>>()
    };
    assert_eq!(told(), [3]);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(told(), [1]);
}

#[test]
fn large_frames_that_wait_and_are_compressed_several_at_a_time_arrive_whole_and_in_their_order() {
    const SIDE: u32 = 384;
    let frame_bytes = (SIDE * SIDE) as usize;
    for level in ["1", "auto"] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let options = ["fps=1", "chunk_size=7", "when_full=block", "queue_bytes=4MiB", &format!("compression_level={level}")];
        let stream = Stream::open(&with(service::options(&service, &workshop), &options));
        // A frame of another size among them closes a chunk.
        for number in 0..40 {
            let side = if number == 20 { SIDE / 2 } else { SIDE };
            assert_eq!(stream.push(&numbered(number, (side * side) as usize), side, side, number, 0), OK);
        }
        assert_eq!(stream.finalize(-1), OK);
        let pixels = service::pixels(&service::only_stream(&service));
        let (before, rest) = pixels.split_at(20 * frame_bytes);
        let (small, after) = rest.split_at(frame_bytes / 4);
        assert!(
            numbers(before, frame_bytes).into_iter().eq(0..20) && numbers(after, frame_bytes).into_iter().eq(21..40),
            "{level}"
        );
        assert_eq!(numbers(small, frame_bytes / 4), [20]);
    }
}

#[test]
fn an_incomplete_frame_is_taken_as_it_is_and_counted() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    let frame = numbered(0, FRAME_BYTES);
    let flagged = |flags: u32| {
        let (size, pixels) = (frame.len() as u64, frame.as_ptr().cast());
        rheed_push(stream.0, pixels, size, WIDTH, HEIGHT, 0, 0, NO_FRAME_ID, 0, flags)
    };
    assert_eq!(flagged(FrameFlag::Incomplete as u32), OK);
    assert_eq!(flagged(2), Code::EArgument as i32, "a flag that is none");
    assert_eq!(stream.stat(Stat::FramesIncomplete), 1);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(numbers(&service::pixels(&service::only_stream(&service)), FRAME_BYTES), [0]);
}

#[test]
fn a_frame_of_a_new_size_is_refused_and_not_lost_when_the_queue_is_full_of_small_ones() {
    let workshop = Workshop::new();
    let options = with(spool_options(&workshop), &["fps=10", "queue_bytes=1048576", "chunk_size=100000"]);
    let stream = Stream::open(&options);
    let stalled = StalledDisk::under_chunk(&only_stream(&workshop.spool()), 0);
    let mut taken = (0..).take_while(|id| stream.push(&numbered(*id, 64), 8, 8, *id, 0) == OK).count() as i64;
    assert!(taken > 4096, "{taken}");
    for id in 0..16 {
        match stream.push(&numbered(id, 256 * 256), 256, 256, NO_FRAME_ID, 0) {
            OK => taken += 1,
            code => assert_eq!(code, QUEUE_FULL),
        }
    }
    let _flowing = stalled.flow();
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesLost)), (taken, 0));
    assert_eq!(stream.stat(Stat::QueueFrames), 0);
}
