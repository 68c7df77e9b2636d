//! What was asked and what was answered: `requests.jsonl`, one line a request.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::disk::unix_ms;
use super::service::Service;

/// The longest body that is noted down.
pub(super) const LONGEST_NOTED_BODY: usize = 64 << 10;

/// One request, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// When its head had come.
    pub unix_ms: f64,
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path as it came, prefix and all.
    pub path: String,
    /// The query as it came, without its `?`.
    pub query: Option<String>,
    /// Whether it bore an `X-API-KEY`. The key itself is written nowhere.
    pub has_key: bool,
    /// Its `Content-Length`.
    pub content_length: Option<u64>,
    /// Whether its `Transfer-Encoding` was chunked.
    pub chunked: bool,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// How much of its body was read.
    pub body_bytes: u64,
    /// Its body, if that is JSON of at most 64 KiB.
    pub body: Option<Value>,
    /// The status answered; 0 when none was: the connection was cut, by either side, or left hanging.
    pub status: u16,
    /// The fault rule that took a hand in it.
    pub fault: Option<String>,
    /// The port it came from: two requests from one port used one connection.
    pub peer_port: u16,
    /// How long it took to answer.
    pub took_ms: f64,
}

/// The header that carries the key.
pub(super) const KEY_HEADER: &str = "x-api-key";

impl RequestRecord {
    fn of(parts: &Parts, peer_port: u16) -> Self {
        let text = |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self {
            unix_ms: unix_ms(),
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            has_key: parts.headers.contains_key(KEY_HEADER),
            content_length: content_length(&parts.headers),
            chunked: text(header::TRANSFER_ENCODING).is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")),
            content_type: text(header::CONTENT_TYPE),
            body_bytes: 0,
            body: None,
            status: 0,
            fault: None,
            peer_port,
            took_ms: 0.0,
        }
    }

    /// Whether this asks for an upload URL.
    pub fn is_presign(&self) -> bool {
        self.path.ends_with("/staged/upload_urls/")
    }

    /// Whether this carries a shard.
    pub fn is_put(&self) -> bool {
        self.method == Method::PUT.as_str()
    }
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A file of records.
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("requests.jsonl");
        let file = File::options().create(true).append(true).open(&path)?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// A record that cannot be written is lost: the request itself matters more.
    pub(super) fn write(&self, record: &RequestRecord) {
        if let Ok(mut line) = serde_json::to_vec(record) {
            line.push(b'\n');
            let _ = self.file.lock().write_all(&line);
        }
    }

    /// All records, those of earlier runs too.
    pub(super) fn read_back(&self) -> Vec<RequestRecord> {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// A record in the making. It writes itself when the request is over, however that comes about: answered, cut by a
/// fault, or given up by the client.
pub(super) struct Entry {
    service: Arc<Service>,
    record: Option<RequestRecord>,
    about: Vec<Uuid>,
    /// Counts the body as it comes.
    read: Arc<AtomicU64>,
}

impl Entry {
    pub(super) fn new(service: Arc<Service>, parts: &Parts, peer_port: u16, read: Arc<AtomicU64>) -> Self {
        let record = RequestRecord::of(parts, peer_port);
        let mut entry = Self { service, record: Some(record), about: Vec::new(), read };
        let words = |text: &str| text.split(['/', '&', '=']).filter_map(|word| word.parse().ok()).collect::<Vec<Uuid>>();
        entry.about(words(parts.uri.path()));
        entry.about(words(parts.uri.query().unwrap_or_default()));
        entry
    }

    /// The streams among these ids note the request down too.
    pub(super) fn about(&mut self, ids: impl IntoIterator<Item = Uuid>) {
        for id in ids {
            if !self.about.contains(&id) {
                self.about.push(id);
            }
        }
    }

    pub(super) fn received_unix_ms(&self) -> f64 {
        self.record.as_ref().map_or(0.0, |record| record.unix_ms)
    }

    pub(super) fn fault(&mut self, rule: &str) {
        if let Some(record) = &mut self.record {
            record.fault = Some(rule.to_owned());
        }
    }

    pub(super) fn body(&mut self, body: &Value) {
        let ids = body.get("data_ids").and_then(Value::as_array).into_iter().flatten();
        self.about(ids.chain(body.get("data_id")).filter_map(|id| id.as_str()?.parse().ok()).collect::<Vec<_>>());
        if let Some(record) = &mut self.record {
            record.body = Some(body.clone());
        }
    }

    pub(super) fn answered(&mut self, status: u16) {
        if let Some(record) = &mut self.record {
            record.status = status;
        }
    }

    /// Writes the record now, for a request that will never be over.
    pub(super) fn write(&mut self) {
        if let Some(mut record) = self.record.take() {
            record.took_ms = unix_ms() - record.unix_ms;
            record.body_bytes = self.read.load(Ordering::Relaxed);
            self.service.journal.write(&record);
            for id in &self.about {
                if let Some(stream) = self.service.streams.get(*id) {
                    stream.journal.write(&record);
                }
            }
            self.service.news.tell();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.write();
    }
}
