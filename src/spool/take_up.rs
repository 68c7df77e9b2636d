//! Taking up what dead processes left: folders of this endpoint that belong to nobody alive.

use super::folder::{Folder, NOT_OURS, bytes_of, move_aside};
use super::layout::{self, FileName};
use super::manifest::Manifest;
use super::recover::{self, Recovered};
use super::root::Root;
use super::sync::SyncQueue;
use crate::codes;
use crate::ledger::{Loss, Losses, Notices};
use crate::log::Level;
use crate::options::Endpoint;
use crate::platform::{self, FileLock};
use std::collections::BTreeMap;
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
    /// Losses that were found just now.
    pub lost: Losses,
    /// What is to be told of files that could not be used.
    pub remarks: Vec<String>,
    /// Why the disk did not let some of its files be taken: they stay for another time, and the stream is not ended before.
    pub left: Option<io::Error>,
}

/// What is to be taken up.
pub struct Search<'a> {
    /// Recorded under this endpoint.
    pub endpoint: &'a Endpoint,
    /// Also what was recorded with `endpoint = none`.
    pub adopt: bool,
    /// Whether a folder is this process's own; asked again when its lock is had.
    pub is_ours: &'a dyn Fn(&Path) -> bool,
    /// No others than these, if there are any; the folder of all streams among them stands for each of them.
    pub only: Vec<PathBuf>,
}

/// Takes up every folder of the spool that is searched for and belongs to nobody alive. `met` is told of each what became of it.
pub fn take_up_all(
    root: &Arc<Root>,
    search: &Search,
    notices: &Arc<Notices>,
    sync: &SyncQueue,
    mut met: impl FnMut(&Path, std::result::Result<TakenUp, Skipped>),
) {
    let mut folders = search.only.clone();
    if folders.is_empty() || folders.contains(&root.streams()) {
        folders = match layout::list(&root.streams()) {
            Ok(folders) => folders,
            Err(error) => return met(&root.streams(), Err(Skipped::Unusable(error))),
        };
    }
    folders.sort(); // Local ids begin with the time: oldest first.
    for round in 0..=BUSY_ROUNDS {
        let mut busy = Vec::new();
        for path in folders {
            let name = layout::name_of(&path);
            if name.starts_with(layout::UNBORN) {
                remove_unborn(&path);
                continue;
            }
            match fs::symlink_metadata(&path).map(|facts| facts.file_type()) {
                Ok(kind) if kind.is_dir() => {}
                Ok(kind) if kind.is_symlink() && path.is_dir() => {
                    let reason = "it is a link: a stream is taken up only where it was written";
                    met(&path, Err(Skipped::Unusable(io::Error::other(reason))));
                    continue;
                }
                // Not a stream, whoever put it there.
                Ok(_) => {
                    put_stray_aside(root, &path, notices);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // Gone meanwhile.
                Err(error) => {
                    met(&path, Err(Skipped::Unusable(error)));
                    continue;
                }
            }
            if (search.is_ours)(&path) {
                met(&path, Err(Skipped::Ours));
                continue;
            }
            match take_up(root, &path, search, notices, sync).transpose() {
                None => {}
                Some(Err(Skipped::InUse)) if round < BUSY_ROUNDS => busy.push(path),
                Some(taken) => met(&path, taken),
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
    /// It is this process's own. Should it be aborted, it is to stay where it is.
    Ours,
    /// It belongs to somebody alive.
    InUse,
    /// It could not be read or finished.
    Unusable(io::Error),
}

impl Skipped {
    /// Whether that may be otherwise in a while.
    pub fn may_pass(&self) -> bool {
        matches!(self, Skipped::InUse | Skipped::Unusable(_))
    }
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
            Skipped::Ours | Skipped::InUse => f.write_str("it is in use"),
            Skipped::Unusable(error) => error.fmt(f),
        }
    }
}

/// Something among the streams' folders that is none.
fn put_stray_aside(root: &Root, path: &Path, notices: &Notices) {
    let name = path.display();
    match move_aside(root, STRAYS, path, NOT_OURS) {
        Ok(()) => notices.log.say(Level::Error, || format!("{name} set aside: {NOT_OURS}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {} // Gone, or another process was faster.
        Err(error) => notices.log.say(Level::Error, || format!("{name} is {NOT_OURS}, and cannot be set aside: {error}")),
    }
}

/// Below `set-aside`: what was of no stream.
const STRAYS: &str = "strays";

/// A folder whose maker died before it was complete.
fn remove_unborn(path: &Path) {
    let age = fs::metadata(path).and_then(|facts| facts.modified()).ok().and_then(|made| made.elapsed().ok());
    if age.is_some_and(|age| age > UNBORN_FOR) {
        let _ = fs::remove_dir_all(path);
    }
}

/// Making a folder takes no time: one that is unborn after this has no maker any more.
const UNBORN_FOR: Duration = Duration::from_secs(600);

/// A folder that has no manifest is being made or removed, or its owner died meanwhile: then at most its lock is left, and what was
/// to become the manifest. Nothing was ever in it, or nothing is any more.
fn remove_remains(path: &Path) -> io::Result<()> {
    let remains = match layout::list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        remains => remains?,
    };
    if !remains.iter().all(|path| [layout::LOCK, layout::NEXT_MANIFEST].contains(&&*layout::name_of(path))) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its manifest is missing"));
    }
    if !remains.is_empty() {
        let Some(_lock) = FileLock::take(&path.join(layout::LOCK))? else { return Ok(()) };
        if path.join(layout::MANIFEST).try_exists()? {
            return Ok(()); // It was made just now, by somebody who died since.
        }
        let _ = platform::remove_file(&path.join(layout::NEXT_MANIFEST));
        let _ = platform::remove_open_file(&path.join(layout::LOCK));
    }
    let _ = platform::remove_folder(path); // Fails when something came into it just now.
    Ok(())
}

fn take_up(
    root: &Arc<Root>,
    path: &Path,
    search: &Search,
    notices: &Arc<Notices>,
    sync: &SyncQueue,
) -> std::result::Result<Option<TakenUp>, Skipped> {
    let (manifest, lock) = match claim(path, search) {
        Err(Skipped::Unusable(error)) if error.kind() == io::ErrorKind::NotFound => {
            remove_remains(path)?; // Finished by its owner, at whatever moment.
            return Ok(None);
        }
        claimed => claimed?,
    };
    let named = path.file_name().and_then(|name| name.to_str()) == Some(manifest.local_id.as_str());
    let stream = Uuid::parse_str(&manifest.local_id).ok().filter(|_| named);
    let stream =
        *stream.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "its manifest is of another folder"))?.as_bytes();
    let losses = manifest.losses.clone();
    let folder = Folder::new(root, path.into(), stream, manifest, lock, notices.clone(), sync.clone());
    let folder = Arc::new(folder);
    let mut taken = TakenUp { folder, frames: 0, losses, lost: Losses::default(), remarks: Vec::new(), left: None };
    taken.collect()?;
    taken.folder.close();
    Ok(Some(taken))
}

/// A stream's manifest and its lock. While its owner removes the folder something is not found.
fn claim(path: &Path, search: &Search) -> std::result::Result<(Manifest, FileLock), Skipped> {
    let manifest_path = path.join(layout::MANIFEST);
    let manifest = read_manifest(&manifest_path)?;
    let ours = manifest.endpoint == search.endpoint.as_str() || (search.adopt && manifest.endpoint == "none");
    if !ours {
        return Err(Skipped::Elsewhere(manifest.endpoint));
    }
    let lock_path = path.join(layout::LOCK);
    let Some(lock) = FileLock::take(&lock_path)? else {
        return Err(Skipped::InUse);
    };
    if !platform::is_still_at(lock.file(), &lock_path)? {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    }
    if (search.is_ours)(path) {
        return Err(Skipped::Ours); // Aborted just now.
    }
    // Read again under the lock: its owner may have written it meanwhile.
    Ok((read_manifest(&manifest_path)?, lock))
}

/// Whose reading fails, fails with the file's name.
fn read_manifest(path: &Path) -> io::Result<Manifest> {
    Manifest::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", layout::MANIFEST)))
}

impl TakenUp {
    /// Finds the sealed chunks, and makes shards of the part-filled ones. What the disk does not allow is left, if there is
    /// something to be sent meanwhile: on a full disk that makes room.
    fn collect(&mut self) -> io::Result<()> {
        let folder = self.folder.clone();
        let mut files: BTreeMap<u64, Vec<FileName>> = BTreeMap::new();
        for entry in fs::read_dir(folder.path())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_file = entry.file_type()?.is_file();
            match FileName::parse(&name) {
                Some(file) => files.entry(file.chunk()).or_default().push(file),
                None if is_file && [layout::LOCK, layout::MANIFEST, layout::NEXT_MANIFEST].contains(&&*name) => {}
                None => {
                    let put_aside = self.put_aside(&entry.path(), NOT_OURS);
                    self.leave_unless(put_aside, &name);
                }
            }
        }
        self.lost = folder.lost_on_the_way(|chunk| files.contains_key(&chunk));
        for (chunk, files) in files {
            let taken = self.take_one_of(files);
            self.leave_unless(taken, &format!("chunk {chunk}"));
        }
        let synced = platform::sync_folder(folder.path());
        self.leave_unless(synced, "its folder");
        match self.left.take_if(|_| folder.waiting() == 0) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What could not be done to it is done another time.
    fn leave_unless(&mut self, done: io::Result<()>, what: &str) {
        if let Err(error) = done {
            self.folder.leave_some();
            self.left = Some(io::Error::new(error.kind(), format!("{what}: {error}")));
        }
    }

    /// One chunk's file, or the right one of several.
    fn take_one_of(&mut self, mut files: Vec<FileName>) -> io::Result<()> {
        if files.len() > 1 {
            files = self.without_copies(files)?;
        }
        files.into_iter().try_for_each(|file| self.take(file))
    }

    /// A chunk has one file. Where there are several, which takes somebody's hand, the first that is whole is taken, a sealed one
    /// before a part-filled one, and the others are set aside: their frames are not lost by that.
    fn without_copies(&mut self, found: Vec<FileName>) -> io::Result<Vec<FileName>> {
        let folder = self.folder.clone();
        let rank = |file: &FileName| match file {
            FileName::Shard { frames, .. } => u64::from(*frames) + 1,
            FileName::Part { .. } => 0,
        };
        let mut files: Vec<FileName> = Vec::new();
        for file in found {
            files.insert(files.partition_point(|better| rank(better) >= rank(&file)), file);
        }
        let is_whole = |file: &FileName| {
            let FileName::Shard { chunk, frames } = *file else { return Ok(true) };
            match recover::verify(&folder.path().join(file.to_string()), chunk, frames, folder.stream()) {
                Err(error) if recover::is_damage(&error) => Ok(false),
                // The disk, not the file: the folder stays as it is for another time.
                verified => verified.map(|_| true),
            }
        };
        let mut first = 0;
        for (index, file) in files.iter().enumerate() {
            if is_whole(file)? {
                first = index;
                break;
            }
        }
        let taken = files.remove(first);
        for file in files {
            let reason = format!("{taken} is taken as chunk {}, and this is another", file.chunk());
            self.put_aside(&folder.path().join(file.to_string()), &reason)?;
        }
        Ok(vec![taken])
    }

    /// A chunk's file waits to be sent: a part-filled one when it is sealed.
    fn take(&mut self, file: FileName) -> io::Result<()> {
        let folder = self.folder.clone();
        let path = folder.path().join(file.to_string());
        let chunk = file.chunk();
        match file {
            FileName::Shard { frames, .. } => match recover::expect_file(&path) {
                Ok(()) => self.add(chunk, frames, bytes_of(&path)),
                Err(error) if recover::is_damage(&error) => {
                    self.put_chunk_aside(chunk, &path, &error.to_string(), frames.into())?;
                }
                Err(error) => return Err(error),
            },
            FileName::Part { .. } => match recover::part(folder.path(), chunk, folder.stream()) {
                Ok(Recovered::Sealed { file: sealed, cut, torn }) => {
                    folder.root().removed(cut);
                    folder.root().wrote(sealed.added);
                    self.add(chunk, sealed.seal.frames, sealed.bytes);
                    if torn && cut > 0 {
                        self.remarks.push(format!("chunk {chunk}: the last {cut} bytes were no whole frame and are cut off"));
                    }
                }
                Ok(Recovered::Empty) => {
                    folder.root().removed(bytes_of(&path));
                    platform::remove_file(&path)?;
                }
                Err(error) if recover::is_damage(&error) => {
                    let frames = recover::count_frames(&path, folder.stream()).unwrap_or(0);
                    self.put_chunk_aside(chunk, &path, &error.to_string(), frames)?;
                }
                // The disk, not the file: the folder stays as it is for another time.
                Err(error) => return Err(error),
            },
        }
        Ok(())
    }

    fn add(&mut self, chunk: u64, frames: u32, bytes: u64) {
        self.frames += u64::from(frames);
        self.folder.add(chunk, None, frames, bytes, 0, |_| {});
    }

    /// A chunk that cannot be used: kept beside the spool, counted with what is known of its frames, and told.
    fn put_chunk_aside(&mut self, chunk: u64, path: &Path, reason: &str, frames: u64) -> io::Result<()> {
        let loss = Loss { frames, chunks: 1 };
        self.folder.clone().lose(chunk, reason, loss, || self.put_aside(path, reason))?;
        self.lost.add(reason, loss);
        let text = format!("chunk {chunk} set aside, {frames} frames: {reason}");
        self.folder.notices().tell(codes::Event::ChunkSetAside, chunk as i64, text);
        Ok(())
    }

    /// A file that is not what it should be: kept beside the spool, and told in the log.
    fn put_aside(&mut self, path: &Path, reason: &str) -> io::Result<()> {
        move_aside(self.folder.root(), &self.folder.local_id(), path, reason)?;
        let name = layout::name_of(path);
        self.remarks.push(format!("{name} set aside: {reason}"));
        Ok(())
    }
}
