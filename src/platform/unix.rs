//! Linux and other Unixes.

use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the environment lacks when there is no default spool.
pub const HOME: &str = "HOME";

/// What keeps a file from the eyes of others.
pub const KEEP_TO_OWNER: &str = "`chmod 600` keeps it to its owner";

/// Also one in which a file is open.
pub const CAN_RENAME_FOLDERS_IN_USE: bool = true;

/// How much later than it wanted a thread may be woken that waits until some moment: not worth a thought.
pub const WOKEN_LATE_BY: Duration = Duration::ZERO;

/// The end of a thread waits for nobody who may wait for it.
pub const CAN_JOIN_THREADS: bool = true;

static FORKED: AtomicBool = AtomicBool::new(false);

/// Whether this process is a fork of the one that started the library.
pub fn is_forked_child() -> bool {
    FORKED.load(Ordering::Relaxed)
}

/// All threads live until the process does not.
pub fn has_lost_its_threads() -> bool {
    false
}

/// Done once, at the first init: forks are noticed, and the module stays loaded, since its threads run in it.
pub fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler only stores to atomics and closes descriptors, which is allowed in a forked child.
        unsafe { libc::pthread_atfork(None, None, Some(after_fork_in_child)) };
        pin_module();
    });
}

extern "C" fn after_fork_in_child() {
    FORKED.store(true, Ordering::Relaxed);
    // A lock lives as long as any copy of its descriptor: the child's copies must not keep the parent's spool locked.
    let mut entry = LOCKS.load(Ordering::Acquire);
    // SAFETY: entries are leaked on purpose, so a pointer once published stays good.
    while let Some(lock) = unsafe { entry.as_ref() } {
        let descriptor = lock.descriptor.swap(-1, Ordering::Relaxed);
        if descriptor >= 0 {
            // SAFETY: the child owns its copy of the descriptor, and no call of the library will use it here any more.
            unsafe { libc::close(descriptor) };
        }
        entry = lock.next;
    }
}

/// Nobody can take the network from a process here.
pub fn keep_network() {}

/// `-z nodelete` does this for the shared library; the static one may live in a plug-in that is unloaded.
fn pin_module() {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr fills `info` for an address in a loaded module; dlopen with NOLOAD only raises that module's count.
    unsafe {
        let address = pin_module as *const () as *const libc::c_void;
        if libc::dladdr(address, info.as_mut_ptr()) != 0 {
            let name = info.assume_init().dli_fname;
            if !name.is_null() {
                libc::dlopen(name, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
            }
        }
    }
}

/// Runs `start` with every signal blocked, so that the threads it starts never run a handler of the host's and never die
/// of SIGPIPE.
pub fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    let _blocked = BlockedSignals::new();
    start()
}

/// This thread's signals are blocked until it is dropped, also by a panic.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn new() -> BlockedSignals {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initializes `all`; pthread_sigmask initializes `before`; both only touch this thread's mask.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            BlockedSignals { before: before.assume_init() }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask that this thread had.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

/// Nanoseconds since some moment, by a clock that nobody sets and that counts on while the computer sleeps, which `Instant` does not.
pub fn steady_ns() -> i64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a timespec to be written.
    let told = unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    debug_assert_eq!(told, 0, "{}", io::Error::last_os_error());
    #[allow(clippy::useless_conversion)] // Not where they have 32 bits.
    let (seconds, nanoseconds) = (i64::from(time.tv_sec), i64::from(time.tv_nsec));
    seconds * 1_000_000_000 + nanoseconds
}

/// This thread never interrupts one that runs when it is woken: a push wakes the encoder, and its thread is to go on. It has its
/// share of the processors all the same.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the pointer is good for the call, which concerns this thread only. Where it is not allowed all stays as it is.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
    }
}

/// Hour and minute, as the clocks of this place show them now.
pub fn hour_and_minute() -> (u32, u32) {
    let now = (super::unix_ns() / 1_000_000_000) as libc::time_t;
    let mut shown = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are good for the call. All zeros are a `tm`, which is left as it is where the year is too large.
    let shown = unsafe {
        libc::localtime_r(&raw const now, shown.as_mut_ptr());
        shown.assume_init()
    };
    (shown.tm_hour as u32, shown.tm_min as u32)
}

/// Texts are UTF-8 here, or nobody knows what.
pub fn from_local_text(_: &[u8]) -> Option<String> {
    None
}

/// How a file of the spool is opened, which only its owner may read. `write` also creates it. A link that a stranger laid in
/// its place leads nowhere, and who reads a pipe does not wait for its writer.
pub fn private_file(write: bool) -> OpenOptions {
    let mut options = named_file(write);
    options.custom_flags(libc::O_NOFOLLOW | if write { 0 } else { libc::O_NONBLOCK });
    options
}

/// The same where a user said which file: it may be a link.
pub fn named_file(write: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(write).create(write).mode(0o600);
    options
}

/// Input, output and errors of a program are descriptors 0 to 2.
const CONSOLE_END: RawFd = 3;

/// A file that is written, under a number that is none of the console's: who prints after closing the console prints not into it.
pub fn off_console(file: File) -> io::Result<File> {
    if file.as_raw_fd() < CONSOLE_END { file.try_clone() } else { Ok(file) } // A copy's number is at least 3.
}

/// A host without a console may have closed its descriptors. They are opened on nothing, so that no connection of the library
/// gets the number to which somebody prints.
pub fn keep_console_numbers() {
    for number in 0..CONSOLE_END {
        // SAFETY: F_GETFD only asks; the path is NUL-terminated; what is closed was opened here.
        unsafe {
            if libc::fcntl(number, libc::F_GETFD) == -1 {
                let opened = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR); // Gets the lowest free number.
                if opened != number && opened >= 0 {
                    libc::close(opened); // Somebody was faster.
                }
            }
        }
    }
}

/// Whether this process may open one more file.
pub fn can_open_files() -> io::Result<()> {
    File::open("/dev/null").map(drop)
}

/// Whether everybody on this computer can read a file.
pub fn others_may_read(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.mode() & 0o004 != 0)
}

/// What others could do to a folder that is to be its owner's alone.
pub fn exposure(folder: &Path) -> Option<String> {
    let facts = fs::metadata(folder).ok()?;
    // SAFETY: geteuid has no preconditions and cannot fail.
    let me = unsafe { libc::geteuid() };
    let sticky = facts.mode() & 0o1000 != 0; // As /tmp: there nobody can rename what is another's.
    if ![me, 0].contains(&facts.uid()) {
        Some(format!("belongs to another user (uid {}), who can remove or replace what lies in it", facts.uid()))
    } else if facts.mode() & 0o002 != 0 && !sticky {
        Some(
            "can be written by every user of this computer, who can remove or replace what lies in it: `chmod o-w` ends that"
                .into(),
        )
    } else {
        None
    }
}

/// Makes a folder, and those above it, that only their owner may enter. What is made survives a power cut.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|_| !path.is_dir()) else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    create_private_folder(parent)?;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync_folder(parent),
    }
}

/// Makes a folder inside one of the spool's, which is its owner's alone as that one is.
pub fn create_folder_inside(path: &Path) -> io::Result<()> {
    create_private_folder(path)
}

/// Makes the names in a folder survive a power cut, where that can be asked for: a folder may be one to enter and to write to,
/// but not to open, and some file systems (of a network, of a user's program) sync files only.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let number = |error: &io::Error| error.raw_os_error().unwrap_or_default();
    match File::open(path) {
        Err(error) if number(&error) == libc::EACCES => Ok(()),
        opened => match opened?.sync_all() {
            Err(error) if [libc::EBADF, libc::EINVAL, libc::ENOTSUP].contains(&number(&error)) => Ok(()),
            synced => synced,
        },
    }
}

/// Renames; here it is done at once.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a file; here nobody can hold it.
pub fn remove_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Removes a file that this process has open.
pub fn remove_open_file(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Removes an empty folder.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    fs::remove_dir(path)
}

/// Sets the time at which an entry of a folder was modified, whatever it is: nothing is opened, no link is followed. `None` is
/// now, for which the right to write is enough.
pub fn touch(path: &Path, time: Option<SystemTime>) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let times = time.map(|time| {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = libc::time_t::try_from(since_1970.as_secs()).unwrap_or(libc::time_t::MAX);
        [libc::timespec { tv_sec: seconds, tv_nsec: since_1970.subsec_nanos().into() }; 2] // Of reading it and of writing it.
    });
    let times = times.as_ref().map_or(std::ptr::null(), |times| times.as_ptr());
    // SAFETY: the path is NUL-terminated, and `times` are two or none.
    let done = unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), times, libc::AT_SYMLINK_NOFOLLOW) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Free bytes on the disk that holds `path`, for this user.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut facts = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path is NUL-terminated, and statvfs fills `facts` when it returns 0.
    let facts = unsafe {
        if libc::statvfs(path.as_ptr(), facts.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        facts.assume_init()
    };
    #[allow(clippy::unnecessary_cast)] // The fields' widths differ between systems.
    Ok(facts.f_bavail as u64 * facts.f_frsize as u64)
}

/// Whether a write failed because the disk is full.
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// Whether the disk itself failed at it.
pub fn is_disk_fault(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EIO)
}

/// Whether the open file is still the one with that name.
pub fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    let named = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        named => named?,
    };
    let open = file.metadata()?;
    Ok(open.dev() == named.dev() && open.ino() == named.ino())
}

/// Whether the system forgets the disk of an open file that is renamed.
#[cfg(test)]
pub fn forgets_disks() -> bool {
    false
}

/// Which disk a path lies on, or would lie on if it were made.
pub fn disk_of(path: &Path) -> io::Result<u64> {
    for folder in path.ancestors() {
        match fs::metadata(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            facts => return Ok(facts?.dev()),
        }
    }
    fs::metadata(".").map(|facts| facts.dev())
}

/// Whether a file's mode denies its owner to read it, or to write it.
pub fn is_denied_to_its_owner(facts: &fs::Metadata, write: bool) -> bool {
    let needed = if write { 0o600 } else { 0o400 };
    facts.mode() & needed != needed
}

/// Where the spool lies when no option says so.
pub fn default_spool() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute(HOME).map(|home| home.join(".local/state")))?;
    Some(state.join("rheed-stream"))
}

/// The one name of a folder that is there, however it was called.
pub fn one_name(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

/// An exclusive lock on a file, let go in forked children.
pub struct FileLock {
    file: File,
    entry: &'static LockEntry,
}

struct LockEntry {
    descriptor: AtomicI32,
    next: *mut LockEntry,
}

// SAFETY: `next` is written before the entry is published and never again.
unsafe impl Sync for LockEntry {}

/// Every lock's descriptor, where a forked child can find it without allocating or locking. Entries are used again.
static LOCKS: AtomicPtr<LockEntry> = AtomicPtr::new(std::ptr::null_mut());

impl FileLock {
    /// Takes the lock, or says `None` when somebody else, here or elsewhere, has it.
    pub fn take(path: &Path) -> io::Result<Option<FileLock>> {
        let file = private_file(true).open(path).and_then(off_console)?;
        // Entered before it is locked, so that no child is forked with a lock that it does not know.
        let entry = LockEntry::enter(file.as_raw_fd());
        let locked = file.try_lock();
        if locked.is_err() {
            entry.descriptor.store(-1, Ordering::Relaxed);
        }
        match locked {
            Ok(()) => Ok(Some(FileLock { file, entry })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Not by closing alone: a child that was forked just now may have a copy of the descriptor.
        let _ = self.file.unlock();
        self.entry.descriptor.store(-1, Ordering::Relaxed);
    }
}

impl LockEntry {
    fn enter(descriptor: RawFd) -> &'static LockEntry {
        let mut at = LOCKS.load(Ordering::Acquire);
        // SAFETY: entries are leaked on purpose, so a pointer once published stays good.
        while let Some(entry) = unsafe { at.as_ref() } {
            if entry.descriptor.compare_exchange(-1, descriptor, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return entry;
            }
            at = entry.next;
        }
        let entry = Box::into_raw(Box::new(LockEntry { descriptor: AtomicI32::new(descriptor), next: std::ptr::null_mut() }));
        let mut head = LOCKS.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else knows the entry until it is published below.
            unsafe { (*entry).next = head };
            match LOCKS.compare_exchange_weak(head, entry, Ordering::Release, Ordering::Relaxed) {
                // SAFETY: leaked above, so it lives as long as the process.
                Ok(_) => return unsafe { &*entry },
                Err(now) => head = now,
            }
        }
    }
}
