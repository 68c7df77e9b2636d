//! The analysis service's client: requests, their answers, and what may be tried again. It knows nothing of frames or disks.

mod chunk;
mod retry;
mod stream;
mod time;

pub use chunk::{ChunkFacts, UploadTrouble};
pub use retry::Backoff;
pub use stream::NewStream;
pub use time::keep_measuring;

use crate::codes::Code;
use crate::error::{Error, Result};
use crate::log::{Level, Log};
use crate::options::{Options, may_speak_plainly};
use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use std::error::Error as _;
use std::time::{Duration, Instant};

/// Vendor's header for the key.
const KEY_HEADER: &str = "X-API-KEY";
/// Lists of samples may be long; other answers are short. More is not read.
const LONGEST_LIST: usize = 16 << 20;
const LONGEST_ANSWER: usize = 64 << 10;
/// Of the service's words, so many characters are told.
const LONGEST_WORDS: usize = 300;
const MOST_REDIRECTS: usize = 5;

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
    },
    /// What an option names does not exist at the service.
    Unknown(String),
}

impl Trouble {
    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Trouble::Unreachable(_) | Trouble::Later { .. })
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
            Trouble::Refused { status, words } => write!(f, "the service refuses ({status}): {words}"),
            Trouble::Unknown(what) => f.write_str(what),
        }
    }
}

type Answer<T> = std::result::Result<T, Trouble>;

/// One endpoint with its key.
pub struct Service {
    /// Talks to the service, with the key.
    api: Client,
    /// Talks to presigned URLs, which get no key.
    storage: Client,
    endpoint: String,
    key: HeaderValue,
    request_timeout: Duration,
    allow_http: bool,
    log: Log,
}

impl Service {
    /// As the options say. Nothing is sent yet.
    pub fn new(endpoint: &str, options: &Options, log: Log) -> Result<Service> {
        let key = options.api_key.as_deref().unwrap_or_default();
        let mut key =
            HeaderValue::from_str(key).map_err(|_| Error::new(Code::EAuth, "the API key cannot be sent in a header"))?;
        key.set_sensitive(true);
        // Within one origin only: the key must not follow a redirect to another host.
        let same_origin = Policy::custom(|attempt| {
            let first = attempt.previous().first().map(|url| url.origin());
            let stays = first == Some(attempt.url().origin());
            if stays && attempt.previous().len() <= MOST_REDIRECTS { attempt.follow() } else { attempt.stop() }
        });
        Ok(Service {
            api: client(options, same_origin)?,
            storage: client(options, Policy::none())?,
            endpoint: endpoint.into(),
            key,
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

    async fn get(&self, path: &str) -> Answer<Value> {
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

    async fn json_of_at_most(&self, most: usize, path: &str, request: RequestBuilder) -> Answer<Value> {
        let (status, answer) = self.send_for_at_most(most, path, request).await?;
        serde_json::from_slice(&answer).map_err(|_| Trouble::Later {
            status,
            words: "an answer that is no JSON".into(),
            after: None,
        })
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
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(retry::retry_after);
        let body = read_bounded(response, most).await?;
        if status.is_success() {
            return Ok((status.as_u16(), body));
        }
        Err(self.trouble(status, after, &body))
    }

    fn trouble(&self, status: StatusCode, after: Option<Duration>, body: &[u8]) -> Trouble {
        let words = self.words(body);
        let number = status.as_u16();
        let stalled = number == 400 && words.contains("RequestTimeout");
        match number {
            401 | 403 => Trouble::Auth { status: number, words },
            408 | 429 | 500.. => Trouble::Later { status: number, words, after },
            _ if stalled => Trouble::Later { status: number, words, after },
            // A captive portal, or a service that moved: it may be right again, and the data stay here until then.
            100..=399 => Trouble::Later { status: number, words: "a redirect elsewhere, which is not followed".into(), after },
            _ => Trouble::Refused { status: number, words },
        }
    }

    /// What the service said, as it may stand in a message: not endless, one line, and never with the key in it.
    fn words(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let text = match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(object)) => {
                object.get("detail").or(object.get("message")).map_or(text.into_owned(), |detail| match detail {
                    Value::String(words) => words.clone(),
                    other => other.to_string(),
                })
            }
            _ => text.into_owned(),
        };
        let key = self.key.to_str().unwrap_or_default();
        let text = if key.is_empty() { text } else { text.replace(key, "[key]") };
        let line: String = text.chars().take(LONGEST_WORDS).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if line.trim().is_empty() { "no words".into() } else { line.trim().into() }
    }

    /// Whether a URL that the service gave may be used: https, or as plain as the endpoint itself. A service elsewhere must not
    /// lead into this computer.
    fn may_use(&self, url: &str) -> bool {
        let Ok(parsed) = reqwest::Url::parse(url) else { return false };
        let plain = self.allow_http || (self.endpoint.starts_with("http:") && may_speak_plainly(url));
        parsed.host_str().is_some() && (parsed.scheme() == "https" || (parsed.scheme() == "http" && plain))
    }
}

fn client(options: &Options, redirects: Policy) -> Result<Client> {
    let unusable = |what: String| Error::new(Code::ENetwork, what);
    let mut builder = Client::builder()
        .user_agent(concat!("rheed-stream/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
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
    match options.proxy.as_deref() {
        Some("none") => builder = builder.no_proxy(),
        Some(address) => {
            let proxy = reqwest::Proxy::all(address).map_err(|error| unusable(format!("proxy: {}", reason(&error))))?;
            builder = builder.proxy(proxy);
        }
        None => {}
    }
    if let Some(path) = &options.ca_file {
        let pem =
            std::fs::read(path).map_err(|error| Error::new(Code::ENotFound, format!("ca_file {}: {error}", path.display())))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|certificates| !certificates.is_empty());
        let certificates =
            certificates.ok_or_else(|| unusable(format!("ca_file {}: no PEM certificate is in it", path.display())))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| unusable(format!("the network cannot be set up: {}", reason(&error))))
}

/// An answer's body, as far as it may reach.
async fn read_bounded(mut response: Response, most: usize) -> Answer<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(unreachable)? {
        if body.len() + piece.len() > most {
            let words = format!("an answer of more than {} KiB", most >> 10);
            return Err(Trouble::Later { status: response.status().as_u16(), words, after: None });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn unreachable(error: reqwest::Error) -> Trouble {
    Trouble::Unreachable(reason(&error))
}

/// An error's whole chain, without the URL, which may hold a signature.
fn reason(error: &reqwest::Error) -> String {
    let mut text = if error.is_timeout() {
        "out of time".to_string()
    } else if error.is_connect() {
        "no connection".into()
    } else {
        "the connection failed".into()
    };
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) && !words.contains("://") {
            text.push_str(&format!(": {words}"));
        }
        source = cause.source();
    }
    text
}
