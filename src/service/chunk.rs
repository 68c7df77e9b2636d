//! A chunk's upload: a presigned URL is asked for, and the shard's file is sent there.

use super::{Answer, Service, Trouble, confirmation, later};
use parking_lot::Mutex;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt, ReadBuf, Take};
use tokio_util::io::{InspectReader, ReaderStream};

/// How much of a file is read at a time: few enough trips to the disk's threads, little memory.
const PIECE: usize = 64 << 10;
/// One that the client looks ahead at, and one that it takes when the rest has gone.
const LAST_BYTES: u64 = 2;

/// A presigned URL has half a kilobyte and a dozen pairs in its query.
const LONGEST_URL: usize = 8 << 10;
const MOST_PAIRS: usize = 64;

/// What the service is told of a chunk. Times are Unix milliseconds of the service's clock.
#[derive(Clone, Debug)]
pub struct ChunkFacts {
    /// The stream's id at the service.
    pub data_id: String,
    /// Index in the stream.
    pub chunk: u64,
    /// Whether the sample rotates.
    pub is_rotating: bool,
    /// Declared.
    pub raw_frame_rate: f64,
    /// Measured, where it could be.
    pub average_frame_rate: f64,
    /// Declared frames a chunk.
    pub chunk_size: u32,
    /// Real frames, height, width.
    pub dims: (u32, u32, u32),
    /// Of the first frame.
    pub start_unix_ms: f64,
    /// Of the end of the last.
    pub end_unix_ms: f64,
    /// Offset of the service's clock and its bound, if it was measured.
    pub clock_ms: Option<(f64, f64)>,
}

impl ChunkFacts {
    /// Every number as a JSON string, as the service wants it.
    fn body(&self) -> Value {
        let number = |number: f64| format!("{number:?}");
        let (frames, height, width) = self.dims;
        let mut body = json!({
            "data_id": self.data_id,
            "data_stream": "rheed",
            "is_stream": "1",
            "is_rotating": if self.is_rotating { "1" } else { "0" },
            "raw_frame_rate": number(self.raw_frame_rate),
            "avg_frame_rate": number(self.average_frame_rate),
            "chunk_size": self.chunk_size.to_string(),
            "dims": format!("{frames},{height},{width}"),
            "start_unix_ms_utc": number(self.start_unix_ms),
            "end_unix_ms_utc": number(self.end_unix_ms),
        });
        if let Some((offset, uncertainty)) = self.clock_ms {
            body["clock_offset_ms"] = number(offset).into();
            body["clock_uncertainty_ms"] = number(uncertainty).into();
        }
        body
    }
}

/// Where an upload failed: the two have different meanings.
#[derive(Debug)]
pub enum UploadTrouble {
    /// The service would not give a URL.
    Presign(Trouble),
    /// The URL would not take the shard. Worth another URL, at least until others were taken and this one was not.
    Put(Trouble),
    /// The file cannot be read.
    File(io::Error),
}

/// A shard on its way. What the disk says is kept here: the client would tell it as trouble with the connection.
///
/// Its last bytes are pieces of their own. The client looks a piece ahead: by HTTP/2 it has that in hand before the server lets it
/// send anything, and takes another when there was room for the one before. So a shard that is handed over whole was sent, but
/// for what the connection holds.
struct Shard {
    /// As far as the last bytes, at first.
    file: Take<tokio::fs::File>,
    /// How many of them still wait for their turn.
    last_bytes: u64,
    trouble: Arc<Mutex<Option<io::Error>>>,
}

impl Shard {
    fn new(file: tokio::fs::File, bytes: u64, trouble: &Arc<Mutex<Option<io::Error>>>) -> Shard {
        let last_bytes = LAST_BYTES.min(bytes);
        Shard { file: file.take(bytes - last_bytes), last_bytes, trouble: trouble.clone() }
    }
}

impl AsyncRead for Shard {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, piece: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.file.limit() == 0 && self.last_bytes > 0 {
            self.last_bytes -= 1;
            self.file.set_limit(1);
        }
        let read = ready!(Pin::new(&mut self.file).poll_read(context, piece));
        Poll::Ready(read.map_err(|error| {
            let kind = error.kind();
            *self.trouble.lock() = Some(error);
            kind.into()
        }))
    }
}

impl Service {
    /// Asks for a URL and sends the whole shard there. 2xx is the confirmation. `sent` hears of every piece that goes out.
    pub async fn upload(
        &self,
        facts: &ChunkFacts,
        shard: File,
        bytes: u64,
        sent: impl Fn(usize) + Send + Sync + 'static,
    ) -> Result<(), UploadTrouble> {
        let url = self.presign(facts).await.map_err(UploadTrouble::Presign)?;
        let mut file = tokio::fs::File::from_std(shard);
        file.rewind().await.map_err(UploadTrouble::File)?;
        let of_the_disk = Arc::default();
        let handed_over = Arc::new(AtomicU64::new(0));
        let count = handed_over.clone();
        let shard = InspectReader::new(Shard::new(file, bytes, &of_the_disk), move |piece| {
            count.fetch_add(piece.len() as u64, Ordering::Relaxed);
            sent(piece.len());
        });
        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(shard, PIECE));
        let request = self
            .storage
            .put(url)
            // Presigned URLs want it empty, and object storage wants to know the length.
            .header(CONTENT_TYPE, HeaderValue::from_static(""))
            .header(CONTENT_LENGTH, bytes)
            .timeout(self.request_timeout + Duration::from_millis(bytes / 100))
            .body(body);
        let shown = format!("PUT chunk {}", facts.chunk);
        let answer = self.send(&shown, request).await;
        if let Some(error) = of_the_disk.lock().take() {
            return Err(UploadTrouble::File(error)); // Whatever the answer is to a part of it.
        }
        match answer {
            // Whoever answers so, it has not got the shard.
            Ok((status, _)) if handed_over.load(Ordering::Relaxed) < bytes => {
                Err(UploadTrouble::Put(later(status, "a confirmation before the whole shard was sent")))
            }
            Ok(answer) => confirmation(answer).map_err(UploadTrouble::Put),
            Err(trouble) => Err(UploadTrouble::Put(of_storage(trouble))),
        }
    }

    async fn presign(&self, facts: &ChunkFacts) -> Answer<reqwest::Url> {
        let path = format!(
            "/data_entries/raw_data/staged/upload_urls/?original_filename=frames.zarr%2Fframes%2Fc%2F{}%2F0%2F0&num_parts=1&staging_type=stream",
            facts.chunk
        );
        let answer = self.post(&path, Some(&facts.body())).await?;
        let offer = answer.as_array().and_then(|offers| offers.first()).unwrap_or(&answer);
        let url = offer.get("url").and_then(Value::as_str).and_then(|url| reqwest::Url::parse(url).ok());
        let url = url.filter(|url| url.host().is_some()).ok_or_else(|| later(200, "an answer without a URL"))?;
        if url.as_str().len() > LONGEST_URL || url.query_pairs().count() > MOST_PAIRS {
            return Err(later(200, "an answer with a URL that is too long"));
        }
        match self.may_use(&url) {
            Ok(()) => Ok(url),
            Err(why) => Err(later(200, &format!("an answer without a URL that may be used: {why}"))),
        }
    }
}

/// A presigned URL bears no key and is good for one upload: what it refuses may be the URL (403: it has expired), whoever says so.
fn of_storage(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Auth { status, words } | Trouble::Refused { status, words, .. } => {
            Trouble::Refused { status, words, in_json: false }
        }
        other => other,
    }
}

impl std::fmt::Display for UploadTrouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            UploadTrouble::Presign(trouble) => trouble.fmt(f),
            UploadTrouble::Put(trouble) => write!(f, "the upload failed: {trouble}"),
            UploadTrouble::File(error) => write!(f, "the chunk's file cannot be read: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_goes_out_as_a_string_and_an_unmeasured_clock_not_at_all() {
        let mut facts = ChunkFacts {
            data_id: "id".into(),
            chunk: 3,
            is_rotating: false,
            raw_frame_rate: 10.0,
            average_frame_rate: 9.5,
            chunk_size: 20,
            dims: (7, 4, 5),
            start_unix_ms: 1_700_000_000_000.25,
            end_unix_ms: 1_700_000_000_700.0,
            clock_ms: None,
        };
        let body = facts.body();
        assert!(body.as_object().unwrap().values().all(Value::is_string));
        assert_eq!(body["raw_frame_rate"], "10.0");
        assert_eq!(body["dims"], "7,4,5");
        assert_eq!(body["start_unix_ms_utc"], "1700000000000.25");
        assert_eq!(body.get("clock_offset_ms"), None);
        facts.clock_ms = Some((-1.5, 0.25));
        assert_eq!(facts.body()["clock_offset_ms"], "-1.5");
    }
}
