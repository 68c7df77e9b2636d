//! What the logs tell at each verbosity, where they lie, and what never stands in them.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Event, Stat, Text};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::host::{OK, Stream};
use support::service;
use support::spool::with;
use support::{MustSucceed, Workshop, stub::Stub};

/// Lines of each level, as a stream of 25 frames brings them, whose first upload fails and whose second chunk is refused.
const SAID: [(i32, &str); 11] = [
    (1, "chunk 1 set aside, 5 frames"),
    (2, "opened: told"),
    (2, "connected: the stream's data id is"),
    (2, "chunk 0 is tried again"),
    (2, "finalized: 20 frames confirmed, 5 lost"),
    (3, "chunk 0 sealed: 20 frames"),
    (3, "chunk 0 confirmed, 20 frames"),
    (4, "frame 24: 32 x 16 to "),
    (4, "request /rheed/stream/: 200"),
    (4, "request /data_entries/raw_data/staged/upload_urls/: 200"),
    (4, "request PUT chunk 0: "),
];

/// Which of these lines stand in a log.
fn levels_in(log: &str) -> Vec<(i32, &'static str)> {
    SAID.into_iter().filter(|(_, words)| log.contains(words)).collect()
}

fn up_to(level: i32) -> Vec<(i32, &'static str)> {
    SAID.into_iter().filter(|(of, _)| *of <= level).collect()
}

/// Streams what brings these lines.
fn stream_to_a_bad_service(workshop: &Workshop, more: &[&str]) -> Stream {
    let faults = "put:status=503,chunk=0,times=1\npresign:status=422,chunk=1";
    let service = service::start_with(workshop, |settings| settings.faults = faults.into());
    let mut options = service::options(&service, workshop);
    options.retain(|line| line != "log_file=none");
    let stream = Stream::open(&with(options, &[&["fps=10", "stream_name=told", "max_workers=1"], more].concat()));
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(-1), rheed_stream::codes::Code::WLoss as i32);
    stream
}

/// The log file, when its last line has been written.
#[track_caller]
fn log_of(stream: &Stream, file: &Path) -> String {
    let mut log = String::new();
    stream.wait_until("the log is written", |_| {
        log = std::fs::read_to_string(file).unwrap_or_default();
        log.contains("finalized: ")
    });
    log
}

#[test]
fn a_log_file_takes_warnings_and_milestones_and_more_as_verbosity_says() {
    if support::run_alone(&[]).is_some() {
        return; // Its console is not that of the tests.
    }
    for verbosity in 0..=4 {
        let workshop = Workshop::new();
        let file = workshop.path().join("told.log");
        let log_file = format!("log_file={}", file.display());
        let stream = stream_to_a_bad_service(&workshop, &[&log_file, &format!("verbosity={verbosity}")]);
        assert_eq!(stream.text(Text::LogFile), file.to_string_lossy());
        assert_eq!(levels_in(&log_of(&stream, &file)), up_to(verbosity.max(2)), "verbosity {verbosity}");
    }
}

#[test]
fn the_console_gets_what_verbosity_says() {
    for verbosity in 0..=4 {
        let variable = ("RHEED_TEST_VERBOSITY", verbosity.to_string());
        match support::run_alone(&[(variable.0, &variable.1)]) {
            Some(ended) => assert_eq!(levels_in(&ended.err), up_to(verbosity), "verbosity {verbosity}: {}", ended.err),
            None => {
                let verbosity = std::env::var(variable.0).expect("it was set for this process");
                let workshop = Workshop::new();
                drop(stream_to_a_bad_service(&workshop, &["log_file=none", &format!("verbosity={verbosity}")]));
                // Whatever waits is written before the library is shut down.
                rheed_stream::abi::calls::rheed_shutdown(-1);
                return;
            }
        }
    }
}

#[test]
fn a_chunk_that_is_refused_for_good_is_not_said_to_be_tried_again() {
    let workshop = Workshop::new();
    let stream = stream_to_a_bad_service(&workshop, &[]);
    let log = log_of(&stream, &workshop.spool().join("rheed.log"));
    assert!(log.contains("chunk 0 is tried again") && !log.contains("chunk 1 is tried again"), "{log}");
}

#[test]
fn each_line_of_a_log_begins_with_the_time_in_utc() {
    let workshop = Workshop::new();
    let file = workshop.path().join("told.log");
    let now = || Command::new("date").args(["-u", "+%FT%T.%3NZ"]).must_succeed().trim().to_owned();
    let before = now();
    let stream = stream_to_a_bad_service(&workshop, &[&format!("log_file={}", file.display())]);
    let log = log_of(&stream, &file);
    let after = now();
    let times: Vec<&str> = log.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(!times.is_empty() && times.iter().all(|time| (before.as_str()..=&after).contains(time)), "{before}, {after}: {log}");
    assert!(times.iter().all(|time| time.len() == before.len()), "{log}");
}

#[test]
fn without_being_asked_the_log_lies_in_the_spool() {
    let workshop = Workshop::new();
    let stream = stream_to_a_bad_service(&workshop, &[]);
    let file = workshop.spool().join("rheed.log");
    assert_eq!(stream.text(Text::LogFile), file.to_string_lossy());
    assert_eq!(levels_in(&log_of(&stream, &file)), up_to(2));
}

#[test]
fn no_log_file_is_made_where_none_is_wanted() {
    let workshop = Workshop::new();
    let stream = stream_to_a_bad_service(&workshop, &["log_file=none"]);
    assert_eq!(stream.text(Text::LogFile), "");
    let logs = files_below(workshop.path()).into_iter().filter(|file| file.extension().is_some_and(|end| end == "log"));
    assert_eq!(logs.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn a_log_file_that_cannot_be_written_is_no_obstacle() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let mut options = service::options(&service, &workshop);
    options.retain(|line| line != "log_file=none");
    // A folder is in its place.
    let stream = Stream::open(&with(options, &["fps=10", &format!("log_file={}", workshop.path().display())]));
    assert_eq!(stream.text(Text::LogFile), "");
    stream.push_counted(0, 20);
    assert_eq!(stream.finalize(-1), OK);
}

// ---- secrets -------------------------------------------------------------------------------------------------------

const KEY: &str = "a-key-that-nobody-may-read";

#[test]
fn neither_the_key_nor_an_upload_urls_signature_stands_in_any_file_or_text() {
    if let Some(ended) = support::run_alone(&[]) {
        assert!(ended.err.contains("request PUT chunk 0"), "{}", ended.err);
        assert!(!ended.err.contains(KEY) && !ended.err.contains("signature="), "{}", ended.err);
        return;
    }
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| {
        settings.key = Some(KEY.into());
        settings.faults = "put:status=503,times=1\npresign:status=422,chunk=1\npresign:cut=request,times=1,chunk=0".into();
    });
    let file = workshop.path().join("told.log");
    let mut options = service::options(&service, &workshop);
    options.retain(|line| line != "log_file=none");
    let options = with(options, &["fps=10", "physical_sample=Si", &format!("log_file={}", file.display())]);
    let stream = Stream::open(&with(options, &["verbosity=4"]));
    stream.push_counted(0, 45);
    stream.wait_for(Event::ChunkSetAside);
    stream.wait_until("a chunk is confirmed", |stream| stream.stat(Stat::ChunksConfirmed) == 1);
    service.stop();
    stream.push_counted(45, 40);
    stream.wait_for(Event::Offline);
    assert_eq!(stream.abort(), OK); // The spool is as a dead process leaves it.
    stream.wait_until("the last chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 5);
    stream.wait_until("the log tells of the outage", |_| {
        std::fs::read_to_string(&file).is_ok_and(|log| log.contains("cannot be reached"))
    });

    let signatures: Vec<String> = service::puts(&service)
        .iter()
        .filter_map(|put| Some(put.query.as_deref()?.split_once("signature=")?.1.to_string()))
        .collect();
    assert!(signatures.len() >= 2, "{signatures:?}");
    let files = files_below(workshop.path());
    assert!(
        ["stream.json", "told.log", "requests.jsonl", "c0000000001-20.shard.reason.txt"]
            .iter()
            .all(|name| files.iter().any(|file| file.ends_with(name))),
        "{files:#?}"
    );
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file).expect("it can be read")).into_owned();
        assert!(!text.contains(KEY), "{}: {text}", file.display());
        // The service's own notes tell what it was asked; nobody else's may.
        let is_services = file.starts_with(workshop.path().join("service"));
        assert!(is_services || signatures.iter().all(|signature| !text.contains(signature)), "{}: {text}", file.display());
    }
    let texts = [Text::DataId, Text::LocalId, Text::Status, Text::LastError, Text::Report, Text::SpoolDir, Text::LogFile];
    assert!(texts.into_iter().all(|which| !stream.text(which).contains(KEY)));
}

#[test]
fn a_service_that_repeats_the_key_does_not_get_it_into_messages() {
    if let Some(ended) = support::run_alone(&[]) {
        assert!(ended.err.contains("the key [key] is not welcome") && !ended.err.contains(KEY), "{}", ended.err);
        return;
    }
    let workshop = Workshop::new();
    let words = json!({ "detail": format!("the key {KEY} is not welcome") }).to_string();
    let file = workshop.path().join("told.log");
    let opened = |status: u16| {
        let words = words.clone();
        let stub = Stub::start(move |_| (status, words.clone()));
        let options = [
            format!("endpoint={}", stub.url()),
            format!("api_key={KEY}"),
            format!("spool_dir={}", workshop.spool().display()),
            format!("log_file={}", file.display()),
        ];
        Stream::try_open(&with(options.to_vec(), &["fps=10", "clock_sync=off", "verbosity=4"]))
    };
    let (_, said) = opened(403).err().expect("a refusal fails init");
    assert!(said.contains("the key [key] is not welcome"), "{said}");
    let (stream, remark) = opened(500).expect("no answer is no obstacle");
    assert!(remark.contains("the key [key] is not welcome"), "{remark}");
    assert!(stream.text(Text::LastError).contains("the key [key] is not welcome"));
    assert!(stream.wait_for(Event::Offline).text.contains("the key [key] is not welcome"));
    stream.wait_until("the log tells of it", |_| std::fs::read_to_string(&file).is_ok_and(|log| log.contains("500")));
    assert!(!std::fs::read_to_string(&file).expect("it is there").contains(KEY));
    assert_eq!(stream.abort(), OK);
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in folder.read_dir().expect("a folder can be read").flatten() {
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            files.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path()); // Links lead to the library under test.
        }
    }
    files
}
