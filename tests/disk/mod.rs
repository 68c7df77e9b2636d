//! A disk in the test's hand: what is done below a folder is recorded, made to fail, or made to wait.
//!
//! The C functions through which Rust's standard library reaches files are defined here once more. In a test's program these
//! definitions come before libc's, so that the library under test meets them, its sources as they are, and no root is needed.
//! Below a folder that is watched they ask its `Disk` first; everywhere else they only pass on to the kernel.

#![allow(dead_code)] // Each test file uses a part of it.

pub mod again;
pub mod cut;
mod kernel;

use parking_lot::{Condvar, Mutex, RwLock};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Something that changed the disk, as it took place.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    MakeFile(PathBuf),
    MakeFolder(PathBuf),
    Write {
        path: PathBuf,
        at: u64,
        bytes: Vec<u8>,
    },
    SetLength(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    RemoveFile(PathBuf),
    RemoveFolder(PathBuf),
    /// A file, or the names in a folder. The kernel is not asked to: nothing of a test has to outlast it.
    Sync(PathBuf),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self {
            Change::MakeFile(path) => write!(f, "{} is made", name(path)),
            Change::MakeFolder(path) => write!(f, "folder {} is made", name(path)),
            Change::Write { path, at, bytes } => write!(f, "{} bytes are written to {} at {at}", bytes.len(), name(path)),
            Change::SetLength(path, length) => write!(f, "{} is cut to {length} bytes", name(path)),
            Change::Rename(from, to) => write!(f, "{} is renamed to {}", name(from), name(to)),
            Change::RemoveFile(path) => write!(f, "{} is removed", name(path)),
            Change::RemoveFolder(path) => write!(f, "folder {} is removed", name(path)),
            Change::Sync(path) => write!(f, "{} is synced", name(path)),
        }
    }
}

/// What is asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Look,
    Open,
    Read,
    List,
    MakeFile,
    MakeFolder,
    Write,
    SetLength,
    Rename,
    RemoveFile,
    RemoveFolder,
    Sync,
}

impl Kind {
    /// Whether it is to change the disk.
    pub fn is_change(self) -> bool {
        !matches!(self, Kind::Look | Kind::Open | Kind::Read | Kind::List)
    }
}

/// An operation that somebody wants of the disk.
#[derive(Debug)]
pub struct Asked<'a> {
    pub kind: Kind,
    pub path: &'a Path,
    /// So often the disk was changed before.
    pub changes: usize,
}

impl Asked<'_> {
    /// Whether the path ends so.
    pub fn is_of(&self, ending: &str) -> bool {
        self.path.to_string_lossy().ends_with(ending)
    }
}

/// What the disk does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Do,
    /// Fails with this number, and nothing was done; of a write its first half was.
    Fail(i32),
    /// Does not answer until something else is decided.
    Hang,
}

type Judge = Box<dyn FnMut(&Asked) -> Verdict + Send>;

/// A folder that is watched until this is dropped.
pub struct Disk(Arc<Watched>);

struct Watched {
    folder: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    judge: Judge,
    changes: Vec<Change>,
    hanging: usize,
}

static WATCHED: RwLock<Vec<Arc<Watched>>> = RwLock::new(Vec::new());
/// So many are watched: where none is, nobody looks for the paths of files.
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Disk {
    /// Watches what is done below a folder, and records it.
    pub fn below(folder: &Path) -> Disk {
        let folder = folder.canonicalize().expect("the folder is there");
        let state = State { judge: Box::new(|_| Verdict::Do), changes: Vec::new(), hanging: 0 };
        let watched = Arc::new(Watched { folder, state: Mutex::new(state), changed: Condvar::new() });
        WATCHED.write().push(watched.clone());
        COUNT.fetch_add(1, Ordering::SeqCst);
        Disk(watched)
    }

    /// From now on `judge` decides about each operation, those that hang included.
    pub fn decide(&self, judge: impl FnMut(&Asked) -> Verdict + Send + 'static) {
        self.0.state.lock().judge = Box::new(judge);
        self.0.changed.notify_all();
    }

    /// From now on everything works.
    pub fn heal(&self) {
        self.decide(|_| Verdict::Do);
    }

    /// How many operations hang now.
    pub fn hanging(&self) -> usize {
        self.0.state.lock().hanging
    }

    /// How often it was changed so far.
    pub fn changes_so_far(&self) -> usize {
        self.0.state.lock().changes.len()
    }

    /// All changes so far.
    pub fn changes(&self) -> Vec<Change> {
        self.0.state.lock().changes.clone()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.heal(); // Whoever hangs in it goes on.
        COUNT.fetch_sub(1, Ordering::SeqCst);
        WATCHED.write().retain(|watched| !Arc::ptr_eq(watched, &self.0));
    }
}

/// Those who ask, one after another: what is recorded is the order in which it took place.
fn ask<T: From<i8> + PartialEq>(
    kind: Kind,
    path: impl FnOnce() -> Option<PathBuf>,
    half: impl FnOnce(),
    carry_out: impl FnOnce() -> T,
    change: impl FnOnce(PathBuf) -> Option<Change>,
) -> T {
    let failed = T::from(-1);
    if COUNT.load(Ordering::SeqCst) == 0 {
        return carry_out();
    }
    let Some(path) = path() else { return carry_out() };
    let watched = WATCHED.read().iter().find(|watched| path.starts_with(&watched.folder)).cloned();
    let Some(watched) = watched else { return carry_out() };
    let mut state = watched.state.lock();
    loop {
        let asked = Asked { kind, path: &path, changes: state.changes.len() };
        match (state.judge)(&asked) {
            Verdict::Do => break,
            Verdict::Fail(number) => {
                half();
                kernel::set_errno(number);
                return failed;
            }
            Verdict::Hang => {
                state.hanging += 1;
                watched.changed.wait(&mut state);
                state.hanging -= 1;
            }
        }
    }
    let done = carry_out();
    if done != failed
        && let Some(change) = change(path)
    {
        state.changes.push(change);
    }
    done
}
