//! Whole chunks under the caller's own indexes: in any order, from several threads, each once.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::{rheed_free, rheed_push_chunk};
use rheed_stream::codes::{Code, Stat, Text};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;
use support::formats::TAKEN;
use support::frames::{numbered, numbers};
use support::host::{FRAME_BYTES, HEIGHT, OK, Stream, WIDTH};
use support::spool::{files, only_stream, options, with};
use support::stalled_disk::{Flowing, StalledDisk};
use support::waiter::Waiter;
use support::{Workshop, service};

const ARGUMENT: i32 = Code::EArgument as i32;
const CHUNK: u64 = 20;

/// The frames of a chunk: numbered as if the chunks came in order.
fn chunk(index: u64, frames: u64) -> Vec<u8> {
    (index * CHUNK..index * CHUNK + frames).flat_map(|number| numbered(number, FRAME_BYTES)).collect()
}

#[test]
fn chunks_given_from_many_threads_in_any_order_lie_in_the_order_of_their_indexes() {
    const CHUNKS: u64 = 40;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    let mut order: Vec<u64> = (0..CHUNKS).collect();
    fastrand::shuffle(&mut order);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    // The last one is short.
                    let frames = if *index == CHUNKS - 1 { 7 } else { CHUNK };
                    assert_eq!(stream.push_chunk(*index, &chunk(*index, frames), frames as u32, 0), OK);
                    assert_eq!(stream.push_chunk(*index, &chunk(*index, frames), frames as u32, 0), ARGUMENT, "it comes once");
                }
            });
        }
    });
    let frames = (CHUNKS - 1) * CHUNK + 7;
    assert_eq!(stream.stat(Stat::FramesAccepted), frames as i64, "current when the calls return");
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert!(numbers(&service::pixels(&kept), FRAME_BYTES).into_iter().eq(0..frames));
    assert_eq!(stream.stat(Stat::FramesConfirmed), frames as i64);
    assert_eq!(stream.stat(Stat::FramesRejected), frames as i64);
}

#[test]
fn one_index_given_by_many_threads_at_once_is_taken_from_one_of_them() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10"]));
    for index in 0..20 {
        let frames = chunk(index, CHUNK);
        let taken: usize = std::thread::scope(|scope| {
            let givers: Vec<_> = (0..4).map(|_| scope.spawn(|| stream.push_chunk(index, &frames, CHUNK as u32, 0))).collect();
            givers.into_iter().map(|giver| giver.join().expect("it ends")).filter(|code| *code == OK).count()
        });
        assert_eq!(taken, 1, "chunk {index}");
    }
    assert_eq!(files(&only_stream(&workshop.spool()), ".shard").len(), 20);
    assert_eq!(files(&only_stream(&workshop.spool()), ".part").len(), 0);
}

#[test]
fn chunks_of_every_format_keep_eight_bits_of_each_pixel_and_the_start_that_is_given() {
    const ODD: u32 = WIDTH + 1;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=1", "chunk_size=3"]));
    let start_ms = 1_700_000_000_123;
    let mut expected = Vec::new();
    for (index, stored) in (0..).zip(TAKEN) {
        let (width, rows, stride) = (ODD as usize, 3 * HEIGHT as usize, stored.row_bytes(ODD as usize));
        let memory: Vec<u8> = (0..rows * stride).map(|_| fastrand::u8(..)).collect();
        expected.extend(stored.kept_of_frame(&memory, width, rows, stride));
        let give = |size| {
            let start_ns = (start_ms + 3000 * index as i64) * 1_000_000;
            rheed_push_chunk(stream.0, index, memory.as_ptr().cast(), size, 3, ODD, HEIGHT, stored.code, start_ns)
        };
        assert_eq!(give(memory.len() as u64 - 1), ARGUMENT, "{stored:x?}: a byte is missing");
        assert_eq!(give(memory.len() as u64), OK, "{stored:x?}");
    }
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert!(service::pixels(&kept) == expected);
    for (index, chunk) in kept.chunks.iter().enumerate() {
        let start_ms = start_ms as f64 + 3000.0 * index as f64;
        assert_eq!((chunk.start_unix_ms_utc, chunk.end_unix_ms_utc), (start_ms, start_ms + 3000.0));
    }
}

#[test]
fn a_chunk_without_a_start_has_just_ended() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    let now_ms = || UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs_f64() * 1e3;
    let before = now_ms();
    assert_eq!(stream.push_chunk(0, &chunk(0, CHUNK), CHUNK as u32, 0), OK);
    let after = now_ms();
    assert_eq!(stream.finalize(-1), OK);
    let kept = &service::only_stream(&service).chunks[0];
    assert!((before - 1.0..=after).contains(&kept.end_unix_ms_utc), "{before} {after} {kept:?}");
    assert!((kept.end_unix_ms_utc - kept.start_unix_ms_utc - 2000.0).abs() < 0.01, "{kept:?}");
}

#[test]
fn a_stream_takes_frames_or_chunks_and_a_chunk_no_more_than_chunk_size() {
    let workshop = Workshop::new();
    let chunks = Stream::open(&with(options(&workshop), &["fps=10"]));
    assert_eq!(chunks.push_chunk(0, &chunk(0, 21), 21, 0), ARGUMENT);
    assert!(chunks.text(Text::LastError).contains("chunk_size"), "{}", chunks.text(Text::LastError));
    assert_eq!(chunks.push_chunk(0, &[], 0, 0), ARGUMENT);
    assert_eq!(chunks.push_chunk(0, &chunk(0, CHUNK), CHUNK as u32, 0), OK, "what was refused may come again");
    assert_eq!(chunks.push_shade(1, 1, 0), ARGUMENT);
    assert_eq!(chunks.run(|_| 0), ARGUMENT);
    assert_eq!(chunks.finalize(-1), OK);
    assert_eq!(chunks.stat(Stat::FramesAccepted), 20);

    let frames = Stream::open(&with(options(&workshop), &["fps=10"]));
    assert_eq!(frames.push_shade(1, 1, 0), OK);
    assert_eq!(frames.push_chunk(0, &chunk(0, CHUNK), CHUNK as u32, 0), ARGUMENT);
    assert_eq!(frames.finalize(-1), OK);
    assert_eq!(frames.stat(Stat::FramesAccepted), 1);
}

/// A chunk that is being given, in the middle of its second frame, by a thread that the disk keeps waiting.
fn giving(workshop: &Workshop, more: &[&str]) -> (Arc<Stream>, Waiter<i32>, StalledDisk) {
    let stream = Arc::new(Stream::open(&with(options(workshop), more)));
    let folder = workshop.spool().join("streams").join(stream.text(Text::LocalId));
    let stalled = StalledDisk::under_chunk(&folder, 0);
    let giver = stream.clone();
    let waiter = Waiter::start("rheed_push_chunk", move || {
        let frames = numbered(0, 20 * 250_000);
        let (size, pixels) = (frames.len() as u64, frames.as_ptr().cast());
        rheed_push_chunk(giver.0, 0, pixels, size, 20, 500, 500, 0, 0)
    });
    stalled.holds_a_writer();
    assert!(waiter.is_waiting());
    (stream, waiter, stalled)
}

#[test]
fn a_chunk_that_is_being_given_is_finished_when_the_stream_is_finalized_or_freed() {
    let workshop = Workshop::new();
    let (stream, giver, stalled) = giving(&workshop, &["fps=10"]);
    assert_eq!(stream.finalize(0), Code::WPending as i32);
    assert_eq!(stream.push_chunk(1, &chunk(1, CHUNK), CHUNK as u32, 0), Code::EClosed as i32);
    let _flowing: Flowing = stalled.flow();
    assert_eq!(giver.answer(), OK);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::ChunksSealed)), (20, 1));

    let workshop = Workshop::new();
    let (stream, giver, stalled) = giving(&workshop, &["fps=10"]);
    assert_eq!(rheed_free(stream.0), OK);
    let _flowing: Flowing = stalled.flow();
    assert_eq!(giver.answer(), OK);
    assert_eq!(files(&only_stream(&workshop.spool()), "c0000000000-20.shard").len(), 1);
}

#[test]
fn a_chunk_that_is_being_given_when_the_stream_is_aborted_is_not_taken_and_leaves_nothing() {
    let workshop = Workshop::new();
    let (stream, giver, stalled) = giving(&workshop, &["fps=10"]);
    assert_eq!(stream.abort(), OK);
    let _flowing: Flowing = stalled.flow();
    assert_eq!(giver.answer(), Code::EAborted as i32);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesRejected)), (0, 0));
    let folder = only_stream(&workshop.spool());
    assert_eq!((files(&folder, ".part").len(), files(&folder, ".shard").len()), (0, 0));
}
