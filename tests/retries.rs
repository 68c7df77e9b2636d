//! What goes wrong for a while is tried again until it is right; what is refused for good is set aside, and the rest goes on.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Health, Stat, State, Text};
use rheed_stream::receiver::{Receiver, RequestRecord};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Instant;
use support::host::{FRAME_BYTES, OK, Stream};
use support::spool::with;
use support::{HANGS_AFTER, Workshop, long_run, service, spool};

/// Streams 50 frames to a service that fails as the rule says: all of them arrive, once, and the stream is ended once.
#[track_caller]
fn survives(rule: &str) -> Vec<RequestRecord> {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = rule.into());
    let options = ["fps=10", "request_timeout_ms=1500", "max_workers=2", "stream_name=survivor"];
    let stream = Stream::open(&with(service::options(&service, &workshop), &options));
    stream.push_counted(0, 50);
    assert_eq!(stream.finalize(-1), OK, "{rule}");
    assert!(service.faults_fired().iter().all(|(_, times)| *times > 0), "{:?}", service.faults_fired());
    let kept = service::only_stream(&service);
    assert_eq!((kept.chunks.len(), stream.stat(Stat::FramesConfirmed), stream.stat(Stat::FramesLost)), (3, 50, 0), "{rule}");
    assert!(service::pixels(&kept) == service::counted(50), "{rule}");

    // A URL is used once: whatever went wrong, the next attempt asks for another.
    let urls: Vec<_> = service::puts(&service).into_iter().filter_map(|put| put.query).collect();
    assert_eq!(urls.iter().collect::<HashSet<_>>().len(), urls.len(), "{rule}: {urls:?}");
    service.requests()
}

/// Each rule on a service of its own, all at the same time: most of it is waiting.
fn survive_each(rules: &[&str]) {
    std::thread::scope(|scope| {
        let all: Vec<_> = rules.iter().map(|rule| (rule, scope.spawn(|| survives(rule)))).collect();
        for (rule, one) in all {
            assert!(one.join().is_ok(), "{rule}");
        }
    });
}

#[test]
fn an_upload_that_fails_in_any_way_is_tried_again() {
    survive_each(&[
        "put:status=500,times=1",
        "put:status=503,times=3",
        "put:status=429,times=1",
        "put:status=408,times=1",
        "put:status=400,body=request_timeout,times=1",
        "put:status=403,times=1",
        "put:status=422,times=1",
        "put:cut=request,times=1",
        "put:cut=100,times=1",
        "put:cut=answer,times=1",
        "put:hang=request,times=1",
        "put:hang=answer,times=1",
        "put:redirect=http://127.0.0.1:9/elsewhere,times=1",
        "presign:url_ttl=0,times=2",
    ]);
}

#[test]
fn a_request_for_a_url_that_fails_in_any_way_is_made_again() {
    survive_each(&[
        "presign:status=500,times=1",
        "presign:status=503,times=2",
        "presign:status=429,times=1",
        "presign:status=408,times=1",
        "presign:status=400,body=request_timeout,times=1",
        "presign:cut=request,times=1",
        "presign:cut=answer,times=1",
        "presign:hang=request,times=1",
        "presign:hang=answer,times=1",
        "presign:body=empty,times=1",
        "presign:body=garbage,times=1",
        "presign:body=null,times=1",
        "presign:body=wrong,times=1",
        "presign:body=half,times=1",
        "presign:body=huge,times=1",
    ]);
}

#[test]
fn a_creation_that_fails_for_now_is_tried_again() {
    survive_each(&["create:status=503,times=1", "create:status=429,times=1", "create:cut=request,times=1"]);
}

#[test]
fn the_end_is_told_until_it_is_heard() {
    survive_each(&["end:status=503,times=3", "end:cut=request,times=1", "end:cut=answer,times=1", "end:hang=request,times=1"]);
}

#[test]
fn an_answer_to_the_end_need_not_be_json() {
    for rule in ["end:body=wrong", "end:body=empty", "end:body=null"] {
        let requests = survives(rule);
        assert_eq!(requests.iter().filter(|request| request.path.ends_with("/end")).count(), 1, "{rule}");
    }
}

/// The milliseconds between two consecutive tries, from head to head, as the service saw them.
fn pause_ms(tries: &[RequestRecord]) -> f64 {
    let [first, second, ..] = tries else { panic!("two tries are expected: {tries:?}") };
    second.unix_ms - first.unix_ms
}

#[test]
fn nothing_is_tried_sooner_than_the_service_asks() {
    // Each rule, which requests it is about, and the least pause in milliseconds. Dates are told in whole seconds, and the
    // record's clock may tick between head and answer.
    type Picked = fn(&RequestRecord) -> bool;
    let cases: [(&str, Picked, f64); 5] = [
        ("presign:status=503,retry_after=2,times=1,chunk=0", |it| it.is_presign() && about_chunk_0(it), 2000.0),
        ("presign:status=429,retry_after_date=2,times=1,chunk=0", |it| it.is_presign() && about_chunk_0(it), 1999.0),
        ("put:status=503,retry_after=2,times=1,chunk=0", |it| it.is_put() && it.path.ends_with("/c/0/0/0"), 2000.0),
        ("create:status=503,retry_after=2,times=1", |it| it.path == "/rheed/stream/", 2000.0),
        ("end:status=503,retry_after_date=2,times=1", |it| it.path.ends_with("/end"), 1999.0),
    ];
    std::thread::scope(|scope| {
        for (rule, picked, least_ms) in cases {
            scope.spawn(move || {
                let tries: Vec<_> = survives(rule).into_iter().filter(picked).collect();
                assert!(pause_ms(&tries) >= least_ms, "{rule}: {} ms", pause_ms(&tries));
            });
        }
    });
}

fn about_chunk_0(request: &RequestRecord) -> bool {
    request.query.as_deref().is_some_and(|query| query.contains("c%2F0%2F"))
}

// ---- refused for good ----------------------------------------------------------------------------------------------

#[test]
fn a_chunk_that_the_service_refuses_is_set_aside_with_its_words_and_the_others_go_on() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "presign:status=422,chunk=1".into());
    let stream = open(&service, &workshop, &["fps=10"]);
    let local_id = stream.text(Text::LocalId);
    stream.push_counted(0, 50);
    assert_eq!(stream.finalize(-1), Code::WLoss as i32);

    let told = stream.wait_for(Event::ChunkSetAside);
    assert_eq!(told.value, 1);
    assert!(told.text.contains("a fault on purpose") && told.text.contains("422"), "{told:?}");
    assert_eq!(stream.wait_for(Event::Finalized).value, 20);
    assert!(stream.text(Text::LastError).contains("a fault on purpose"), "{}", stream.text(Text::LastError));
    let counts = [Stat::FramesConfirmed, Stat::FramesLost, Stat::ChunksConfirmed, Stat::ChunksLost, Stat::Health];
    assert_eq!(counts.map(|stat| stream.stat(stat)), [30, 20, 2, 1, Health::Act as i64]);

    let report: Value = serde_json::from_str(&stream.text(Text::Report)).expect("the report is JSON");
    let [loss] = &report["losses"].as_array().expect("a list")[..] else { panic!("{report}") };
    assert_eq!((&loss["frames"], &loss["chunks"]), (&20.into(), &1.into()));
    let reason = loss["reason"].as_str().expect("a reason");
    assert!(reason.contains("a fault on purpose"), "{reason}");

    let aside = workshop.spool().join("set-aside").join(local_id);
    assert_eq!(std::fs::read_to_string(aside.join("c0000000001-20.shard.reason.txt")).expect("the reason is kept"), reason);
    assert!(aside.join("c0000000001-20.shard").is_file());

    let kept = service::only_stream(&service);
    assert_eq!(kept.chunks.iter().map(|chunk| chunk.index).collect::<Vec<_>>(), [0, 2]);
    let expected = service::counted(50);
    assert!(service::pixels(&kept) == [&expected[..20 * FRAME_BYTES], &expected[40 * FRAME_BYTES..]].concat());
    assert_eq!(service::presigns(&service).len(), 3); // Refused once, it is not asked for again.
}

#[test]
fn a_key_that_is_refused_in_mid_stream_is_told_and_costs_no_frame() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert_eq!(stream.flush(-1), OK);
    service.set_faults("presign:status=401").expect("a good rule");
    stream.push_counted(20, 20);
    assert_eq!(stream.wait_for(Event::Refused).value, 401);
    stream.push_counted(40, 10);
    assert!(stream.text(Text::LastError).contains("API key"), "{}", stream.text(Text::LastError));
    assert_eq!(stream.stat(Stat::Health), Health::Act as i64);
    assert_eq!(stream.finalize(0), Code::WPending as i32);
    assert_eq!((stream.stat(Stat::FramesConfirmed), stream.stat(Stat::FramesPending)), (20, 30));
    assert_eq!(stream.abort(), OK);

    service.set_faults("").expect("no rules are good rules");
    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(50));
}

#[test]
fn a_key_that_works_again_is_found_out_slowly_and_everything_arrives() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=10", "stall_timeout_ms=0"]); // Slower than a camera may be.
    stream.push_counted(0, 20);
    assert_eq!(stream.flush(-1), OK);
    service.set_faults("presign:status=401,times=2\nend:status=403,times=1").expect("good rules");
    stream.push_counted(20, 20);
    assert_eq!(stream.wait_for(Event::Refused).value, 401);
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::Health)), (State::Offline as i64, Health::Act as i64));
    stream.push_counted(40, 10);
    stream.wait_for(Event::Connected);
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::Health)), (State::Streaming as i64, Health::Good as i64));
    // The key is refused once more when the stream is to be ended, and that is told again.
    assert_eq!(stream.finalize(-1), OK);
    let told = stream.events();
    assert_eq!(told.iter().filter(|event| event.kind == Event::Refused as i32 && event.value == 403).count(), 1, "{told:#?}");
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(50));

    let refused_then_asked: Vec<_> = service.requests().into_iter().skip_while(|request| request.status != 401).collect();
    let refusals: Vec<f64> = refused_then_asked.iter().take(3).map(|request| request.unix_ms).collect();
    let [first, second, third] = refusals[..] else { panic!("{refused_then_asked:#?}") };
    assert!(second - first >= 2000.0 && third - second >= 4000.0, "{refusals:?}"); // Half of 4 s and of 8 s at least.
}

#[test]
fn a_url_that_has_expired_is_not_taken_for_a_refused_key() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "presign:url_ttl=0,times=1".into());
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(-1), OK);
    let error = stream.text(Text::LastError);
    assert!(error.contains("has expired") && !error.contains("API key"), "{error}");
    assert!(stream.events().iter().all(|event| event.kind != Event::Refused as i32));
}

#[test]
fn an_end_that_is_refused_is_told_and_does_not_keep_the_stream_from_being_final() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "end:status=409".into());
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(stream.wait_for(Event::Refused).value, 409);
    assert!(stream.text(Text::LastError).contains("a fault on purpose"), "{}", stream.text(Text::LastError));
    assert_eq!(stream.stat(Stat::FramesConfirmed), 20);
}

#[test]
fn a_stream_that_the_service_has_closed_meanwhile_sets_its_chunks_aside_and_asks_for_each_once() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert_eq!(stream.flush(-1), OK);
    end_from_outside(&service, &stream.text(Text::DataId));
    stream.push_counted(20, 45);
    let told = stream.wait_for(Event::ChunkSetAside);
    assert!(told.text.contains("409") && told.text.contains("this stream has ended"), "{told:?}");
    assert_eq!(stream.flush(-1), Code::WLoss as i32);
    assert_eq!(stream.finalize(-1), Code::WLoss as i32);
    assert_eq!([Stat::FramesConfirmed, Stat::FramesLost, Stat::ChunksLost].map(|stat| stream.stat(stat)), [20, 45, 3]);
    let report: Value = serde_json::from_str(&stream.text(Text::Report)).expect("the report is JSON");
    let reason = report["losses"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("this stream has ended") && report["losses"][0]["frames"] == 45, "{report}");
    assert_eq!(spool::set_aside(&workshop.spool()).len(), 3);
    assert_eq!(service::presigns(&service).len(), 4);
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(20));
}

/// As somebody does at the service's own page.
fn end_from_outside(service: &Receiver, data_id: &str) {
    let mut line = TcpStream::connect(service::address(service)).expect("it listens");
    let key = service.key();
    write!(line, "POST /rheed/stream/{data_id}/end HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    line.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn an_end_that_is_refused_for_long_is_told_in_the_background_also_by_the_next_process() {
    for by_the_next in [false, true] {
        let workshop = Workshop::new();
        let service = service::start_with(&workshop, |settings| settings.faults = "end:status=503".into());
        let stream = open(&service, &workshop, &["fps=10"]);
        stream.push_counted(0, 25);
        assert_eq!(stream.finalize(500), Code::WPending as i32);
        service::wait_until(&service, "it is asked again and again", |service| {
            service.requests().iter().filter(|request| request.status == 503).count() >= 3
        });
        assert_eq!(stream.finalize(0), Code::WPending as i32);
        assert_eq!((stream.stat(Stat::FramesConfirmed), stream.stat(Stat::State)), (25, State::Finalizing as i64));
        if by_the_next {
            assert_eq!(stream.abort(), OK);
            service.set_faults("").expect("no rules are good rules");
            assert_eq!(Stream::resume(&service::options(&service, &workshop)).flush(-1), OK);
        } else {
            service.set_faults("").expect("no rules are good rules");
            assert_eq!(stream.finalize(-1), OK);
        }
        assert!(service::pixels(&service::only_stream(&service)) == service::counted(25));
        assert_eq!(spool::streams(&workshop.spool()), [] as [std::path::PathBuf; 0]);
    }
}

#[test]
fn links_that_cannot_be_made_for_long_keep_neither_frames_nor_end_and_are_made_at_last() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "link:status=503".into());
    let stream = open(&service, &workshop, &["fps=10", "physical_sample=Si", "tags=a"]);
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(500), Code::WPending as i32);
    service::wait_until(&service, "it is ended", |service| service.streams()[0].ended);
    // Refused for good was nothing of it, not even the key.
    service.set_faults("samples:status=401,times=1").expect("a good rule");
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!((kept.physical_sample_id.is_some(), kept.tag_ids.len()), (true, 1));
    assert!(service::pixels(&kept) == service::counted(25));
}

#[test]
fn a_chunk_that_alone_is_refused_holds_nothing_up_and_is_set_aside_after_ten_minutes_and_not_before() {
    let for_long = long_run::times("RHEED_TORTURE_REFUSALS", 0) > 0;
    std::thread::scope(|scope| {
        scope.spawn(|| is_refused_alone("presign:status=403,chunk=1", 403, for_long));
        scope.spawn(|| is_refused_alone("presign:status=413,body=garbage,chunk=1", 413, for_long));
        scope.spawn(|| is_refused_alone("put:status=413,chunk=1", 413, for_long));
    });
}

/// Chunk 1 is refused with this status, as the rule says; after each time there is another chunk, which is taken. In the end the
/// chunk is taken as well, or, after a long time, set aside.
#[track_caller]
fn is_refused_alone(rule: &str, status: u16, for_long: bool) {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = rule.into());
    let stream = open(&service, &workshop, &["fps=1", "max_workers=1"]);
    stream.push_counted(0, 6);
    let (began, mut pushed, mut refused) = (Instant::now(), 6, 0);
    let asked = if rule.starts_with("presign") { service::presigns } else { service::puts };
    let statuses = || asked(&service).iter().map(|request| request.status).collect::<Vec<u16>>();
    service::wait_until(&service, "it is not the only one that is tried", |_| statuses().len() > 2);
    assert_eq!(statuses()[..3], [200, status, 200], "whether the key is refused or the chunk, the chunk behind it tells");
    while stream.stat(Stat::ChunksLost) == 0 && (for_long || refused < 5) {
        let refusals = || service.requests().iter().filter(|request| request.status == status).count();
        stream.wait_until("it is refused again", |stream| refusals() > refused || stream.stat(Stat::ChunksLost) > 0);
        refused = refusals();
        stream.push_counted(pushed, 2);
        pushed += 2;
        stream.wait_until("the others are taken", |stream| stream.stat(Stat::FramesPending) <= 2);
    }
    if !for_long {
        service.set_faults("").expect("no rules");
        assert_eq!(stream.finalize(HANGS_AFTER.as_millis() as i32), OK, "{rule}");
        assert!(service::pixels(&service::only_stream(&service)) == service::counted(pushed));
        return;
    }
    let minutes = began.elapsed().as_secs() as f64 / 60.0;
    assert!(minutes >= 10.0, "{minutes}");
    long_run::figure(&format!(
        "refusals: {rule}: set aside after {refused} refusals in {minutes:.1} min, {pushed} frames beside it"
    ));
    assert_eq!(stream.finalize(HANGS_AFTER.as_millis() as i32), Code::WLoss as i32, "{rule}");
    let told = stream.events();
    let aside: Vec<_> = told.iter().filter(|event| event.kind == Event::ChunkSetAside as i32).collect();
    assert!(aside.len() == 1 && aside[0].value == 1, "{aside:?}");
    assert_eq!([Stat::FramesConfirmed, Stat::FramesLost].map(|stat| stream.stat(stat)), [pushed as i64 - 2, 2]);
    assert!(service::only_stream(&service).ended);
}

#[test]
fn an_end_that_a_gateway_refuses_again_and_again_keeps_no_stream_from_being_final() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "end:status=410,body=garbage".into());
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(HANGS_AFTER.as_millis() as i32), OK);
    assert_eq!(stream.wait_for(Event::Refused).value, 410);
}

#[test]
fn a_pause_of_many_minutes_is_told_at_once() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "presign:status=503,retry_after=900".into());
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert!(stream.wait_for(Event::Offline).text.contains("503"));
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::Health)), (State::Offline as i64, Health::Look as i64));
    assert_eq!(stream.abort(), OK);
}

#[test]
fn a_key_that_may_stream_but_not_link_leaves_the_links_out_and_finalizes() {
    for rule in ["link:status=403", "samples:status=403\ntags:status=403", "tags:status=401"] {
        let workshop = Workshop::new();
        let stopped = service::start(&workshop);
        stopped.stop();
        // Init has returned: what is refused now is left out.
        let stream = open(&stopped, &workshop, &["fps=10", "physical_sample=Si", "tags=a"]);
        stream.push_counted(0, 25);
        let service = service::start_again(&stopped, &workshop, rule);
        assert_eq!(stream.finalize(HANGS_AFTER.as_millis() as i32), OK, "{rule}");
        let told = stream.events();
        let of = |kind: Event| told.iter().filter(move |event| event.kind == kind as i32);
        assert_eq!((of(Event::Offline).count(), of(Event::Connected).count()), (1, 1), "{told:#?}");
        assert!(of(Event::Refused).all(|event| event.text.contains("goes on without its")), "{told:#?}");
        assert_eq!(of(Event::Refused).count(), if rule.starts_with("tags") { 1 } else { 2 }, "{told:#?}");
        let kept = service::only_stream(&service);
        assert!(kept.ended && kept.tag_ids.is_empty(), "{kept:?}");
        assert_eq!(kept.physical_sample_id.is_some(), rule.starts_with("tags"), "{kept:?}");
        assert!(service::pixels(&kept) == service::counted(25));
    }
}

#[test]
fn a_chunk_that_cannot_be_read_is_the_disks_trouble_and_no_outage() {
    let workshop = Workshop::new();
    // The first try is to come to nothing, and the next to wait until the disk is in trouble.
    let service = service::start_with(&workshop, |settings| settings.faults = "presign:status=503,retry_after=2,times=1".into());
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    service::wait_until(&service, "the first try", |service| !service::presigns(service).is_empty());
    let folder = spool::only_stream(&workshop.spool());
    let file = workshop.path().join("file");
    std::fs::write(&file, "").expect("the test may do that");
    exchange(&folder, &file); // No folder: what lies in it cannot be opened.
    stream.wait_until("it is told", |stream| stream.text(Text::LastError).contains("cannot be read"));
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::FramesPending)), (State::Streaming as i64, 20));
    exchange(&folder, &file);
    assert_eq!(stream.finalize(-1), OK);
    assert!(stream.events().iter().all(|told| told.kind != Event::Offline as i32));
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(20));
}

/// In one step: neither name is free in between.
fn exchange(one: &Path, other: &Path) {
    let [one, other] = [one, other].map(|path| CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL"));
    // SAFETY: both are paths with a NUL at their ends.
    let done = unsafe { libc::renameat2(libc::AT_FDCWD, one.as_ptr(), libc::AT_FDCWD, other.as_ptr(), libc::RENAME_EXCHANGE) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

// ---- storms ----------------------------------------------------------------------------------------------------------

#[test]
fn a_service_that_asks_for_patience_is_not_stormed_by_many_streams_with_long_backlogs() {
    const STREAMS: usize = 8;
    const CHUNKS: u64 = 12;
    let storm = |status: u16, form: &str| {
        let workshop = Workshop::new();
        let stopped = service::start(&workshop);
        stopped.stop();
        let options = ["fps=1", "when_full=block", "max_workers=8"];
        let streams: Vec<Stream> = (0..STREAMS).map(|_| open(&stopped, &workshop, &options)).collect();
        for stream in &streams {
            stream.push_counted(0, 2 * CHUNKS);
        }
        let service = service::start_again(&stopped, &workshop, &format!("presign:{form}=3,status={status}"));
        service::wait_until(&service, "each is told to wait, twice", |service| {
            refusals(service, status).values().filter(|tries| tries.len() >= 2).count() == STREAMS
        });
        service.set_faults("").expect("no rules are good rules");
        for stream in &streams {
            assert_eq!(stream.finalize(-1), OK);
        }
        for (data_id, times) in refusals(&service, status) {
            // One probe at a time, none sooner than asked. A date is told in whole seconds.
            for pair in times.windows(2) {
                assert!(pair[1] - pair[0] >= 2000.0, "{data_id}: {times:?}");
            }
        }
        let kept = service.streams();
        assert_eq!(kept.len(), STREAMS);
        assert!(kept.iter().all(|kept| kept.ended && service::pixels(kept) == service::counted(2 * CHUNKS)));
    };
    std::thread::scope(|scope| {
        scope.spawn(|| storm(503, "retry_after"));
        scope.spawn(|| storm(429, "retry_after_date"));
    });
}

#[test]
fn a_storm_in_the_middle_meets_at_most_one_try_of_each_worker_and_then_single_probes() {
    const WORKERS: usize = 8;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let options = ["fps=1", "when_full=block", &format!("max_workers={WORKERS}")];
    let stream = open(&service, &workshop, &options);
    stream.push_counted(0, 2);
    assert_eq!(stream.flush(-1), OK); // All is well, until
    service.set_faults("presign:delay_ms=300,status=503,retry_after=3").expect("a good rule");
    stream.push_counted(2, 38);
    service::wait_until(&service, "a second round", |service| {
        let times = refusals(service, 503).into_values().next().unwrap_or_default();
        times.last().zip(times.first()).is_some_and(|(last, first)| last - first >= 2900.0)
    });
    service.set_faults("").expect("no rules are good rules");
    assert_eq!(stream.finalize(-1), OK);
    let times = refusals(&service, 503).into_values().next().expect("one stream");
    let in_the_first_round = times.iter().filter(|time| **time - times[0] < 2900.0).count();
    assert!(in_the_first_round <= WORKERS, "{times:?}");
    assert!(times.len() <= WORKERS + 2, "{times:?}");
    // And no chunk sooner than it was told, though others go.
    let mut tries: HashMap<String, Vec<(f64, u16)>> = HashMap::new();
    for request in service::presigns(&service) {
        tries.entry(request.query.expect("it names its chunk")).or_default().push((request.unix_ms, request.status));
    }
    for (chunk, tries) in tries {
        for pair in tries.windows(2).filter(|pair| pair[0].1 == 503) {
            assert!(pair[1].0 - pair[0].0 >= 3000.0, "{chunk}: {tries:?}");
        }
    }
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(40));
}

/// When requests for URLs were refused so, stream by stream.
fn refusals(service: &Receiver, status: u16) -> HashMap<String, Vec<f64>> {
    let mut refusals: HashMap<String, Vec<f64>> = HashMap::new();
    for request in service::presigns(service).into_iter().filter(|request| request.status == status) {
        let body = request.body.expect("a presign has one");
        refusals.entry(body["data_id"].to_string()).or_default().push(request.unix_ms);
    }
    for times in refusals.values_mut() {
        times.sort_by(f64::total_cmp);
    }
    refusals
}

// ---- redirects -----------------------------------------------------------------------------------------------------

#[test]
fn a_redirect_to_another_host_is_not_followed_and_nothing_is_sent_there() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    elsewhere.set_nonblocking(true).expect("a socket can be asked without waiting");
    let url = format!("http://{}", elsewhere.local_addr().expect("its port"));
    let rules = format!(
        "create:redirect={url}/rheed/stream/,times=1\npresign:redirect={url}/urls,times=1\nput:redirect={url}/shard,times=1"
    );
    let requests = survives(&rules);
    assert_eq!(requests.iter().filter(|request| request.status == 307).count(), 3);
    let came = elsewhere.accept();
    assert!(came.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{came:?}");
}

#[test]
fn a_redirect_within_the_service_is_followed_with_body_and_key() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults(&format!("create:redirect={}/rheed/stream/,times=1", service.url())).expect("a good rule");
    let (stream, remark) =
        Stream::try_open(&with(service::options(&service, &workshop), &["fps=10", "stream_name=moved"])).expect("it opens");
    assert_eq!((remark.as_str(), stream.stat(Stat::State)), ("", State::Streaming as i64));
    let [first, second] = &service::requests_to(&service, "POST", "/rheed/stream/")[..] else { panic!("two are expected") };
    assert_eq!((first.status, second.status, second.has_key), (307, 200, true));
    assert_eq!(first.body, second.body);
    assert_eq!(stream.finalize(-1), OK);
    service::only_stream(&service);
}

// ---- how many at a time --------------------------------------------------------------------------------------------

/// Uploads of a backlog of 12 chunks by so many workers, each of which the service takes a while to take.
fn backlog(workers: usize) -> Vec<RequestRecord> {
    let workshop = Workshop::new();
    let stopped = service::start(&workshop);
    stopped.stop();
    let options = ["fps=1", "when_full=block", &format!("max_workers={workers}")];
    let stream = Stream::open(&with(service::options(&stopped, &workshop), &options));
    stream.push_counted(0, 24);
    stream.wait_until("all chunks are in the spool", |stream| stream.stat(Stat::ChunksSealed) == 12);
    let service = service::start_again(&stopped, &workshop, "put:delay_ms=60");
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(service::only_stream(&service).chunks.len(), 12);
    service.requests()
}

#[test]
fn uploads_go_oldest_first_one_after_another_over_connections_that_are_kept() {
    let requests = backlog(1);
    let puts: Vec<_> = requests.iter().filter(|request| request.is_put()).collect();
    let chunks: Vec<&str> = puts.iter().map(|put| put.path.rsplit('/').nth(2).expect("a chunk")).collect();
    assert_eq!(chunks, (0..12).map(|chunk| chunk.to_string()).collect::<Vec<_>>());
    assert_eq!(most_at_a_time(&puts), 1);
    let ports = |requests: &[&RequestRecord]| requests.iter().map(|request| request.peer_port).collect::<HashSet<_>>().len();
    assert_eq!(ports(&puts), 1, "{puts:#?}");
    assert!(ports(&requests.iter().collect::<Vec<_>>()) <= 2);
}

#[test]
fn as_many_uploads_as_workers_are_under_way_and_never_more() {
    let requests = backlog(3);
    let mut puts: Vec<_> = requests.iter().filter(|request| request.is_put()).collect();
    assert_eq!(most_at_a_time(&puts), 3);
    puts.sort_by(|a, b| a.unix_ms.total_cmp(&b.unix_ms));
    for (place, put) in puts.iter().enumerate() {
        let chunk: usize = put.path.rsplit('/').nth(2).and_then(|chunk| chunk.parse().ok()).expect("a chunk");
        assert!(chunk.abs_diff(place) < 3, "chunk {chunk} goes at place {place}"); // Neighbours may overtake each other.
    }
    let ports: HashSet<u16> = puts.iter().map(|put| put.peer_port).collect();
    assert!(ports.len() <= 3, "{ports:?}");
}

#[test]
fn streams_that_are_taken_up_ask_no_more_at_a_time_than_workers_are_allowed() {
    const STREAMS: usize = 12;
    let workshop = Workshop::new();
    let stopped = service::start(&workshop);
    stopped.stop();
    let open = |_| Stream::open(&with(service::options(&stopped, &workshop), &["fps=1"]));
    let left: Vec<Stream> = (0..STREAMS).map(open).collect();
    for stream in &left {
        stream.push_counted(0, 2);
        stream.wait_until("its chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 1);
    }
    left.iter().for_each(|stream| assert_eq!(stream.abort(), OK));
    let service = service::start_again(&stopped, &workshop, "create:delay_ms=50\npresign:delay_ms=50\nend:delay_ms=50");
    let resumed = Stream::resume(&with(service::options(&service, &workshop), &["max_workers=3"]));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(service.streams().iter().filter(|stream| stream.ended).count(), STREAMS);
    let requests = service.requests();
    let of_streams: Vec<_> = requests.iter().filter(|request| request.method != "GET").collect();
    assert_eq!((of_streams.len(), most_at_a_time(&of_streams)), (4 * STREAMS, 3));
}

/// How many requests were under way at the same time.
fn most_at_a_time(requests: &[&RequestRecord]) -> usize {
    let under_way_at = |moment: f64| {
        requests.iter().filter(|request| request.unix_ms <= moment && moment < request.unix_ms + request.took_ms).count()
    };
    requests.iter().map(|request| under_way_at(request.unix_ms)).max().unwrap_or(0)
}

#[track_caller]
fn open(service: &Receiver, workshop: &Workshop, more: &[&str]) -> Stream {
    Stream::open(&with(service::options(service, workshop), more))
}
