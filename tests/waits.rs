//! Calls that wait: for exactly what they say, and no longer than the stream lives.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::rheed_free;
use rheed_stream::codes::{Code, Stat, State};
use std::sync::Arc;
use support::host::{OK, PENDING, Stream};
use support::spool::with;
use support::waiter::Waiter;
use support::waiting::{FRAMES, Waiting, events_to_the_end};
use support::{HANGS_AFTER, Workshop, service};

const ABORTED: i32 = Code::EAborted as i32;
const CLOSED: i32 = Code::EClosed as i32;

#[test]
fn a_flush_waits_for_the_chunks_that_were_sealed_before_it_and_for_no_other() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Arc::new(Stream::open(&with(service::options(&service, &workshop), &["fps=10"])));
    stream.push_counted(0, 25);
    assert_eq!(stream.flush(-1), OK, "the open chunk is not waited for");
    assert_eq!(stream.stat(Stat::FramesConfirmed), 20);

    service.set_faults("presign:chunk=1,status=503\npresign:chunk=2,status=503").expect("rules");
    stream.push_counted(25, 15);
    assert_eq!(stream.flush(0), PENDING);
    let flushing = stream.clone();
    let flush = Waiter::start("rheed_flush", move || flushing.flush(-1));
    assert!(flush.is_waiting());
    stream.push_counted(40, 20);
    stream.wait_until("chunk 2 is sealed", |stream| stream.stat(Stat::ChunksSealed) == 3);
    service.set_faults("presign:chunk=2,status=503").expect("a rule");
    assert_eq!(flush.answer(), OK);
    assert_eq!(stream.stat(Stat::FramesConfirmed), 40);
    assert_eq!(stream.flush(1), PENDING);
    service.set_faults("").expect("no rules");
    assert_eq!(stream.flush(-1), OK);
    assert_eq!(stream.stat(Stat::FramesConfirmed), 60);
    assert_eq!(stream.stat(Stat::State), State::Streaming as i64);
}

#[test]
fn a_finalize_that_is_out_of_time_goes_on_and_a_second_one_waits_for_the_rest() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=503").expect("a rule");
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    stream.push_counted(0, 47);
    assert_eq!([stream.finalize(0), stream.finalize(1)], [PENDING; 2]);
    assert_eq!(stream.push_shade(1, 99, 0), CLOSED);
    assert_eq!(stream.stat(Stat::State), State::Finalizing as i64);
    service.set_faults("").expect("no rules");
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(service::only_stream(&service).frames(), 47);
    assert_eq!([stream.finalize(-1), stream.finalize(0), stream.flush(-1)], [OK; 3], "again, and nothing is left to wait for");
}

#[test]
fn abort_frees_every_call_that_waits() {
    let waiting = Waiting::begin();
    for stream in &waiting.streams {
        assert_eq!(stream.abort(), OK);
    }
    let Waiting { flush, finalize, next_event, push, run, stalled, streams, .. } = waiting;
    for waiter in [flush, finalize, next_event, push, run] {
        let what = waiter.what().to_string();
        assert_eq!(waiter.answer(), ABORTED, "{what}");
    }
    let _flowing = stalled.flow();
    for stream in &streams {
        assert_eq!(stream.stat(Stat::State), State::Aborted as i64);
        assert_eq!([stream.flush(-1), stream.finalize(-1), stream.push_shade(1, 1, 0)], [ABORTED; 3]);
        assert_eq!(events_to_the_end(stream), ABORTED);
    }
    assert_eq!(streams[0].stat(Stat::FramesPending), FRAMES);
}

#[test]
fn free_frees_every_call_that_waits_and_what_was_taken_goes_on() {
    let waiting = Waiting::begin();
    let numbers = [0, 1, 2].map(|index| waiting.streams[index].0);
    for number in numbers {
        assert_eq!(rheed_free(number), OK);
    }
    waiting.service.set_faults("").expect("no rules");
    assert!(waiting.service.wait_until(HANGS_AFTER, |service| service.streams()[0].ended));
    assert_eq!(service::only_stream(&waiting.service).frames() as i64, FRAMES);
    let Waiting { flush, finalize, next_event, push, run, stalled, .. } = waiting;
    let _flowing = stalled.flow();
    for (waiter, expected) in [(flush, PENDING), (finalize, PENDING), (next_event, OK), (push, CLOSED), (run, CLOSED)] {
        let what = waiter.what().to_string();
        let answer = waiter.answer();
        // Whoever asks again learns that the handle is gone.
        assert!(answer == expected || answer == Code::EHandle as i32 && what == "rheed_next_event", "{what}: {answer}");
    }
    assert_eq!(rheed_free(numbers[0]), Code::EHandle as i32);
}

#[test]
fn a_resume_is_freed_by_abort_and_keeps_what_it_had_taken_up() {
    let waiting = Waiting::begin();
    waiting.streams[0].abort();
    let workshop = &waiting.workshop;
    let resumed = Arc::new(Stream::resume(&service::options(&waiting.service, workshop)));
    resumed.wait_until("the stream is taken up", |resumed| resumed.stat(Stat::FramesAccepted) >= FRAMES);
    assert_eq!(waiting.shards(), 2);
    let (flushing, pulling) = (resumed.clone(), resumed.clone());
    let flush = Waiter::start("rheed_flush", move || flushing.flush(-1));
    let events = Waiter::start("rheed_next_event", move || events_to_the_end(&pulling));
    assert!(flush.is_waiting());
    assert_eq!(resumed.flush(0), PENDING);
    assert_eq!(resumed.abort(), OK);
    assert_eq!([flush.answer(), events.answer()], [ABORTED; 2]);
    assert_eq!(resumed.stat(Stat::State), State::Aborted as i64);
    assert_eq!(waiting.shards(), 2);
    for stream in &waiting.streams {
        stream.abort();
    }
    let _flowing = waiting.stalled.flow();
}
