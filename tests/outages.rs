//! A service that is not there, goes away or keeps silent: no obstacle to taking frames, and all of them arrive.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Health, Stat, State, Text};
use std::net::TcpListener;
use support::Workshop;
use support::host::{OK, Stream, Told};
use support::service;
use support::spool::with;

#[test]
fn an_outage_in_mid_stream_is_told_once_and_costs_no_frame() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    stream.push_counted(0, 20);
    assert_eq!(stream.flush(-1), OK);
    service.stop();
    stream.push_counted(20, 20);
    let mut told = until(&stream, Event::Offline);
    assert_eq!(told.last().map(|event| event.value), Some(1)); // The one chunk that waits.
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::Health)), (State::Offline as i64, Health::Look as i64));
    stream.push_counted(40, 60);
    stream.wait_until("all is in the spool", |stream| stream.stat(Stat::ChunksSealed) == 5);
    assert_eq!((stream.stat(Stat::FramesPending), stream.stat(Stat::FramesDropped)), (80, 0));
    // It tries again and again: somebody else has the port for a while, and hangs up.
    let stranger = TcpListener::bind(service::address(&service)).expect("the port is free");
    for _ in 0..2 {
        drop(stranger.accept().expect("it tries again"));
    }
    drop(stranger);

    let service = service::start_again(&service, &workshop, "");
    assert_eq!(stream.flush(-1), OK);
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::Health)), (State::Streaming as i64, Health::Good as i64));
    assert_eq!(stream.finalize(-1), OK);
    told.extend(stream.events());
    let order: Vec<i32> = told.iter().map(|event| event.kind).filter(|kind| *kind != Event::ChunkConfirmed as i32).collect();
    let expected = [Event::Connected, Event::Offline, Event::Connected, Event::Finalized].map(|kind| kind as i32);
    assert_eq!(order, expected, "{told:#?}");
    let confirmed: Vec<i64> =
        told.iter().filter(|event| event.kind == Event::ChunkConfirmed as i32).map(|event| event.value).collect();
    assert_eq!(confirmed.len(), 5, "{told:#?}");
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(100));
}

#[test]
fn a_service_that_is_not_there_is_no_obstacle_and_gets_all_when_it_comes() {
    let workshop = Workshop::new();
    let stopped = service::start(&workshop);
    stopped.stop();
    let (stream, remark) =
        Stream::try_open(&with(service::options(&stopped, &workshop), &["fps=10"])).expect("no network is no obstacle");
    assert!(remark.contains("cannot be reached") && remark.contains("spool"), "{remark}");
    assert_eq!(stream.stat(Stat::State), State::Offline as i64);
    assert_eq!(stream.wait_for(Event::Offline).value, 0);
    assert_eq!(stream.text(Text::DataId), "");
    assert!(stream.text(Text::LastError).contains("cannot be reached"));
    stream.push_counted(0, 45);

    let service = service::start_again(&stopped, &workshop, "");
    stream.wait_for(Event::Connected);
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!(stream.text(Text::DataId), kept.data_id);
    assert!(service::pixels(&kept) == service::counted(45));
}

#[test]
fn a_service_that_accepts_and_never_answers_does_not_keep_init_longer_than_it_was_told() {
    let workshop = Workshop::new();
    // Nobody takes its connections: they wait in the listener's queue.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let endpoint = format!("endpoint=http://{}", silent.local_addr().expect("its port"));
    let spool = format!("spool_dir={}", workshop.spool().display());
    let options = [&endpoint, &spool, "fps=10", "api_key=k", "connect_timeout_ms=100", "log_file=none"].map(String::from);
    let (stream, remark) = Stream::try_open(&options).expect("no answer is no obstacle");
    assert!(remark.contains("has not answered within 100 ms"), "{remark}");
    assert_eq!(stream.stat(Stat::State), State::Offline as i64);
    stream.wait_for(Event::Offline);
    stream.push_counted(0, 25);
    assert_eq!(stream.flush(0), Code::WPending as i32);
    assert_eq!(stream.abort(), OK);
}

#[test]
fn a_stream_that_never_had_a_frame_nor_a_service_is_finalized_and_never_created() {
    let workshop = Workshop::new();
    let stopped = service::start(&workshop);
    stopped.stop();
    let stream = Stream::open(&with(service::options(&stopped, &workshop), &["fps=10"]));
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.stat(Stat::State), State::Finalized as i64);
    assert_eq!(workshop.spool().join("streams").read_dir().expect("the spool is there").count(), 0);
}

#[test]
fn a_finalize_that_runs_out_of_time_goes_on_until_the_service_is_back() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    service.stop();
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(50), Code::WPending as i32);
    assert_eq!(stream.stat(Stat::State), State::Finalizing as i64);
    let service = service::start_again(&service, &workshop, "");
    assert_eq!(stream.finalize(-1), OK);
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(25));
}

/// Every event up to the next one of a kind, this one too.
#[track_caller]
fn until(stream: &Stream, kind: Event) -> Vec<Told> {
    let mut told = Vec::new();
    while told.last().is_none_or(|event: &Told| event.kind != kind as i32) {
        let event = stream.next_event(support::HANGS_AFTER.as_millis() as i32).expect("events can be taken");
        told.push(event.unwrap_or_else(|| panic!("no event {kind:?} among {told:#?}")));
    }
    told
}
