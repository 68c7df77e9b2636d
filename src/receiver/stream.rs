//! One stream: what is known of it, and its folder.
//!
//! A new chunk may move others ([`super::layout`]), so its shard is put in place in four steps, each of which a crash may
//! follow: every shard that is to lie elsewhere is renamed to `incoming/<data_id>.<chunk>`, the new one among them; the
//! new places are noted in `chunks.jsonl`; the shards are renamed to their places; the metadata is renewed. Whatever
//! is found in `incoming` on the way up is moved to where `chunks.jsonl` says, and thrown away if that does not know it:
//! then its sender has had no confirmation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Refusal;
use super::journal::Journal;
use super::layout::{self, Sized2d};
use super::{disk, group};

/// What a stream was created with and linked to: `stream.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) data_id: Uuid,
    pub(super) name: String,
    pub(super) fps_capture_rate: f64,
    pub(super) rotations_per_min: f64,
    pub(super) rotational_period: Option<f64>,
    pub(super) project_id: Option<Uuid>,
    pub(super) azimuth_label: Option<String>,
    pub(super) physical_sample_id: Option<Uuid>,
    pub(super) tag_ids: Vec<Uuid>,
    pub(super) created_unix_ms: f64,
    pub(super) state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Active,
    Paused,
    Ended,
}

/// A stream as the receiver knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamRecord {
    /// Its id, a UUID.
    pub data_id: String,
    /// Its name.
    pub name: String,
    /// The frame rate it was created with.
    pub fps_capture_rate: f64,
    /// 0 for a stationary one.
    pub rotations_per_min: f64,
    /// Frames per turn.
    pub rotational_period: Option<f64>,
    /// The project it was created in.
    pub project_id: Option<String>,
    /// The azimuth it was created with.
    pub azimuth_label: Option<String>,
    /// The sample it was linked to.
    pub physical_sample_id: Option<String>,
    /// The tags it was linked to, in the order given.
    pub tag_ids: Vec<String>,
    /// Whether it has been ended.
    pub ended: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Its folder, a Zarr group.
    pub folder: PathBuf,
    /// Its chunks, by their index.
    pub chunks: Vec<ChunkRecord>,
    /// What this receiver took and threw away.
    pub discarded: Discarded,
}

/// Chunks that were counted and not kept ([`super::Settings::discard`]). One that came twice counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discarded {
    /// How many.
    pub chunks: u64,
    /// The frames in them.
    pub frames: u64,
    /// The bytes of their shards.
    pub bytes: u64,
}

impl StreamRecord {
    /// How many frames have come and were kept.
    pub fn frames(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.frames).sum()
    }
}

/// A chunk that was taken: a line of `chunks.jsonl`. When one comes again its later line counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChunkRecord {
    /// Its index in the stream.
    pub index: u64,
    /// The frames in it.
    pub frames: u64,
    /// Rows of a frame.
    pub height: u64,
    /// Columns of a frame.
    pub width: u64,
    /// The declared chunk size, in frames.
    pub chunk_size: u64,
    /// When its first frame was taken, by the reference clock.
    pub start_unix_ms_utc: f64,
    /// When its last frame was over.
    pub end_unix_ms_utc: f64,
    /// How far the reference clock was ahead of the client's.
    pub clock_offset_ms: Option<f64>,
    /// How sure the client was of that.
    pub clock_uncertainty_ms: Option<f64>,
    /// The frame rate it was sent with, averaged.
    pub avg_frame_rate: f64,
    /// The frame rate it was sent with.
    pub raw_frame_rate: f64,
    /// The shard's size as it was sent.
    pub shard_bytes: u64,
    /// Frames its index says are not there.
    pub empty_frames: u64,
    /// When it had come.
    pub received_unix_ms: f64,
    /// The array it lies in.
    pub array: String,
    /// Its index in that array, in chunks.
    pub array_index: u64,
}

impl Sized2d for ChunkRecord {
    fn frame_size(&self) -> (u64, u64) {
        (self.height, self.width)
    }
}

impl ChunkRecord {
    fn shard(&self) -> PathBuf {
        PathBuf::from(format!("{}/c/{}/0/0", self.array, self.array_index))
    }
}

pub(super) struct Stream {
    folder: PathBuf,
    incoming: PathBuf,
    pub(super) journal: Journal,
    inner: Mutex<Inner>,
}

struct Inner {
    about: About,
    chunks: BTreeMap<u64, ChunkRecord>,
    discarded: Discarded,
}

impl Stream {
    pub(super) fn create(data: &Path, about: About) -> io::Result<Self> {
        let folder = data.join(about.data_id.to_string());
        disk::private_folder(&folder)?;
        let journal = Journal::open(&folder)?;
        let inner = Mutex::new(Inner { about, chunks: BTreeMap::new(), discarded: Discarded::default() });
        let stream = Self { folder, incoming: incoming(data), journal, inner };
        stream.note_about(&stream.inner.lock())?;
        Ok(stream)
    }

    /// Takes up a stream's folder; `None` if it is none.
    pub(super) fn open(data: &Path, data_id: Uuid) -> io::Result<Option<Self>> {
        let folder = data.join(data_id.to_string());
        let Some(about) = disk::read_json::<About>(&folder.join("stream.json"))?.filter(|about| about.data_id == data_id) else {
            return Ok(None);
        };
        let journal = Journal::open(&folder)?;
        let chunks = read_chunks(&folder.join("chunks.jsonl"))?;
        let inner = Mutex::new(Inner { about, chunks, discarded: Discarded::default() });
        let stream = Self { folder, incoming: incoming(data), journal, inner };
        {
            let inner = stream.inner.lock();
            stream.settle(&inner)?;
            stream.renew_metadata(&inner, |_| true)?;
        }
        Ok(Some(stream))
    }

    pub(super) fn about(&self) -> About {
        self.inner.lock().about.clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut About)) -> Result<(), Refusal> {
        let mut inner = self.inner.lock();
        change(&mut inner.about);
        Ok(self.note_about(&inner)?)
    }

    /// 409 once the stream has ended: nothing more can come.
    pub(super) fn check_open(&self) -> Result<(), Refusal> {
        self.inner.lock().check_open()
    }

    /// Keeps a chunk: its shard is moved to its place. One that was there before gives way.
    pub(super) fn keep(&self, chunk: ChunkRecord, shard: &Path) -> Result<(), Refusal> {
        let mut inner = self.inner.lock();
        inner.check_open()?;
        if let Some(other) =
            inner.chunks.values().find(|other| other.index != chunk.index && other.chunk_size != chunk.chunk_size)
        {
            let wanted = format!("\"{}\", as for chunk {},", other.chunk_size, other.index);
            return Err(Refusal::field("chunk_size", &wanted, &chunk.chunk_size.to_string().into()));
        }
        let kept = self.put_in_place(&mut inner, chunk, shard);
        if kept.is_err() {
            // The disk failed half-way: what is on it counts.
            inner.chunks = read_chunks(&self.folder.join("chunks.jsonl"))?;
            self.settle(&inner)?;
        }
        Ok(kept?)
    }

    /// Counts a chunk that is not kept.
    pub(super) fn discard(&self, frames: u64, bytes: u64) -> Result<(), Refusal> {
        let mut inner = self.inner.lock();
        inner.check_open()?;
        inner.discarded.chunks += 1;
        inner.discarded.frames += frames;
        inner.discarded.bytes += bytes;
        Ok(())
    }

    fn put_in_place(&self, inner: &mut Inner, chunk: ChunkRecord, shard: &Path) -> io::Result<()> {
        let index = chunk.index;
        let arrays_before = layout::runs(&inner.chunks);
        let replaced = inner.chunks.insert(index, chunk);
        let arrays = layout::runs(&inner.chunks);

        let mut lines = Vec::new();
        let mut touched = BTreeSet::new();
        for (array, &of_array) in arrays.iter().flat_map(|array| array.chunks.iter().map(move |chunk| (array, chunk))) {
            let Some(record) = inner.chunks.get_mut(&of_array) else {
                continue;
            };
            let place = array.place(of_array);
            let stays = record.array == array.name && record.array_index == place;
            if of_array == index {
                fs::rename(shard, self.incoming_shard(index))?;
            } else if stays {
                continue;
            } else {
                fs::rename(self.folder.join(record.shard()), self.incoming_shard(of_array))?;
            }
            touched.insert(mem::replace(&mut record.array, array.name.clone()));
            touched.insert(array.name.clone());
            record.array_index = place;
            serde_json::to_writer(&mut lines, record)?;
            lines.push(b'\n');
        }
        File::options().create(true).append(true).open(self.folder.join("chunks.jsonl"))?.write_all(&lines)?;

        if let Some(old) = replaced {
            if inner.chunks.get(&index).is_some_and(|new| new.shard() != old.shard()) {
                remove_if_there(&self.folder.join(old.shard()))?;
            }
            touched.insert(old.array);
        }
        self.settle(inner)?;
        self.renew_metadata(inner, |array| touched.contains(array))?;
        for gone in arrays_before.iter().filter(|before| arrays.iter().all(|array| array.name != before.name)) {
            fs::remove_dir_all(self.folder.join(&gone.name))?;
        }
        Ok(())
    }

    fn incoming_shard(&self, chunk: u64) -> PathBuf {
        let data_id = self.folder.file_name().unwrap_or_default().to_string_lossy();
        self.incoming.join(format!("{data_id}.{chunk}"))
    }

    /// Moves this stream's shards out of `incoming`.
    fn settle(&self, inner: &Inner) -> io::Result<()> {
        for entry in fs::read_dir(&self.incoming)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some((data_id, chunk)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            if data_id.parse() != Ok(inner.about.data_id) {
                continue;
            }
            match chunk.parse().ok().and_then(|chunk: u64| inner.chunks.get(&chunk)) {
                Some(chunk) => {
                    let place = self.folder.join(chunk.shard());
                    if let Some(folder) = place.parent() {
                        disk::private_folder(folder)?;
                    }
                    fs::rename(entry.path(), place)?;
                }
                None => fs::remove_file(entry.path())?,
            }
        }
        Ok(())
    }

    fn note_about(&self, inner: &Inner) -> io::Result<()> {
        disk::replace_json(&self.folder.join("stream.json"), &inner.about)?;
        self.renew_metadata(inner, |_| false)
    }

    /// Writes the group's `zarr.json`, and those of the arrays `touched`.
    fn renew_metadata(&self, inner: &Inner, touched: impl Fn(&str) -> bool) -> io::Result<()> {
        let arrays: Vec<_> = layout::runs(&inner.chunks).iter().map(|run| group::array(run, &inner.chunks)).collect();
        for (name, metadata) in arrays.iter().filter(|(name, _)| touched(name)) {
            disk::replace_json(&self.folder.join(name).join("zarr.json"), metadata)?;
        }
        disk::replace_json(&self.folder.join("zarr.json"), &group::group(&inner.about, &arrays))
    }

    pub(super) fn record(&self) -> StreamRecord {
        let inner = self.inner.lock();
        let about = &inner.about;
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        StreamRecord {
            data_id: about.data_id.to_string(),
            name: about.name.clone(),
            fps_capture_rate: about.fps_capture_rate,
            rotations_per_min: about.rotations_per_min,
            rotational_period: about.rotational_period,
            project_id: text(about.project_id),
            azimuth_label: about.azimuth_label.clone(),
            physical_sample_id: text(about.physical_sample_id),
            tag_ids: about.tag_ids.iter().map(Uuid::to_string).collect(),
            ended: about.state == State::Ended,
            paused: about.state == State::Paused,
            folder: self.folder.clone(),
            chunks: inner.chunks.values().cloned().collect(),
            discarded: inner.discarded,
        }
    }
}

impl Inner {
    fn check_open(&self) -> Result<(), Refusal> {
        match self.about.state {
            State::Ended => Err(Refusal::new(StatusCode::CONFLICT, "this stream has ended")),
            State::Active | State::Paused => Ok(()),
        }
    }
}

/// Where bodies and shards on the move lie: on the same disk as their places, so that a rename takes them there.
pub(super) fn incoming(data: &Path) -> PathBuf {
    data.join("incoming")
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What `chunks.jsonl` says. A last line without its end was being written when the receiver died: it is cut off.
fn read_chunks(path: &Path) -> io::Result<BTreeMap<u64, ChunkRecord>> {
    let mut text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        File::options().write(true).open(path)?.set_len(whole as u64)?;
        text.truncate(whole);
    }
    let mut chunks = BTreeMap::new();
    for line in text.lines() {
        let chunk: ChunkRecord = serde_json::from_str(line)
            .map_err(|error| io::Error::other(format!("{} is not what this receiver wrote: {error}", path.display())))?;
        chunks.insert(chunk.index, chunk);
    }
    Ok(chunks)
}
