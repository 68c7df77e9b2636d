//! One stream's folder: its lock, its manifest, and the chunks that wait to be confirmed.

use super::chunk_file::{ChunkFile, SealedFile};
use super::layout::{self, FileName};
use super::manifest::{Manifest, StreamFacts};
use super::record::{Head, Seal};
use super::recover;
use super::root::Root;
use super::sync::{Job, SyncQueue};
use crate::clock::{ClockOffset, Clocks};
use crate::codes::{self, Code};
use crate::error::{Error, Result};
use crate::ledger::{Amiss, Loss, Losses, Notices};
use crate::log::Level;
use crate::options::Options;
use crate::platform::{self, FileLock};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// A sealed chunk that waits to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedChunk {
    /// In which order it was sealed.
    pub order: u64,
    /// Its index in the stream.
    pub chunk: u64,
    /// Its frames.
    pub frames: u32,
    /// The file's bytes.
    pub bytes: u64,
    /// So many frames had been pushed when its last one was; 0 for what was taken up.
    pub until: u64,
    /// When its first frame came, if this process wrote it: then it may take the first clock offset.
    pub begun: Option<Clocks>,
    /// Whether it need not be read through first: this process wrote it, and the disk said no word against it.
    pub trusted: bool,
}

impl SealedChunk {
    /// What is lost with it.
    pub fn loss(&self) -> Loss {
        Loss { frames: self.frames.into(), chunks: 1 }
    }
}

/// A stream's folder, locked by this process.
pub struct Folder {
    root: Arc<Root>,
    path: PathBuf,
    stream: [u8; 16],
    manifest: Mutex<Manifest>,
    /// Whether the manifest is on the disk as it is; held by the one who writes it.
    is_saved: Mutex<bool>,
    /// Files of chunks that were confirmed, or not taken, which could not be removed.
    unremoved: Mutex<Vec<PathBuf>>,
    pending: Mutex<Pending>,
    /// Files are in it that nobody takes up for now.
    has_leftovers: AtomicBool,
    /// Wakes the uploads.
    pub changed: Notify,
    notices: Arc<Notices>,
    sync: SyncQueue,
    unsynced: AtomicUsize,
    /// The last chunk could not be synced.
    sync_fails: AtomicBool,
    lock: Mutex<Option<Arc<FileLock>>>,
    /// Held by the one who makes the folder again.
    making_again: Mutex<()>,
}

#[derive(Default)]
struct Pending {
    chunks: BTreeMap<u64, SealedChunk>,
    /// Of all these.
    frames: u64,
    next_order: u64,
    /// No chunk will follow.
    closed: bool,
    /// Nobody uploads from here any more.
    abandoned: bool,
    /// So many are just writing here for whoever uploads.
    at_work: usize,
}

impl Pending {
    fn may_be_released(&self) -> bool {
        self.closed && self.abandoned && self.at_work == 0
    }
}

/// Somebody is writing to a folder, which is not let go meanwhile.
pub struct AtWork(Arc<Folder>);

impl std::ops::Deref for AtWork {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.0
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.change_hands(|pending| pending.at_work -= 1);
    }
}

impl Folder {
    /// Makes the folder of a new stream.
    pub fn create(root: &Arc<Root>, options: &Options, notices: Arc<Notices>, sync: SyncQueue) -> Result<Arc<Folder>> {
        let id = Uuid::now_v7();
        let local_id = id.to_string();
        let manifest = Manifest::new(&local_id, options);
        let path = root.streams().join(&local_id);
        let unborn = root.streams().join(format!("{}{local_id}", layout::UNBORN));
        let mut held = None; // Until the files of what failed are cleared away, too.
        let mut made = || -> io::Result<()> {
            if platform::CAN_RENAME_FOLDERS_IN_USE {
                // Complete and locked before it has its name, so that nobody takes it up half-made.
                platform::create_folder_inside(&unborn)?;
                held = Some(take_lock(&unborn)?);
                manifest.write(&unborn.join(layout::MANIFEST))?;
                platform::rename(&unborn, &path)?;
            } else {
                // Nobody takes up what has no manifest, and as long as it is locked nobody removes it either.
                held = Some(make_locked(&path)?);
                manifest.write(&path.join(layout::MANIFEST))?;
            }
            platform::sync_folder(&root.streams())?;
            root.added(bytes_of(&path.join(layout::MANIFEST)));
            Ok(())
        };
        let made = made().and_then(|()| held.take().ok_or_else(|| io::Error::other("it has no lock")));
        let lock = made.map_err(|error| {
            // Nothing was taken: nothing is to be left behind. By name, since a process without open files cannot list it.
            for folder in [&unborn, &path] {
                for file in [layout::MANIFEST, layout::NEXT_MANIFEST, layout::LOCK] {
                    let _ = platform::remove_open_file(&folder.join(file));
                }
            }
            drop(held);
            for folder in [&unborn, &path] {
                let _ = platform::remove_folder(folder);
            }
            let code = if platform::is_disk_full(&error) { Code::EDiskFull } else { Code::ESpool };
            Error::new(code, format!("spool_dir {}: {error}", root.path().display()))
        })?;
        Ok(Arc::new(Folder::new(root, path, *id.as_bytes(), manifest, lock, notices, sync)))
    }

    /// A folder that is there, with its lock.
    pub(super) fn new(
        root: &Arc<Root>,
        path: PathBuf,
        stream: [u8; 16],
        manifest: Manifest,
        lock: FileLock,
        notices: Arc<Notices>,
        sync: SyncQueue,
    ) -> Folder {
        Folder {
            root: root.clone(),
            path,
            stream,
            manifest: Mutex::new(manifest),
            is_saved: Mutex::new(true),
            unremoved: Mutex::default(),
            pending: Mutex::default(),
            has_leftovers: AtomicBool::new(false),
            changed: Notify::new(),
            notices,
            sync,
            unsynced: AtomicUsize::new(0),
            sync_fails: AtomicBool::new(false),
            lock: Mutex::new(Some(Arc::new(lock))),
            making_again: Mutex::default(),
        }
    }

    /// What its chunks are marked with.
    pub(super) fn stream(&self) -> &[u8; 16] {
        &self.stream
    }

    /// How its owner is told.
    pub(super) fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The spool that it lies in.
    pub fn root(&self) -> &Arc<Root> {
        &self.root
    }

    /// The folder's name.
    pub fn local_id(&self) -> String {
        self.manifest.lock().local_id.clone()
    }

    /// What the service is told of the stream.
    pub fn facts(&self) -> StreamFacts {
        self.manifest.lock().stream.clone()
    }

    /// The service's id, if the stream exists there, and whether it was linked.
    pub fn created(&self) -> Option<(String, bool)> {
        let manifest = self.manifest.lock();
        manifest.data_id.clone().map(|data_id| (data_id, manifest.linked))
    }

    /// Keeps a change of the manifest.
    fn update(&self, change: impl FnOnce(&mut Manifest)) -> io::Result<()> {
        let mut is_saved = self.is_saved.lock();
        let manifest = {
            // Not while it is written: whoever wants to read it is not to wait for a disk.
            let mut manifest = self.manifest.lock();
            change(&mut manifest);
            manifest.clone()
        };
        let path = self.path.join(layout::MANIFEST);
        self.root.removed(bytes_of(&path));
        let written = manifest.write(&path);
        self.root.added(bytes_of(&path));
        *is_saved = written.is_ok();
        written
    }

    /// The manifest was changed while the disk did not take it: it is written now, if the disk does.
    pub fn save(&self) -> io::Result<()> {
        let is_saved = *self.is_saved.lock();
        if is_saved { Ok(()) } else { self.update(|_| {}) }
    }

    /// The stream exists at the service. A recording without an endpoint is bound to it from now on, and not before: the
    /// address might be wrong.
    pub fn set_created(&self, endpoint: &str, data_id: &str) -> io::Result<()> {
        self.update(|manifest| {
            manifest.endpoint = endpoint.into();
            manifest.data_id = Some(data_id.into());
        })
    }

    /// Its links are made or given up.
    pub fn set_linked(&self) -> io::Result<()> {
        self.update(|manifest| manifest.linked = true)
    }

    /// The head of a chunk of this stream.
    pub fn head(&self, chunk: u64, width: u32, height: u32, options: &Options, stamped: bool) -> Head {
        let (fps, decimate) = (options.kept_fps(), options.decimate);
        Head { stream: self.stream, chunk, width, height, fps, decimate, stamped }
    }

    /// Begins a chunk.
    pub fn begin(&self, head: Head, room_for_frames: usize) -> io::Result<ChunkFile> {
        match ChunkFile::create(&self.path, head.clone(), room_for_frames) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.keep_place()?;
                ChunkFile::create(&self.path, head, room_for_frames)
            }
            begun => begun,
        }
    }

    /// Somebody may have removed the folder, or something in it, while this process still needs it: what is missing is made again.
    /// Fails while it cannot be told, or made: what is then not found is not gone.
    fn keep_place(&self) -> io::Result<()> {
        let _alone = self.making_again.lock();
        let held = self.lock.lock().clone().ok_or_else(|| io::Error::other("the stream's folder was let go"))?;
        if !platform::is_still_at(held.file(), &self.path.join(layout::LOCK))? {
            self.root.make_again()?;
            platform::create_folder_inside(&self.path)?;
            *self.lock.lock() = Some(Arc::new(take_lock(&self.path)?));
            self.notices.log.say(Level::Error, || "the stream's folder was removed from the spool, and is made again".into());
        }
        if is_gone(&self.path.join(layout::MANIFEST))? { self.update(|_| {}) } else { Ok(()) }
    }

    /// Seals a chunk. `enqueue` makes it what waits to be uploaded.
    pub fn seal(&self, chunk: &mut ChunkFile, clock: Option<ClockOffset>, amiss: Amiss) -> io::Result<SealedFile> {
        let sealed = match chunk.seal(clock, amiss) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.keep_place()?;
                chunk.write_again()?;
                chunk.seal(clock, amiss)?
            }
            sealed => sealed?,
        };
        self.root.wrote(sealed.added);
        // It may have come again: what could not be removed of the first time is this file now, or went when it was renamed.
        let replaced =
            [layout::part(&self.path, chunk.head().chunk), layout::shard(&self.path, chunk.head().chunk, sealed.seal.frames)];
        self.unremoved.lock().retain(|path| !replaced.contains(path));
        Ok(sealed)
    }

    /// A sealed chunk waits to be uploaded. `book` keeps account of it in the same moment, and is told how many frames wait.
    pub fn enqueue(self: &Arc<Self>, chunk: u64, begun: Clocks, sealed: SealedFile, until: u64, book: impl FnOnce(u64)) {
        self.unsynced.fetch_add(1, Ordering::Relaxed);
        self.add(chunk, Some(begun), sealed.seal.frames, sealed.bytes, until, book);
        if self.sync.send(Job::Sync(sealed.file, self.clone(), chunk)).is_err() {
            self.synced(chunk, None); // The engine is shutting down: the disk gets to it by itself.
        }
        self.changed.notify_one();
        self.notices.bell.ring();
    }

    /// A sealed chunk waits.
    pub(super) fn add(&self, chunk: u64, begun: Option<Clocks>, frames: u32, bytes: u64, until: u64, book: impl FnOnce(u64)) {
        let mut pending = self.pending.lock();
        let order = pending.next_order;
        pending.next_order += 1;
        pending.chunks.insert(order, SealedChunk { order, chunk, frames, bytes, until, begun, trusted: begun.is_some() });
        pending.frames += u64::from(frames);
        book(pending.frames);
    }

    /// A chunk was synced, or could not be: then a power cut could still harm it, and what the disk gives back of it is looked
    /// at before it is sent.
    pub fn synced(&self, chunk: u64, failure: Option<io::Error>) {
        let failed = failure.is_some();
        if let Some(error) = failure {
            let mut pending = self.pending.lock();
            pending.chunks.values_mut().filter(|waiting| waiting.chunk == chunk).for_each(|waiting| waiting.trusted = false);
            drop(pending);
            let text =
                format!("chunk {chunk} is sealed, but cannot be synced to the disk, so that a power cut may cost it: {error}");
            if self.sync_fails.swap(true, Ordering::Relaxed) {
                self.notices.log.say(Level::Error, || text);
            } else {
                self.notices.tell(codes::Event::DiskLow, -1, text);
            }
        }
        self.sync_fails.store(failed, Ordering::Relaxed);
        self.unsynced.fetch_sub(1, Ordering::Relaxed);
        self.changed.notify_one();
        self.notices.bell.ring();
    }

    /// Whether the last chunk that was sealed could not be synced.
    pub fn sync_fails(&self) -> bool {
        self.sync_fails.load(Ordering::Relaxed)
    }

    /// Whether all that was sealed would survive a power cut.
    pub fn is_synced(&self) -> bool {
        self.unsynced.load(Ordering::Relaxed) == 0
    }

    /// No chunk will follow.
    pub fn close(&self) {
        self.change_hands(|pending| pending.closed = true);
        self.changed.notify_one();
        self.notices.bell.ring();
    }

    /// Not all of it could be taken up: what can be is sent, and the rest waits for another time, the stream's end with it.
    pub(super) fn leave_some(&self) {
        self.has_leftovers.store(true, Ordering::Relaxed);
    }

    /// Whether files are in it that nobody takes up for now.
    pub fn has_leftovers(&self) -> bool {
        self.has_leftovers.load(Ordering::Relaxed)
    }

    /// Nobody uploads from here any more: let go as soon as nobody writes here either.
    pub fn abandon(&self) {
        self.change_hands(|pending| pending.abandoned = true);
    }

    /// For whoever uploads: until it is dropped, the folder is not let go.
    pub fn at_work(self: &Arc<Self>) -> AtWork {
        self.pending.lock().at_work += 1;
        AtWork(self.clone())
    }

    fn change_hands(&self, change: impl FnOnce(&mut Pending)) {
        let mut pending = self.pending.lock();
        change(&mut pending);
        let release = pending.may_be_released();
        drop(pending);
        if release {
            self.release();
        }
    }

    /// Whether no chunk will follow and none waits.
    pub fn is_drained(&self) -> bool {
        let pending = self.pending.lock();
        pending.closed && pending.chunks.is_empty()
    }

    /// Whether no chunk will follow.
    pub fn is_closed(&self) -> bool {
        self.pending.lock().closed
    }

    /// Whether no chunk waits that holds nothing but the first so many frames.
    pub fn is_drained_of(&self, frames: u64) -> bool {
        // They wait about in the order of their frames: a look at the first is mostly enough.
        !self.pending.lock().chunks.values().any(|chunk| chunk.until <= frames)
    }

    /// The oldest waiting chunk that is wanted.
    pub fn oldest(&self, mut wanted: impl FnMut(&SealedChunk) -> bool) -> Option<SealedChunk> {
        self.pending.lock().chunks.values().find(|chunk| wanted(chunk)).cloned()
    }

    /// Chunks that wait.
    pub fn waiting(&self) -> usize {
        self.pending.lock().chunks.len()
    }

    /// A sealed chunk's file.
    pub fn file_of(&self, chunk: &SealedChunk) -> PathBuf {
        layout::shard(&self.path, chunk.chunk, chunk.frames)
    }

    /// What a sealed chunk is, and its file. One that another process wrote is read through first.
    pub fn open_sealed(&self, chunk: &SealedChunk) -> io::Result<(Head, Seal, fs::File)> {
        let path = self.file_of(chunk);
        if chunk.trusted {
            recover::sealed(&path, chunk.frames)
        } else {
            recover::verify(&path, chunk.chunk, chunk.frames, &self.stream)
        }
    }

    /// The file of a confirmed chunk goes. That may have made the room which the manifest found none.
    pub fn remove(&self, chunk: &SealedChunk) {
        if self.manifest.lock().setting_aside.contains_key(&chunk.chunk) {
            // It was refused, could not be moved, and is taken after all.
            let _ = self.update(|manifest| drop(manifest.setting_aside.remove(&chunk.chunk)));
        }
        self.root.removed(chunk.bytes);
        let path = self.file_of(chunk);
        // Not found is not gone: the disk may be away.
        if platform::remove_file(&path).is_err() {
            self.remove_later(path);
        }
        let _ = self.save(); // Tried again with the next.
    }

    /// Throws away a chunk whose frames were not taken.
    pub fn throw_away(&self, chunk: ChunkFile) {
        for path in chunk.give_up() {
            if unless_gone(platform::remove_file(&path)).is_err() {
                self.remove_later(path);
            }
        }
    }

    /// At the latest before the stream is ended. It takes its room until then.
    fn remove_later(&self, path: PathBuf) {
        self.root.added(bytes_of(&path));
        self.unremoved.lock().push(path);
    }

    /// What could not be removed is, if the disk allows it now.
    pub fn remove_the_rest(&self) -> io::Result<()> {
        let mut unremoved = self.unremoved.lock();
        while let Some(path) = unremoved.last() {
            let bytes = bytes_of(path);
            unless_gone(platform::remove_file(path))?;
            self.root.removed(bytes);
            unremoved.pop();
        }
        Ok(())
    }

    /// The chunk cannot be delivered: it is kept beside the spool, with the reason, and its frames are noted as lost.
    /// Fails when it cannot be moved there: then it waits on where it is. Once moved, `settle` closes the matter.
    pub fn set_aside(&self, chunk: &SealedChunk, reason: &str) -> io::Result<()> {
        self.keep_place()?;
        self.lose(chunk.chunk, reason, chunk.loss(), || {
            match move_aside(&self.root, &self.local_id(), &self.file_of(chunk), reason) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_missing(chunk)? => Ok(()),
                moved => moved,
            }
        })
    }

    /// A chunk's file leaves the folder, and that is noted as a loss. Before as an intention: whoever is killed in between is not
    /// to have lost it uncounted. A disk that takes no manifest does not hold that up.
    pub(super) fn lose(&self, chunk: u64, reason: &str, loss: Loss, leave: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let _ = self.update(|manifest| {
            manifest.setting_aside.insert(chunk, Losses::of(reason, loss));
        });
        leave()?;
        let _ = platform::sync_folder(&self.path); // Else a power cut could bring back what is counted as lost.
        let _ = self.update(|manifest| drop(manifest.is_set_aside(chunk))); // Written again before the stream is ended.
        Ok(())
    }

    /// What a process that was killed has lost while it set chunks aside: those whose files are no longer here. The others wait
    /// as before.
    pub(super) fn lost_on_the_way(&self, is_here: impl Fn(u64) -> bool) -> Losses {
        let mut lost = Losses::default();
        let intended: Vec<u64> = self.manifest.lock().setting_aside.keys().copied().collect();
        if intended.is_empty() {
            return lost;
        }
        let _ = self.update(|manifest| {
            for chunk in intended.into_iter().filter(|chunk| !is_here(*chunk)) {
                manifest.is_set_aside(chunk).iter().for_each(|(reason, loss)| lost.add(reason, loss));
            }
            manifest.setting_aside.clear();
        });
        lost
    }

    /// A sealed chunk whose file somebody removed: noted as a loss.
    pub fn note_missing(&self, chunk: &SealedChunk, reason: &str) {
        let _ = self.lose(chunk.chunk, reason, chunk.loss(), || Ok(()));
    }

    /// Whether somebody removed a sealed chunk's file. Fails when it is not found for another reason: the disk is away.
    pub fn is_missing(&self, chunk: &SealedChunk) -> io::Result<bool> {
        self.keep_place()?;
        let is_missing = is_gone(&self.file_of(chunk))?;
        self.keep_place()?; // Else the disk went away just now, with the file.
        Ok(is_missing)
    }

    /// The chunk is confirmed or lost: nobody needs to wait for it any more. `book` keeps account of it in the same moment, and is
    /// told how many frames wait still.
    pub fn settle(&self, chunk: &SealedChunk, book: impl FnOnce(u64)) {
        let mut pending = self.pending.lock();
        if pending.chunks.remove(&chunk.order).is_some() {
            pending.frames -= u64::from(chunk.frames);
            book(pending.frames);
        }
        drop(pending);
        self.changed.notify_one();
        self.notices.bell.ring();
    }

    /// Keeps a loss for the final report of whatever process makes it.
    pub fn note_loss(&self, reason: &str, loss: Loss) -> io::Result<()> {
        self.update(|manifest| manifest.losses.add(reason, loss))
    }

    /// Before the stream is ended: what was confirmed is gone for good, and a power cut does not bring it back. Else the next
    /// process would send it to a stream that has ended. Fails as long as the disk does not allow it.
    pub fn clear(&self) -> io::Result<()> {
        self.keep_place()?;
        self.remove_the_rest()?;
        self.save()?;
        platform::sync_folder(&self.path)
    }

    /// Everything is done: only the final report stays. Should a chunk's file be left, which could not be removed or set aside,
    /// the folder stays for the next process.
    pub fn finish(&self, report: &serde_json::Value) -> io::Result<()> {
        for path in layout::list(&self.path)? {
            let name = layout::name_of(&path);
            if FileName::parse(&name).is_some() {
                return Err(io::Error::other("frames are still in it, which the next process takes up"));
            }
            if ![layout::LOCK, layout::MANIFEST, layout::NEXT_MANIFEST].contains(&&*name) {
                move_aside(&self.root, &self.local_id(), &path, NOT_OURS)?;
            }
        }
        let path = self.root.report(&self.local_id());
        // One that is there tells of the frames; who finds it was only killed before the folder was gone.
        if !path.exists() {
            platform::replace_file(&path, &serde_json::to_vec_pretty(report)?)?;
        }
        self.discard()
    }

    /// Removes the folder with what the library itself puts there, and nothing else. It stays locked meanwhile.
    pub fn discard(&self) -> io::Result<()> {
        let held = self.lock.lock().take();
        let lock = match held {
            Some(lock) => lock,
            None => Arc::new(take_lock(&self.path)?),
        };
        let bytes = bytes_of(&self.path.join(layout::MANIFEST));
        let _ = platform::remove_file(&self.path.join(layout::NEXT_MANIFEST)); // Left by a kill; mostly there is none.
        // The lock file goes last: until then nobody else can take up what is half removed.
        platform::remove_file(&self.path.join(layout::MANIFEST))?;
        self.root.removed(bytes);
        platform::remove_open_file(&self.path.join(layout::LOCK))?;
        drop(lock);
        self.release();
        platform::remove_folder(&self.path)
    }

    /// Lets go of the folder: another may take it up.
    pub fn release(&self) {
        self.lock.lock().take();
        self.notices.bell.ring();
    }

    /// Whether it was let go.
    pub fn is_released(&self) -> bool {
        self.lock.lock().is_none()
    }
}

/// Why a stranger's file does not stay among a stream's.
pub(super) const NOT_OURS: &str = "not a file of this library";

/// Moves a file beside the spool, with the reason in words. The file first: a full disk may have no room for the reason.
pub(super) fn move_aside(root: &Root, local_id: &str, file: &Path, reason: &str) -> io::Result<()> {
    let folder = root.set_aside(local_id);
    // Kept from now on for the retention time. Before it lies there, where what is old is removed.
    let _ = platform::touch(file, None);
    let move_there = || {
        platform::create_folder_inside(&folder)?;
        let name = name_aside(&folder, &layout::name_of(file));
        platform::rename(file, &folder.join(&name)).map(|()| name)
    };
    let mut removals = 0;
    let name = loop {
        match move_there() {
            // While it is empty, whoever looks through the spool for what is old may remove the folder again.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_gone(file)? && removals < MOST_REMOVALS => removals += 1,
            moved => break moved?,
        }
    };
    // The file is safe now; that the words fit on the disk too is a help only.
    if platform::replace_file(&folder.join(format!("{name}.reason.txt")), reason.as_bytes()).is_ok() {
        root.added(reason.len() as u64);
    }
    Ok(())
}

/// So often an empty folder may be removed in the moment between its making and its use.
const MOST_REMOVALS: u32 = 10;

/// A name under which nothing was set aside yet: what lies there is not replaced.
fn name_aside(folder: &Path, name: &str) -> String {
    let is_free = |name: &String| fs::symlink_metadata(folder.join(name)).is_err();
    let later = (2..).map(|number| format!("{name}.{number}"));
    std::iter::once(name.to_string()).chain(later).find(is_free).unwrap_or_default()
}

/// A folder's lock, which nobody else has.
fn take_lock(folder: &Path) -> io::Result<FileLock> {
    FileLock::take(&folder.join(layout::LOCK))?.ok_or_else(|| io::Error::other("another process has taken it up"))
}

/// A new folder with its lock. An empty one, or one with nothing but a lock that nobody holds, looks like the remains of another:
/// who takes up the spool may remove it before it is locked.
fn make_locked(folder: &Path) -> io::Result<FileLock> {
    const PATIENCE: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(10);
    let path = folder.join(layout::LOCK);
    let begun = Instant::now();
    loop {
        platform::create_folder_inside(folder)?;
        match FileLock::take(&path) {
            // A file that somebody removes cannot everywhere be asked about.
            Ok(Some(lock)) if platform::is_still_at(lock.file(), &path).unwrap_or(false) => return Ok(lock),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error), // Whoever asks again waits again.
            _ if begun.elapsed() > PATIENCE => return Err(io::Error::other("another process holds it, or removes it each time")),
            _ => std::thread::sleep(PAUSE),
        }
    }
}

/// Whether nothing has that name.
fn is_gone(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        facts => facts.map(|_| false),
    }
}

/// Somebody else removed it: that is as good.
fn unless_gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// A file's size; 0 if there is none.
pub(super) fn bytes_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |facts| facts.len())
}

#[cfg(test)]
mod tests {
    #![cfg_attr(not(unix), allow(unused_imports))]
    use super::*;
    use crate::spool::scratch::Scratch;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    #[test]
    fn what_is_set_aside_finds_its_place_while_others_remove_empty_folders() {
        const REMOVALS: u32 = 3;
        let scratch = Scratch::new("endpoint=none");
        let place = scratch.folder.root().set_aside("stream");
        let file = scratch.folder.path().join("file");
        let (is_over, left) = (AtomicBool::new(false), AtomicU32::new(0));
        let moved = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if left.load(Ordering::Relaxed) > 0 && fs::remove_dir(&place).is_ok() {
                        left.fetch_sub(1, Ordering::Relaxed);
                    }
                }
            });
            let moved = (0..20).try_for_each(|_| {
                fs::write(&file, "")?;
                left.store(REMOVALS, Ordering::Relaxed);
                move_aside(scratch.folder.root(), "stream", &file, "a reason")?;
                left.store(0, Ordering::Relaxed);
                fs::remove_dir_all(&place)
            });
            is_over.store(true, Ordering::Relaxed);
            moved
        });
        moved.unwrap();
    }

    #[cfg(unix)] // Elsewhere an open file keeps its folder.
    #[test]
    fn a_folder_that_is_removed_is_made_again_once_for_all_who_write_to_it() {
        const WRITERS: u64 = 8;
        let scratch = Scratch::new("endpoint=none");
        let (folder, options) = (&scratch.folder, &scratch.options);
        fs::remove_dir_all(folder.root().path()).unwrap();
        let together = Barrier::new(WRITERS as usize);
        std::thread::scope(|scope| {
            for chunk in 0..WRITERS {
                let together = &together;
                scope.spawn(move || {
                    together.wait();
                    folder.begin(folder.head(chunk, 8, 4, options, true), 4).expect("it is made again");
                });
            }
        });
        assert!((0..WRITERS).all(|chunk| layout::part(folder.path(), chunk).exists()));
        assert!(Manifest::read(&folder.path().join(layout::MANIFEST)).is_ok());
        assert!(FileLock::take(&folder.path().join(layout::LOCK)).unwrap().is_none(), "it is locked");
    }
}
