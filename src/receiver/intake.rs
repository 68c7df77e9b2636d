//! A request's body on its way in: bounded, counted, slowed down or cut where a fault says so.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;

use super::answer::Refusal;
use super::line::Peer;

pub(super) struct Intake {
    body: Body,
    peer: Peer,
    read: Arc<AtomicU64>,
    bound: u64,
    cut_after: Option<u64>,
    pace: Option<Pace>,
}

struct Pace {
    bytes_per_s: u64,
    since: Instant,
}

impl Intake {
    pub(super) fn new(body: Body, peer: Peer, bound: u64) -> Self {
        Self { body, peer, read: Arc::default(), bound, cut_after: None, pace: None }
    }

    pub(super) fn cut_after(&mut self, bytes: u64) {
        self.cut_after = Some(bytes);
    }

    pub(super) fn slow_to(&mut self, bytes_per_s: u64) {
        self.pace = Some(Pace { bytes_per_s, since: Instant::now() });
    }

    /// Counts what has come so far, for one who has given the intake away.
    pub(super) fn meter(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    /// The next piece, or `None` at the body's end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if self.cut_after.is_some_and(|bytes| self.read.load(Ordering::Relaxed) >= bytes) {
                self.peer.cut();
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "cut on purpose"));
            }
            let Some(frame) = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await else {
                return Ok(None);
            };
            // The client went away or sent no proper body: it will hardly hear this.
            let frame = frame.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, format!("body broken off: {error}")))?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            let length = bytes.len() as u64;
            let read = self.read.fetch_add(length, Ordering::Relaxed) + length;
            if read > self.bound {
                return Err(Self::too_long(self.bound));
            }
            if let Some(pace) = &self.pace {
                let due = Duration::from_secs_f64(read as f64 / pace.bytes_per_s as f64);
                tokio::time::sleep(due.saturating_sub(pace.since.elapsed())).await;
            }
            return Ok(Some(bytes));
        }
    }

    /// All of it, for bodies with a small bound.
    pub(super) async fn whole(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// Reads what is left and forgets it, so that the client hears the answer rather than a broken pipe, and can use its
    /// connection again. Stops at `most` bytes: patience ends somewhere.
    pub(super) async fn drain(&mut self, most: u64) -> Result<(), Refusal> {
        self.bound = self.bound.min(self.read.load(Ordering::Relaxed).saturating_add(most));
        while self.next().await?.is_some() {}
        Ok(())
    }

    /// 413: more than this receiver takes.
    pub(super) fn too_long(bound: u64) -> Refusal {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body of at most {bound} bytes is wanted"))
    }
}
