//! Proxies, real ones over real sockets: by option and by environment, with all that they may answer, and what they get to see.
#![cfg(feature = "receiver")]

mod support;

use rheed_stream::codes::{Code, Event, Stat, State, Text};
use rheed_stream::receiver::Receiver;
use support::host::{OK, PATIENCE, Stream};
use support::proxy::{Manners, Proxy};
use support::spool::with;
use support::tls::{Authority, OUTSIDE, TlsFront};
use support::{Workshop, apache::Apache, service};

const KEY: &str = "a-key-that-no-proxy-may-read";
/// In base64: `somebody:p@ss word`.
const CREDENTIALS: &str = "c29tZWJvZHk6cEBzcyB3b3Jk";
const PASSWORD_SHA1: &str = "sBKkJl3+0/ZJlTnZyV6He0ZjMq0=";
const PASSWORD_IN_URL: &str = "p%40ss%20word";
const OPTIONS: &str = "RHEED_TEST_OPTIONS";

/// A service with TLS on a host that only a proxy leads to.
struct Site {
    workshop: Workshop,
    service: Receiver,
    front: TlsFront,
    ca_file: String,
}

impl Site {
    fn start() -> Site {
        let workshop = Workshop::new();
        let service = service::start_with(&workshop, |settings| {
            settings.key = Some(KEY.into());
            settings.public_url = Some(format!("https://{OUTSIDE}"));
        });
        let authority = Authority::new("of the laboratory");
        let front = TlsFront::start(&workshop, &authority.certify(), service::address(&service).port());
        let ca_file = format!("ca_file={}", workshop.write("roots.pem", &authority.pem()).display());
        Site { workshop, service, front, ca_file }
    }

    fn proxy(&self, manners: Manners) -> Proxy {
        Proxy::start_with(self.front.port(), manners)
    }

    fn options(&self, more: &[&str]) -> Vec<String> {
        let mut options = service::options(&self.service, &self.workshop);
        options[0] = format!("endpoint=https://{OUTSIDE}");
        with(with(options, &["fps=10", &self.ca_file]), more)
    }

    #[track_caller]
    fn has_all(&self) {
        assert!(service::pixels(&service::only_stream(&self.service)) == service::counted(25));
    }
}

/// 25 frames, all of which have to arrive.
#[track_caller]
fn stream_through(options: &[String]) {
    let (stream, remark) = Stream::try_open(options).unwrap_or_else(|(code, said)| panic!("{code}: {said}"));
    assert_eq!(remark, "");
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(PATIENCE), OK);
}

/// Opens a stream that finds no way: an outage, in which frames are kept. What is said of it.
#[track_caller]
fn is_an_outage(options: &[String]) -> String {
    let (stream, remark) = Stream::try_open(options).expect("no network is no obstacle");
    stream.wait_for(Event::Offline);
    stream.push_counted(0, 20);
    let error = stream.text(Text::LastError);
    assert!(remark.contains("cannot be reached") && error.contains("cannot be reached"), "{remark}, {error}");
    assert_eq!((stream.stat(Stat::State), stream.stat(Stat::FramesPending)), (State::Offline as i64, 20));
    assert_eq!(stream.abort(), OK);
    error
}

/// A proxy was asked for the service's host and nothing else, and read nothing of what was said there.
#[track_caller]
fn was_a_tunnel(proxy: &Proxy, asked: &str) {
    let lines = proxy.asked();
    assert!(!lines.is_empty() && lines.iter().all(|line| line == asked), "{lines:?}");
    for secret in [KEY, "X-API-KEY", "x-api-key", "/rheed/stream", "signature="] {
        assert!(!proxy.saw(secret), "the proxy read {secret}");
    }
}

fn connect() -> String {
    format!("CONNECT {OUTSIDE}:443 HTTP/1.1")
}

// ---- by option -----------------------------------------------------------------------------------------------------

#[test]
fn a_proxy_carries_everything_and_reads_nothing() {
    let site = Site::start();
    let proxy = site.proxy(Manners::default());
    stream_through(&site.options(&[&format!("proxy=http://{}", proxy.address())]));
    site.has_all();
    was_a_tunnel(&proxy, &connect());
}

#[test]
fn a_proxy_gets_the_user_and_the_password_that_it_wants() {
    let site = Site::start();
    let proxy = site.proxy(Manners { credentials: Some(CREDENTIALS), ..Manners::default() });
    stream_through(&site.options(&[&format!("proxy=http://somebody:{PASSWORD_IN_URL}@{}", proxy.address())]));
    site.has_all();
    was_a_tunnel(&proxy, &connect());
}

#[test]
fn a_proxy_such_as_laboratories_have_takes_the_password_and_tunnels() {
    if !Apache::is_there() {
        return support::skip("a proxy by Apache", "there is no apache2 (Debian: apache2-bin)");
    }
    let workshop = Workshop::new();
    let inner = service::start(&workshop);
    let authority = Authority::new("of the laboratory");
    let front = TlsFront::start(&workshop, &authority.certify(), service::address(&inner).port());
    inner.stop();
    let service = service::start_with(&workshop, |settings| {
        settings.listen = service::address(&inner);
        settings.key = Some(inner.key().into());
        settings.public_url = Some(front.url());
    });
    let apache = Apache::proxy(&workshop, &format!("somebody:{{SHA}}{PASSWORD_SHA1}\n"), front.port());
    let mut options = service::options(&service, &workshop);
    options[0] = format!("endpoint={}", front.url());
    let ca_file = format!("ca_file={}", workshop.write("roots.pem", &authority.pem()).display());
    let through = |password: &str| {
        let proxy = format!("proxy=http://somebody:{password}@127.0.0.1:{}", apache.port());
        with(options.clone(), &["fps=10", &ca_file, &proxy])
    };
    assert!(is_an_outage(&through("wrong")).contains("the proxy wants a user and a password"));
    let stream = Stream::open(&through(PASSWORD_IN_URL));
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(PATIENCE), OK);
    assert!(service.streams().iter().any(|stream| stream.ended && stream.frames() == 25));
    // A tunnel that holds is noted when it is closed.
    let requests = apache.requests();
    assert!(!requests.is_empty() && requests.iter().all(|line| line.starts_with("HTTP/1.1 CONNECT localhost:")), "{requests:?}");
}

#[test]
fn a_proxy_may_be_spoken_to_by_tls_or_socks() {
    let site = Site::start();
    let proxy = site.proxy(Manners::default());
    let authority = Authority::new("of the proxy");
    let front = TlsFront::start(&site.workshop, &authority.certify(), proxy.port());
    let services = std::fs::read_to_string(site.workshop.path().join("roots.pem")).expect("it was written");
    site.workshop.write("roots.pem", &(services + &authority.pem()));
    stream_through(&site.options(&[&format!("proxy=https://localhost:{}", front.port())]));
    site.has_all();
    was_a_tunnel(&proxy, &connect());

    let site = Site::start();
    let proxy = site.proxy(Manners::default());
    stream_through(&site.options(&[&format!("proxy=socks5h://{}", proxy.address())]));
    site.has_all();
    was_a_tunnel(&proxy, &format!("SOCKS {OUTSIDE}:443"));
}

#[test]
fn a_proxy_that_refuses_or_is_not_there_is_an_outage_that_names_it() {
    for (manners, words) in [
        (Manners { credentials: Some(CREDENTIALS), ..Manners::default() }, "the proxy wants a user and a password"),
        (Manners { refuses: Some("403 Forbidden"), ..Manners::default() }, "the proxy does not let it through"),
        (Manners { refuses: Some("502 Bad Gateway"), ..Manners::default() }, "the proxy does not let it through"),
    ] {
        let site = Site::start();
        let proxy = site.proxy(manners);
        let said = is_an_outage(&site.options(&[&format!("proxy=http://somebody:wrong-password@{}", proxy.address())]));
        assert!(said.contains(words) && !said.contains("wrong-password"), "{said}");
        assert!(site.service.requests().is_empty() && !proxy.asked().is_empty());
    }
    let site = Site::start();
    let said = is_an_outage(&site.options(&["proxy=http://somebody:a-password@127.0.0.1:9"]));
    assert!(said.contains("the proxy cannot be reached") && !said.contains("a-password"), "{said}");
}

#[test]
fn frames_arrive_when_the_proxy_lets_them_through_again() {
    let site = Site::start();
    let unwilling = site.proxy(Manners { refuses: Some("503 Not Now"), ..Manners::default() });
    let options = site.options(&[&format!("proxy=http://{}", unwilling.address())]);
    let stream = Stream::open(&options);
    stream.push_counted(0, 25);
    stream.wait_for(Event::Offline);
    unwilling.is_willing();
    assert_eq!(stream.finalize(PATIENCE), OK);
    site.has_all();
}

#[test]
fn a_proxy_in_plain_http_that_wants_a_password_costs_no_chunk() {
    let workshop = Workshop::new();
    let service = service::start_with(&workshop, |settings| settings.public_url = Some(format!("http://{OUTSIDE}")));
    let proxy = Proxy::start(service::address(&service).port());
    let mut options = service::options(&service, &workshop);
    options[0] = format!("endpoint=http://{OUTSIDE}");
    let options = with(options, &["fps=10", "allow_http=on", &format!("proxy=http://{}", proxy.address())]);
    let stream = Stream::open(&options);
    // As a proxy whose session has run out.
    service.set_faults("presign:status=407,times=2").expect("a good rule");
    stream.push_counted(0, 25);
    assert_eq!(stream.finalize(PATIENCE), OK);
    assert_eq!(service::only_stream(&service).frames(), 25);
    assert!(proxy.asked().iter().any(|line| line.starts_with(&format!("POST http://{OUTSIDE}/rheed/stream/"))));
}

#[test]
fn a_proxy_elsewhere_does_not_get_the_key_of_a_plain_endpoint() {
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let open = |more: &[&str]| Stream::try_open(&with(with(service::options(&service, &workshop), &["fps=10"]), more));
    let (code, said) = open(&["proxy=http://somebody:a-password@proxy.example:3128"]).err().expect("init fails");
    assert_eq!(code, Code::EOption as i32, "{said}");
    assert!(said.contains("plain http") && said.contains("allow_http") && !said.contains("a-password"), "{said}");
}

// ---- by environment ------------------------------------------------------------------------------------------------

/// The test's other process: what it streams is told by its environment, too.
fn is_the_other_process() -> bool {
    let Ok(options) = std::env::var(OPTIONS) else { return false };
    let options: Vec<String> = options.lines().map(String::from).collect();
    let expected = options.iter().any(|line| line == "# no way");
    if expected {
        drop(is_an_outage(&options))
    } else {
        stream_through(&options)
    }
    true
}

fn run_with(environment: &[(&str, &str)], options: &[String]) {
    let options = options.join("\n");
    support::run_alone(&[environment, &[(OPTIONS, &options)]].concat()).expect("the other process has returned before");
}

#[test]
fn the_environments_proxies_are_used_in_either_case() {
    if is_the_other_process() {
        return;
    }
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let site = Site::start();
        let proxy = site.proxy(Manners { credentials: Some(CREDENTIALS), ..Manners::default() });
        let address = format!("http://somebody:{PASSWORD_IN_URL}@{}", proxy.address());
        run_with(&[(variable, &address), ("NO_PROXY", "other.example")], &site.options(&[]));
        site.has_all();
        was_a_tunnel(&proxy, &connect());
    }
    let site = Site::start();
    let proxy = site.proxy(Manners::default());
    run_with(&[("ALL_PROXY", &format!("socks5h://{}", proxy.address()))], &site.options(&[]));
    site.has_all();
    was_a_tunnel(&proxy, &format!("SOCKS {OUTSIDE}:443"));
}

#[test]
fn a_host_that_no_proxy_names_and_the_option_none_keep_away_from_the_environments_proxy() {
    if is_the_other_process() {
        return;
    }
    let site = Site::start();
    let proxy = site.proxy(Manners::default());
    let address = format!("http://{}", proxy.address());
    run_with(&[("HTTPS_PROXY", &address), ("NO_PROXY", "example.org,.rheed.invalid")], &site.options(&["# no way"]));
    run_with(&[("https_proxy", &address), ("no_proxy", "*")], &site.options(&["# no way"]));
    run_with(&[("HTTPS_PROXY", &address)], &site.options(&["proxy=none", "# no way"]));
    assert_eq!(proxy.asked(), [""; 0]);
}

#[test]
fn the_option_outranks_the_environment() {
    if is_the_other_process() {
        return;
    }
    let site = Site::start();
    let [named, other] = [Manners::default(), Manners::default()].map(|manners| site.proxy(manners));
    let environment = format!("http://{}", other.address());
    let variables = [("HTTPS_PROXY", environment.as_str()), ("NO_PROXY", "*")];
    run_with(&variables, &site.options(&[&format!("proxy=http://{}", named.address())]));
    site.has_all();
    was_a_tunnel(&named, &connect());
    assert_eq!(other.asked(), [""; 0]);
}

#[test]
fn a_service_on_this_computer_is_not_looked_for_by_the_environments_proxy() {
    if is_the_other_process() {
        return;
    }
    let workshop = Workshop::new();
    let service = service::start(&workshop);
    let proxy = Proxy::start(9);
    let address = format!("http://{}", proxy.address());
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"].map(|variable| (variable, address.as_str()));
    run_with(&variables, &with(service::options(&service, &workshop), &["fps=10"]));
    assert_eq!(service::only_stream(&service).frames(), 25);
    assert_eq!(proxy.asked(), [""; 0]);
}
