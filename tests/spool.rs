//! The spool: who may read it, what is in it, what is taken up from it, and what is kept beside it.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Stat, State, Text};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use support::frames::{numbered, numbers};
use support::host::{FRAME_BYTES, HEIGHT, OK, PENDING, Stream, WIDTH};
use support::spool::{entries, files, only_stream, options, set_aside, streams, with};
use support::{HANGS_AFTER, Workshop, service};

const NOTHING: [PathBuf; 0] = [];

/// Numbered frames for the stream's chunks of 20.
#[track_caller]
fn push_numbered(stream: &Stream, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert_eq!(stream.push(&numbered(number, FRAME_BYTES), WIDTH, HEIGHT, number, 0), OK);
    }
}

/// A stream of so many frames that lies complete in the test's spool; its folder.
#[track_caller]
fn recorded(workshop: &Workshop, frames: u64) -> PathBuf {
    let stream = Stream::open(&with(options(workshop), &["fps=10"]));
    push_numbered(&stream, 0..frames);
    assert_eq!(stream.finalize(-1), OK);
    workshop.spool().join("streams").join(stream.text(Text::LocalId))
}

fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let inside = entries(folder);
    let deeper = inside.iter().filter(|path| path.is_dir()).flat_map(|path| everything_below(path)).collect::<Vec<_>>();
    [inside, deeper].concat()
}

#[test]
fn only_their_owner_may_read_what_lies_in_a_spool() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    // SAFETY: only sets this process's mask for new files: nothing that the library does may depend on it.
    unsafe { libc::umask(0) };
    let no_log_file = "log_file=none";
    let lines: Vec<String> =
        service::options(&service, &workshop).into_iter().filter(|line| line != no_log_file).chain(["fps=10".into()]).collect();
    service.set_faults("presign:chunk=0,status=422").expect("a rule");
    let stream = Stream::open(&lines);
    push_numbered(&stream, 0..30);
    stream.wait_for(Event::ChunkSetAside);
    let below = everything_below(&workshop.spool());
    let name_of = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let names: Vec<String> = below.iter().map(name_of).collect();
    for there in
        ["rheed.log", "stream.json", "lock", "c0000000001.part", "c0000000000-20.shard", "c0000000000-20.shard.reason.txt"]
    {
        assert!(names.iter().any(|name| name == there), "{there} is not among {names:?}");
    }
    assert_eq!(stream.finalize(-1), Code::WLoss as i32);
    for path in below.into_iter().chain(everything_below(&workshop.spool())).chain([workshop.spool()]) {
        // Some are gone by now.
        let Ok(facts) = path.symlink_metadata() else { continue };
        let expected = if facts.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(facts.permissions().mode() & 0o777, expected, "{}", path.display());
    }
}

#[test]
fn no_secret_is_written_to_a_spool() {
    let workshop = Workshop::new();
    let lines = [
        "endpoint=https://127.0.0.1:1".into(),
        format!("spool_dir={}", workshop.spool().display()),
        "api_key=a-key-that-is-secret".into(),
        "proxy=http://somebody:a-password-that-is-secret@127.0.0.1:1".into(),
        "fps=10".into(),
    ];
    let stream = Stream::open(&lines);
    push_numbered(&stream, 0..25);
    assert_eq!(stream.stat(Stat::State), State::Offline as i64);
    assert!(!stream.text(Text::Report).contains("that-is-secret"));
    assert!(!stream.text(Text::LastError).contains("that-is-secret"), "{}", stream.text(Text::LastError));
    assert_eq!(stream.abort(), OK);
    stream.wait_until("the open chunk is sealed", |_| !files(&only_stream(&workshop.spool()), "-5.shard").is_empty());
    let written: Vec<PathBuf> = everything_below(&workshop.spool()).into_iter().filter(|path| path.is_file()).collect();
    assert!(written.len() >= 5, "{written:?}");
    for file in written {
        let bytes = std::fs::read(&file).expect("a file of the spool can be read");
        assert!(!String::from_utf8_lossy(&bytes).contains("that-is-secret"), "{}", file.display());
    }
}

#[test]
fn a_stream_without_frames_leaves_no_folder() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(streams(&workshop.spool()), NOTHING);
    assert!(service::only_stream(&service).chunks.is_empty());
}

#[test]
fn a_stream_that_init_refuses_leaves_nothing() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("create:status=403").expect("a rule");
    let refused = Stream::try_open(&with(service::options(&service, &workshop), &["fps=10"]));
    assert_eq!(refused.err().expect("it is refused").0, Code::EAuth as i32);
    assert_eq!(streams(&workshop.spool()), NOTHING);
    assert_eq!(entries(&workshop.spool().join("reports")), NOTHING);
}

#[test]
fn what_was_recorded_without_a_service_is_sent_by_a_resume_with_one() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    recorded(&workshop, 47);
    recorded(&workshop, 0);
    let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(service::only_stream(&service).frames(), 0, "an init does not take it up");

    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(resumed.stat(Stat::State), State::Finalized as i64);
    assert_eq!((resumed.stat(Stat::FramesAccepted), resumed.stat(Stat::FramesConfirmed)), (47, 47));
    let [_, kept] = &service.streams()[..] else { panic!("one without frames is not created: {:?}", service.streams()) };
    assert!(kept.ended);
    assert!(numbers(&service::pixels(kept), FRAME_BYTES).into_iter().eq(0..47));
    assert_eq!(streams(&workshop.spool()), NOTHING);

    let again = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(again.flush(-1), OK);
    assert_eq!(service.streams().len(), 2, "it is sent once");
}

#[test]
fn files_that_are_not_what_they_should_be_are_set_aside_and_the_rest_goes_on() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let stranger = recorded(&workshop, 60);
    let folder = recorded(&workshop, 135);
    let shard = |chunk: u64| folder.join(format!("c{chunk:010}-20.shard"));

    let mut flipped = std::fs::read(shard(1)).expect("a shard");
    flipped[5000] ^= 1;
    std::fs::write(shard(1), flipped).expect("a file can be changed");
    std::fs::copy(stranger.join("c0000000002-20.shard"), shard(2)).expect("a file can be copied");
    File::options().write(true).open(shard(3)).expect("a shard").set_len(3000).expect("a file can be cut");
    std::fs::write(folder.join("notes.txt"), "from the night shift").expect("a file can be written");
    std::fs::write(folder.join("c0000000009.part"), [7; 500]).expect("a file can be written");
    std::fs::remove_file(shard(5)).expect("a file can be removed");

    let resumed = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(resumed.flush(-1), Code::WLoss as i32);
    let kept = service.streams().into_iter().find(|kept| kept.frames() == 55).expect("the stream is kept");
    assert!(kept.ended);
    // Of 0 to 6: three cannot be used, and one is missing, which nobody can know.
    assert!(numbers(&service::pixels(&kept), FRAME_BYTES).into_iter().eq((0..20).chain(80..100).chain(120..135)));
    assert!(service.streams().iter().any(|kept| kept.ended && kept.frames() == 60), "the other stream is whole");

    assert_eq!(resumed.stat(Stat::FramesLost), 60);
    assert_eq!(resumed.stat(Stat::FramesConfirmed), 55 + 60);
    assert_eq!(resumed.stat(Stat::FramesPending), 0);
    let aside: Vec<String> =
        set_aside(&workshop.spool()).iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let expected = ["c0000000001-20.shard", "c0000000002-20.shard", "c0000000003-20.shard", "c0000000009.part", "notes.txt"];
    assert_eq!(aside, expected);
    for file in set_aside(&workshop.spool()) {
        let reason = PathBuf::from(format!("{}.reason.txt", file.display()));
        assert!(!std::fs::read_to_string(&reason).expect("a reason").is_empty());
    }
    assert_eq!(streams(&workshop.spool()), NOTHING);
    // Each chunk is told, and its reason named in the report.
    let told = resumed.events().into_iter().filter(|told| told.kind == Event::ChunkSetAside as i32);
    let mut chunks: Vec<i64> = told.map(|told| told.value).collect();
    chunks.sort_unstable();
    assert_eq!(chunks, [1, 2, 3, 9]);
    let report = resumed.text(Text::Report);
    for reason in ["only 8 of its 20 frames are whole", "belongs to another stream", "not a chunk of this library"] {
        assert!(report.contains(reason), "{reason} is not in {report}");
    }
}

#[test]
fn the_report_of_a_resume_lists_every_stream_finished_ones_too() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let finished = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "stream_name=finished before"]));
    push_numbered(&finished, 0..3);
    assert_eq!(finished.finalize(-1), OK);
    let live = Stream::open(&with(service::options(&service, &workshop), &["fps=10", "stream_name=in use"]));
    let left = recorded(&workshop, 30);
    let unreadable = workshop.spool().join("streams/broken");
    std::fs::create_dir(&unreadable).expect("a folder");
    std::fs::write(unreadable.join("stream.json"), "{").expect("a file");

    let resumed = Stream::resume(&service::options(&service, &workshop));
    // Nobody knows what is in the one that cannot be read: not all is done.
    assert_eq!(resumed.flush(-1), PENDING);
    let report: serde_json::Value = serde_json::from_str(&resumed.text(Text::Report)).expect("JSON");
    assert_eq!((&report["complete"], &report["streams_left_out"]), (&false.into(), &0.into()));
    let state_of = |id: &str| {
        let streams = report["streams"].as_array().expect("a list");
        let stream = streams.iter().find(|stream| stream["local_id"] == id);
        stream.unwrap_or_else(|| panic!("{id} is not in {report}"))["state"].clone()
    };
    assert_eq!(state_of(&finished.text(Text::LocalId)), "finalized");
    assert_eq!(state_of(&live.text(Text::LocalId)), "not taken up");
    assert_eq!(state_of(&left.file_name().unwrap().to_string_lossy()), "finalized");
    assert_eq!(state_of("broken"), "not taken up");
    assert_eq!(report["streams"].as_array().map(Vec::len), Some(4));
    assert!(unreadable.join("stream.json").exists());
}

#[test]
fn what_a_process_left_that_died_while_it_removed_a_finished_stream_is_removed() {
    let workshop = Workshop::new();
    let whole = recorded(&workshop, 5);
    let [locked, empty, without_manifest] = ["locked", "empty", "without manifest"].map(|name| {
        let folder = workshop.spool().join("streams").join(name);
        std::fs::create_dir(&folder).expect("a folder");
        folder
    });
    File::create(locked.join("lock")).expect("a file");
    File::create(without_manifest.join("lock")).expect("a file");
    std::fs::copy(whole.join("c0000000000-5.shard"), without_manifest.join("c0000000000-5.shard")).expect("a copy");

    let resumed = Stream::resume(&options(&workshop));
    assert_eq!(resumed.flush(-1), PENDING, "frames that nobody knows what to do with are still there");
    assert!(!locked.exists() && !empty.exists());
    assert!(without_manifest.join("c0000000000-5.shard").exists(), "frames are not removed");
    assert!(resumed.text(Text::Report).contains("its manifest is missing"), "{}", resumed.text(Text::Report));
    assert_eq!(resumed.stat(Stat::FramesAccepted), 5);
}

#[test]
fn the_report_of_hundreds_of_streams_fits_64_kib_and_says_how_many_it_leaves_out() {
    let workshop = Workshop::new();
    const STREAMS: usize = 300;
    for _ in 0..STREAMS {
        recorded(&workshop, 1);
    }
    let resumed = Stream::resume(&options(&workshop));
    assert_eq!(resumed.flush(-1), OK);
    assert_eq!(resumed.stat(Stat::FramesAccepted), STREAMS as i64);
    let mut needed = 0;
    let which = Text::Report as i32;
    assert_eq!(rheed_stream::abi::look::rheed_text(resumed.0, which, std::ptr::null_mut(), 0, &mut needed), OK);
    assert!(needed > 32 << 10 && needed <= 64 << 10, "{needed}");
    let report: serde_json::Value = serde_json::from_str(&resumed.text(Text::Report)).expect("JSON");
    let told = report["streams"].as_array().map_or(0, Vec::len);
    assert_eq!(told + report["streams_left_out"].as_u64().expect("a number") as usize, STREAMS);
}

#[test]
fn what_was_set_aside_is_removed_after_the_retention_time_and_nothing_else_is() {
    let workshop = Workshop::new();
    let folder = recorded(&workshop, 5);
    let old = SystemTime::now() - Duration::from_secs(1000);
    let put = |name: &str, time: SystemTime| {
        let file = workshop.spool().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).expect("a folder");
        File::create(&file).expect("a file").set_modified(time).expect("a time");
        file
    };
    let aged = put("set-aside/a/c0000000001-20.shard", old);
    let fresh = put("set-aside/b/c0000000002-20.shard", SystemTime::now());
    let waiting = entries(&folder);
    for file in &waiting {
        File::options().write(true).open(file).expect("a file").set_modified(old).expect("a time");
    }
    let stream = Stream::open(&with(options(&workshop), &["fps=10", "spool_retention_s=500"]));
    stream.wait_until("what is old is removed", |_| !aged.exists());
    assert!(fresh.exists());
    assert_eq!(entries(&folder), waiting);
    assert_eq!(stream.finalize(-1), OK);
}

#[test]
fn a_stream_that_was_just_aborted_is_taken_up_whole_by_a_resume_in_the_same_process() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    service.set_faults("presign:status=503").expect("a rule");
    for round in 0..5 {
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10"]));
        push_numbered(&stream, 0..47);
        assert_eq!(stream.abort(), OK);
        let resumed = Stream::resume(&service::options(&service, &workshop));
        service.set_faults("").expect("no rules");
        assert_eq!(resumed.flush(-1), OK, "round {round}: {}", resumed.text(Text::Report));
        assert_eq!(resumed.stat(Stat::FramesConfirmed), 47, "{}", resumed.text(Text::Report));
        assert_eq!(stream.stat(Stat::State), State::Aborted as i64);
        let data_id = stream.text(Text::DataId);
        assert!(service.wait_until(HANGS_AFTER, |service| {
            service.streams().iter().any(|kept| kept.data_id == data_id && kept.ended && kept.frames() == 47)
        }));
        service.set_faults("presign:status=503").expect("a rule");
    }
}
