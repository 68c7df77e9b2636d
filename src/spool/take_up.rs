//! Taking up what dead processes left: folders of this endpoint that belong to nobody alive.

use super::folder::{Folder, bytes_of, move_aside};
use super::layout::{self, FileName};
use super::manifest::Manifest;
use super::recover::{self, Recovered};
use super::root::Root;
use super::sync::SyncQueue;
use crate::codes;
use crate::ledger::{Loss, Losses, Notices};
use crate::options::Endpoint;
use crate::platform::{self, FileLock};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What was found in the spool and is now this process's to finish.
pub struct TakenUp {
    /// With its chunks waiting.
    pub folder: Arc<Folder>,
    /// Frames found.
    pub frames: u64,
    /// Losses that earlier processes noted.
    pub losses: Losses,
    /// What is to be told of files that could not be used.
    pub remarks: Vec<String>,
}

/// What is to be taken up.
pub struct Search<'a> {
    /// Recorded under this endpoint.
    pub endpoint: &'a Endpoint,
    /// Also what was recorded with `endpoint = none`.
    pub adopt: bool,
    /// These are this process's own.
    pub held: &'a HashSet<PathBuf>,
}

/// Takes up every folder of the spool that is searched for and belongs to nobody alive. What is not taken up is named in
/// `skipped`.
pub fn take_up_all(
    root: &Arc<Root>,
    search: &Search,
    notices: &Arc<Notices>,
    sync: &SyncQueue,
    mut found: impl FnMut(TakenUp),
    mut skipped: impl FnMut(&str, &Skipped),
) {
    let listed = fs::read_dir(root.streams()).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut folders: Vec<PathBuf> = match listed {
        Ok(folders) => folders,
        Err(error) => return skipped(layout::STREAMS, &Skipped::Unusable(error)),
    };
    folders.sort(); // Local ids begin with the time: oldest first.
    for round in 0..=BUSY_ROUNDS {
        let mut busy = Vec::new();
        for path in folders {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(layout::UNBORN) {
                remove_unborn(&path);
                continue;
            }
            if search.held.contains(&path) {
                skipped(&name, &Skipped::InUse); // Not looked at again: aborted meanwhile, it is to stay where it is.
                continue;
            }
            match take_up(root, &path, search, notices, sync) {
                Ok(Some(taken)) => found(taken),
                Ok(None) => {}
                Err(Skipped::InUse) if round < BUSY_ROUNDS => busy.push(path),
                Err(reason) => skipped(&name, &reason),
            }
        }
        if busy.is_empty() {
            return;
        }
        folders = busy;
        std::thread::sleep(BUSY_PAUSE);
    }
}

/// A fork of a process that died lets its locks go as soon as it runs: folders that are in use are looked at again.
const BUSY_ROUNDS: u32 = 4;
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// Why a folder was not taken up.
#[derive(Debug)]
pub enum Skipped {
    /// It is recorded under this endpoint.
    Elsewhere(String),
    /// It belongs to somebody alive.
    InUse,
    /// It could not be read or finished.
    Unusable(io::Error),
}

impl From<io::Error> for Skipped {
    fn from(error: io::Error) -> Skipped {
        Skipped::Unusable(error)
    }
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Skipped::Elsewhere(endpoint) => write!(f, "it belongs to endpoint {endpoint}"),
            Skipped::InUse => f.write_str("it is in use"),
            Skipped::Unusable(error) => error.fmt(f),
        }
    }
}

/// A folder whose maker died before it was complete.
fn remove_unborn(path: &Path) {
    let age = fs::metadata(path).and_then(|facts| facts.modified()).ok().and_then(|made| made.elapsed().ok());
    if age.is_some_and(|age| age > UNBORN_FOR) {
        let _ = fs::remove_dir_all(path);
    }
}

/// Making a folder takes no time: one that is unborn after this has no maker any more.
const UNBORN_FOR: Duration = Duration::from_secs(600);

/// A folder that has no manifest is being removed, or its owner died while it removed it: then at most its lock is left.
fn remove_remains(path: &Path) -> io::Result<()> {
    let lock_path = path.join(layout::LOCK);
    if lock_path.exists() {
        let Some(_lock) = FileLock::take(&lock_path)? else { return Ok(()) };
        if fs::read_dir(path)?.flatten().any(|entry| entry.file_name() != layout::LOCK) {
            return Err(io::Error::new(io::ErrorKind::NotFound, "its manifest is missing"));
        }
        fs::remove_file(lock_path)?;
    }
    let _ = fs::remove_dir(path); // Fails when something is in it that is not of this library.
    Ok(())
}

fn take_up(
    root: &Arc<Root>,
    path: &Path,
    search: &Search,
    notices: &Arc<Notices>,
    sync: &SyncQueue,
) -> std::result::Result<Option<TakenUp>, Skipped> {
    let manifest_path = path.join(layout::MANIFEST);
    if !manifest_path.exists() {
        remove_remains(path)?;
        return Ok(None);
    }
    let manifest = Manifest::read(&manifest_path)?;
    let ours = manifest.endpoint == search.endpoint.as_str() || (search.adopt && manifest.endpoint == "none");
    if !ours {
        return Err(Skipped::Elsewhere(manifest.endpoint));
    }
    let lock_path = path.join(layout::LOCK);
    let Some(lock) = FileLock::take(&lock_path)? else {
        return Err(Skipped::InUse);
    };
    if !platform::is_still_at(lock.file(), &lock_path) || !manifest_path.exists() {
        return Ok(None); // Finished by its owner between the look and the lock.
    }
    // Read again under the lock: its owner may have written it meanwhile.
    let manifest = Manifest::read(&manifest_path)?;
    let named = path.file_name().and_then(|name| name.to_str()) == Some(manifest.local_id.as_str());
    let stream = Uuid::parse_str(&manifest.local_id).ok().filter(|_| named);
    let stream =
        *stream.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its manifest is of another folder"))?.as_bytes();
    let losses = manifest.losses.clone();
    let folder = Folder::new(root, path.into(), stream, manifest, lock, notices.clone(), sync.clone());
    let mut taken = TakenUp { folder: Arc::new(folder), frames: 0, losses, remarks: Vec::new() };
    taken.collect()?;
    taken.folder.close();
    Ok(Some(taken))
}

impl TakenUp {
    /// Finds the sealed chunks, and makes shards of the part-filled ones.
    fn collect(&mut self) -> io::Result<()> {
        let folder = self.folder.clone();
        let mut chunks: Vec<(u64, u32, u64)> = Vec::new();
        for entry in fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            match FileName::parse(&name) {
                Some(FileName::Shard { chunk, frames }) => chunks.push((chunk, frames, entry.metadata()?.len())),
                Some(FileName::Part { chunk }) => match recover::part(folder.path(), &path, chunk, folder.stream()) {
                    Ok(Recovered::Sealed(sealed, torn)) => {
                        folder.root().removed(torn);
                        folder.root().wrote(sealed.added);
                        chunks.push((chunk, sealed.seal.frames, sealed.bytes));
                        if torn > 0 {
                            self.remarks
                                .push(format!("chunk {chunk}: the last {torn} bytes were no whole frame and are cut off"));
                        }
                    }
                    Ok(Recovered::Empty) => {
                        folder.root().removed(bytes_of(&path));
                        fs::remove_file(&path)?;
                    }
                    Err(error) if is_damage(&error) => self.put_chunk_aside(chunk, &path, &error.to_string())?,
                    // The disk, not the file: the folder stays as it is for another time.
                    Err(error) => return Err(error),
                },
                None if name == layout::LOCK || name == layout::MANIFEST || name.ends_with(".next") => {}
                None => self.put_aside(&path, "not a file of this library")?,
            }
        }
        platform::sync_folder(folder.path())?;
        chunks.sort_unstable();
        for (chunk, frames, bytes) in chunks {
            self.frames += u64::from(frames);
            folder.add(chunk, frames, bytes, 0, false, |_| {});
        }
        Ok(())
    }

    /// A chunk that cannot be read: kept beside the spool, counted and told. How many frames it holds nobody knows.
    fn put_chunk_aside(&mut self, chunk: u64, path: &Path, reason: &str) -> io::Result<()> {
        self.put_aside(path, reason)?;
        let loss = Loss { frames: 0, chunks: 1 };
        let _ = self.folder.note_loss(reason, loss);
        self.losses.add(reason, loss);
        let text = format!("chunk {chunk} set aside: {reason}");
        self.folder.notices().tell(codes::Event::ChunkSetAside, chunk as i64, text);
        Ok(())
    }

    /// A file that is not what it should be: kept beside the spool, and told in the log.
    fn put_aside(&mut self, path: &Path, reason: &str) -> io::Result<()> {
        move_aside(self.folder.root(), &self.folder.local_id(), path, reason)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.remarks.push(format!("{name} set aside: {reason}"));
        Ok(())
    }
}

/// Whether an error tells of what is in a file, and not of the disk.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
