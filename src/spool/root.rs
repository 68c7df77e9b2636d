//! A spool folder as a whole: how full it may be, and how full it is.
//!
//! Every frame that is accepted has its worst case promised to it, and every open chunk its seal, so that what was taken always
//! finds room.

use super::layout;
use crate::clock::Clocks;
use crate::codes::Code;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::platform;
use parking_lot::Mutex;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// No report tells of more finished streams.
const MOST_REPORTS: usize = 1000;

/// How full a stream may make the spool and its disk.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    max_bytes: i64,
    min_free_bytes: i64,
}

impl Bounds {
    /// From the options.
    pub fn new(options: &Options) -> Bounds {
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        Bounds {
            max_bytes: if options.spool_max_bytes == 0 { i64::MAX } else { bytes(options.spool_max_bytes) },
            min_free_bytes: bytes(options.spool_min_free_bytes),
        }
    }
}

/// One `spool_dir`, shared by all streams of this process that use it.
pub struct Root {
    path: PathBuf,
    disk: u64,
    /// Bytes of all streams' files, and of what was set aside.
    used: AtomicI64,
    /// Bytes that are promised to frames on their way and to seals.
    promised: AtomicI64,
    /// Free bytes of the disk.
    free: AtomicI64,
    /// The last write failed; until one succeeds no frame is taken.
    failing: AtomicBool,
    /// Held by the one who counts.
    measuring: Mutex<()>,
    /// How long what was set aside, and reports, are kept here.
    pub(super) retention: Mutex<Duration>,
    /// Since things were last removed that is, or may be, another time.
    pub(super) retention_is_new: AtomicBool,
    /// When retention last compared the clocks.
    pub(super) clocks: Mutex<Clocks>,
}

impl Root {
    /// Makes a spool's folders when `create`; else they have to be there.
    pub fn prepare(path: &Path, create: bool) -> Result<()> {
        if create {
            make_folders(path).map_err(|error| failed(path, &error))?;
            return Ok(());
        }
        match fs::metadata(path.join(layout::STREAMS)) {
            Ok(streams) if streams.is_dir() => Ok(()),
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(failed(path, &error))
            }
            _ => Err(Error::new(Code::ENotFound, format!("spool_dir {}: no spool is there", path.display()))),
        }
    }

    /// Somebody may have removed the spool's folders: makes those that are missing. An empty mount point is no place for them: the
    /// spool is on the disk that belongs there.
    pub(super) fn make_again(&self) -> io::Result<()> {
        if !self.streams().try_exists()? && platform::disk_of(&self.path)? != self.disk {
            return Err(io::Error::other("the disk that the spool lies on is not there"));
        }
        make_folders(&self.path)
    }

    /// Opens a spool whose folders are there, and counts what is in it.
    pub fn open(path: &Path, retention: Duration) -> Result<Arc<Root>> {
        let root = Root {
            path: path.into(),
            disk: platform::disk_of(path).map_err(|error| failed(path, &error))?,
            used: AtomicI64::new(0),
            promised: AtomicI64::new(0),
            free: AtomicI64::new(i64::MAX),
            failing: AtomicBool::new(false),
            measuring: Mutex::default(),
            retention: Mutex::new(retention),
            retention_is_new: AtomicBool::new(true),
            clocks: Mutex::new(Clocks::now()),
        };
        root.measure_disk().map_err(|error| failed(path, &error))?;
        root.measure_spool();
        Ok(Arc::new(root))
    }

    /// What strangers could do here, if anything.
    pub fn exposure(&self) -> Option<String> {
        let folders = ["", layout::STREAMS, layout::SET_ASIDE, layout::REPORTS].map(|name| self.path.join(name));
        folders.iter().find_map(|folder| {
            platform::exposure(folder).map(|exposure| format!("the spool folder {} {exposure}", folder.display()))
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of all streams.
    pub fn streams(&self) -> PathBuf {
        self.path.join(layout::STREAMS)
    }

    /// Where a stream's refused chunks are kept.
    pub fn set_aside(&self, local_id: &str) -> PathBuf {
        self.path.join(layout::SET_ASIDE).join(local_id)
    }

    /// Where a stream's final report is kept.
    pub fn report(&self, local_id: &str) -> PathBuf {
        self.path.join(layout::REPORTS).join(format!("{local_id}.json"))
    }

    /// The final reports that are kept, newest first, with their streams' local ids.
    pub fn finished_reports(&self) -> Vec<(String, serde_json::Value)> {
        let mut names: Vec<PathBuf> =
            fs::read_dir(self.path.join(layout::REPORTS)).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        names.sort();
        let read = |path: &PathBuf| {
            let id = path.file_name()?.to_str()?.strip_suffix(".json")?.to_string();
            let report = platform::private_file(false).open(path).and_then(|file| platform::read_at_most(&file, LONGEST_REPORT));
            Some((id, serde_json::from_slice(&report.ok()?).ok()?))
        };
        names.iter().rev().take(MOST_REPORTS).filter_map(read).collect()
    }

    /// Bytes that may still be promised.
    pub fn room(&self, bounds: &Bounds) -> i64 {
        self.room_beside(bounds, self.promised.load(Ordering::Relaxed))
    }

    fn room_beside(&self, bounds: &Bounds, promised: i64) -> i64 {
        let in_spool = bounds.max_bytes.saturating_sub(self.used.load(Ordering::Relaxed)).saturating_sub(promised);
        let on_disk = self.free.load(Ordering::Relaxed).saturating_sub(bounds.min_free_bytes).saturating_sub(promised);
        in_spool.min(on_disk)
    }

    /// Promises room, if there is so much.
    pub fn promise(&self, bytes: i64, bounds: &Bounds) -> bool {
        let room = |promised: &i64| self.room_beside(bounds, *promised) >= bytes && !self.is_failing();
        self.promised.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| room(&now).then_some(now + bytes)).is_ok()
    }

    /// Gives a promise back.
    pub fn release(&self, promised: i64) {
        self.promised.fetch_sub(promised, Ordering::Relaxed);
    }

    /// Bytes of frames were written: the disk takes them.
    pub fn wrote(&self, bytes: u64) {
        self.added(bytes);
        self.failing.store(false, Ordering::Relaxed);
    }

    /// Bytes of something else are there now.
    pub fn added(&self, bytes: u64) {
        self.used.fetch_add(bytes as i64, Ordering::Relaxed);
        self.free.fetch_sub(bytes as i64, Ordering::Relaxed);
    }

    /// Bytes are no longer there.
    pub fn removed(&self, bytes: u64) {
        self.used.fetch_sub(bytes as i64, Ordering::Relaxed);
        self.free.fetch_add(bytes as i64, Ordering::Relaxed);
    }

    /// A write failed: no frame is taken until one succeeds.
    pub fn write_failed(&self) {
        self.failing.store(true, Ordering::Relaxed);
    }

    /// Whether the last write failed.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Whoever tried to write gives it up: others have to find out for themselves.
    pub fn write_given_up(&self) {
        self.failing.store(false, Ordering::Relaxed);
    }

    /// Bytes of all that waits in the spool.
    pub fn used(&self) -> i64 {
        self.used.load(Ordering::Relaxed).max(0)
    }

    /// Free bytes of the disk.
    pub fn free(&self) -> i64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Asks the disk, since others write to it as well.
    pub fn measure_disk(&self) -> io::Result<()> {
        let free = platform::free_bytes(&self.path)?;
        self.free.store(i64::try_from(free).unwrap_or(i64::MAX), Ordering::Relaxed);
        Ok(())
    }

    /// Counts the files, since other processes share the spool. What this one writes or removes meanwhile may be counted twice or
    /// not at all, until the next time.
    pub fn measure_spool(&self) {
        self.measure(|| bytes_below(&self.streams()) + bytes_below(&self.path.join(layout::SET_ASIDE)));
    }

    fn measure(&self, count: impl FnOnce() -> u64) {
        let _one_at_a_time = self.measuring.lock(); // Two would both add the same difference.
        let before = self.used.load(Ordering::Relaxed);
        let counted = count();
        self.used.fetch_add(counted as i64 - before, Ordering::Relaxed);
    }
}

/// Room that is promised until this is dropped, however whoever holds it ends.
pub struct Promise {
    root: Arc<Root>,
    bytes: i64,
}

impl Promise {
    /// None yet.
    pub fn none(root: &Arc<Root>) -> Promise {
        Promise { root: root.clone(), bytes: 0 }
    }

    /// Of room that was promised just now.
    pub fn of(root: &Arc<Root>, bytes: i64) -> Promise {
        Promise { root: root.clone(), bytes }
    }

    /// Whoever has this number of bytes gives them back from now on.
    pub fn hand_on(mut self) -> i64 {
        std::mem::take(&mut self.bytes)
    }

    /// Holds so much from now on, the rest of which was part of another promise that is given back.
    pub fn grow_to(&mut self, bytes: i64) {
        self.root.promised.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.root.release(self.bytes);
    }
}

fn make_folders(path: &Path) -> io::Result<()> {
    let folders = [layout::STREAMS, layout::SET_ASIDE, layout::REPORTS];
    platform::create_private_folder(path)?;
    folders.iter().try_for_each(|folder| platform::create_folder_inside(&path.join(folder)))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let code = if platform::is_disk_full(error) { Code::EDiskFull } else { Code::ESpool };
    Error::new(code, format!("spool_dir {}: {error}", path.display()))
}

/// No final report is longer.
const LONGEST_REPORT: u64 = 1 << 20;

/// Bytes of the files in a folder's folders.
fn bytes_below(folder: &Path) -> u64 {
    let folders = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten().flatten());
    files.filter_map(|file| file.metadata().ok()).map(|facts| facts.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_promised_up_to_the_bound_and_no_further() {
        let path = std::env::temp_dir().join(format!("rheed-root-{}", uuid::Uuid::now_v7()));
        Root::prepare(&path, true).unwrap();
        let root = Root::open(&path, Duration::ZERO).unwrap();
        let bounds = Bounds { max_bytes: 1000, min_free_bytes: 0 };
        assert!(root.promise(600, &bounds));
        assert!(!root.promise(500, &bounds));
        root.wrote(300);
        root.release(600);
        assert!(root.promise(700, &bounds) && !root.promise(1, &bounds));
        root.removed(300);
        assert!(root.promise(300, &bounds));
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_spool_whose_disk_is_away_is_not_made_again_in_its_place() {
        let path = std::env::temp_dir().join(format!("rheed-root-{}", uuid::Uuid::now_v7()));
        Root::prepare(&path, true).unwrap();
        let mut root = Arc::into_inner(Root::open(&path, Duration::ZERO).unwrap()).unwrap();
        fs::remove_dir_all(&path).unwrap();
        root.make_again().unwrap();
        root.disk += 1; // As if another disk had been mounted here.
        root.make_again().expect("a spool that is there is used");
        fs::remove_dir_all(&path).unwrap();
        assert!(root.make_again().is_err_and(|error| error.to_string().contains("disk")));
        assert!(!path.exists());
    }

    #[test]
    fn what_others_put_into_the_spool_is_counted_though_this_process_writes_all_the_time() {
        let path = std::env::temp_dir().join(format!("rheed-root-{}", uuid::Uuid::now_v7()));
        Root::prepare(&path, true).unwrap();
        let root = Root::open(&path, Duration::ZERO).unwrap();
        let count = || {
            root.wrote(5); // Of which the count may know or not.
            1000
        };
        root.measure(count);
        assert!((1000..=1005).contains(&root.used()), "{}", root.used());
        root.measure(|| 1000);
        assert_eq!(root.used(), 1000, "the next time it is right");
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn two_who_count_at_once_count_right() {
        let path = std::env::temp_dir().join(format!("rheed-root-{}", uuid::Uuid::now_v7()));
        Root::prepare(&path, true).unwrap();
        let root = Root::open(&path, Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    root.measure(|| {
                        std::thread::sleep(std::time::Duration::from_millis(50)); // As long as a large spool takes.
                        1000
                    });
                });
            }
        });
        assert_eq!(root.used(), 1000);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_folder_that_is_no_spool_is_not_resumed() {
        assert_eq!(Root::prepare(&std::env::temp_dir().join("rheed-none"), false).err().unwrap().code, Code::ENotFound);
    }
}
