//! What goes over the wire, request by request, and what becomes of a stream whose links are refused.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Stat, State, Text};
use rheed_stream::receiver::Receiver;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::host::{HEIGHT, OK, Stream, WIDTH};
use support::service;
use support::spool::with;
use support::{MustSucceed, Workshop, stub::Stub};

const PROJECT: &str = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001";
const NOBODY: &str = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce999";

// ---- a stream's life -----------------------------------------------------------------------------------------------

#[test]
fn a_linked_stream_is_spoken_of_in_the_order_and_the_words_of_the_protocol() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(
        &service,
        &workshop,
        &[
            "fps=10",
            "max_workers=1",
            "stream_name=growth 7",
            "physical_sample= Si wafer 7 ",
            "tags=GaAs, buffer,, gaas",
            "azimuth=[110]",
            &format!("project_id={PROJECT}"),
        ],
    );
    stream.push_counted(0, 27);
    assert_eq!(stream.finalize(-1), OK);

    let kept = service::only_stream(&service);
    let id = &kept.data_id;
    let presign = "POST /data_entries/raw_data/staged/upload_urls/";
    let put = |chunk: u32| format!("PUT /staged/{id}/frames.zarr/frames/c/{chunk}/0/0");
    assert_eq!(
        service::asked(&service),
        [
            "GET /physical_samples/",
            "POST /physical_samples/",
            "GET /tags/",
            "POST /tags/",
            "POST /tags/",
            "POST /rheed/stream/",
            "POST /data_entries/physical_sample",
            &format!("POST /projects/{PROJECT}/configuration/tracking_samples"),
            "POST /tags/data-items/",
            presign,
            &put(0),
            presign,
            &put(1),
            &format!("POST /rheed/stream/{id}/end"),
        ]
    );
    let requests = service.requests();
    let bodies: Vec<Value> = requests.iter().map(|request| request.body.clone().unwrap_or_default()).collect();
    let sample = kept.physical_sample_id.as_deref().expect("a sample is linked");
    assert_eq!(
        bodies[..9],
        [
            json!(null),
            json!({ "name": "Si wafer 7" }),
            json!(null),
            json!({ "name": "GaAs" }),
            json!({ "name": "buffer" }),
            json!({
                "data_item_name": "growth 7",
                "fps_capture_rate": 10.0,
                "rotations_per_min": 0.0,
                "rotational_period": null,
                "project_id": PROJECT,
                "azimuth_label": "[110]",
            }),
            json!({ "data_ids": [id], "physical_sample_id": sample }),
            json!({ "physical_sample_id": sample, "set_active": true }),
            json!({ "data_ids": [id], "tag_ids": kept.tag_ids }),
        ]
    );
    let end = requests.last().expect("there are some");
    assert_eq!((end.body_bytes, end.content_type.as_deref(), end.query.as_deref()), (0, None, None));
}

#[test]
fn a_chunk_is_declared_in_strings_with_the_frames_it_really_has() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=12.5", "chunk_size=30", "max_workers=1"]);
    stream.push_counted(0, 37);
    assert_eq!(stream.finalize(-1), OK);

    let presigns = service::presigns(&service);
    assert_eq!(presigns.len(), 2);
    for (chunk, (request, frames)) in presigns.iter().zip([30, 7]).enumerate() {
        let query = format!("original_filename=frames.zarr%2Fframes%2Fc%2F{chunk}%2F0%2F0&num_parts=1&staging_type=stream");
        assert_eq!(request.query.as_deref(), Some(query.as_str()));
        let mut body = request.body.clone().expect("it has a body");
        let fields = body.as_object_mut().expect("an object");
        let mut ms = |name: &str| -> f64 {
            let text = fields.remove(name).unwrap_or_else(|| panic!("{name} is missing"));
            text.as_str().expect("a string").parse().expect("a number")
        };
        let (start, end) = (ms("start_unix_ms_utc"), ms("end_unix_ms_utc"));
        assert!((end - start - f64::from(frames) * 80.0).abs() < 0.002, "{start} to {end}");
        assert_eq!(
            body,
            json!({
                "data_id": service.streams()[0].data_id,
                "data_stream": "rheed",
                "is_stream": "1",
                "is_rotating": "0",
                "raw_frame_rate": "12.5",
                "avg_frame_rate": "12.5",
                "chunk_size": "30",
                "dims": format!("{frames},{HEIGHT},{WIDTH}"),
            })
        );
    }
}

#[test]
fn what_is_not_given_is_not_sent() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=10", "stream_name=bare"]);
    assert_eq!(stream.finalize(-1), OK);
    let id = service::only_stream(&service).data_id;
    assert_eq!(service::asked(&service), ["POST /rheed/stream/".to_string(), format!("POST /rheed/stream/{id}/end")]);
    let created = json!({
        "data_item_name": "bare", "fps_capture_rate": 10.0, "rotations_per_min": 0.0, "rotational_period": null,
    });
    assert_eq!(service.requests()[0].body, Some(created));
}

#[test]
fn a_rotating_stream_declares_its_frames_per_turn() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=10", "rotations_per_min=12"]);
    stream.push_counted(0, 3);
    assert_eq!(stream.finalize(-1), OK);
    let created = service.requests()[0].body.clone().expect("it has a body");
    assert_eq!((&created["rotations_per_min"], &created["rotational_period"]), (&json!(12.0), &json!(50.0)));
    let presigned = service::presigns(&service)[0].body.clone().expect("it has a body");
    assert_eq!(presigned["is_rotating"], "1");
}

#[test]
fn a_stream_without_a_name_gets_one_that_tells_the_local_time() {
    // East of UTC by an odd time, and the zone is known without a database.
    if support::run_alone(&[("TZ", "<+0845>-8:45")]).is_some() {
        return;
    }
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let now = || format!("RHEED Stream @ {}", Command::new("date").arg("+%-I:%M%p").env("LC_ALL", "C").must_succeed().trim());
    let before = now();
    let stream = open(&service, &workshop, &["fps=10"]);
    assert_eq!(stream.finalize(-1), OK);
    let name = service::only_stream(&service).name;
    assert!(name == before || name == now(), "{name}, {before}");
}

#[test]
fn the_key_goes_with_every_request_but_the_clock_and_the_uploads() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(
        service::options(&service, &workshop).into_iter().filter(|line| line != "clock_sync=off").collect(),
        &["fps=10", "physical_sample=Si", "tags=a"],
    ));
    stream.push_counted(0, 45);
    assert_eq!(stream.finalize(-1), OK);
    service::wait_until(&service, "the clock is asked", |service| {
        service.requests().iter().any(|request| request.path == "/gateway/time")
    });
    let requests = service.requests();
    assert_eq!(requests.iter().filter(|request| request.is_put()).count(), 3);
    for request in &requests {
        let has_key = !(request.is_put() || request.path == "/gateway/time");
        assert_eq!(request.has_key, has_key, "{request:?}");
    }
}

#[test]
fn an_upload_tells_its_length_and_an_empty_type() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = open(&service, &workshop, &["fps=10"]);
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(-1), OK);
    let [put] = &service::puts(&service)[..] else { panic!("one upload is expected") };
    let bytes = service::only_stream(&service).chunks[0].shard_bytes;
    assert_eq!((put.content_length, put.body_bytes, put.chunked), (Some(bytes), bytes, false));
    assert_eq!(put.content_type.as_deref(), Some(""));
    assert_eq!(stream.stat(Stat::BytesSent), bytes as i64);
}

#[test]
fn an_endpoint_may_have_a_path_and_a_slash_at_its_end() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.prefix = "/api/v2".into());
    let mut options = with(service::options(&service, &workshop), &["fps=10", "tags=a"]);
    options[0].push('/');
    let stream = Stream::open(&options);
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!((kept.frames(), kept.tag_ids.len()), (25, 1));
    assert!(service.requests().iter().all(|request| request.path.starts_with("/api/v2/") && request.status == 200));
}

// ---- links ---------------------------------------------------------------------------------------------------------

#[test]
fn what_exists_is_linked_by_its_name_in_either_case_or_by_its_uuid() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let linked = |more: &[&str]| {
        let stream = open(&service, &workshop, &[&["fps=10"], more].concat());
        assert_eq!(stream.finalize(-1), OK);
        let kept = service.streams().pop().expect("it was created");
        (kept.physical_sample_id.expect("a sample is linked"), kept.tag_ids)
    };
    let (sample, tags) = linked(&["physical_sample=Si Wafer", "tags=GaAs,InAs"]);
    let before = service.requests().len();
    assert_eq!(
        linked(&["physical_sample=SI WAFER", "tags= inas ,gaas"]),
        (sample.clone(), vec![tags[1].clone(), tags[0].clone()])
    );
    let by_uuid = linked(&[&format!("physical_sample={}", sample.to_uppercase()), "tags=GAAS"]);
    assert_eq!(by_uuid, (sample, vec![tags[0].clone()]));
    let made = |path: &str| service.requests()[before..].iter().any(|request| request.method == "POST" && request.path == path);
    assert!(!made("/physical_samples/") && !made("/tags/"));
}

#[test]
fn names_that_somebody_else_creates_meanwhile_are_taken_all_the_same() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let options = ["fps=10", "physical_sample=Si", "tags=GaAs"];
    assert_eq!(open(&service, &workshop, &options).finalize(-1), OK);
    // The lists come without them, once: as if they had been asked for just before the names were created.
    service.set_faults("samples:body=null,times=1\ntags:body=null,times=1").expect("good rules");
    assert_eq!(open(&service, &workshop, &options).finalize(-1), OK);
    let [first, second] = &service.streams()[..] else { panic!("two streams are expected") };
    assert!(first.physical_sample_id.is_some() && first.tag_ids.len() == 1);
    assert_eq!((&second.physical_sample_id, &second.tag_ids), (&first.physical_sample_id, &first.tag_ids));
    let refused = |status: u16| service.requests().iter().filter(|request| request.status == status).count();
    assert_eq!((refused(409), refused(400)), (1, 1));
    assert_eq!(service::requests_to(&service, "GET", "/tags/").len(), 3);
}

#[test]
fn a_sample_that_somebody_else_creates_meanwhile_is_found_though_the_refusal_does_not_name_it() {
    let workshop = Workshop::new();
    let lists = AtomicUsize::new(0);
    let stub = Stub::start(move |request| match request {
        "GET /physical_samples/" if lists.fetch_add(1, Ordering::Relaxed) == 0 => (200, "[]".into()),
        "GET /physical_samples/" => (200, json!([{ "id": "the-one", "name": "Si" }]).to_string()),
        "POST /physical_samples/" => (409, json!({ "detail": "there is one of that name" }).to_string()),
        _ => (200, json!("an-id").to_string()),
    });
    let stream = Stream::open(&with(stub_options(&stub, &workshop), &["physical_sample=Si"]));
    assert_eq!(stream.text(Text::DataId), "an-id");
    let samples = ["GET /physical_samples/", "POST /physical_samples/", "GET /physical_samples/"];
    assert_eq!(stub.asked(), [&samples[..], &["POST /rheed/stream/", "POST /data_entries/physical_sample"]].concat());
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn an_unknown_sample_uuid_fails_init_and_leaves_nothing_behind() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let (code, said) = refused(&service, &workshop, &["fps=10", &format!("physical_sample={NOBODY}"), "tags=new"]);
    assert_eq!(code, Code::ENotFound as i32);
    assert!(said.contains(NOBODY), "{said}");
    assert_eq!(service::asked(&service), ["GET /physical_samples/"]);
    assert_eq!(spooled_streams(&workshop), 0);
}

#[test]
fn a_key_that_is_refused_fails_init_and_leaves_nothing_behind() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    for (rule, options) in [
        ("create:status=401", vec!["fps=10"]),
        ("create:status=403", vec!["fps=10"]),
        ("samples:status=401", vec!["fps=10", "physical_sample=Si"]),
        ("tags:status=403", vec!["fps=10", "tags=a"]),
    ] {
        service.set_faults(rule).expect("a good rule");
        let (code, said) = refused(&service, &workshop, &options);
        assert_eq!(code, Code::EAuth as i32, "{rule}: {said}");
        assert!(said.contains(rule.split('=').next_back().unwrap()), "{said}");
        assert_eq!(spooled_streams(&workshop), 0, "{rule}");
    }
    assert_eq!(service.streams(), []);
}

#[test]
fn a_stream_that_the_service_refuses_fails_init_with_its_words() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("create:status=422").expect("a good rule");
    let (code, said) = refused(&service, &workshop, &["fps=10"]);
    assert_eq!(code, Code::ERefused as i32);
    assert!(said.contains("a fault on purpose") && said.contains("422"), "{said}");
    assert_eq!(spooled_streams(&workshop), 0);
}

#[test]
fn a_link_that_is_refused_fails_init_and_ends_the_stream_that_was_created_for_it() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    for (skip, options) in [
        (0, vec!["fps=10", "physical_sample=Si"]),
        (1, vec!["fps=10", "physical_sample=Si", "project_id=7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001"]),
        (0, vec!["fps=10", "tags=a"]),
    ] {
        service.set_faults(&format!("link:status=422,skip={skip}")).expect("a good rule");
        let (code, said) = refused(&service, &workshop, &options);
        assert_eq!(code, Code::ERefused as i32, "{said}");
        let left = service.streams().pop().expect("it was created");
        assert!(left.ended && said.contains(&left.data_id) && said.contains("a fault on purpose"), "{said}");
        assert_eq!(spooled_streams(&workshop), 0);
    }
}

#[test]
fn a_link_that_cannot_be_made_now_is_made_soon() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "link:status=503,times=1".into());
    let stream = open(&service, &workshop, &["fps=10", "physical_sample=Si", "tags=a"]);
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(-1), OK);
    let kept = service::only_stream(&service);
    assert_eq!((kept.physical_sample_id.is_some(), kept.tag_ids.len(), kept.frames()), (true, 1, 25));
}

// ---- what is refused when init has long returned --------------------------------------------------------------------

#[test]
fn a_link_that_is_refused_later_is_left_out_and_told() {
    for (option, faults, words, status) in [
        (format!("physical_sample={NOBODY}"), "", "physical sample", 0),
        ("physical_sample=Si".to_string(), "samples:status=422", "physical sample", 422),
        ("physical_sample=Si".to_string(), "link:status=422", "physical sample", 422),
        ("tags=a".to_string(), "tags:status=422", "tags", 422),
        ("tags=a".to_string(), "link:status=404", "tags", 404),
    ] {
        let workshop = Workshop::new();
        let stopped = service::start(&workshop);
        stopped.stop();
        let stream = open(&stopped, &workshop, &["fps=10", &option]);
        assert_eq!(stream.stat(Stat::State), State::Offline as i64);
        let service = service::start_again(&stopped, &workshop, faults);
        let told = stream.wait_for(Event::Refused);
        assert_eq!(told.value, status, "{told:?}");
        assert!(told.text.contains(words) && stream.text(Text::LastError).contains(words), "{told:?}");
        stream.push_counted(0, 25);
        assert_eq!(stream.finalize(-1), OK);
        let kept = service::only_stream(&service);
        assert_eq!((kept.physical_sample_id, kept.tag_ids, kept.chunks.len()), (None, vec![], 2), "{option} {faults}");
    }
}

#[test]
fn a_creation_that_is_refused_later_keeps_the_frames() {
    for (refusal, status) in [("create:status=422", 422), ("create:status=401", 401)] {
        let workshop = Workshop::new();
        let stopped = service::start(&workshop);
        stopped.stop();
        let stream = open(&stopped, &workshop, &["fps=10"]);
        stream.push_counted(0, 25);
        let service = service::start_again(&stopped, &workshop, refusal);
        keeps_its_frames(&service, &workshop, &stream, status);
    }
}

#[test]
fn a_refusal_that_comes_when_init_has_waited_long_enough_keeps_the_frames() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.faults = "create:delay_ms=500,status=403".into());
    let (stream, remark) =
        Stream::try_open(&with(service::options(&service, &workshop), &["fps=10", "connect_timeout_ms=50"])).expect("it opens");
    assert!(remark.contains("50 ms"), "{remark}");
    stream.push_counted(0, 25);
    keeps_its_frames(&service, &workshop, &stream, 403);
}

/// 25 frames were pushed to a stream that the service refuses: they are kept, that is told, and they arrive when the service
/// has changed its mind.
#[track_caller]
fn keeps_its_frames(service: &Receiver, workshop: &Workshop, stream: &Stream, status: i64) {
    let told = stream.wait_for(Event::Refused);
    assert_eq!(told.value, status);
    assert!(told.text.contains("a fault on purpose"), "{told:?}");
    assert!(stream.text(Text::LastError).contains("a fault on purpose"));
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::Health)), (State::Offline as i64, 2));
    assert_eq!(stream.flush(0), Code::WPending as i32);
    assert_eq!((stream.stat(Stat::FramesPending), stream.stat(Stat::FramesLost)), (25, 0));
    assert_eq!(stream.abort(), OK);

    service.set_faults("").expect("no rules are good rules");
    let resumed = Stream::resume(&service::options(service, workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert!(service::pixels(&service::only_stream(service)) == service::counted(25));
}

// ---- answers that lead elsewhere -----------------------------------------------------------------------------------

#[test]
fn a_data_id_that_would_lead_elsewhere_is_not_used() {
    let workshop = Workshop::new();
    let stub = Stub::start(|_| (200, json!("../x").to_string()));
    let stream = Stream::open(&stub_options(&stub, &workshop));
    stream.push_counted(0, 20);
    stream.wait_until("it is asked again", |_| stub.asked().len() > 1);
    assert!(stub.asked().iter().all(|request| request == "POST /rheed/stream/"), "{:?}", stub.asked());
    assert_eq!(stream.text(Text::DataId), "");
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::FramesPending)), (State::Offline as i64, 20));
    assert_eq!(stream.abort(), OK);
}

#[test]
fn a_presigned_url_in_plain_http_beyond_this_computer_is_not_used() {
    let workshop = Workshop::new();
    // An address that is reserved for documentation: nobody is there.
    let stub = Stub::start(|request| match request {
        "POST /rheed/stream/" => (200, json!("an-id").to_string()),
        _ => (200, json!([{ "url": "http://203.0.113.7/shard?signature=1" }]).to_string()),
    });
    let stream = Stream::open(&stub_options(&stub, &workshop));
    stream.push_counted(0, 20);
    stream.wait_until("it is asked again", |_| stub.asked().len() > 2);
    let error = stream.text(Text::LastError);
    assert!(error.contains("without a URL that may be used"), "{error}");
    assert_eq!((stream.stat(Stat::BytesSent), stream.stat(Stat::FramesPending)), (0, 20));
    assert_eq!(stream.abort(), OK);
}

// ---- for the tests above -------------------------------------------------------------------------------------------

#[track_caller]
fn open(service: &Receiver, workshop: &Workshop, more: &[&str]) -> Stream {
    Stream::open(&with(service::options(service, workshop), more))
}

/// An init that has to fail: its code and words.
#[track_caller]
fn refused(service: &Receiver, workshop: &Workshop, more: &[&str]) -> (i32, String) {
    match Stream::try_open(&with(service::options(service, workshop), more)) {
        Ok((_, remark)) => panic!("rheed_init succeeds: {remark}"),
        Err(refusal) => refusal,
    }
}

fn stub_options(stub: &Stub, workshop: &Workshop) -> Vec<String> {
    let spool = format!("spool_dir={}", workshop.spool().display());
    let endpoint = format!("endpoint={}", stub.url());
    with(vec![endpoint, spool], &["fps=10", "api_key=k", "clock_sync=off", "log_file=none"])
}

/// How many streams lie in the spool.
fn spooled_streams(workshop: &Workshop) -> usize {
    workshop.spool().join("streams").read_dir().expect("the spool is there").count()
}
