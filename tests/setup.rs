//! Options that set up how the service is spoken to, or how frames are kept.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event};
use support::host::{FRAME_BYTES, OK, Stream};
use support::spool::with;
use support::{Workshop, service};

#[test]
fn everything_goes_through_the_proxy_that_is_named() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    // The service itself plays the proxy: nobody else knows the host.
    let options = service::options(&service, &workshop).into_iter().filter(|line| !line.starts_with("endpoint="));
    let proxy = format!("proxy={}", service.url());
    let options = with(options.collect(), &["fps=10", "endpoint=http://rheed.invalid", "allow_http=on", &proxy]);
    let stream = Stream::open(&options);
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(-1), OK);
    assert_eq!(service::only_stream(&service).frames(), 25);
}

#[test]
fn a_proxy_that_is_not_there_is_an_outage() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let options = with(service::options(&service, &workshop), &["fps=10", "proxy=http://127.0.0.1:9"]);
    let (stream, remark) = Stream::try_open(&options).expect("no network is no obstacle");
    assert!(remark.contains("cannot be reached"), "{remark}");
    stream.wait_for(Event::Offline);
    assert_eq!(stream.abort(), OK);
    assert!(service.requests().is_empty());
}

#[test]
fn a_certificate_file_that_cannot_be_used_fails_init_by_name() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let file = workshop.path().join("roots.pem");
    let open = || {
        let ca_file = format!("ca_file={}", file.display());
        Stream::try_open(&with(service::options(&service, &workshop), &["fps=10", &ca_file])).err().expect("init fails")
    };
    let (code, said) = open();
    assert!(code == Code::ENotFound as i32 && said.contains("ca_file"), "{code} {said}");
    std::fs::write(&file, "no certificate").expect("a file");
    let (code, said) = open();
    assert!(code == Code::ENetwork as i32 && said.contains("ca_file"), "{code} {said}");
}

#[test]
fn frames_are_the_same_at_every_compression_level() {
    for level in ["-20", "1", "9"] {
        let workshop = Workshop::new();
        let service = service::start(&workshop);
        let level = format!("compression_level={level}");
        let stream = Stream::open(&with(service::options(&service, &workshop), &["fps=10", &level]));
        stream.push_counted(0, 20);
        assert_eq!(stream.finalize(-1), OK);
        let expected: Vec<u8> = (0..20u8).flat_map(|shade| [shade; FRAME_BYTES]).collect();
        assert!(service::pixels(&service::only_stream(&service)) == expected, "{level}");
    }
}
