//! Messages for people: to a log file, and to the console or a function of the host's.
//!
//! They are written by one thread, so that neither a push nor an encoder waits for a terminal, a disk or a host's function.
//! When that thread is behind, messages are left out and their number is told.

use crate::options::{LogFile, Options};
use crate::{platform, words};
use parking_lot::Mutex;
use std::ffi::{CString, c_char, c_void};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Weak};
use std::thread::ThreadId;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is lost or refused.
    Error = 1,
    /// Warnings and milestones.
    Notice = 2,
    /// Each chunk.
    Chunk = 3,
    /// Each frame and request.
    Detail = 4,
}

/// What the log file always takes.
const FILE_LEVEL: i32 = Level::Notice as i32;
/// How many messages may wait for the writing thread.
const WAITING: usize = 4096;
const LONGEST_MESSAGE: usize = 2000;

/// A host's function for messages.
#[derive(Clone, Copy)]
pub struct Callback {
    function: extern "C" fn(*mut c_void, i32, *const c_char),
    user: *mut c_void,
    verbosity: i32,
}

// SAFETY: `user` is never looked at here, only handed back to the host's function, which the header says runs on a library thread.
unsafe impl Send for Callback {}

impl Callback {
    /// As given to `rheed_set_log`.
    pub fn new(function: extern "C" fn(*mut c_void, i32, *const c_char), user: *mut c_void, verbosity: i32) -> Callback {
        Callback { function, user, verbosity }
    }
}

/// The host's function and its verbosity; -1 = there is none, and messages go to stderr. It outlives engines.
static CALLBACK: Mutex<Option<Callback>> = Mutex::new(None);
static CALLBACK_VERBOSITY: AtomicI32 = AtomicI32::new(-1);
/// The thread that is inside the host's function now, which must not wait for itself.
static CALLING: Mutex<Option<ThreadId>> = Mutex::new(None);
/// Held while the host's function runs.
static IN_CALL: Mutex<()> = Mutex::new(());

/// Sends messages to the host's function, or back to stderr. Afterwards the former function is not running.
pub fn set_callback(callback: Option<Callback>) {
    *CALLBACK.lock() = callback;
    CALLBACK_VERBOSITY.store(callback.map_or(-1, |callback| callback.verbosity), Ordering::Relaxed);
    if !is_calling_host() {
        drop(IN_CALL.lock());
    }
}

/// Whether this thread is inside the host's function.
pub fn is_calling_host() -> bool {
    *CALLING.lock() == Some(std::thread::current().id())
}

/// One stream's way to the log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    label: String,
    verbosity: i32,
    file: Option<Arc<RotatingFile>>,
    writer: SyncSender<Job>,
    left_out: AtomicU64,
}

enum Job {
    Write(Arc<Inner>, Level, String),
    Stop,
}

impl Log {
    /// Whether anybody would read a message of that level.
    pub fn takes(&self, level: Level) -> bool {
        let level = level as i32;
        let called = CALLBACK_VERBOSITY.load(Ordering::Relaxed);
        let console = if called >= 0 { called } else { self.inner.verbosity };
        level <= console || (self.inner.file.is_some() && level <= self.inner.verbosity.max(FILE_LEVEL))
    }

    /// Says it; `message` is only made when somebody would read it.
    pub fn say(&self, level: Level, message: impl FnOnce() -> String) {
        if !self.takes(level) {
            return;
        }
        let message = words::one_line(&message(), LONGEST_MESSAGE);
        if self.inner.writer.try_send(Job::Write(self.inner.clone(), level, message)).is_err() {
            self.inner.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Where the log file lies.
    pub fn file(&self) -> Option<&Path> {
        self.inner.file.as_ref().map(|file| file.path.as_path())
    }
}

/// The writing thread's other end, held by the engine.
pub struct Logger {
    writer: SyncSender<Job>,
    stopping: Arc<AtomicBool>,
    files: Mutex<Vec<Weak<RotatingFile>>>,
}

impl Logger {
    /// The logger, and what its thread has to run.
    pub fn new() -> (Logger, impl FnOnce() + Send + 'static) {
        let (writer, jobs) = sync_channel(WAITING);
        let stopping = Arc::new(AtomicBool::new(false));
        let told = stopping.clone();
        (Logger { writer, stopping, files: Mutex::default() }, move || write_all(&jobs, &told))
    }

    /// A stream's way to the log. A log file that cannot be opened is left out; the reason is returned beside.
    pub fn open(&self, options: &Options, spool: &Path, label: &str) -> (Log, Option<io::Error>) {
        let path = match &options.log_file {
            LogFile::None => None,
            LogFile::InSpool => Some(spool.join("rheed.log")),
            LogFile::At(path) => Some(path.clone()),
        };
        let (file, failure) = match path.map(|path| self.file(&path, options.log_file == LogFile::InSpool, options.log_max_bytes))
        {
            None => (None, None),
            Some(Ok(file)) => (Some(file), None),
            Some(Err(error)) => (None, Some(error)),
        };
        let inner = Inner {
            label: label.into(),
            verbosity: options.verbosity,
            file,
            writer: self.writer.clone(),
            left_out: AtomicU64::new(0),
        };
        (Log { inner: Arc::new(inner) }, failure)
    }

    /// Streams with the same log file share it, so that it is rotated once.
    fn file(&self, path: &Path, in_spool: bool, most_bytes: u64) -> io::Result<Arc<RotatingFile>> {
        let mut files = self.files.lock();
        files.retain(|file| file.strong_count() > 0);
        if let Some(file) = files.iter().filter_map(Weak::upgrade).find(|file| file.path == path) {
            return Ok(file);
        }
        let file = Arc::new(RotatingFile::open(path, in_spool, most_bytes)?);
        files.push(Arc::downgrade(&file));
        Ok(file)
    }

    /// Lets the thread write what waits, and end. Does not wait for it: it may be inside the host's function.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let _ = self.writer.try_send(Job::Stop); // If there is no place for it, the thread sees `stopping` after the next job.
    }
}

fn write_all(jobs: &Receiver<Job>, stopping: &AtomicBool) {
    let next = || if stopping.load(Ordering::Acquire) { jobs.try_recv().ok() } else { jobs.recv().ok() };
    // In a child that the host's function has forked, the log is not this thread's to write.
    while !platform::is_forked_child()
        && let Some(job) = next()
    {
        let Job::Write(log, level, message) = job else { continue };
        let left_out = log.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            write_one(&log, Level::Notice, &format!("{left_out} messages left out: they came faster than they could be written"));
        }
        write_one(&log, level, &message);
    }
}

fn write_one(log: &Inner, level: Level, message: &str) {
    let word = match level {
        Level::Error => "error",
        Level::Notice => "notice",
        Level::Chunk => "chunk",
        Level::Detail => "detail",
    };
    if let Some(file) = log.file.as_ref().filter(|_| level as i32 <= log.verbosity.max(FILE_LEVEL)) {
        let now = platform::date_and_time();
        // A log that cannot be written must not stop anything.
        let _ = file.write(&format!("{now} {word} [{}] {message}\n", log.label));
    }
    let callback = *CALLBACK.lock();
    match callback {
        Some(callback) if level as i32 <= callback.verbosity => call_host(level, &format!("[{}] {message}", log.label)),
        None if level as i32 <= log.verbosity => {
            let _ = writeln!(io::stderr(), "rheed {word} [{}] {message}", log.label);
        }
        _ => {}
    }
}

fn call_host(level: Level, message: &str) {
    let Ok(message) = CString::new(message) else { return };
    let _running = IN_CALL.lock();
    // Looked up under IN_CALL: once set_callback returns, the former function is not called again.
    let Some(callback) = *CALLBACK.lock() else { return };
    *CALLING.lock() = Some(std::thread::current().id());
    (callback.function)(callback.user, level as i32, message.as_ptr());
    *CALLING.lock() = None;
}

/// A log file that is put aside as `.1` when it has grown enough. Several processes may write to one.
struct RotatingFile {
    path: PathBuf,
    in_spool: bool,
    most_bytes: u64,
    file: Mutex<File>,
    /// It could not be put aside: it is tried again when it has so many bytes.
    again_at: AtomicU64,
}

impl RotatingFile {
    fn open(path: &Path, in_spool: bool, most_bytes: u64) -> io::Result<RotatingFile> {
        let file = Mutex::new(append(path, in_spool)?);
        Ok(RotatingFile { path: path.into(), in_spool, most_bytes, file, again_at: AtomicU64::new(0) })
    }

    fn write(&self, line: &str) -> io::Result<()> {
        let mut file = self.file.lock();
        if !platform::is_still_at(&file, &self.path).unwrap_or(false) {
            *file = append(&self.path, self.in_spool)?; // Rotated by another process, or removed.
        }
        let bytes = file.metadata()?.len();
        if bytes > self.most_bytes && bytes > self.again_at.load(Ordering::Relaxed) {
            let mut aside = self.path.clone().into_os_string();
            aside.push(".1");
            if platform::rename(&self.path, Path::new(&aside)).is_ok() {
                self.again_at.store(0, Ordering::Relaxed);
                *file = append(&self.path, self.in_spool)?;
            } else {
                // Somebody reads it in a program that lets nobody rename it: a long log is better than none.
                self.again_at.store(bytes + self.most_bytes / 8, Ordering::Relaxed);
            }
        }
        file.write_all(line.as_bytes())
    }
}

fn append(path: &Path, in_spool: bool) -> io::Result<File> {
    let mut options = if in_spool { platform::private_file(false) } else { platform::named_file(false) };
    options.append(true).create(true).open(path).and_then(platform::off_console)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_file_is_put_aside_when_it_has_grown_enough() {
        let folder = std::env::temp_dir().join(format!("rheed-log-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir(&folder).unwrap();
        let file = RotatingFile::open(&folder.join("rheed.log"), true, 100).unwrap();
        for _ in 0..30 {
            file.write("0123456789\n").unwrap();
        }
        let size = |name: &str| std::fs::metadata(folder.join(name)).unwrap().len();
        assert!(size("rheed.log") <= 111 && size("rheed.log.1") <= 111);
        drop(file);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
