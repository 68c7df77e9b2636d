//! A service that is not there, goes away or keeps silent: no obstacle to taking frames, and all of them arrive.
#![cfg(feature = "receiver")]

mod support;
// Not one of the support's, since it stands before the C library of whatever it is part of.
#[path = "support/resolver.rs"]
mod resolver;

use resolver::Names;
use rheed_stream::codes::{Code, Event, Health, Stat, State, Text};
use std::net::TcpListener;
use std::time::Duration;
use support::frames::numbers;
use support::host::{OK, Stream, Told};
use support::liar::{Liar, Lie, Then};
use support::port::SwallowingPort;
use support::spool::with;
use support::victim::{self, FIRST_STAMP_NS, FRAME_NS, SLOTS, Victim};
use support::witness::{self, Witness};
use support::{HANGS_AFTER, Workshop, long_run, service};

#[test]
fn an_outage_in_mid_stream_is_told_once_and_costs_no_frame() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let patient = "stall_timeout_ms=0"; // Longer than a camera may be silent frames wait for the outage here.
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", patient]));
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

// ---- no network at the start -----------------------------------------------------------------------------------------

/// Is no test by itself: others start it as a process of its own, and kill it.
#[test]
fn the_process_that_is_killed() {
    support::victim::live();
}

#[test]
fn a_stream_that_its_process_could_not_create_is_created_by_the_next_one_as_it_was_meant() {
    const PROJECT: &str = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001";
    for next_opens_a_stream in [false, true] {
        let workshop = Workshop::new();
        let stopped = service::start(&workshop);
        stopped.stop();
        let meant = [
            "fps=10",
            "stream_name=growth 7",
            "physical_sample=Si wafer 7",
            "tags=GaAs,buffer",
            &format!("project_id={PROJECT}"),
            "rotations_per_min=12",
            "queue_bytes=1048576",
            "when_full=block",
        ];
        let mut victim = Victim::stream(&with(service::options(&stopped, &workshop), &meant));
        victim.has_taken(SLOTS + 30);
        let taken = victim.kill();

        let service = service::start_again(&stopped, &workshop, "");
        let options = service::options(&service, &workshop);
        if next_opens_a_stream {
            let stream = Stream::open(&with(options, &["fps=5", "stream_name=growth 8"]));
            stream.wait_for(Event::TakenUp);
            service::wait_until(&service, "it is ended", |service| service.streams().iter().any(|kept| kept.ended));
        } else {
            let resumed = Stream::resume(&options);
            assert_eq!(resumed.flush(-1), OK);
        }
        let streams = service.streams();
        let kept = streams.iter().find(|kept| kept.name == "growth 7").unwrap_or_else(|| panic!("{streams:?}"));
        assert!(kept.ended && kept.physical_sample_id.is_some() && kept.tag_ids.len() == 2, "{kept:?}");
        assert_eq!((kept.fps_capture_rate, kept.rotations_per_min, kept.project_id.as_deref()), (10.0, 12.0, Some(PROJECT)));
        let start_ms = |frame: u64| ((FIRST_STAMP_NS + frame as i64 * FRAME_NS) / 1_000_000) as f64;
        let mut first = 0;
        for chunk in &kept.chunks {
            assert_eq!(chunk.start_unix_ms_utc, start_ms(first), "{chunk:?}");
            first += chunk.frames;
        }
        let found = numbers(&service::pixels(kept), victim::FRAME_BYTES);
        assert!(found.iter().copied().eq(0..first), "{found:?}");
        assert!((taken.saturating_sub(SLOTS)..=taken + 1).contains(&first), "{first} arrived of {taken}");
    }
}

// ---- a network that gives no answer ----------------------------------------------------------------------------------

#[test]
fn a_port_that_swallows_packets_is_an_outage_and_all_arrives_when_it_is_open() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let port = SwallowingPort::new();
    let endpoint = format!("endpoint=http://{}", port.address());
    let options = service::options(&service, &workshop).split_off(1); // Without its own endpoint.
    let options = with(options, &[&endpoint, "fps=10", "connect_timeout_ms=1000"]);
    let (stream, remark) = Stream::try_open(&options).expect("no network is no obstacle");
    assert!(remark.contains("frames go to the spool"), "{remark}");
    stream.wait_for(Event::Offline);
    stream.push_counted(0, 45);
    stream.wait_until("it is known why", |stream| stream.text(Text::LastError).contains("out of time"));
    assert_eq!(stream.stat(Stat::State), State::Offline as i64);

    let _liar = Liar::at(port.open(), "127.0.0.1", service::address(&service));
    assert_eq!(stream.finalize(-1), OK);
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(45));
}

#[test]
fn a_name_that_is_not_found_or_never_answered_is_an_outage_and_all_arrives_when_it_is() {
    for broken in [Names::Fail, Names::Hang] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let liar = Liar::at(listener, resolver::HOST, service::address(&service));
        let endpoint = format!("endpoint={}", liar.url());
        let more = [&endpoint, "fps=10", "allow_http=on", "connect_timeout_ms=1000", "proxy=none"];
        let options = with(service::options(&service, &workshop).split_off(1), &more);
        resolver::names(broken);
        let (stream, remark) = Stream::try_open(&options).expect("no network is no obstacle");
        assert!(remark.contains("frames go to the spool"), "{broken:?}: {remark}");
        stream.wait_for(Event::Offline);
        stream.push_counted(0, 20);
        let why = if broken == Names::Fail { "dns error" } else { "out of time" };
        stream.wait_until("it is known why", |stream| stream.text(Text::LastError).contains(why));
        resolver::names(Names::Work);
        assert_eq!(stream.flush(HANGS_AFTER.as_millis() as i32), OK, "{}", stream.text(Text::LastError));

        // And in mid-stream: every connection is new, and asks for the name.
        resolver::names(broken);
        stream.push_counted(20, 25);
        stream.wait_for(Event::Offline);
        assert_eq!(stream.finalize(0), Code::WPending as i32);
        resolver::names(Names::Work);
        assert_eq!(stream.finalize(HANGS_AFTER.as_millis() as i32), OK, "{}", stream.text(Text::LastError));
        assert!(service::pixels(&service::only_stream(&service)) == service::counted(45), "{broken:?}");
    }
}

#[test]
fn one_broken_connection_is_no_outage() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    for rule in ["put:cut=request,times=1", "presign:cut=request,times=1", "put:cut=answer,times=1"] {
        service.set_faults(rule).expect("a good rule");
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "max_workers=1"]));
        stream.push_counted(0, 45);
        assert_eq!(stream.finalize(-1), OK);
        assert!(service.faults_fired().iter().all(|(_, times)| *times == 1), "{rule}");
        assert!(stream.events().iter().all(|told| told.kind != Event::Offline as i32), "{rule}");
    }
}

// ---- minutes ---------------------------------------------------------------------------------------------------------

/// Is no test by itself: another starts it as a process of its own.
#[test]
fn the_process_that_pushes_at_a_pace() {
    support::witness::live();
}

#[test]
fn an_outage_of_minutes_and_a_service_gone_mad_cost_no_frame_and_no_memory() {
    let phase = Duration::from_secs(long_run::times("RHEED_TORTURE_OUTAGE_S", 12)) / 6;
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let liar = Liar::before(service::address(&service));
    let endpoint = format!("endpoint={}", liar.url());
    let fps = format!("fps={}", witness::FPS);
    // So that the answers of ten gigabytes are met again and again.
    let options = with(service::options(&service, &workshop).split_off(1), &[&endpoint, &fps, "request_timeout_ms=2000"]);
    let mut witness = Witness::start(&options);
    service::wait_until(&service, "it streams", |service| service.streams().iter().any(|kept| kept.chunks.len() >= 2));
    witness.asked(); // How it began does not count.

    let mut level = 0;
    let mut told = |what: &str, witness: &mut Witness| {
        std::thread::sleep(phase); // As long as it lasts.
        let it = witness.asked();
        long_run::figure(&format!(
            "outage: {what} for {:.0} s: push p50 {} us, p99 {} us, longest {} us; memory {} MiB, at most {} MiB; {} chunks waiting",
            phase.as_secs_f64(),
            it.p50,
            it.p99,
            it.longest,
            it.resident >> 10,
            it.most >> 10,
            it.waiting
        ));
        if level == 0 {
            level = it.most;
        }
        assert!(it.most <= level + MEMORY_KIB, "{what}: {} KiB of memory, {level} before", it.most);
    };
    told("all is well", &mut witness);
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n";
    for (what, lie) in [
        ("silence", Lie::bytes("", Then::Silence)),
        ("resets", Lie::bytes("", Then::Reset)),
        ("answers of 10 GB", Lie::bytes(head, Then::Forever("x".repeat(64 << 10)))),
        ("503 with a Retry-After", Lie::answer(503, "retry-after: 1\r\n", "{}")),
    ] {
        liar.lie_always(&lie);
        told(what, &mut witness);
    }
    liar.be_honest();
    told("afterwards", &mut witness);
    let taken = witness.finish();
    let kept = service::only_stream(&service);
    assert_eq!(kept.frames(), taken);
    let mut expected = (0..u64::from(witness::FPS)).cycle();
    for chunk in &kept.chunks {
        for number in numbers(&service::chunk_pixels(&kept, chunk), witness::FRAME_BYTES) {
            assert_eq!(Some(number), expected.next(), "{chunk:?}");
        }
    }
}

/// So much more than before the outage.
const MEMORY_KIB: u64 = 16 << 10;

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
