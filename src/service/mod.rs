//! The analysis service's client: requests, their answers, and what may be tried again. It knows nothing of frames or disks.

mod chunk;
#[cfg(any(fuzzing, test))]
pub mod fuzz;
mod retry;
mod stream;
mod time;
mod tls;

pub use chunk::{ChunkFacts, UploadTrouble};
pub use retry::Backoff;
use stream::Entries;
pub use stream::NewStream;
pub use time::keep_measuring;

use crate::codes::Code;
use crate::error::{Error, Result};
use crate::log::{Level, Log};
use crate::options::{Options, is_on_this_computer};
use crate::platform;
use crate::words::{Mask, Secret, one_line};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, Url};
use rustls::ClientConfig;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use std::error::Error as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Vendor's header for the key.
const KEY_HEADER: &str = "X-API-KEY";
/// Lists of samples may be long; other answers are short. More is not read, so that no answer fills the memory.
const LONGEST_LIST: usize = 8 << 20;
const LONGEST_ANSWER: usize = 64 << 10;
/// Of the service's words, so many characters are told.
const LONGEST_WORDS: usize = 300;
/// So much of a body shows whether it is a page.
const PAGE_BEGINS_WITHIN: usize = 4 << 10;
/// Of an answer, so much is looked through for words.
const WORDS_LIE_WITHIN: usize = 16 << 10;
const MOST_REDIRECTS: usize = 5;
/// Shorter values in a presigned URL's query are no secrets.
const SHORTEST_SIGNATURE: usize = 8;

/// What went wrong with a request, by what can be done about it.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// No answer: try again.
    Unreachable(String),
    /// An answer that may be another next time: try again, not before the time it asks for.
    Later {
        /// HTTP status.
        status: u16,
        /// What it said.
        words: String,
        /// Retry-After.
        after: Option<Duration>,
    },
    /// The key is not accepted.
    Auth {
        /// HTTP status.
        status: u16,
        /// What it said.
        words: String,
    },
    /// What was asked is refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        words: String,
        /// Whether the service itself said so, which it does in JSON. What stands before it (a gateway while the service
        /// is being renewed) may say something else next time.
        in_json: bool,
    },
    /// What an option names does not exist at the service.
    Unknown(String),
}

impl Trouble {
    /// Whether it is a refusal, by whomever: a program that has only just begun had better hear it.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Trouble::Unreachable(_) | Trouble::Later { .. })
    }

    /// Whether the service itself refuses what was asked, and not the key: asking again is no use.
    pub fn is_final(&self) -> bool {
        matches!(self, Trouble::Refused { in_json: true, .. } | Trouble::Unknown(_))
    }

    /// What the service asks to wait.
    pub fn asked_delay(&self) -> Option<Duration> {
        match self {
            Trouble::Later { after, .. } => *after,
            _ => None,
        }
    }

    /// HTTP status; 0 when there was no answer.
    pub fn status(&self) -> u16 {
        match self {
            Trouble::Unreachable(_) | Trouble::Unknown(_) => 0,
            Trouble::Later { status, .. } | Trouble::Auth { status, .. } | Trouble::Refused { status, .. } => *status,
        }
    }

    /// As the interface tells it.
    pub fn to_error(&self) -> Error {
        let code = match self {
            Trouble::Unreachable(_) | Trouble::Later { .. } => Code::ENetwork,
            Trouble::Auth { .. } => Code::EAuth,
            Trouble::Refused { .. } => Code::ERefused,
            Trouble::Unknown(_) => Code::ENotFound,
        };
        Error::new(code, self.to_string())
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Unreachable(why) => write!(f, "the service cannot be reached: {why}"),
            Trouble::Later { status, words, .. } => write!(f, "the service answers {status} for now: {words}"),
            Trouble::Auth { status, words } => write!(f, "the service does not accept the API key ({status}): {words}"),
            Trouble::Refused { status, words, .. } => write!(f, "the service refuses ({status}): {words}"),
            Trouble::Unknown(what) => f.write_str(what),
        }
    }
}

/// Where the environment names proxies, as the HTTP client reads it.
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

type Answer<T> = std::result::Result<T, Trouble>;

/// One endpoint with its key.
pub struct Service {
    /// Talks to the service, with the key.
    api: Client,
    /// Talks to presigned URLs, which get no key.
    storage: Client,
    endpoint: String,
    key: HeaderValue,
    /// What error pages may repeat and no message may.
    secrets: Mask,
    request_timeout: Duration,
    allow_http: bool,
    log: Log,
}

impl Service {
    /// As the options say. Nothing is sent yet.
    pub fn new(endpoint: &str, options: &Options, log: Log) -> Result<Service> {
        let told = options.api_key.as_ref().map_or("", Secret::expose);
        let mut key =
            HeaderValue::from_str(told).map_err(|_| Error::new(Code::EAuth, "the API key cannot be sent in a header"))?;
        key.set_sensitive(true);
        let mut secrets = Mask::default();
        secrets.add(told, "[key]");
        let of_the_environment = PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
        let proxies = options.proxy.iter().map(|proxy| proxy.expose().to_string()).chain(of_the_environment);
        proxies.filter_map(|proxy| password_of(&proxy)).for_each(|password| secrets.add(&password, "[password]"));
        let tls = tls::config(endpoint, options.ca_file.as_deref())?;
        Ok(Service {
            api: client(endpoint, options, tls.clone(), same_origin())?,
            storage: client(endpoint, options, tls, Policy::none())?,
            endpoint: endpoint.into(),
            key,
            secrets,
            request_timeout: options.request_timeout,
            allow_http: options.allow_http,
            log,
        })
    }

    /// Its address.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.api
            .request(method, format!("{}{path}", self.endpoint))
            .header(KEY_HEADER, self.key.clone())
            .timeout(self.request_timeout)
    }

    /// A list, whose entries' names and ids alone are kept.
    async fn list(&self, path: &str) -> Answer<Entries> {
        self.json_of_at_most(LONGEST_LIST, path, self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Option<&Value>) -> Answer<Value> {
        self.json(path, self.posted(path, body)).await
    }

    fn posted(&self, path: &str, body: Option<&Value>) -> RequestBuilder {
        let request = self.request(Method::POST, path);
        match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.to_string()),
            None => request.header(reqwest::header::CONTENT_LENGTH, 0),
        }
    }

    /// Sends, and reads the answer as JSON. A 2xx that cannot be read is to be tried again.
    async fn json(&self, path: &str, request: RequestBuilder) -> Answer<Value> {
        self.json_of_at_most(LONGEST_ANSWER, path, request).await
    }

    async fn json_of_at_most<T: DeserializeOwned>(&self, most: usize, path: &str, request: RequestBuilder) -> Answer<T> {
        let (status, answer) = self.send_for_at_most(most, path, request).await?;
        serde_json::from_slice(&answer).map_err(|_| later(status, "an answer that is not the JSON that was asked for"))
    }

    /// Sends, and gives a 2xx answer's status and body.
    async fn send(&self, shown: &str, request: RequestBuilder) -> Answer<(u16, Vec<u8>)> {
        self.send_for_at_most(LONGEST_ANSWER, shown, request).await
    }

    async fn send_for_at_most(&self, most: usize, shown: &str, request: RequestBuilder) -> Answer<(u16, Vec<u8>)> {
        let began = Instant::now();
        let answered = self.answered(most, request).await;
        self.log.say(Level::Detail, || {
            let outcome =
                answered.as_ref().map_or_else(Trouble::to_string, |(status, body)| format!("{status}, {} bytes", body.len()));
            // A query may hold a signature.
            format!("request {}: {outcome} ({} ms)", shown.split('?').next().unwrap_or_default(), began.elapsed().as_millis())
        });
        answered
    }

    async fn answered(&self, most: usize, request: RequestBuilder) -> Answer<(u16, Vec<u8>)> {
        let (client, request) = request.build_split();
        let request = request.map_err(unreachable)?;
        // A presigned URL is a secret itself: object storage repeats its signature when it does not like it.
        let signed = (!request.headers().contains_key(KEY_HEADER)).then(|| request.url().clone());
        let hidden = || {
            let mut secrets = self.secrets.clone();
            if let Some(url) = &signed {
                hide_query(url, &mut secrets);
            }
            secrets
        };
        // For the next time: a host may have ended the network for the whole process.
        let response = client.execute(request).await.inspect_err(|_| platform::keep_network());
        let mut response = response.map_err(unreachable)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        if !response.status().is_success() {
            // The status says what to do, whatever becomes of the words.
            let _ = read(&mut response, &mut body, LONGEST_ANSWER).await;
            return Err(trouble(status, response.headers(), &body, &hidden()));
        }
        if !read(&mut response, &mut body, most).await? {
            return Err(later(status, &format!("an answer of more than {} KiB", most >> 10)));
        }
        // A network's log-in page answers for whom it hides: nothing was done, nor is a shard anywhere.
        if is_page(response.headers(), &body) {
            return Err(later(status, &format!("a web page instead of an answer: {}", words(&body, &hidden()))));
        }
        Ok((status, body))
    }

    /// Whether a URL that the service gave may be used. Plain http as the endpoint itself, or where that was asked for. And a
    /// service elsewhere must not lead into this computer or to what only its own cable reaches.
    fn may_use(&self, url: &Url) -> std::result::Result<(), &'static str> {
        let address = url.as_str();
        let plain = self.allow_http || (self.endpoint.starts_with("http:") && is_on_this_computer(address));
        let here = is_on_this_computer(&self.endpoint);
        let same_host = Url::parse(&self.endpoint).is_ok_and(|endpoint| endpoint.host() == url.host());
        match url.scheme() {
            "https" => {}
            "http" if plain => {}
            "http" => return Err("it is plain http, which asks for allow_http = on"),
            _ => return Err("it is neither https nor http"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it bears a login of its own");
        }
        if leads_inside(url) && !same_host && !(here && is_on_this_computer(address)) {
            return Err("it leads to this computer, or to a link-local address, and the service is elsewhere");
        }
        Ok(())
    }
}

/// Whether a body is a web page, by its type or by its beginning, in whatever encoding. XML is none, unless it is a page too, or
/// tells of an error, as object storage may under a 200.
fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let is_html = declared.starts_with("text/html") || declared.starts_with("application/xhtml");
    // Before it may stand a byte-order mark; UTF-16 has a zero in each letter.
    let letters =
        body.iter().take(PAGE_BEGINS_WITHIN).copied().filter(|byte| !matches!(byte, 0 | 0xef | 0xbb | 0xbf | 0xfe | 0xff));
    let text = letters.skip_while(u8::is_ascii_whitespace).collect::<Vec<_>>().to_ascii_lowercase();
    let has = |tag: &[u8]| text.windows(tag.len()).any(|window| window == tag);
    let is_xml = text.starts_with(b"<?xml") && !has(b"<html") && !has(b"<error");
    is_html && !text.is_empty() || text.starts_with(b"<") && !is_xml
}

/// Whether a service may have said it, and nobody who stands before it: nothing, JSON, or XML (a page is none).
fn may_confirm(body: &[u8]) -> bool {
    let text = body.trim_ascii();
    text.is_empty() || text.starts_with(b"<?xml") || serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

/// That it was done, where an answer says no more.
fn confirmation((status, body): (u16, Vec<u8>)) -> Answer<()> {
    if may_confirm(&body) { Ok(()) } else { Err(later(status, "a text instead of a confirmation")) }
}

/// Whether a refusal is in JSON, as far as it was read.
fn is_json(body: &[u8]) -> bool {
    let is_cut = body.len() >= LONGEST_ANSWER && matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    is_cut || serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

fn trouble(status: u16, headers: &HeaderMap, body: &[u8], secrets: &Mask) -> Trouble {
    let words = words(body, secrets);
    let after = retry::retry_after(headers);
    let stalled = status == 400 && words.contains("RequestTimeout");
    match status {
        401 | 403 => Trouble::Auth { status, words },
        100..=399 => Trouble::Later { status, words: led_to(headers, secrets), after },
        // Beside time-outs and overload: a proxy that wants to know who asks, an account to be paid.
        402 | 407 | 408 | 425 | 429 | 500.. => Trouble::Later { status, words, after },
        _ if stalled => Trouble::Later { status, words, after },
        _ => Trouble::Refused { status, words, in_json: is_json(body) },
    }
}

/// What a service said, as it may stand in a message: not endless, one line, and never with a secret in it.
fn words(body: &[u8], secrets: &Mask) -> String {
    // UTF-16 has a zero in each letter, and a secret is to be known in it too.
    let letters: Vec<u8> = body.iter().take(WORDS_LIE_WITHIN).copied().filter(|byte| *byte != 0).collect();
    let text = secrets.hide(&String::from_utf8_lossy(&letters));
    let text = match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(object)) => object.get("detail").or(object.get("message")).map_or(text, |detail| match detail {
            Value::String(words) => words.clone(),
            other => other.to_string(),
        }),
        _ => text,
    };
    // Once more: JSON has several ways to write the same text.
    let line = one_line(&secrets.hide(&text), LONGEST_WORDS);
    if line.is_empty() { "no words".into() } else { line }
}

/// Every value in a signed URL's query, as it stands there and decoded.
fn hide_query(url: &Url, secrets: &mut Mask) {
    let written = url.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let values = written.map(|(_, value)| value.to_string()).chain(url.query_pairs().map(|(_, value)| value.into_owned()));
    for value in values.filter(|value| value.len() >= SHORTEST_SIGNATURE) {
        secrets.add(&value, "[signature]");
    }
}

/// The password in a proxy's address, as it is sent.
fn password_of(proxy: &str) -> Option<String> {
    let url = Url::parse(proxy).ok()?;
    // Decoded as a query's value is, but for `+`, which means itself here.
    let pair = format!("x:?p={}", url.password()?.replace('+', "%2B"));
    Url::parse(&pair).ok()?.query_pairs().next().map(|(_, password)| password.into_owned())
}

/// Whether an address is this computer's, or one that only reaches as far as its cable: cloud computers keep secrets there.
fn leads_inside(url: &Url) -> bool {
    let address =
        url.host_str().unwrap_or_default().trim_matches(['[', ']']).parse::<IpAddr>().map(|address| address.to_canonical());
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "localhost"
        || host.ends_with(".localhost")
        || is_on_this_computer(url.as_str())
        || address.is_ok_and(|address| match address {
            IpAddr::V4(address) => address.is_loopback() || address.is_link_local() || address.is_unspecified(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local() || address.is_unspecified(),
        })
}

/// Within one origin only: the key must not follow a redirect to another host, or out of TLS. And only those that keep a POST
/// a POST.
fn same_origin() -> Policy {
    Policy::custom(|attempt| {
        let first = attempt.previous().first().map(|url| url.origin());
        let stays = first == Some(attempt.url().origin()) && matches!(attempt.status().as_u16(), 307 | 308);
        if stays && attempt.previous().len() <= MOST_REDIRECTS { attempt.follow() } else { attempt.stop() }
    })
}

fn unusable(what: String) -> Error {
    Error::new(Code::ENetwork, what)
}

fn client(endpoint: &str, options: &Options, tls: ClientConfig, redirects: Policy) -> Result<Client> {
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(redirects)
        .user_agent(concat!("rheed-stream/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout.max(Duration::from_secs(1)))
        .pool_max_idle_per_host(options.max_workers as usize + 1)
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        // A connection that leads nowhere any more is given up before the next uploads are sent into it.
        .http2_keep_alive_interval(Duration::from_secs(15))
        .http2_keep_alive_timeout(Duration::from_secs(10));
    #[cfg(target_os = "linux")]
    {
        builder = builder.tcp_user_timeout(Duration::from_secs(30));
    }
    match options.proxy.as_ref().map(Secret::expose) {
        Some("none") => builder = builder.no_proxy(),
        Some(address) => {
            let proxy = reqwest::Proxy::all(address).map_err(|error| unusable(format!("proxy: {}", reason(&error))))?;
            builder = builder.proxy(proxy);
        }
        // The environment's proxy is for the world outside: it cannot reach this computer, and must not see the key.
        None if is_on_this_computer(endpoint) => builder = builder.no_proxy(),
        None => {}
    }
    builder.build().map_err(|error| unusable(format!("the network cannot be set up: {}", reason(&error))))
}

/// An answer's body, as far as it may reach; tells whether that was all of it.
async fn read(response: &mut Response, body: &mut Vec<u8>, most: usize) -> Answer<bool> {
    while let Some(piece) = response.chunk().await.map_err(unreachable)? {
        if body.len() + piece.len() > most {
            body.extend_from_slice(&piece[..most - body.len()]);
            return Ok(false);
        }
        body.extend_from_slice(&piece);
    }
    Ok(true)
}

/// An answer that is of no use: another may be.
fn later(status: u16, words: &str) -> Trouble {
    Trouble::Later { status, words: words.into(), after: None }
}

/// A captive portal, a service that moved, a circle: it may be right again, and the data stay here until then. The address is
/// told without its path, which may hold a signature, and not at all if its host repeats a secret, which it does in small letters.
fn led_to(headers: &HeaderMap, secrets: &Mask) -> String {
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok()).and_then(|url| Url::parse(url).ok());
    match location.map(|url| url.origin().ascii_serialization()).filter(|origin| !secrets.are_in(origin)) {
        Some(origin) => format!("a redirect to {}, which is not followed", one_line(&origin, LONGEST_WORDS)),
        None => "a redirect that is not followed".into(),
    }
}

fn unreachable(error: reqwest::Error) -> Trouble {
    Trouble::Unreachable(reason(&error))
}

/// An error's whole chain, without the URL, which may hold a signature.
fn reason(error: &reqwest::Error) -> String {
    let mut text = if let Some(meaning) = tls::meaning(error) {
        meaning.to_string()
    } else if error.is_timeout() {
        "out of time".into()
    } else if error.is_connect() {
        "no connection".into()
    } else {
        "the connection failed".into()
    };
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        let words = proxys_part(&words).unwrap_or(&words);
        if !text.contains(words) && !words.contains("://") {
            text.push_str(&format!(": {words}"));
        }
        source = cause.source();
    }
    text
}

/// What the words of the HTTP client's tunnel mean to whoever has set a proxy; its errors have no type that can be asked.
fn proxys_part(words: &str) -> Option<&'static str> {
    Some(match words.strip_prefix("tunnel error: ")? {
        "proxy authorization required" => "the proxy wants a user and a password, and has to get them with its address",
        "unsuccessful" => "the proxy does not let it through",
        "failed to create underlying connection" => "the proxy cannot be reached",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_led_to_is_told_unless_it_repeats_the_key() {
        let mut secrets = Mask::default();
        secrets.add("Key-0123", "[key]");
        let told = |location: &str| led_to(&HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]), &secrets);
        assert_eq!(
            told("https://portal.example:8443/login?key=0"),
            "a redirect to https://portal.example:8443, which is not followed"
        );
        for secretive in ["https://Key-0123.example/", "https://key-0123.example", "https://%4bey-0123.example/"] {
            assert_eq!(told(secretive), "a redirect that is not followed", "{secretive}");
        }
        assert!(told(&format!("https://{}.example/", "x".repeat(9000))).len() < 400);
    }

    #[test]
    fn a_page_is_known_in_any_encoding_and_by_its_type() {
        let page = |kind: &'static str, body: &[u8]| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            is_page(&headers, body)
        };
        let utf16: Vec<u8> = "\u{feff}<!DOCTYPE html>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(page("", &utf16) && page("", "\u{feff} <!DOCTYPE html>".as_bytes()) && page("", b"\r\n<html>"));
        assert!(page("Text/HTML; charset=utf-8", b"Please log in") && page("", b"<?xml version='1.0'?><html>"));
        assert!(page("application/xml", b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"));
        assert!(!page("application/xml", b"<?xml version='1.0'?><Result/>") && !page("text/html", b"") && !page("", b"[\"<\"]"));
        assert!(["", " \n", "{}", "<?xml version='1.0'?><Result/>"].iter().all(|body| may_confirm(body.as_bytes())));
        assert!(["Access denied by policy", "ok"].iter().all(|body| !may_confirm(body.as_bytes())));
    }

    #[test]
    fn a_key_that_is_repeated_in_utf_16_is_not_shown() {
        let mut secrets = Mask::default();
        secrets.add("Key-0123", "[key]");
        let page: Vec<u8> = "no Key-0123 here".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(words(&page, &secrets), "no [key] here");
    }

    #[test]
    fn a_refusal_in_json_is_one_however_long() {
        let mut long = format!("{{\"detail\": \"{}\"}}", "no ".repeat(LONGEST_ANSWER)).into_bytes();
        long.truncate(LONGEST_ANSWER);
        assert!(is_json(&long) && is_json(b"{}") && !is_json(b"<html>") && !is_json(b"{"));
    }
}
