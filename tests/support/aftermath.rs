//! What is found when hosts have ended: at the service, and in the spool.

use super::Workshop;
use super::frames::numbers;
use super::host::{OK, Stream};
use super::service;
use super::spool::streams;
use rheed_stream::receiver::{Receiver, StreamRecord};
use std::path::PathBuf;

/// What is left in the spool is sent: the morning after, by the library of this machine.
#[track_caller]
pub fn resume(service: &Receiver, workshop: &Workshop) {
    let resumed = Stream::resume(&service::options(service, workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(streams(&workshop.spool()), [] as [PathBuf; 0]);
}

/// How many frames of each stream have come: whole, in order, each once. Sorted.
#[track_caller]
pub fn arrived(service: &Receiver, frame_bytes: usize) -> Vec<u64> {
    let mut counts: Vec<u64> = service.streams().iter().map(|stream| frames_in_order(stream, frame_bytes)).collect();
    counts.sort_unstable();
    counts
}

/// How many streams of a name have brought so many frames, or more.
pub fn streams_that_brought(service: &Receiver, name: &str, frames: u64) -> u64 {
    service.streams().iter().filter(|stream| stream.name == name && stream.frames() >= frames).count() as u64
}

/// A stream is ended, and its frames are the first so many.
#[track_caller]
pub fn frames_in_order(stream: &StreamRecord, frame_bytes: usize) -> u64 {
    assert!(stream.ended, "{stream:?}");
    let found = numbers(&service::pixels(stream), frame_bytes);
    assert!(found.iter().copied().eq(0..found.len() as u64), "{found:?}");
    found.len() as u64
}
