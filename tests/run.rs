//! Pull mode: when `rheed_run` returns, everything is in sealed chunks; and it can be ended from outside at any time.

mod support;

use rheed_stream::abi::calls::rheed_free;
use rheed_stream::codes::{Code, NO_FRAME_ID, Stat};
use std::sync::Arc;
use support::Workshop;
use support::host::{OK, Stream};
use support::spool::{files, only_stream, options, with};
use support::waiter::Waiter;

#[test]
fn when_a_run_returns_every_frame_is_in_a_sealed_chunk_and_only_the_last_is_short() {
    // Often, since the last frame and the end of the run meet in the encoder.
    for _ in 0..60 {
        let workshop = Workshop::new();
        let stream = Stream::open(&with(options(&workshop), &["fps=10", "pace=off"]));
        let mut expected = 0;
        let answer = stream.run(|index| {
            assert_eq!(index, expected);
            expected += 1;
            assert_eq!(stream.push_shade(index as u8, index, 0), OK);
            i32::from(index < 46)
        });
        assert_eq!(answer, OK);
        let folder = only_stream(&workshop.spool());
        let names: Vec<String> =
            files(&folder, ".shard").iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["c0000000000-20.shard", "c0000000001-20.shard", "c0000000002-7.shard"]);
        assert_eq!(files(&folder, ".part"), [] as [std::path::PathBuf; 0]);
        assert_eq!(stream.finalize(-1), OK);
    }
}

/// A run that waits for its second frame time, 1000 seconds away.
fn waiting_run(workshop: &Workshop) -> (Arc<Stream>, Waiter<i32>) {
    let stream = Arc::new(Stream::open(&with(options(workshop), &["fps=0.001"])));
    let running = stream.clone();
    let run = Waiter::start("rheed_run", move || running.run(|index| running.push_shade(1, index, 0) + 1));
    stream.wait_until("the first frame", |stream| stream.stat(Stat::FramesAccepted) == 1);
    assert!(run.is_waiting());
    (stream, run)
}

#[test]
fn finalize_abort_and_free_end_a_run_that_waits_for_its_next_frame() {
    let workshop = Workshop::new();
    let (stream, run) = waiting_run(&workshop);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(run.answer(), Code::EClosed as i32);
    assert_eq!(stream.stat(Stat::ChunksSealed), 1);

    let workshop = Workshop::new();
    let (stream, run) = waiting_run(&workshop);
    assert_eq!(stream.abort(), OK);
    assert_eq!(run.answer(), Code::EAborted as i32);

    let workshop = Workshop::new();
    let (stream, run) = waiting_run(&workshop);
    assert_eq!(rheed_free(stream.0), OK);
    assert_eq!(run.answer(), Code::EClosed as i32);
}

#[test]
fn while_a_stream_is_run_nobody_else_gives_it_frames() {
    let workshop = Workshop::new();
    let (stream, run) = waiting_run(&workshop);
    const REFUSED: i32 = Code::EArgument as i32;
    assert_eq!(stream.push_shade(2, NO_FRAME_ID, 0), REFUSED);
    assert_eq!(stream.push_chunk(0, &[0; 512], 1, 0), REFUSED);
    assert_eq!(stream.run(|_| 0), REFUSED);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(run.answer(), Code::EClosed as i32);
    assert_eq!(stream.stat(Stat::FramesAccepted), 1);
    assert_eq!(stream.stat(Stat::FramesRejected), 2);
}

#[test]
fn a_source_waits_for_room_instead_of_being_refused() {
    let workshop = Workshop::new();
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "pace=off", "queue_bytes=1048576"]));
    let frame = support::frames::numbered(1, 600 * 600);
    let answer = stream.run(|index| {
        assert_eq!(stream.push(&frame, 600, 600, index, 0), OK);
        i32::from(index < 39)
    });
    assert_eq!(answer, OK);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesDropped)), (40, 0));
    assert_eq!(stream.finalize(-1), OK);
}
