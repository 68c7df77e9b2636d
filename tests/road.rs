//! The road of a frame, end to end in one process: pushed through the C functions, kept by the ingest service.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Event, Stat, State, Text};
use support::host::{FRAME_BYTES, OK, Stream};
use support::spool::with;
use support::{Workshop, service};

#[test]
fn every_frame_arrives_bit_for_bit_and_in_order() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    stream.push_counted(0, 50);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::State), State::Finalized as i64);
    assert_eq!(stream.stat(Stat::FramesConfirmed), 50);
    stream.wait_for(Event::Finalized);
    let kept = service::only_stream(&service);
    let expected: Vec<u8> = (0..50u8).flat_map(|shade| [shade; FRAME_BYTES]).collect();
    assert!(service::pixels(&kept) == expected);
    assert_eq!(stream.text(Text::DataId), kept.data_id);
}
