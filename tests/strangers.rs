//! What strangers put in the way: a service whose answers lead elsewhere, a spool that somebody else has written into, names
//! that mean something to a shell, a terminal or a path.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Stat, State, Text};
use serde_json::{Value, json};
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use support::host::{OK, PATIENCE, PENDING, Stream};
use support::spool::{entries, only_stream, options as recording, set_aside, with};
use support::{Workshop, service, stub::Stub};

fn stub_options(stub: &Stub, workshop: &Workshop) -> Vec<String> {
    let spool = format!("spool_dir={}", workshop.spool().display());
    let endpoint = format!("endpoint={}", stub.url());
    with(vec![endpoint, spool], &["fps=10", "api_key=k", "clock_sync=off"])
}

// ---- a service -----------------------------------------------------------------------------------------------------

#[test]
fn a_data_id_that_is_none_is_asked_for_again_and_goes_nowhere() {
    let ids = [
        json!("../../etc/cron.d/x"),
        json!("..%2f..%2fetc"),
        json!("."),
        json!("a/b?c#d"),
        json!("a\u{0}b"),
        json!("a\r\nX-API-KEY: b"),
        json!("\u{1b}]0;title\u{7}"),
        json!("\"; rm -rf /"),
        json!(""),
        json!("x".repeat(10 << 20)),
        json!(7),
        json!({ "data_id": "a" }),
    ];
    for id in ids {
        let workshop = Workshop::new();
        let answer = id.to_string();
        let stub = Stub::start(move |_| (200, answer.clone()));
        let (stream, remark) = Stream::try_open(&stub_options(&stub, &workshop)).expect("it may be another next time");
        assert!(remark.contains("an answer without a data id") || remark.contains("an answer of more than"), "{remark}");
        stream.push_counted(0, 20);
        assert_eq!((stream.stat(Stat::State), stream.text(Text::DataId)), (State::Offline as i64, String::new()));
        assert!(stub.asked().iter().all(|request| request == "POST /rheed/stream/"), "{:?}", stub.asked());
        let spool = format!("{:?}", entries_below(&workshop.spool()));
        assert!(!spool.contains("etc") && !spool.contains("title"), "{spool}");
        assert_eq!(stream.abort(), OK);
    }
}

#[test]
fn a_services_words_cannot_write_to_a_terminal_or_forge_a_line_of_the_log() {
    let workshop = Workshop::new();
    let forged = "no\r\n2026-01-01T00:00:00Z error [stream] forged\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{2028}\u{202e}txet";
    let words = [json!({ "detail": forged }).to_string(), forged.to_string()];
    let stub = Stub::start(move |request| (503, words[usize::from(request.starts_with("GET"))].clone()));
    for more in [&[][..], &["physical_sample=Si"]] {
        let (stream, remark) = Stream::try_open(&with(stub_options(&stub, &workshop), more)).expect("503 is no refusal");
        let told = stream.wait_for(Event::Offline).text;
        for text in [remark, told, stream.text(Text::LastError)] {
            assert!(text.contains("forged") && text.contains("txet"), "{text}");
            assert!(!text.contains(|c: char| c.is_control() || "\u{2028}\u{202e}".contains(c)), "{text:?}");
        }
        assert_eq!(stream.abort(), OK);
    }
    let log = workshop.spool().join("rheed.log");
    let stream = Stream::open(&recording(&workshop).into_iter().chain(["fps=10".into()]).collect::<Vec<_>>());
    stream
        .wait_until("the log tells of it", |_| std::fs::read_to_string(&log).is_ok_and(|log| log.matches("forged").count() == 2));
    let log = std::fs::read_to_string(log).expect("it is there");
    assert!(log.lines().all(|line| line.starts_with("20") && !line.starts_with("2026-01-01T00:00:00Z error")), "{log}");
    assert!(!log.contains(|c: char| c != '\n' && (c.is_control() || "\u{2028}\u{202e}".contains(c))), "{log:?}");
}

#[test]
fn ids_of_samples_and_tags_go_into_no_path() {
    let workshop = Workshop::new();
    let project = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001";
    let stub = Stub::start(move |request| match request {
        "GET /physical_samples/" => (200, json!([{ "id": "../../elsewhere\r\n", "name": "Si" }]).to_string()),
        "GET /tags/" => (200, json!([{ "id": "../x", "name": "a" }, 7, null, { "id": {} }]).to_string()),
        "POST /rheed/stream/" => (200, json!("an-id").to_string()),
        _ => (200, "null".into()),
    });
    let more = ["physical_sample=Si", "tags=a", &format!("project_id={project}")];
    let stream = Stream::open(&with(stub_options(&stub, &workshop), &more));
    assert_eq!(stream.finalize(PATIENCE), OK);
    let expected = [
        "GET /physical_samples/".to_string(),
        "GET /tags/".into(),
        "POST /rheed/stream/".into(),
        "POST /data_entries/physical_sample".into(),
        format!("POST /projects/{project}/configuration/tracking_samples"),
        "POST /tags/data-items/".into(),
        "POST /rheed/stream/an-id/end".into(),
    ];
    assert_eq!(stub.asked(), expected);
}

#[test]
fn an_upload_url_that_leads_where_it_may_not_is_not_used() {
    let secrets = Stub::start(|_| (200, String::new()));
    let port = secrets.url().rsplit(':').next().expect("a port").to_string();
    let urls = [
        json!("http://169.254.169.254/latest/meta-data/"),
        json!("https://169.254.169.254/latest/meta-data/"),
        json!("http://203.0.113.7/shard"),
        json!("file:///etc/passwd"),
        json!("ftp://127.0.0.1/shard"),
        json!("//127.0.0.1/shard"),
        json!("shard"),
        json!("http://"),
        json!("https://\u{0}/"),
        json!("x".repeat(10 << 20)),
        json!({ "url": "http://127.0.0.1" }),
        json!(null),
    ];
    for url in urls {
        let workshop = Workshop::new();
        let answer = json!([{ "url": url }]).to_string();
        let stub = Stub::start(move |request| match request {
            "POST /rheed/stream/" => (200, json!("an-id").to_string()),
            _ => (200, answer.clone()),
        });
        let stream = Stream::open(&stub_options(&stub, &workshop));
        stream.push_counted(0, 20);
        stream.wait_until("it is told", |stream| !stream.text(Text::LastError).is_empty());
        let error = stream.text(Text::LastError);
        assert!(error.contains("an answer without a URL") || error.contains("an answer of more than"), "{url}: {error}");
        assert_eq!((stream.stat(Stat::BytesSent), stream.stat(Stat::FramesPending)), (0, 20), "{url}");
        assert_eq!(stream.abort(), OK);
    }

    // A service that is elsewhere, by way of a proxy, and the doors of this computer.
    for host in ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"] {
        let workshop = Workshop::new();
        let answer = json!([{ "url": format!("http://{host}:{port}/shard") }]).to_string();
        let stub = Stub::start(move |request| match request {
            create if create.ends_with("/rheed/stream/") => (200, json!("an-id").to_string()),
            _ => (200, answer.clone()),
        });
        let mut options = stub_options(&stub, &workshop);
        options[0] = "endpoint=http://service.rheed.invalid".into();
        let stream = Stream::open(&with(options, &["allow_http=on", &format!("proxy={}", stub.url())]));
        stream.push_counted(0, 20);
        stream.wait_until("it is told", |stream| !stream.text(Text::LastError).is_empty());
        let error = stream.text(Text::LastError);
        assert!(error.contains("it leads to this computer"), "{host}: {error}");
        assert!(stub.asked().iter().all(|request| !request.starts_with("PUT")), "{:?}", stub.asked());
        assert_eq!(stream.abort(), OK);
    }
    assert_eq!(secrets.asked(), [""; 0]);
}

// ---- names ---------------------------------------------------------------------------------------------------------

#[test]
fn a_name_arrives_as_it_was_given_whatever_it_would_mean_elsewhere() {
    let longest = "é".repeat(127);
    for name in [
        "../../etc/passwd",
        "%2e%2e%2f%00",
        "'; DROP TABLE streams; --",
        "$(reboot) `reboot` | reboot",
        "\"},{\"name\":\"x\"}",
        "C:\\new\\table",
        "<script>alert(1)</script>",
        "Bi₂Se₃ 膜 🔬",
        &longest,
    ] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let more = ["fps=10", &format!("stream_name={name}"), &format!("physical_sample={name}"), &format!("azimuth={name}")];
        let stream = Stream::open(&with(service::options(&service, &workshop), &more));
        stream.push_counted(0, 1);
        assert_eq!(stream.finalize(PATIENCE), OK);
        let kept = service::only_stream(&service);
        assert_eq!(kept.name, name);
        let bodies: Vec<Value> = service.requests().into_iter().filter_map(|request| request.body).collect();
        assert!(bodies.iter().any(|body| body["name"] == name) && bodies.iter().any(|body| body["azimuth_label"] == name));
        let report: Value = serde_json::from_str(&stream.text(Text::Report)).expect("it is JSON");
        assert_eq!(report["stream_name"], name);
        assert!(support::spool::streams(&workshop.spool()).is_empty());
    }
}

#[test]
fn control_characters_in_an_option_are_refused_by_name() {
    let workshop = Workshop::new();
    let refused = |line: &str| Stream::try_open(&with(recording(&workshop), &["fps=10", line])).err().expect("init fails");
    for name in ["stream_name", "physical_sample", "azimuth", "tags"] {
        for hostile in ["a\rX-API-KEY: b", "a\u{1b}[2J", "a\u{7f}b", "a\u{85}b", "a\tb"] {
            let (code, said) = refused(&format!("{name}={hostile}"));
            assert_eq!(code, Code::EOption as i32, "{name}: {said}");
            assert!(said.contains(name) && !said.contains(char::is_control), "{said:?}");
        }
    }
    for line in ["api_key=a\rb", "endpoint=https://rheed.example\u{7}@evil.example", "proxy=http://p.example\r:80@evil.example"] {
        let (code, said) = refused_beside_endpoint(&workshop, line);
        assert!(code == Code::EOption as i32 && !said.contains("evil") && !said.contains(char::is_control), "{said:?}");
    }
}

fn refused_beside_endpoint(workshop: &Workshop, line: &str) -> (i32, String) {
    let spool = format!("spool_dir={}", workshop.spool().display());
    let mut options = vec!["fps=10".into(), spool, line.into()];
    if !line.starts_with("api_key") {
        options.push("api_key=k".into());
    }
    Stream::try_open(&options).err().expect("init fails")
}

// ---- a spool -------------------------------------------------------------------------------------------------------

/// A spool with one stream of 25 frames that was recorded, and its folder.
fn recorded(workshop: &Workshop) -> PathBuf {
    let stream = Stream::open(&with(recording(workshop), &["fps=10", "stream_name=recorded"]));
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(PATIENCE), OK);
    only_stream(&workshop.spool())
}

/// Writes into a recorded stream's manifest what somebody else put there, who knows how its checksum is made.
fn forge(folder: &Path, change: impl FnOnce(&mut Value)) {
    let file = folder.join("stream.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("it is JSON");
    change(&mut manifest);
    manifest.as_object_mut().expect("an object").remove("crc32c");
    let text = manifest.to_string();
    let facts = text.strip_suffix('}').expect("an object");
    let forged = format!("{facts},\n  \"crc32c\": \"{:08x}\"\n}}", crc32c::crc32c(facts.as_bytes()));
    std::fs::write(file, forged).expect("it can be written");
}

#[test]
fn a_forged_manifest_leads_no_request_elsewhere() {
    for (field, value) in [
        ("/data_id", "../../physical_samples/x"),
        ("/data_id", "a\r\nX-API-KEY: b"),
        ("/data_id", "."),
        ("/stream/project_id", "../../../rheed/stream"),
        ("/stream/project_id", "%2e%2e"),
    ] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let folder = recorded(&workshop);
        forge(&folder, |manifest| *manifest.pointer_mut(field).expect("it has the field") = value.into());
        let stream = Stream::resume(&service::options(&service, &workshop));
        assert_eq!(stream.flush(PATIENCE), PENDING, "{field}: the frames are still there");
        assert!(service.requests().is_empty(), "{:?}", service.requests());
        let report = stream.text(Text::Report);
        assert!(report.contains("not taken up") && report.contains("an id in it is none"), "{report}");
        assert!(folder.join("c0000000000-20.shard").exists());
    }
}

#[test]
fn a_forged_manifest_writes_to_no_terminal_and_into_no_other_folder() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    forge(&recorded(&workshop), |manifest| {
        manifest["stream"]["stream_name"] = "\u{1b}[2J\r\nforged".into();
        manifest["losses"] = json!({ "\u{1b}]0;title\u{7}": { "frames": 1, "chunks": 1 } });
    });
    let stream = Stream::resume(&service::options(&service, &workshop));
    stream.flush(PATIENCE);
    let events = stream.events();
    assert!(events.iter().any(|told| told.kind == Event::TakenUp as i32));
    assert!(events.iter().all(|told| !told.text.contains(char::is_control)), "{events:?}");
    assert!(!stream.text(Text::Report).contains(char::is_control) && !stream.text(Text::Status).contains(char::is_control));

    let workshop = Workshop::new();
    let folder = recorded(&workshop);
    forge(&folder, |manifest| manifest["local_id"] = "../../../elsewhere".into());
    let service = service::start(&workshop);
    let stream = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(stream.flush(PATIENCE), PENDING);
    assert!(service.requests().is_empty() && folder.join("c0000000000-20.shard").exists());
    assert!(stream.text(Text::Report).contains("its manifest is of another folder"));
}

#[test]
fn links_in_a_spool_lead_nowhere() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let folder = recorded(&workshop);
    let private = workshop.write("private.txt", "somebody's own");
    let before = std::fs::metadata(&private).expect("it is there").modified().expect("it has a time");
    for name in ["c0000000007.part", "c0000000008-20.shard", "stream.next"] {
        symlink(&private, folder.join(name)).expect("links can be made");
    }
    symlink(&private, workshop.spool().join("rheed.log")).expect("links can be made");
    let mut options = service::options(&service, &workshop);
    options.retain(|line| line != "log_file=none");
    let stream = Stream::resume(&options);
    assert_eq!(stream.text(Text::LogFile), "", "the log is not written through a link");
    assert_eq!(stream.flush(PATIENCE), Code::WLoss as i32, "{}", stream.text(Text::Report));
    // What was the stream's own has arrived, the links lie beside, and what they led to is as it was.
    assert_eq!(service::only_stream(&service).frames(), 25);
    assert!(service::puts(&service).iter().all(|put| put.path.ends_with("/c/0/0/0") || put.path.ends_with("/c/1/0/0")));
    let aside = set_aside(&workshop.spool());
    assert!(
        aside.iter().any(|file| file.ends_with("c0000000007.part"))
            && aside.iter().any(|file| file.ends_with("c0000000008-20.shard")),
        "{aside:?}"
    );
    assert_eq!(std::fs::read_to_string(&private).expect("it is there"), "somebody's own");
    assert_eq!(std::fs::metadata(&private).expect("it is there").modified().expect("it has a time"), before);
}

#[test]
fn what_has_no_end_and_what_never_answers_keeps_nobody_waiting() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let folder = recorded(&workshop);
    pipe(&folder.join("c0000000007.part"));
    pipe(&folder.join("c0000000008-20.shard"));
    pipe(&workshop.spool().join("reports/0198c7e2-aaaa-7000-8000-000000000001.json"));
    symlink("/dev/zero", workshop.spool().join("reports/0198c7e2-aaaa-7000-8000-000000000002.json")).expect("links can be made");
    let endless = workshop.spool().join("streams/0198c7e2-aaaa-7000-8000-000000000003");
    std::fs::create_dir(&endless).expect("a folder can be made");
    symlink("/dev/zero", endless.join("stream.json")).expect("links can be made");
    let piped = workshop.spool().join("streams/0198c7e2-aaaa-7000-8000-000000000004");
    std::fs::create_dir(&piped).expect("a folder can be made");
    pipe(&piped.join("stream.json"));
    let stream = Stream::resume(&service::options(&service, &workshop));
    assert_eq!(stream.flush(PATIENCE), PENDING, "two folders cannot be used");
    assert_eq!(service::only_stream(&service).frames(), 25);
    assert_eq!(stream.text(Text::Report).matches("not taken up").count(), 2);
}

fn pipe(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL is in it");
    // SAFETY: the path is NUL-terminated.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o666) }, 0);
}

// ---- other users of the computer -----------------------------------------------------------------------------------

#[test]
fn a_folder_that_others_can_enter_holds_streams_that_they_cannot() {
    for mask in ["0000", "0022", "0077"] {
        if support::run_alone(&[("RHEED_TEST_UMASK", mask)]).is_some() {
            continue;
        }
        let mask = u32::from_str_radix(&std::env::var("RHEED_TEST_UMASK").expect("it was set"), 8).expect("octal");
        // SAFETY: only sets this process's mask for new files.
        unsafe { libc::umask(mask) };
        let workshop = Workshop::new();
        std::fs::create_dir(workshop.spool()).expect("a folder can be made");
        std::fs::set_permissions(workshop.spool(), PermissionsExt::from_mode(0o755)).expect("it is ours");
        let log = workshop.path().join("told.log");
        let options = [format!("spool_dir={}", workshop.spool().display()), format!("log_file={}", log.display())];
        let (stream, remark) = Stream::try_open(&with(options.to_vec(), &["fps=10", "endpoint=none"])).expect("it opens");
        assert_eq!(remark, "");
        stream.push_counted(0, 25);
        assert_eq!(stream.finalize(PATIENCE), OK);
        let below = entries_below(&workshop.spool());
        assert!(below.len() >= 7, "{below:?}");
        for path in below.into_iter().chain([log]) {
            let facts = path.metadata().expect("it is there");
            let expected = if facts.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(facts.permissions().mode() & 0o777, expected, "{}", path.display());
        }
        return;
    }
}

#[test]
fn the_default_spool_is_its_owners_alone() {
    let workshop = Workshop::new();
    let home = workshop.path().join("home");
    std::fs::create_dir(&home).expect("a folder can be made");
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o755)).expect("it is ours");
    if support::run_alone(&[("XDG_STATE_HOME", ""), ("HOME", &home.to_string_lossy())]).is_some() {
        let made = entries_below(&home);
        assert!(made.iter().any(|path| path.ends_with(".local/state/rheed-stream/streams")), "{made:?}");
        for folder in made.into_iter().filter(|path| path.is_dir()) {
            assert_eq!(folder.metadata().expect("it is there").permissions().mode() & 0o777, 0o700, "{}", folder.display());
        }
        return;
    }
    let stream = Stream::open(&["fps=10".into(), "endpoint=none".into()]);
    stream.push_counted(0, 5);
    assert_eq!(stream.finalize(PATIENCE), OK);
}

#[test]
fn a_spool_that_others_can_change_is_remarked_on_and_used() {
    let workshop = Workshop::new();
    std::fs::create_dir(workshop.spool()).expect("a folder can be made");
    let open = |mode: u32| {
        std::fs::set_permissions(workshop.spool(), PermissionsExt::from_mode(mode)).expect("it is ours");
        Stream::try_open(&with(recording(&workshop), &["fps=10"])).expect("it opens").1
    };
    assert!(open(0o777).contains("can be written by every user of this computer"));
    assert_eq!(open(0o1777), "", "as in /tmp nobody can rename what is another's");
    assert_eq!(open(0o755), "");
    // SAFETY: geteuid has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return support::skip("another user's spool", "only root can give a folder away");
    }
    std::os::unix::fs::chown(workshop.spool().join("streams"), Some(12345), None).expect("root can");
    assert!(open(0o755).contains("belongs to another user (uid 12345)"));
}

/// Everything in a folder, and in those in it.
fn entries_below(folder: &Path) -> Vec<PathBuf> {
    let inside = entries(folder);
    let deeper = inside.iter().filter(|path| path.is_dir()).flat_map(|path| entries_below(path)).collect::<Vec<_>>();
    [inside, deeper].concat()
}
