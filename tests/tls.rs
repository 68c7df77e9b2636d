//! TLS with a real server by OpenSSL: whom the library trusts, what it says where it does not, and what it will not speak.
#![cfg(feature = "receiver")]

mod support;

use rcgen::{CertificateParams, date_time_ymd};
use rheed_stream::codes::{Code, Event, Stat, State, Text};
use rheed_stream::receiver::Receiver;
use serde_json::json;
use std::path::{Path, PathBuf};
use support::host::{OK, PATIENCE, Stream};
use support::spool::with;
use support::tls::{Authority, Identity, Spoken, TlsFront, self_signed};
use support::{Workshop, apache::Apache, service, stub::Stub};

/// A service behind TLS.
struct Site {
    workshop: Workshop,
    service: Receiver,
    front: TlsFront,
}

impl Site {
    fn start(identity: &Identity) -> Site {
        Site::start_speaking(identity, &support::tls::MODERN)
    }

    fn start_speaking(identity: &Identity, spoken: &Spoken) -> Site {
        let workshop = Workshop::new();
        let (service, front) = support::tls::serve(&workshop, identity, spoken);
        Site { workshop, service, front }
    }

    fn options(&self, more: &[&str]) -> Vec<String> {
        let mut options = service::options(&self.service, &self.workshop);
        options[0] = format!("endpoint={}", self.front.url());
        with(with(options, &["fps=10"]), more)
    }

    /// The authorities to trust, as an option.
    fn trusting(&self, pem: &str) -> String {
        format!("ca_file={}", self.workshop.write("roots.pem", pem).display())
    }

    /// Streams, and sees the frames arrive.
    #[track_caller]
    fn takes_a_stream(&self, more: &[&str]) {
        let (stream, remark) = Stream::try_open(&self.options(more)).unwrap_or_else(|(code, said)| panic!("{code}: {said}"));
        assert_eq!(remark, "");
        stream.push_counted(0, 25);
        assert_eq!(stream.finalize(PATIENCE), OK);
        assert!(service::pixels(&service::only_stream(&self.service)) == service::counted(25));
    }

    /// Opens a stream that does not get through: that is an outage, told with these words, in which frames are kept.
    #[track_caller]
    fn is_an_outage(&self, more: &[&str], words: &str) -> String {
        let (stream, remark) = Stream::try_open(&self.options(more)).expect("what is elsewhere may come right: init goes on");
        assert!(remark.contains(words), "{remark}");
        assert!(stream.wait_for(Event::Offline).text.contains(words));
        stream.push_counted(0, 25);
        stream.wait_until("a chunk is sealed", |stream| stream.stat(Stat::ChunksSealed) == 1);
        let error = stream.text(Text::LastError);
        assert!(error.contains(words), "{error}");
        assert_eq!((stream.stat(Stat::State), stream.stat(Stat::FramesPending)), (State::Offline as i64, 25));
        assert_eq!(stream.abort(), OK);
        assert!(self.service.requests().is_empty(), "nothing is said to a stranger");
        error
    }
}

// ---- whom it trusts ------------------------------------------------------------------------------------------------

#[test]
fn frames_go_to_a_service_whose_authority_is_named_in_ca_file() {
    let authority = Authority::new("of the laboratory");
    let mut site = Site::start(&authority.certify());
    site.takes_a_stream(&[&site.trusting(&authority.pem())]);
    assert!(site.front.agreed().iter().all(|line| line == "TLSv1.3 http/1.1"), "{:?}", site.front.agreed());
    assert!(service::puts(&site.service).iter().all(|put| put.status == 200 && !put.has_key));
}

#[test]
fn a_ca_file_may_hold_many_authorities_among_other_text() {
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify());
    let others: String = (0..3).map(|number| Authority::new(&format!("other {number}")).pem()).collect();
    site.takes_a_stream(&[&site.trusting(&format!("# ours\r\n{others}Subject: the last\n{}", authority.pem()))]);
}

#[test]
fn the_systems_authorities_are_trusted_beside_those_of_ca_file() {
    let Some(store) = alone_with_a_store() else { return };
    let (systems, laboratorys) = (Authority::new("of the system"), Authority::new("of the laboratory"));
    std::fs::write(store, systems.pem()).expect("the store can be written");
    let site = Site::start(&systems.certify());
    site.takes_a_stream(&[&site.trusting(&laboratorys.pem())]);
}

#[test]
fn the_store_that_the_environment_names_is_the_systems() {
    let Some(store) = alone_with_a_store() else { return };
    let authority = Authority::new("of the system");
    std::fs::write(store, authority.pem()).expect("the store can be written");
    Site::start(&authority.certify()).takes_a_stream(&[]);
}

#[test]
fn an_authority_that_is_installed_on_the_computer_is_trusted() {
    // With a store of its own the process is as on another computer.
    const STORE: &str = "mount -t tmpfs none /etc/ssl/certs && exec \"$@\"";
    let Some(starter) = support::in_a_namespace("--mount", STORE) else {
        return support::skip("the system's store", "this user may not mount over /etc/ssl/certs, not even in a namespace");
    };
    if support::run_alone_by(&starter, &[]).is_some() {
        return;
    }
    let authority = Authority::new("installed");
    std::fs::write("/etc/ssl/certs/ca-certificates.crt", authority.pem()).expect("the store can be written");
    Site::start(&authority.certify()).takes_a_stream(&[]);
    let stranger = Authority::new("of nobody");
    Site::start(&stranger.certify()).is_an_outage(&[], "from no authority that this computer trusts");
}

#[test]
fn a_computer_without_any_authority_says_so_and_speaks_plain_http_all_the_same() {
    let Some(store) = alone_with_a_store() else { return };
    std::fs::write(store, "").expect("the store can be written");
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify());
    let (code, said) = Stream::try_open(&site.options(&[])).err().expect("nobody can be trusted");
    assert!(code == Code::ENetwork as i32 && said.contains("ca-certificates") && said.contains("ca_file"), "{code} {said}");
    let plain = with(service::options(&site.service, &site.workshop), &["fps=10"]);
    assert_eq!(Stream::open(&plain).finalize(PATIENCE), OK);
    let site = Site::start(&authority.certify());
    site.takes_a_stream(&[&site.trusting(&authority.pem())]);
}

#[test]
fn uploads_of_a_plain_service_may_go_by_tls_and_authorities_that_are_installed_meanwhile_are_found() {
    let Some(store) = alone_with_a_store() else { return };
    std::fs::write(&store, "").expect("the store can be written");
    let authority = Authority::new("of the system");
    let mut site = Site::start(&authority.certify());
    let stream = Stream::open(&with(service::options(&site.service, &site.workshop), &["fps=10"]));
    stream.push_counted(0, 25);
    let said = stream.wait_for(Event::Offline).text;
    assert!(said.contains("ca-certificates") && said.contains("ca_file"), "{said}");
    assert!(service::puts(&site.service).is_empty(), "nothing is sent to a stranger");
    std::fs::write(store, authority.pem()).expect("the store can be written");
    assert_eq!(stream.finalize(PATIENCE), OK);
    assert!(service::pixels(&service::only_stream(&site.service)) == service::counted(25));
    assert!(!site.front.agreed().is_empty(), "the frames went by TLS");
}

// ---- whom it does not trust ----------------------------------------------------------------------------------------

#[test]
fn a_certificate_of_an_unknown_authority_is_an_outage_that_says_what_to_do() {
    let site = Site::start(&Authority::new("of nobody").certify());
    let trusting = site.trusting(&Authority::new("of the laboratory").pem());
    let said = site.is_an_outage(&[&trusting], "from no authority that this computer trusts");
    assert!(said.contains("give its authority's certificate as ca_file"), "{said}");
}

#[test]
fn a_certificate_that_vouches_for_itself_is_not_trusted() {
    let site = Site::start(&self_signed());
    site.is_an_outage(
        &[&site.trusting(&Authority::new("of the laboratory").pem())],
        "from no authority that this computer trusts",
    );
}

#[test]
fn a_certificate_for_another_host_is_not_trusted() {
    let authority = Authority::new("of the laboratory");
    let elsewhere =
        |params: &mut CertificateParams| *params = CertificateParams::new(["elsewhere.example".into()]).expect("a name");
    let site = Site::start(&authority.certify_with(elsewhere));
    site.is_an_outage(&[&site.trusting(&authority.pem())], "for another host");
}

#[test]
fn a_certificate_out_of_its_time_is_not_trusted_and_the_clock_is_named() {
    let authority = Authority::new("of the laboratory");
    let expired = authority.certify_with(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let early = authority.certify_with(|params| params.not_before = date_time_ymd(3000, 1, 1));
    for (identity, words) in
        [(expired, "has expired, or this computer's clock is wrong"), (early, "is not valid yet, or this computer's clock")]
    {
        let site = Site::start(&identity);
        site.is_an_outage(&[&site.trusting(&authority.pem())], words);
    }
}

#[test]
fn frames_arrive_when_the_certificate_has_come_right() {
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify_with(|params| params.not_after = date_time_ymd(2020, 1, 1)));
    let stream = Stream::open(&site.options(&[&site.trusting(&authority.pem())]));
    stream.push_counted(0, 25);
    stream.wait_for(Event::Offline);
    authority.certify().write(&site.workshop); // The server looks there at every connection.
    assert_eq!(stream.finalize(PATIENCE), OK);
    assert!(service::pixels(&service::only_stream(&site.service)) == service::counted(25));
}

#[test]
fn a_ca_file_that_cannot_be_used_fails_init_with_the_reason() {
    let authority = Authority::new("of the laboratory");
    let identity = authority.certify();
    let site = Site::start(&identity);
    let damaged = authority.pem().replace("MII", "M!!");
    let no_certificate = "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n";
    let file = site.workshop.path().join("roots.pem");
    let cases: [(&[u8], &str); 6] = [
        (b"", "no PEM certificate"),
        (b"no certificate", "no PEM certificate"),
        (&authority.der(), "no PEM certificate"),
        (identity.key.as_bytes(), "no PEM certificate"),
        (damaged.as_bytes(), "damaged"),
        (no_certificate.as_bytes(), "damaged"),
    ];
    let refusal = |ca_file: &Path| {
        let ca_file = format!("ca_file={}", ca_file.display());
        Stream::try_open(&site.options(&[&ca_file])).err().expect("init fails")
    };
    for (bytes, words) in cases {
        std::fs::write(&file, bytes).expect("a file");
        let (code, said) = refusal(&file);
        assert!(code == Code::ENetwork as i32 && said.contains("roots.pem") && said.contains(words), "{code} {said}");
    }
    for (path, words) in [("/nowhere/roots.pem", "No such file"), ("/dev/zero", "longer than"), ("/", "directory")] {
        let (code, said) = refusal(Path::new(path));
        assert!(code == Code::ENotFound as i32 && said.contains(path) && said.contains(words), "{code} {said}");
    }
}

#[test]
fn a_redirect_out_of_tls_is_not_followed() {
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify());
    let plain = Stub::start(|_| (200, json!("an-id").to_string()));
    let elsewhere = plain.url().replace("127.0.0.1", "localhost");
    site.service.set_faults(&format!("create:redirect={elsewhere}/rheed/stream/,times=1")).expect("a good rule");
    let (stream, remark) = Stream::try_open(&site.options(&[&site.trusting(&authority.pem())])).expect("it may be right again");
    assert!(remark.contains("a redirect to http://localhost:") && remark.contains("not followed"), "{remark}");
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(PATIENCE), OK);
    assert_eq!(plain.asked(), [""; 0]);
}

#[test]
fn uploads_do_not_leave_tls_unless_that_is_allowed() {
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify());
    let trusting = site.trusting(&authority.pem());
    site.service.stop();
    // Its upload URLs are plain again.
    let service = service::start_again(&site.service, &site.workshop, "");
    let stream = Stream::open(&site.options(&[&trusting]));
    stream.push_counted(0, 20);
    stream.wait_until("it is told", |stream| {
        stream.text(Text::LastError).contains("it is plain http, which asks for allow_http = on")
    });
    assert_eq!((stream.stat(Stat::BytesSent), stream.stat(Stat::FramesPending)), (0, 20));
    assert_eq!(stream.abort(), OK);
    assert!(service::puts(&service).is_empty());
    let allowing = Stream::resume(&site.options(&[&trusting, "allow_http=on"]));
    assert_eq!(allowing.flush(PATIENCE), OK);
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(20));
}

// ---- what it speaks ------------------------------------------------------------------------------------------------

#[test]
fn either_modern_version_of_tls_will_do() {
    for version in ["TLSv1_2", "TLSv1_3"] {
        let authority = Authority::new("of the laboratory");
        let spoken = Spoken { lowest: version, highest: version, protocols: "-" };
        let mut site = Site::start_speaking(&authority.certify(), &spoken);
        site.takes_a_stream(&[&site.trusting(&authority.pem())]);
        let expected = format!("{} None", version.replace('_', "."));
        assert!(site.front.agreed().iter().all(|line| *line == expected), "{:?}", site.front.agreed());
    }
}

#[test]
fn an_old_version_of_tls_is_not_spoken() {
    let authority = Authority::new("of the laboratory");
    let spoken = Spoken { lowest: "TLSv1", highest: "TLSv1_1", protocols: "-" };
    let mut site = Site::start_speaking(&authority.certify(), &spoken);
    site.is_an_outage(&[&site.trusting(&authority.pem())], "it has to be version 1.2 or 1.3");
    assert!(site.front.agreed().iter().all(|line| line.starts_with("none ")), "{:?}", site.front.agreed());
}

#[test]
fn a_server_that_speaks_no_tls_is_named_as_such() {
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify());
    let mut options = site.options(&[&site.trusting(&authority.pem())]);
    options[0] = site.service.url().replace("http://", "endpoint=https://");
    let (stream, remark) = Stream::try_open(&options).expect("what is elsewhere may come right: init goes on");
    assert!(remark.contains("does not speak TLS"), "{remark}");
    assert_eq!(stream.abort(), OK);
}

#[test]
fn everything_goes_by_http2_where_the_server_offers_it() {
    if !Apache::is_there() {
        return support::skip("HTTP/2", "there is no apache2 (Debian: apache2-bin)");
    }
    let authority = Authority::new("of the laboratory");
    let site = Site::start(&authority.certify());
    let inner = service::address(&site.service).port();
    let apache = Apache::before(&site.workshop, &authority.certify(), inner);
    site.service.stop();
    let service = service::start_with(&site.workshop, |settings| {
        settings.listen = service::address(&site.service);
        settings.key = Some(site.service.key().into());
        settings.public_url = Some(format!("https://localhost:{}", apache.port()));
    });
    let mut options = site.options(&[&site.trusting(&authority.pem())]);
    options[0] = format!("endpoint=https://localhost:{}", apache.port());
    let stream = Stream::open(&options);
    stream.push_counted(0, 90);
    assert_eq!(stream.finalize(PATIENCE), OK);
    assert!(service::pixels(&service::only_stream(&service)) == service::counted(90));
    let requests = apache.requests();
    assert_eq!(
        requests.iter().filter(|line| line.starts_with("HTTP/2.0 PUT ") && line.ends_with(" 200")).count(),
        5,
        "{requests:?}"
    );
    assert!(requests.iter().all(|line| line.starts_with("HTTP/2.0 ")), "{requests:?}");
}

// ---- for the tests above -------------------------------------------------------------------------------------------

/// Where the store of authorities lies, in a process of its own; `None`: that process was started, and has done it all.
fn alone_with_a_store() -> Option<PathBuf> {
    let workshop = Workshop::new();
    let store = workshop.path().join("store.pem");
    match support::run_alone(&[("SSL_CERT_FILE", &store.to_string_lossy())]) {
        Some(_) => None,
        None => std::env::var_os("SSL_CERT_FILE").map(PathBuf::from),
    }
}
