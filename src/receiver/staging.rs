//! A chunk's way in: a presigned URL is asked for, then a shard is PUT there.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use parking_lot::Mutex;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{self, Refusal};
use super::disk::unix_ms;
use super::door::Call;
use super::fields::{self, Fields};
use super::journal::{KEY_HEADER, content_length};
use super::service::Service;
use super::stream::{self, ChunkRecord};
use super::{disk, shard};

/// How many URLs may be out at a time.
const MOST_URLS: usize = 10_000;
/// A duration no URL needs to outlive; `Instant` cannot count arbitrarily far.
pub(super) const LONGEST_TTL: Duration = Duration::from_secs(365 * 24 * 3600);
/// How much of a refused body is still read, before the connection is closed on its sender.
const LONGEST_DRAIN: u64 = 64 << 20;

/// Bounds that keep one request from asking for absurd amounts of memory or disk.
const MOST_FRAMES_A_CHUNK: u64 = 1 << 20;
const LONGEST_SIDE: u64 = 1 << 16;
const HIGHEST_CHUNK: u64 = 1 << 32;

/// The URLs that are out, by their signatures.
pub(super) struct Staging {
    incoming: PathBuf,
    urls: Mutex<HashMap<String, Presigned>>,
}

/// What a presigned URL is good for.
#[derive(Clone)]
struct Presigned {
    path: String,
    expires: Instant,
    data_id: Uuid,
    /// The chunk as it was declared; its shard's facts are yet to come.
    chunk: ChunkRecord,
}

impl Staging {
    /// Bodies an earlier run left half-way are thrown away. (To be called when the streams have taken what is theirs.)
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let incoming = stream::incoming(data);
        disk::private_folder(&incoming)?;
        for entry in incoming.read_dir()? {
            fs::remove_file(entry?.path())?;
        }
        Ok(Self { incoming, urls: Mutex::default() })
    }

    fn issue(&self, url: Presigned) -> Result<String, Refusal> {
        let mut urls = self.urls.lock();
        if urls.len() >= MOST_URLS {
            let now = Instant::now();
            urls.retain(|_, url| url.expires > now);
        }
        if urls.len() >= MOST_URLS {
            return Err(Refusal::too_many("upload URLs"));
        }
        let signature = Uuid::new_v4().simple().to_string();
        urls.insert(signature.clone(), url);
        Ok(signature)
    }

    /// A URL is good for nothing any more.
    fn forget(&self, uri: &Uri) {
        self.urls.lock().remove(&signature(uri));
    }

    /// What a URL is good for. An expired one is good for nothing, an unknown one may have been issued before a restart:
    /// object storage has the same answer to both.
    fn look_up(&self, uri: &Uri) -> Result<Presigned, Refusal> {
        let urls = self.urls.lock();
        let url = urls.get(&signature(uri)).filter(|url| url.path == uri.path());
        match url {
            Some(url) if url.expires > Instant::now() => Ok(url.clone()),
            Some(_) => Err(Refusal::new(StatusCode::FORBIDDEN, "this URL has expired")),
            None => Err(Refusal::new(StatusCode::FORBIDDEN, "this URL was not issued here, or has expired")),
        }
    }
}

/// What a URL is known by; nothing, if it was not issued here.
fn signature(uri: &Uri) -> String {
    let Query(mut query) = Query::<HashMap<String, String>>::try_from_uri(uri).unwrap_or_default();
    query.remove("signature").unwrap_or_default()
}

/// `POST /data_entries/raw_data/staged/upload_urls/`
pub(super) async fn presign(service: Arc<Service>, call: Call) -> Result<Response, Refusal> {
    let index = asked_for(call.query())?;
    let mut fields = Fields::of(call.json)?;
    let data_id = fields.uuid("data_id")?;
    let stream = service.streams.find(data_id)?;
    let chunk = declared(index, stream.about().rotations_per_min > 0.0, fields)?;
    stream.check_open()?;

    let ttl = call.url_ttl.unwrap_or(service.url_ttl);
    let path = format!("{}/staged/{data_id}/{}", service.prefix(), key(index));
    let signature = service.staging.issue(Presigned { path: path.clone(), expires: Instant::now() + ttl, data_id, chunk })?;
    let expires = (unix_ms() / 1e3) as u64 + ttl.as_secs();
    let url = format!("{}{path}?expires={expires}&signature={signature}", service.origin(&call.headers));
    Ok(answer::json(json!([{ "upload_id": Uuid::new_v4(), "part": 0, "url": url }])))
}

/// Where a chunk lies at the service.
fn key(chunk: u64) -> String {
    format!("frames.zarr/frames/c/{chunk}/0/0")
}

/// The chunk such a key means, if it is one to the letter.
fn chunk_of(text: &str) -> Option<u64> {
    let index = text.strip_prefix("frames.zarr/frames/c/")?.strip_suffix("/0/0")?.parse().ok()?;
    (index < HIGHEST_CHUNK && key(index) == text).then_some(index)
}

/// The chunk a request is about, if it is about one.
pub(super) fn chunk_asked_for(uri: &Uri) -> Option<u64> {
    if let Some((_, staged)) = uri.path().split_once("/staged/")
        && let Some((_, key)) = staged.split_once('/')
        && let Some(chunk) = chunk_of(key)
    {
        return Some(chunk);
    }
    let Query(query) = Query::<HashMap<String, String>>::try_from_uri(uri).ok()?;
    chunk_of(query.get("original_filename")?)
}

/// The chunk index in the query, when all of that is as it should be.
fn asked_for(query: Vec<(String, String)>) -> Result<u64, Refusal> {
    let mut pairs: serde_json::Map<String, Value> = serde_json::Map::new();
    for (name, value) in query {
        if pairs.insert(name.clone(), value.into()).is_some() {
            return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{name}: given twice")));
        }
    }
    let mut fields = Fields::of(Value::Object(pairs))?;
    let wanted = "frames.zarr/frames/c/<chunk>/0/0";
    let index = fields.take("original_filename", wanted, |value| chunk_of(value.as_str()?))?;
    fields.one_of("num_parts", &["1"])?;
    fields.one_of("staging_type", &["stream"])?;
    fields.done()?;
    Ok(index)
}

/// The chunk as the body declares it.
fn declared(index: u64, rotates: bool, mut fields: Fields) -> Result<ChunkRecord, Refusal> {
    let number = fields::number_in_text;
    let positive = |value: &Value| number(value).filter(|number| *number > 0.0);
    fields.one_of("data_stream", &["rheed"])?;
    fields.one_of("is_stream", &["1"])?;
    fields.one_of("is_rotating", &[if rotates { "1" } else { "0" }])?;
    let chunk_size = fields.take("chunk_size", "a whole number above 0, as a string,", |value| {
        value.as_str()?.parse().ok().filter(|size| (1..=MOST_FRAMES_A_CHUNK).contains(size))
    })?;
    let [frames, height, width] =
        fields.take("dims", "\"N,H,W\", with N from 1 to chunk_size,", |value| dims(value.as_str()?, chunk_size))?;
    let start_unix_ms_utc = fields.take("start_unix_ms_utc", "a number above 0, as a string,", positive)?;
    let chunk = ChunkRecord {
        index,
        frames,
        height,
        width,
        chunk_size,
        start_unix_ms_utc,
        end_unix_ms_utc: fields.take("end_unix_ms_utc", "a number after the start, as a string,", |value| {
            number(value).filter(|end| *end > start_unix_ms_utc)
        })?,
        clock_offset_ms: fields.take_if_there("clock_offset_ms", "a number, as a string,", number)?,
        clock_uncertainty_ms: fields.take_if_there("clock_uncertainty_ms", "a number from 0 on, as a string,", |value| {
            number(value).filter(|uncertainty| *uncertainty >= 0.0)
        })?,
        avg_frame_rate: fields.take("avg_frame_rate", "a number above 0, as a string,", positive)?,
        raw_frame_rate: fields.take("raw_frame_rate", "a number above 0, as a string,", positive)?,
        shard_bytes: 0,
        empty_frames: 0,
        received_unix_ms: 0.0,
        array: String::new(),
        array_index: 0,
    };
    fields.done()?;
    Ok(chunk)
}

fn dims(text: &str, chunk_size: u64) -> Option<[u64; 3]> {
    let sides: Vec<u64> = text.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [frames, height, width] = sides.try_into().ok()?;
    let sides_fit = [height, width].iter().all(|side| (1..=LONGEST_SIDE).contains(side));
    ((1..=chunk_size).contains(&frames) && sides_fit).then_some([frames, height, width])
}

/// `PUT` to a presigned URL: a chunk's shard.
pub(super) async fn put(service: Arc<Service>, mut call: Call) -> Result<Response, Refusal> {
    let received = receive(&service, &mut call).await;
    if received.is_err() {
        let _ = call.body.drain(LONGEST_DRAIN).await;
    }
    received.map(|()| Response::default())
}

async fn receive(service: &Arc<Service>, call: &mut Call) -> Result<(), Refusal> {
    if call.headers.contains_key(KEY_HEADER) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "an API key has no place at a presigned URL: it goes to the service alone",
        ));
    }
    let Presigned { data_id, mut chunk, .. } = service.staging.look_up(&call.uri)?;
    let stream = service.streams.find(data_id)?;
    stream.check_open()?;
    let Some(length) = content_length(&call.headers) else {
        return Err(Refusal::new(StatusCode::LENGTH_REQUIRED, "a Content-Length is wanted"));
    };
    if length > service.max_body {
        return Err(super::intake::Intake::too_long(service.max_body));
    }

    let ChunkRecord { index, frames, height, width, .. } = chunk;
    if service.discard {
        while call.body.next().await?.is_some() {}
        stream.discard(frames, length)?;
        service.staging.forget(&call.uri); // Else a fast client has 10,000 of them out before the first expires.
        service
            .tell(&format!("stream {data_id} chunk {index}: {frames} frames of {height} x {width}, {length} bytes, discarded"));
        return Ok(());
    }
    let mut upload = Upload::begin(&service.staging.incoming)?;
    while let Some(bytes) = call.body.next().await? {
        // Straight into the page cache: handing each piece to another thread costs more than the write.
        upload.file.write_all(&bytes)?;
    }
    let verify_frames = service.verify_frames;
    tokio::task::spawn_blocking(move || {
        let index = shard::verify(&upload.file, chunk.frames, chunk.height * chunk.width, verify_frames)?;
        shard::pad(&upload.file, &index, chunk.chunk_size)?;
        chunk.shard_bytes = length;
        chunk.empty_frames = index.empty_frames();
        chunk.received_unix_ms = unix_ms();
        stream.keep(chunk, &upload.path)
    })
    .await
    .map_err(|_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the shard could not be looked at"))??;
    service.tell(&format!("stream {data_id} chunk {index}: {frames} frames of {height} x {width}, {length} bytes"));
    Ok(())
}

/// A body on its way to the disk. What is not moved to its place is gone when this is dropped.
struct Upload {
    path: PathBuf,
    file: File,
}

impl Upload {
    fn begin(incoming: &Path) -> io::Result<Self> {
        let path = incoming.join(Uuid::new_v4().to_string());
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        Ok(Self { path, file })
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
