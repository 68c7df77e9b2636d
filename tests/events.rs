//! Events that no other test waits for, each with the value that the header says.
//!
//! Elsewhere: RateOff and StampsOdd in `clock`, Offline, Connected and ChunkConfirmed in `outages`, Refused in `wire`,
//! ChunkSetAside and Finalized in `retries`, FramesMissed in `c/events.c`.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Stat};
use support::Workshop;
use support::host::{OK, Stream};
use support::spool::with;

/// A side of frames that do not fit twice into the smallest queue, or often into the smallest spool.
const SIDE: u32 = 724;
const NO_ID: u64 = u64::MAX;

fn spooling(workshop: &Workshop, more: &[&str]) -> Vec<String> {
    let spool = format!("spool_dir={}", workshop.spool().display());
    with(vec![spool], &[&["endpoint=none", "fps=10", "log_file=none"], more].concat())
}

/// A frame that cannot be compressed.
fn noise() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..)).take((SIDE * SIDE) as usize).collect()
}

/// Pushes noise until a push answers that code; tells how many were taken before.
#[track_caller]
fn push_until(stream: &Stream, code: Code) -> i64 {
    let noise = noise();
    for taken in 0..100_000 {
        match stream.push(&noise, SIDE, SIDE, NO_ID, 0) {
            OK => {}
            other => {
                assert_eq!(other, code as i32);
                return taken;
            }
        }
    }
    panic!("no push answers {code:?}");
}

#[test]
fn a_full_queue_is_told_when_the_burst_begins() {
    let workshop = Workshop::new();
    let stream = Stream::open(&spooling(&workshop, &["queue_bytes=1 MiB"]));
    push_until(&stream, Code::EQueueFull);
    assert_eq!(stream.wait_for(Event::QueueFull).value, 1);
    assert_eq!(stream.stat(Stat::FramesDropped), 1);
    assert_eq!(stream.abort(), OK);
}

#[test]
fn a_spool_that_is_nearly_full_is_told_with_the_seconds_that_are_left() {
    let workshop = Workshop::new();
    let stream = Stream::open(&spooling(&workshop, &["spool_max_bytes=4 MiB", "when_full=block"]));
    // With the first frame it is known that 5 MB a second go to the spool: what is left does not last a second.
    assert_eq!(stream.push(&noise(), SIDE, SIDE, NO_ID, 0), OK);
    assert_eq!(stream.wait_for(Event::DiskLow).value, 0);
    let taken = 1 + push_until(&stream, Code::EDiskFull);
    assert_eq!((stream.stat(Stat::FramesAccepted), stream.stat(Stat::FramesDropped)), (taken, 1));
    assert_eq!(stream.finalize(-1), OK);
    // Told once as low, and once as full.
    let more: Vec<_> = stream.events().into_iter().filter(|event| event.kind == Event::DiskLow as i32).collect();
    assert!(matches!(&more[..], [full] if full.value == 0 && full.text.contains("refused")), "{more:?}");
}

#[test]
fn frames_that_the_disk_would_not_take_are_told_as_lost_with_their_number() {
    let workshop = Workshop::new();
    let stream = Stream::open(&spooling(&workshop, &[]));
    // The stream's folder goes away under it, and a file lies where it could be made again: no chunk can be opened.
    let streams = workshop.spool().join("streams");
    std::fs::remove_dir_all(&streams).expect("the folder can be removed");
    std::fs::write(&streams, "").expect("a file can be written");
    stream.push_counted(0, 1);
    stream.wait_for(Event::DiskLow);
    assert_eq!(stream.abort(), OK);
    stream.wait_until("the frame is lost", |stream| stream.stat(Stat::FramesLost) == 1);
    let told = stream.wait_for(Event::FramesLost);
    assert_eq!(told.value, 1);
    assert!(told.text.contains("the spool could not be written"), "{told:?}");
}

#[test]
fn what_an_earlier_life_left_is_told_with_its_frames() {
    let workshop = Workshop::new();
    let options = spooling(&workshop, &[]);
    let stream = Stream::open(&options);
    stream.push_counted(0, 25);
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.abort(), OK);
    let resumed = Stream::resume(&options);
    assert_eq!(resumed.wait_for(Event::TakenUp).value, 25);
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(resumed.wait_for(Event::Finalized).value, 0);
}
