//! Every request of the library meets every failure of a service, a gateway or a network: a table, walked cell by cell.
//!
//! Before a receiver stands a liar, which fails in one way at one kind of request and is honest after that. Whatever it was:
//! nothing hangs, and everything arrives, or what is refused for good is told with the service's words.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Health, Stat, State, Text};
use rheed_stream::receiver::{Receiver, StreamRecord};
use std::collections::HashMap;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::frames::{numbered, numbers};
use support::host::{OK, Stream};
use support::liar::{Kind, Liar, Lie, Then};
use support::{HANGS_AFTER, Workshop, long_run, service, spool};

const FRAMES: u64 = 25;
const PROJECT: &str = "7b0b7f0e-5b1c-4c53-9f0e-0d9f5a4ce001";
/// Most of a cell is waiting: so many at a time.
const WALKERS: usize = 96;
/// An answer of this length and more is hostile.
const FEW_MEGABYTES: u64 = 64 << 20;

// ---- what a service may do ------------------------------------------------------------------------------------------

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// Another time it is over.
    Passes,
    /// The service itself refuses what was asked.
    Final,
    /// The key is refused.
    Key,
    /// Something before the service refuses: no reason to give a chunk up, but reason enough not to begin.
    Gateway,
}
use Verdict::*;

struct Failure {
    name: String,
    lie: Lie,
    verdict: Verdict,
}

fn failure(name: impl Into<String>, lie: Lie, verdict: Verdict) -> Failure {
    Failure { name: name.into(), lie, verdict }
}

/// The connection breaks, or what comes over it is no HTTP.
fn broken_lines() -> Vec<Failure> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let with_length = |length: &str| format!("{head}content-length: {length}\r\n\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let long = "x".repeat(64 << 10);
    let broken = [
        ("reset", "", Then::Reset),
        ("hung up", "", Then::Close),
        ("silence", "", Then::Silence),
        ("silence in the head", head, Then::Silence),
        ("silence in the body", &(with_length("100") + "[{"), Then::Silence),
        ("silence in a chunk", &format!("{chunked}40\r\n[{{"), Then::Silence),
        ("cut in the head", head, Then::Close),
        ("cut after the head", &with_length("100"), Then::Close),
        ("reset after the head", &with_length("100"), Then::Reset),
        ("half of an answer", &(with_length("100") + "[{\"id\": \"7"), Then::Close),
        ("half of a chunked answer", &format!("{chunked}40\r\n\"half"), Then::Close),
        ("a reset in the answer", &(with_length("100") + "[{\"id\": \"7"), Then::Reset),
        ("a drip", &with_length("10000000000"), Then::Drip(" ")),
        ("a drip in the head", &format!("{head}x-more: "), Then::Drip(" ")),
        ("10 GB", &with_length("10737418240"), Then::Forever(long.clone())),
        ("10 GB without a length", &format!("{head}connection: close\r\n\r\n"), Then::Forever(long.clone())),
        ("10 GB in chunks", &chunked, Then::Forever(format!("10000\r\n{long}\r\n"))),
        ("10 GB of brackets", &with_length("10737418240"), Then::Forever("[".into())),
        ("10 GB in tiny chunks", &chunked, Then::Forever("1\r\n \r\n".into())),
        ("10 GB of headers", head, Then::Forever("x-more: of the same\r\n".into())),
        ("10 GB of one header", &format!("{head}x-more: "), Then::Forever("y".into())),
        ("10 GB of trailers", &format!("{chunked}0\r\n"), Then::Forever("x-more: of the same\r\n".into())),
        ("10 GB of a chunk's extension", &format!("{chunked}1;"), Then::Forever("y".into())),
        ("10 GB without a line", "HTTP/1.1 200 ", Then::Forever("y".into())),
        ("early hints without an end", "", Then::Drip("HTTP/1.1 103 Early Hints\r\n\r\n")),
        ("asked to continue without an end", "", Then::Drip("HTTP/1.1 100 Continue\r\n\r\n")),
        ("another protocol", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", Then::Silence),
        ("garbage", "\u{7}\u{0}\u{1}garbage\r\n\r\n", Then::Close),
        ("garbage without an end", "", Then::Forever("garbage ".into())),
        ("another service's greeting", "SSH-2.0-OpenSSH_9.2\r\n", Then::Silence),
        ("an answer of the old kind", "<html>hello</html>", Then::Close),
        ("an unknown version", "HTTP/9.9 200 OK\r\n\r\n", Then::Close),
        ("a status that is none", "HTTP/1.1 99 Low\r\n\r\n", Then::Close),
        ("two lengths", &format!("{head}content-length: 5\r\ncontent-length: 6\r\n\r\nnull  "), Then::Close),
        ("a length below nothing", &with_length("-1"), Then::Close),
        ("a length beyond numbers", &with_length("99999999999999999999999"), Then::Close),
        ("a chunk of no size", &format!("{chunked}zz\r\n"), Then::Close),
        ("a chunk beyond numbers", &format!("{chunked}FFFFFFFFFFFFFFFFF\r\n"), Then::Close),
    ];
    broken.into_iter().map(|(name, says, then)| failure(name, Lie::bytes(says, then), Passes)).collect()
}

/// The request is done, and its answer is of no use.
fn useless_answers() -> Vec<Failure> {
    let mut useless: Vec<Failure> = [
        ("an empty answer", ""),
        ("null", "null"),
        ("a number", "12"),
        ("an empty text", "\"\""),
        ("a path instead of an id", "\"../../x?y\""),
        ("an empty list", "[]"),
        ("a list of numbers", "[1, 2, null, \"x\"]"),
        ("an empty object", "{}"),
        ("an object of another shape", "{\"unexpected\": [true], \"id\": 7, \"url\": 8, \"name\": {}}"),
        ("times that are none", "{\"receivedAtUnixMs\": -1e308, \"transmittedAtUnixMs\": \"now\"}"),
        ("times of another age", "{\"receivedAtUnixMs\": 1.0, \"transmittedAtUnixMs\": 4.0e12}"),
        ("no JSON", "surely an answer"),
        ("half of a JSON", "[{\"id\": \"7\", \"na"),
        ("JSON and more", "\"0198c7e2\" \"0198c7e3\""),
        ("a number beyond numbers", "1e999999"),
        ("a surrogate", "\"\\ud800\""),
        ("very deep JSON", &"[".repeat(60_000)),
    ]
    .into_iter()
    .map(|(name, body)| failure(name, Lie::answer(200, "content-type: application/json\r\n", body), Passes))
    .collect();
    useless.push(failure("204", Lie::bytes("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", Then::Close), Passes));
    useless.push(failure("202", Lie::answer(202, "", ""), Passes));
    useless.push(failure("206", Lie::answer(206, "content-range: bytes 0-1/9\r\n", "[]"), Passes));
    useless.push(failure("packed", Lie::answer(200, "content-encoding: gzip\r\n", "\u{1f}packed"), Passes));
    useless.push(failure("silence after it was done", Lie::bytes("", Then::Silence), Passes));
    useless.push(failure("a reset after it was done", Lie::bytes("", Then::Reset), Passes));
    for failure in &mut useless {
        failure.lie = failure.lie.clone().after_doing_it();
    }
    useless
}

/// Somebody else answers: a log-in page, a gateway, a redirect.
fn strangers(elsewhere: &str) -> Vec<Failure> {
    const PAGE: &str = "\r\n<!DOCTYPE html><html><h1>Please log in</h1></html>";
    let html = "content-type: text/html\r\n";
    let mut strangers = vec![
        failure("a log-in page", Lie::answer(200, html, PAGE), Passes),
        failure("a page without a type", Lie::answer(201, "", PAGE), Passes),
        failure("a policy in plain text", denied_politely(), Passes),
        failure("a gateway's 404", Lie::answer(404, "content-type: text/plain\r\n", "default backend - 404"), Gateway),
        failure("a gateway's 405", Lie::answer(405, html, PAGE), Gateway),
        failure("a gateway's 413", Lie::answer(413, html, PAGE), Gateway),
        failure("a gateway's empty 410", Lie::answer(410, "", ""), Gateway),
        failure("a firewall's 403", Lie::answer(403, html, PAGE), Key),
        failure("a gateway's 502", Lie::answer(502, html, PAGE), Passes),
        failure("a redirect to itself as GET", Lie::answer(302, "location: /gateway/time\r\n", ""), Passes),
        failure("a redirect seen elsewhere", Lie::answer(303, "location: /gateway/time\r\n", ""), Passes),
    ];
    let refused_at = |port: &str| format!("http://127.0.0.1:{port}/");
    for to in [
        format!("http://{elsewhere}/other"),
        format!("http://k:k@{elsewhere}/"),
        format!("//{elsewhere}/other"),
        "https://{here}/".into(),
        refused_at("9"),
        "file:///etc/passwd".into(),
        "javascript:alert(1)".into(),
        "http://[no-address".into(),
        "http://".into(),
    ] {
        let lie = Lie::answer(if to.len() % 2 == 0 { 307 } else { 308 }, &format!("location: {to}\r\n"), "");
        strangers.push(failure(format!("a redirect to '{}'", to.replace(elsewhere, "elsewhere")), lie, Passes));
    }
    strangers.push(failure("a redirect without an address", Lie::answer(301, "", ""), Passes));
    strangers
}

/// As a middlebox says it that knows no statuses.
fn denied_politely() -> Lie {
    Lie::answer(200, "content-type: text/plain\r\n", "Access denied by policy")
}

/// Statuses in the service's own form.
fn statuses() -> Vec<Failure> {
    let mut all = Vec::new();
    let mut add = |statuses: &[u16], verdict: Verdict| {
        for status in statuses {
            let lie = Lie::answer(*status, "content-type: application/json\r\n", &refusal());
            all.push(failure(status.to_string(), lie, verdict));
        }
    };
    add(&[300, 304, 399, 402, 407, 408, 425, 429, 500, 501, 502, 503, 504, 507, 511, 599, 999], Passes);
    add(&[401, 403], Key);
    add(&[400, 404, 405, 406, 409, 410, 413, 415, 422, 423, 431, 451, 499], Final);
    for (name, status, header) in [
        ("429 for a second", 429, "retry-after: 1\r\n".to_string()),
        ("503 until a date", 503, format!("retry-after: {}\r\n", httpdate::fmt_http_date(std::time::SystemTime::now()))),
        ("503 until yesterday", 503, "retry-after: Fri, 01 Jan 1971 00:00:00 GMT\r\n".into()),
        ("503 until whenever", 503, "retry-after: soon\r\n".into()),
        ("429 for less than nothing", 429, "retry-after: -5\r\n".into()),
    ] {
        all.push(failure(name, Lie::answer(status, &header, &refusal()), Passes));
    }
    let stalled = "<Error><Code>RequestTimeout</Code></Error>";
    all.push(failure("400 after a stall", Lie::answer(400, "", stalled), Passes));
    let endless = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 10737418240\r\n\r\n");
    all.push(failure("503 with 10 GB", Lie::bytes(&endless("503 Busy"), Then::Forever("busy ".into())), Passes));
    all.push(failure("401 with 10 GB", Lie::bytes(&endless("401 No"), Then::Forever("no ".into())), Key));
    all.push(failure("401 cut off", Lie::bytes(&endless("401 No"), Then::Reset), Key));
    all
}

/// What the service says when it refuses: on one line, and not about the key.
fn refusal() -> String {
    serde_json::json!({ "detail": format!("no,\u{1b}[31m\r\nsays \u{202e}it{}", "!".repeat(2000)) }).to_string()
}

/// Presigned URLs that lead nowhere, or where nobody is to be led.
fn hostile_urls(elsewhere: &str) -> Vec<Failure> {
    let urls = [
        "".to_string(),
        " ".into(),
        "/relative".into(),
        "relative".into(),
        format!("//{elsewhere}/x"),
        "file:///etc/passwd".into(),
        "ftp://127.0.0.1/x".into(),
        "data:text/plain,x".into(),
        "http:".into(),
        "http://".into(),
        "https:///x".into(),
        format!("http://user:word@{elsewhere}/x"),
        format!("http://user@{elsewhere}/x"),
        "http://203.0.113.7/beyond-this-computer".into(),
        "http://nosuch.invalid/x".into(),
        "https://nosuch.invalid/x".into(),
        "https://{here}/no-tls-there".into(),
        "http://127.0.0.1:9/nobody-there".into(),
        "http://127.0.0.1:99999/no-port".into(),
        "http://{here}/staged/unknown\\r\\nX-API-KEY: k".into(),
        format!("http://{{here}}/staged/{}", "long".repeat(15_000)),
    ];
    let urls = urls.into_iter().map(|url| {
        let name = format!("a URL '{}'", url.chars().take(60).collect::<String>().replace(elsewhere, "elsewhere"));
        failure(name, Lie::answer(200, "", &format!("[{{\"upload_id\": \"1\", \"part\": 0, \"url\": \"{url}\"}}]")), Passes)
    });
    let others = ["[{}]", "[[]]", "{\"url\": null}", "[{\"url\": 5}]", "\"http://{here}/x\""];
    let others = others.map(|body| failure(format!("no URL in {body}"), Lie::answer(200, "", body), Passes));
    urls.chain(others).collect()
}

// ---- a cell -----------------------------------------------------------------------------------------------------------

struct Cell<'a> {
    number: usize,
    kind: Kind,
    failure: Failure,
    times: u64,
    service: &'a Receiver,
    spool: PathBuf,
}

impl Cell<'_> {
    fn what(&self) -> String {
        format!("{:?}: {}", self.kind, self.failure.name)
    }

    fn options(&self, liar: &Liar) -> Vec<String> {
        let mut options = vec![
            format!("endpoint={}", liar.url()),
            format!("api_key={}", self.service.key()),
            format!("spool_dir={}", self.spool.display()),
            format!("stream_name={}", self.what()),
            format!("clock_sync={}", if self.kind == Kind::Time { "on" } else { "off" }),
            "log_file=none".into(),
            "fps=10".into(),
            "max_workers=1".into(),
            "spool_min_free_bytes=0".into(),
        ];
        if self.is_linked() {
            let links = format!("physical_sample=sample {0}\ntags=tag {0}\nproject_id={PROJECT}", self.number);
            options.extend(links.lines().map(String::from));
        }
        options
    }

    fn is_linked(&self) -> bool {
        !matches!(self.kind, Kind::Time | Kind::Create | Kind::Presign | Kind::Put | Kind::End)
    }

    /// A 2xx is all that is asked of it.
    fn is_told(&self) -> bool {
        matches!(self.kind, Kind::LinkSample | Kind::LinkProject | Kind::LinkTags | Kind::Put | Kind::End)
    }

    fn kept(&self, stream: &Stream) -> StreamRecord {
        let data_id = stream.text(Text::DataId);
        let kept = self.service.streams().into_iter().find(|kept| kept.data_id == data_id);
        kept.unwrap_or_else(|| panic!("there is no stream {data_id:?}"))
    }

    /// All frames are there, under the stream's name.
    #[track_caller]
    fn arrived(&self, stream: &Stream) -> StreamRecord {
        let kept = self.kept(stream);
        assert_eq!(kept.name, self.what());
        assert!(service::pixels(&kept) == service::counted(FRAMES), "not the frames that were pushed: {kept:#?}");
        assert_eq!([Stat::FramesConfirmed, Stat::FramesLost].map(|stat| stream.stat(stat)), [FRAMES as i64, 0]);
        assert_eq!(spool::streams(&self.spool), [] as [PathBuf; 0]);
        kept
    }
}

/// Waits, but not for ever.
#[track_caller]
fn finalize(stream: &Stream) -> i32 {
    let code = stream.finalize(HANGS_AFTER.as_millis() as i32);
    assert_ne!(code, Code::WPending as i32, "it hangs: {} {}", stream.text(Text::LastError), stream.text(Text::Report));
    code
}

/// Walks a table on services of its own, one for each kind of request, and tells of all cells that fail.
fn walk(table: impl Fn(Kind, &str) -> Vec<(Failure, u64)>, check: impl Fn(&Cell) + Sync) {
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    stranger.set_nonblocking(true).expect("a socket can be asked without waiting");
    let elsewhere = stranger.local_addr().expect("its port").to_string();
    let workshops: HashMap<Kind, Workshop> = Kind::ALL.into_iter().map(|kind| (kind, Workshop::new())).collect();
    let services: HashMap<Kind, Receiver> = workshops.iter().map(|(kind, workshop)| (*kind, service::start(workshop))).collect();
    // In memory, where there is such a place: thousands of cells would wait for the disk, which is not what they are about.
    let spools = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder can be made");
    let mut cells = Vec::new();
    for kind in Kind::ALL {
        for (failure, times) in table(kind, &elsewhere) {
            let spool = spools.path().join(format!("spool-{}", cells.len()));
            cells.push(Cell { number: cells.len(), kind, failure, times, service: &services[&kind], spool });
        }
    }
    if long_run::times("RHEED_TORTURE_FAULTS", 0) == 0 {
        // In an ordinary run every fourth cell along the diagonals: each kind meets each sort of failure.
        cells.retain(|cell| (cell.number + cell.kind as usize).is_multiple_of(4));
    }
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WALKERS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| check(cell))).is_err() {
                        failed.lock().expect("nobody panics while it is locked").push(cell.what());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics while it is locked");
    assert!(failed.is_empty(), "{} of {} cells: {failed:#?}", failed.len(), cells.len());
    let came = stranger.accept();
    assert!(came.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "a stranger was visited: {came:?}");
    println!("{} cells", cells.len());
}

/// Every failure that a request can meet.
fn failures(kind: Kind, elsewhere: &str) -> Vec<Failure> {
    let mut all = [broken_lines(), useless_answers(), strangers(elsewhere), statuses()].into_iter().flatten().collect::<Vec<_>>();
    if kind == Kind::Presign {
        all.extend(hostile_urls(elsewhere));
        // That there is nobody who knows the stream is said by gateways, too.
        let unknown = |failure: &&mut Failure| failure.verdict == Final && ["404", "405", "410"].contains(&&*failure.name);
        all.iter_mut().filter(unknown).for_each(|failure| failure.verdict = Gateway);
    }
    all
}

/// What may be refused while a stream is made.
fn refused_before_the_first_chunk(kind: Kind, elsewhere: &str) -> Vec<(Failure, u64)> {
    if matches!(kind, Kind::Time | Kind::Presign | Kind::Put | Kind::End) {
        return Vec::new();
    }
    failures(kind, elsewhere).into_iter().filter(|failure| failure.verdict != Passes).map(|failure| (failure, 1)).collect()
}

// ---- the table --------------------------------------------------------------------------------------------------------

#[test]
fn whatever_may_pass_costs_no_frame_no_link_and_no_end() {
    // Several times in a row on a long night: the delays double.
    let times = long_run::times("RHEED_TORTURE_FAULTS", 1);
    let table = |kind: Kind, elsewhere: &str| {
        let passes = move |failure: &Failure| match failure.verdict {
            Passes => true,
            // Object storage says them of URLs, and the clock is no reason to give anything up.
            Final | Key | Gateway if matches!(kind, Kind::Put | Kind::Time) => true,
            // Later than init, it is no reason to give up either.
            Gateway | Key => matches!(kind, Kind::Presign | Kind::End),
            Final => false,
        };
        let mut cells: Vec<_> = failures(kind, elsewhere).into_iter().filter(passes).map(|failure| (failure, times)).collect();
        // An upload follows none, so that it meets each anew.
        let round = if kind == Kind::Put { times } else { 6 };
        cells.push((failure("a circle of redirects", Lie::answer(307, "location: ?again\r\n", ""), Passes), round));
        cells
    };
    walk(table, |cell| {
        let liar = Liar::before(service::address(cell.service));
        liar.lie(cell.kind, &cell.failure.lie, cell.times);
        let options = spool::with(cell.options(&liar), &["request_timeout_ms=3000"]);
        let (stream, _) = Stream::try_open(&options).expect("what may pass is no obstacle");
        stream.push_counted(0, FRAMES);
        if cell.kind == Kind::Time {
            // Chunks do not wait for the clock; this waits, to see that it is asked again.
            stream.wait_until("the clock is measured in the end", |_| liar.honest(Kind::Time) > 0);
        }
        assert_eq!(finalize(&stream), OK);
        assert!(liar.lied() > 0, "it was never asked");
        assert!(liar.longest() < FEW_MEGABYTES, "{} bytes of an answer were taken", liar.longest());
        let kept = cell.arrived(&stream);
        assert!(kept.ended, "{kept:?}");
        if cell.is_linked() {
            assert!(kept.physical_sample_id.is_some() && kept.tag_ids.len() == 1, "{kept:?}");
        }
        let told = stream.events();
        for never in [Event::ChunkSetAside, Event::FramesLost, Event::Fault] {
            assert!(told.iter().all(|event| event.kind != never as i32), "{told:#?}");
        }
        if !cell.is_told() && !matches!(cell.kind, Kind::Time | Kind::Samples | Kind::Tags) {
            let error = stream.text(Text::LastError);
            assert!(!error.is_empty() && !error.contains(cell.service.key()), "{error:?}");
        }
    });
}

#[test]
fn what_is_refused_while_init_waits_fails_it_and_leaves_nothing_behind() {
    walk(refused_before_the_first_chunk, |cell| {
        let liar = Liar::before(service::address(cell.service));
        liar.lie(cell.kind, &cell.failure.lie, cell.times);
        let options = spool::with(cell.options(&liar), &["connect_timeout_ms=60000"]);
        let (code, said) = Stream::try_open(&options).err().expect("a refusal fails init");
        // A stream that exists already is ended, and the message is about that.
        let is_linking = matches!(cell.kind, Kind::LinkSample | Kind::LinkProject | Kind::LinkTags);
        let expected = if cell.failure.verdict == Key && !is_linking { Code::EAuth } else { Code::ERefused };
        assert_eq!(code, expected as i32, "{said}");
        assert!(is_one_line(&said), "{said:?}");
        assert_eq!(spool::streams(&cell.spool), [] as [PathBuf; 0]);

        let stream = Stream::open(&options);
        stream.push_counted(0, FRAMES);
        assert_eq!(finalize(&stream), OK);
        cell.arrived(&stream);
        assert!(cell.service.streams().iter().filter(|kept| kept.name == cell.what()).all(|kept| kept.ended));
    });
}

#[test]
fn what_is_refused_when_init_has_returned_is_told_in_one_line_and_costs_no_frame() {
    walk(refused_before_the_first_chunk, |cell| {
        let liar = Liar::before(service::address(cell.service));
        liar.lie(cell.kind, &cell.failure.lie, cell.times);
        liar.hold();
        let (stream, remark) =
            Stream::try_open(&spool::with(cell.options(&liar), &["connect_timeout_ms=1"])).expect("no answer is no obstacle");
        assert!(remark.contains("has not answered within 1 ms"), "{remark}");
        stream.push_counted(0, FRAMES);
        liar.release();
        let is_link = cell.kind != Kind::Create;
        let without_link = cell.failure.verdict == Final && is_link;
        // A stream is created without the links that a key is refused for, and linked at once, in a second try.
        if without_link || (cell.failure.verdict != Gateway && !is_link) {
            let told = stream.wait_for(Event::Refused);
            assert!(is_one_line(&told.text), "{told:?}");
        }
        assert_eq!(finalize(&stream), OK);
        let kept = cell.arrived(&stream);
        assert!(kept.ended);
        let sample = matches!(cell.kind, Kind::Samples | Kind::NewSample | Kind::LinkSample);
        let tags = matches!(cell.kind, Kind::Tags | Kind::NewTag | Kind::LinkTags);
        if is_link && cell.kind != Kind::LinkProject {
            assert_eq!(kept.physical_sample_id.is_none(), without_link && sample, "{kept:?}");
            assert_eq!(kept.tag_ids.is_empty(), without_link && tags, "{kept:?}");
        }
    });
}

#[test]
fn a_chunk_that_is_refused_for_good_is_set_aside_and_an_end_that_is_refused_is_told() {
    let table = |kind: Kind, elsewhere: &str| {
        let refused = |failure: &Failure| matches!(kind, Kind::Presign | Kind::End) && failure.verdict == Final;
        failures(kind, elsewhere).into_iter().filter(refused).map(|failure| (failure, 1)).collect()
    };
    walk(table, |cell| {
        let liar = Liar::before(service::address(cell.service));
        liar.lie(cell.kind, &cell.failure.lie, cell.times);
        let stream = Stream::open(&cell.options(&liar));
        stream.push_counted(0, 20);
        assert!(stream.flush(HANGS_AFTER.as_millis() as i32) >= 0);
        stream.push_counted(20, FRAMES - 20);
        let error = |stream: &Stream| {
            let error = stream.text(Text::LastError);
            assert!(error.contains(&cell.failure.name) && error.contains("says") && is_one_line(&error), "{error:?}");
        };
        if cell.kind == Kind::End {
            assert_eq!(finalize(&stream), OK);
            let told = stream.wait_for(Event::Refused);
            assert_eq!(told.value.to_string(), cell.failure.name);
            assert!(is_one_line(&told.text), "{told:?}");
            error(&stream);
            cell.arrived(&stream);
            return;
        }
        let told = stream.wait_for(Event::ChunkSetAside);
        assert!(told.value == 0 && told.text.contains(&cell.failure.name) && is_one_line(&told.text), "{told:?}");
        error(&stream);
        assert_eq!(stream.stat(Stat::Health), Health::Act as i64);
        assert_eq!(stream.stat(Stat::State), State::Streaming as i64);
        assert_eq!(finalize(&stream), Code::WLoss as i32);
        assert_eq!([Stat::FramesConfirmed, Stat::FramesLost].map(|stat| stream.stat(stat)), [FRAMES as i64 - 20, 20]);
        let report = stream.text(Text::Report);
        assert!(report.contains("says") && !has_forged_lines(&report), "{report}");
        assert_eq!(spool::set_aside(&cell.spool).len(), 1);
        assert!(cell.kept(&stream).ended);
    });
}

#[test]
fn a_text_instead_of_a_confirmation_links_nothing_confirms_nothing_and_ends_nothing() {
    let kinds = [Kind::LinkSample, Kind::LinkProject, Kind::LinkTags, Kind::Put, Kind::End];
    std::thread::scope(|scope| {
        for kind in kinds {
            scope.spawn(move || {
                let workshop = Workshop::new();
                let service = service::start(&workshop);
                let liar = Liar::before(service::address(&service));
                liar.lie(kind, &denied_politely(), 2);
                let mut options = service::options(&service, &workshop);
                options[0] = format!("endpoint={}", liar.url());
                let links = format!("physical_sample=GaAs\ntags=tonight\nproject_id={PROJECT}");
                let (stream, _) = Stream::try_open(&spool::with(options, &["fps=10", &links])).expect("it may pass");
                stream.push_counted(0, FRAMES);
                assert_eq!(finalize(&stream), OK, "{kind:?}");
                assert_eq!(liar.lied(), 2, "{kind:?}");
                let chunks = FRAMES.div_ceil(20);
                assert_eq!(liar.honest(kind), if kind == Kind::Put { chunks } else { 1 }, "{kind:?}: it is asked again");
                let kept = service::only_stream(&service);
                assert!(service::pixels(&kept) == service::counted(FRAMES), "{kind:?}: {kept:#?}");
                assert!(kept.physical_sample_id.is_some() && kept.tag_ids.len() == 1, "{kind:?}: {kept:?}");
            });
        }
    });
}

#[test]
fn an_upload_that_is_said_to_have_come_at_its_head_is_no_confirmation() {
    const SIDE: u32 = 1024;
    const CHUNK: u64 = 20; // 20 MB: more than the kernel takes from a client whose server does not read.
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let liar = Liar::before(service::address(&service));
    liar.lie(Kind::Put, &Lie::answer(200, "", "").before_it_came(), 2);
    let mut options = service::options(&service, &workshop);
    options[0] = format!("endpoint={}", liar.url());
    let stream = Stream::open(&spool::with(options, &["fps=10", "when_full=block"]));
    let bytes = (SIDE * SIDE) as usize;
    for number in 0..CHUNK {
        assert_eq!(stream.push(&numbered(number, bytes), SIDE, SIDE, number, 0), OK);
    }
    assert_eq!(finalize(&stream), OK);
    assert_eq!((liar.lied(), liar.honest(Kind::Put)), (2, 1));
    let kept = service::only_stream(&service);
    assert!(numbers(&service::pixels(&kept), bytes).into_iter().eq(0..CHUNK), "{kept:?}");
    assert_eq!([Stat::FramesConfirmed, Stat::FramesLost].map(|stat| stream.stat(stat)), [CHUNK as i64, 0]);
}

/// No control characters, nothing that turns the order of reading around, and not endless.
fn is_one_line(text: &str) -> bool {
    text.len() < 1024 && !has_forged_lines(text)
}

fn has_forged_lines(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || c == '\u{202e}')
}
