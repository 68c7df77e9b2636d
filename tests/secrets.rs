//! The API key, a proxy's password and the signatures of upload URLs: a life in which everything fails that can, with everything
//! told that can be told, and then a search for them wherever words end up.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::abi::calls::rheed_shutdown;
use rheed_stream::abi::look::rheed_set_log;
use rheed_stream::codes::{Code, Event, Stat, Text};
use rheed_stream::options::Options;
use serde_json::json;
use std::ffi::{CStr, c_char, c_void};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::host::{OK, PATIENCE, Stream};
use support::proxy::{Manners, Proxy};
use support::spool::with;
use support::{Ended, Workshop, service, stub::Stub};

/// With all that JSON and URLs write otherwise.
const KEY: &str = "k3y\"with\\odd/chars&50%+more";
const SIGNATURE: &str = "51gn/ature+of%3D64==bytes";
const CREDENTIAL: &str = "AKIATHATISNOTFORLOGS/20260101/s3";
const PASSWORD: &str = "p@ss/word";
const PASSWORD_IN_URL: &str = "p%40ss%2Fword";

/// Each secret in every form that the service below repeats it in.
fn forms() -> Vec<String> {
    let mut forms: Vec<String> = [KEY, SIGNATURE, CREDENTIAL, PASSWORD, PASSWORD_IN_URL].map(String::from).to_vec();
    forms.push(json!(KEY).to_string().trim_matches('"').into());
    forms.extend(["k3y%22with%5Codd%2Fchars%2650%25%2Bmore", "51gn%2Fature", "AKIATHATISNOTFORLOGS%2F"].map(String::from));
    forms
}

#[track_caller]
fn has_no_secret(text: &[u8], of: &str) {
    let text = String::from_utf8_lossy(text);
    for form in forms() {
        assert!(!text.contains(&form), "{of} has {form}:\n{text}");
    }
}

/// A service that repeats whatever it is told, and takes nothing at the first time.
fn indiscreet_service() -> Stub {
    let tries: [AtomicUsize; 3] = Default::default();
    let first = move |of: usize| tries[of].fetch_add(1, Ordering::Relaxed) == 0;
    let storage: std::sync::Arc<Mutex<String>> = Default::default();
    let url = storage.clone();
    let stub = Stub::start(move |request| {
        let in_json = json!({ "detail": format!("the key {KEY} is not welcome"), "key": KEY }).to_string();
        let as_list = json!({ "detail": [{ "loc": ["header"], "input": KEY }] }).to_string();
        let storages =
            format!("<Error><SignatureProvided>{SIGNATURE}</SignatureProvided><Id>{CREDENTIAL}</Id><Key>{KEY}</Key></Error>");
        let in_url = format!("<a href='/?key=k3y%22with%5Codd%2Fchars%2650%25%2Bmore&{}'>", encoded_query());
        match request {
            "POST /rheed/stream/" if first(0) => (503, in_json),
            "POST /rheed/stream/" => (200, json!("an-id").to_string()),
            upload if upload.starts_with("PUT ") && first(1) => (403, storages),
            upload if upload.starts_with("PUT ") && first(2) => (400, in_url),
            upload if upload.contains("c%2F1%2F0") && upload.starts_with("POST ") => (422, as_list),
            upload if upload.starts_with("POST /data_entries/raw_data/staged/upload_urls/") => {
                (200, json!([{ "url": format!("{}/shard?{}", url.lock().unwrap(), encoded_query()) }]).to_string())
            }
            end if end.ends_with("/end") => (422, in_json),
            upload if upload.starts_with("PUT /shard?") && upload.contains("51gn") => (200, String::new()),
            _ => (0, String::new()),
        }
    });
    *storage.lock().unwrap() = stub.url().into();
    stub
}

fn encoded_query() -> String {
    format!("X-Amz-Credential={}&X-Amz-Signature=51gn%2Fature%2Bof%253D64%3D%3Dbytes", CREDENTIAL.replace('/', "%2F"))
}

/// Every text that a host can ask for, checked now.
fn texts_have_no_secret(stream: &Stream) {
    for which in [Text::DataId, Text::LocalId, Text::Status, Text::LastError, Text::Report, Text::SpoolDir, Text::LogFile] {
        has_no_secret(stream.text(which).as_bytes(), &format!("{which:?}"));
    }
}

/// Two chunks that fail twice and are taken, one that is refused, and an end that is refused.
fn live(workshop: &Workshop, log: &Path) {
    let stub = indiscreet_service();
    let key_file = workshop.write("key.txt", &format!("  {KEY} \r\nanother line\n"));
    std::fs::set_permissions(&key_file, PermissionsExt::from_mode(0o600)).expect("it is ours");
    let options = [
        format!("endpoint={}", stub.url()),
        format!("api_key_file={}", key_file.display()),
        format!("spool_dir={}", workshop.spool().display()),
        format!("log_file={}", log.display()),
    ];
    let options = with(options.to_vec(), &["fps=10", "clock_sync=off", "verbosity=4", "max_workers=1"]);
    let (stream, remark) = Stream::try_open(&options).expect("an answer for now is no refusal");
    assert!(remark.contains("the key [key] is not welcome"), "{remark}");
    has_no_secret(remark.as_bytes(), "init's message");
    stream.push_counted(0, 50);
    stream.wait_for(Event::ChunkSetAside);
    texts_have_no_secret(&stream);
    for file in files_below(workshop.path()).into_iter().filter(|file| *file != key_file) {
        has_no_secret(&std::fs::read(&file).unwrap_or_default(), &file.display().to_string()); // Some are gone by now.
    }
    assert_eq!(stream.finalize(PATIENCE), Code::WLoss as i32);
    for told in stream.events() {
        has_no_secret(told.text.as_bytes(), "an event");
    }
    texts_have_no_secret(&stream);
    assert!(stream.text(Text::Report).contains("[key]"), "the reason is told without the key");
    drop(stream);
}

#[test]
fn no_secret_gets_into_a_spool_a_log_a_report_an_event_or_an_error() {
    let search = |ended: &Ended| {
        has_no_secret(ended.err.as_bytes(), "the console");
        for hidden in
            ["the key [key] is not welcome", "<SignatureProvided>[signature]<", "<Id>[signature]<", "request PUT chunk 0"]
        {
            assert!(ended.err.contains(hidden), "{hidden} is not told: {}", ended.err);
        }
    };
    if let Some(ended) = support::run_alone(&[]) {
        return search(&ended);
    }
    let workshop = Workshop::new();
    let log = workshop.path().join("told.log");
    live(&workshop, &log);
    rheed_shutdown(PATIENCE); // Whatever waits to be written is written.
    let kept = files_below(workshop.path());
    for name in ["told.log", "c0000000001-20.shard.reason.txt"] {
        assert!(kept.iter().any(|file| file.ends_with(name)), "{kept:?}");
    }
    assert!(kept.iter().any(|file| file.parent().is_some_and(|folder| folder.ends_with("reports"))), "{kept:?}");
    for file in kept.into_iter().filter(|file| !file.ends_with("key.txt")) {
        has_no_secret(&std::fs::read(&file).expect("it can be read"), &file.display().to_string());
    }
}

#[test]
fn no_secret_gets_to_the_hosts_log_function() {
    if support::run_alone(&[]).is_some() {
        return; // There is one function in a process.
    }
    static TOLD: Mutex<Vec<u8>> = Mutex::new(Vec::new());
    extern "C" fn keep(_user: *mut c_void, _level: i32, message: *const c_char) {
        // SAFETY: the header promises a text that ends in NUL.
        TOLD.lock().unwrap().extend(unsafe { CStr::from_ptr(message) }.to_bytes());
    }
    assert_eq!(rheed_set_log(Some(keep), std::ptr::null_mut(), 4), OK);
    let workshop = Workshop::new();
    live(&workshop, &workshop.path().join("told.log"));
    rheed_shutdown(PATIENCE);
    let told = TOLD.lock().unwrap().clone();
    has_no_secret(&told, "the host's log");
    assert!(String::from_utf8_lossy(&told).contains("<SignatureProvided>[signature]<"));
}

#[test]
fn a_proxys_password_gets_into_no_message() {
    if let Some(ended) = support::run_alone(&[]) {
        has_no_secret(ended.err.as_bytes(), "the console");
        assert!(ended.err.contains("the proxy wants a user and a password"), "{}", ended.err);
        assert!(ended.err.contains("somebody with [password] may not"), "{}", ended.err);
        return;
    }
    let workshop = Workshop::new();
    let strict = Proxy::start_with(9, Manners { credentials: Some("others"), ..Manners::default() });
    let indiscreet = Stub::start(|_| (502, format!("somebody with {PASSWORD} may not")));
    for (endpoint, proxy) in
        [("https://rheed.invalid", strict.address()), ("http://rheed.invalid", indiscreet.url().trim_start_matches("http://"))]
    {
        let options = [
            format!("endpoint={endpoint}"),
            format!("proxy=http://somebody:{PASSWORD_IN_URL}@{proxy}"),
            format!("spool_dir={}", workshop.spool().display()),
        ];
        let more = ["api_key=k3y", "fps=10", "clock_sync=off", "verbosity=4", "allow_http=on"];
        let (stream, remark) = Stream::try_open(&with(options.to_vec(), &more)).expect("no network is no obstacle");
        has_no_secret(remark.as_bytes(), "init's message");
        stream.push_counted(0, 25);
        has_no_secret(stream.wait_for(Event::Offline).text.as_bytes(), "an event");
        stream.wait_until("a chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 1);
        texts_have_no_secret(&stream);
        assert_eq!(stream.abort(), OK);
    }
    rheed_shutdown(PATIENCE);
    for file in files_below(workshop.path()) {
        has_no_secret(&std::fs::read(&file).expect("it can be read"), &file.display().to_string());
    }
}

#[test]
fn options_that_are_printed_for_debugging_show_no_secret() {
    let options =
        Options::for_stream(&format!("fps=1\napi_key={KEY}\nproxy=http://somebody:{PASSWORD_IN_URL}@p.example\nspool_dir=/s"));
    let shown = format!("{:?}", options.expect("they are right"));
    has_no_secret(shown.as_bytes(), "the options");
    assert!(shown.contains("[secret]"), "{shown}");
}

#[test]
fn what_the_environment_gives_wrongly_is_named_without_its_value() {
    let cases = [
        (("AS_API_KEY", "se cret"), Code::EAuth),
        (("ATOMSCALE_API_KEY", "s\u{e9}cret"), Code::EAuth),
        (("AS_API_ENDPOINT", "https://user:secret@rheed.example"), Code::EOption),
    ];
    for ((variable, value), _) in cases {
        if support::run_alone(&[(variable, value), ("RHEED_TEST_NAMED", variable)]).is_some() {
            continue;
        }
        let named = std::env::var("RHEED_TEST_NAMED").expect("it was set");
        let (answered, said) = Stream::try_open(&["fps=10".into(), "spool_dir=/nowhere".into()]).err().expect("init fails");
        assert!(said.contains(&named) && !said.contains("cret"), "{said}");
        assert!(cases.iter().any(|((variable, _), code)| *variable == named && *code as i32 == answered), "{answered} {said}");
        return;
    }
}

#[test]
fn a_key_file_that_everybody_can_read_is_remarked_on_and_used() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let key_file = workshop.write("key.txt", service.key());
    let log = workshop.path().join("told.log");
    let mut options = service::options(&service, &workshop);
    options[1] = format!("api_key_file={}", key_file.display());
    options.retain(|line| line != "log_file=none");
    let options = with(options, &["fps=10", &format!("log_file={}", log.display())]);
    for (mode, is_remarked) in [(0o644, true), (0o640, false), (0o600, false)] {
        std::fs::set_permissions(&key_file, PermissionsExt::from_mode(mode)).expect("it is ours");
        let (stream, remark) = Stream::try_open(&options).expect("the key is right");
        assert_eq!(remark.contains("key.txt: other users of this computer can read it; `chmod 600`"), is_remarked, "{remark}");
        assert_eq!(stream.finalize(PATIENCE), OK);
    }
    comes_to_say(&log, "other users of this computer can read it");
    assert_eq!(std::fs::metadata(&log).expect("it is there").permissions().mode() & 0o777, 0o600);
}

/// Messages are written by a thread of their own.
#[track_caller]
fn comes_to_say(log: &Path, words: &str) {
    let end = std::time::Instant::now() + support::HANGS_AFTER;
    while !std::fs::read_to_string(log).is_ok_and(|log| log.contains(words)) {
        assert!(std::time::Instant::now() < end, "the log does not say {words}");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let inside = support::spool::entries(folder);
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) =
        inside.into_iter().filter(|path| !path.is_symlink()).partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| files_below(folder))).collect()
}
