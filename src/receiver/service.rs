//! Everything one receiver holds, shared by all its requests.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use uuid::Uuid;

use super::answer::Refusal;
use super::catalog::Catalog;
use super::clock::Clock;
use super::faults::Faults;
use super::journal::{Journal, KEY_HEADER};
use super::news::News;
use super::staging::{LONGEST_TTL, Staging};
use super::streams::Streams;
use super::{Log, Settings};

pub(super) struct Service {
    /// Scheme, host and port.
    origin: String,
    prefix: String,
    url: String,
    listens_everywhere: bool,
    public_url: Option<String>,
    key: String,
    log: Option<Log>,
    pub(super) max_body: u64,
    pub(super) url_ttl: Duration,
    pub(super) verify_frames: bool,
    pub(super) discard: bool,
    pub(super) clock: Clock,
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) catalog: Catalog,
    pub(super) streams: Streams,
    pub(super) staging: Staging,
    pub(super) news: News,
}

impl Service {
    /// Takes up what the data folder holds.
    pub(super) fn open(settings: &Settings, address: SocketAddr) -> io::Result<Self> {
        let invalid = |why: String| io::Error::new(io::ErrorKind::InvalidInput, why);
        let prefix = settings.prefix.trim_end_matches('/');
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~".contains(c);
        if !(prefix.is_empty() || prefix.starts_with('/') && prefix.chars().all(plain) && !prefix.contains("//")) {
            return Err(invalid(format!("prefix: a path like /api/v2 is wanted, not `{prefix}`")));
        }
        let key = settings.key.clone().unwrap_or_else(|| Uuid::new_v4().simple().to_string());
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("key: printable ASCII without blanks is wanted".into()));
        }
        if let Some(url) = settings.public_url.as_deref()
            && !url.strip_prefix("http").is_some_and(|rest| rest.starts_with("://") || rest.starts_with("s://"))
        {
            return Err(invalid(format!("public_url: an address like https://rheed.example is wanted, not `{url}`")));
        }
        if !settings.clock_offset_ms.is_finite() {
            return Err(invalid("clock_offset_ms: a finite number is wanted".into()));
        }
        let faults = Faults::default();
        faults.replace(&settings.faults).map_err(invalid)?;
        let origin = format!("http://{}", reachable(address));
        Ok(Self {
            url: format!("{origin}{prefix}"),
            origin,
            prefix: prefix.to_owned(),
            listens_everywhere: address.ip().is_unspecified(),
            public_url: settings.public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned()),
            key,
            log: settings.log.clone(),
            max_body: settings.max_body,
            url_ttl: settings.url_ttl.min(LONGEST_TTL),
            verify_frames: settings.verify_frames,
            discard: settings.discard,
            clock: Clock::ahead_by_ms(settings.clock_offset_ms),
            faults,
            journal: Journal::open(&settings.data)?,
            catalog: Catalog::open(&settings.data)?,
            streams: Streams::open(&settings.data)?,
            staging: Staging::open(&settings.data)?,
            news: News::default(),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The path before every route: empty, or like `/api/v2`.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Scheme and host of the URLs issued to a client. One that came from another computer is told the name it came by.
    pub(super) fn origin(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        match headers.get(header::HOST).and_then(|host| host.to_str().ok()) {
            Some(host) if self.listens_everywhere => format!("http://{host}"),
            _ => self.origin.clone(),
        }
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// 401 without a key, 403 with a wrong one.
    pub(super) fn check_key(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(key) = headers.get(KEY_HEADER) else {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "an X-API-KEY header is wanted"));
        };
        match same(key.as_bytes(), self.key.as_bytes()) {
            true => Ok(()),
            false => Err(Refusal::new(StatusCode::FORBIDDEN, "this API key is not valid")),
        }
    }

    pub(super) fn tell(&self, line: &str) {
        if let Some(log) = &self.log {
            log(line);
        }
    }
}

/// Compares without telling by its duration how far two keys agree.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// The address a client on this computer can use: "everywhere" is no place to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        _ => {}
    }
    address
}
