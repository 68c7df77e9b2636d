//! Windows 10 and later.

mod access;
mod held;
mod paths;

pub use access::{create_private_folder, exposure, others_may_read};

use held::{HELD, HELD_WITHIN, IN_USE, until_not};
use paths::wide;
use std::ffi::c_void;
use std::fs::{self, File, FileTimes, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use windows_sys::Win32::Foundation as win;
use windows_sys::Win32::Globalization::{CP_ACP, MB_ERR_INVALID_CHARS, MultiByteToWideChar};
use windows_sys::Win32::Networking::WinSock::{WSADATA, WSAStartup};
use windows_sys::Win32::Storage::FileSystem::*;
use windows_sys::Win32::System::LibraryLoader::{
    GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW, GetModuleHandleW, GetProcAddress,
};
use windows_sys::Win32::System::SystemInformation::GetLocalTime;
use windows_sys::Win32::System::Threading::{GetCurrentThread, SetThreadPriorityBoost};
use windows_sys::w;

/// What the environment lacks when there is no default spool.
pub const HOME: &str = "LOCALAPPDATA";

/// What keeps a file from the eyes of others.
pub const KEEP_TO_OWNER: &str = "`icacls FILE /inheritance:r /grant:r \"%USERNAME%:F\"` keeps it to its owner";

/// Not one in which a file is open.
pub const CAN_RENAME_FOLDERS_IN_USE: bool = false;

/// How much later than it wanted a thread may be woken that waits until some moment: by a tick of the system's clock, which is two
/// frame times of a fast camera. Who sleeps is woken in time.
pub const WOKEN_LATE_BY: Duration = Duration::from_millis(16);

/// A thread ends only while nobody holds the loader's lock, and who unloads a plug-in holds it: its destructor may wait for what a
/// thread does, but not for its end. Nobody has to, since its code stays loaded.
pub const CAN_JOIN_THREADS: bool = false;

/// Processes are not forked here.
pub fn is_forked_child() -> bool {
    false
}

/// Whether the process is at its end: then DLLs' destructors run, and all other threads are gone, with whatever they had locked.
pub fn has_lost_its_threads() -> bool {
    #[link(name = "ntdll")]
    unsafe extern "system" {
        safe fn RtlDllShutdownInProgress() -> u8;
    }
    RtlDllShutdownInProgress() != 0
}

/// Done once, at the first init: the module stays loaded, whoever calls FreeLibrary, since its threads run in it; and Winsock goes
/// on, should a host end it once too often.
pub fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mut module = std::ptr::null_mut();
        let here = prepare_process as *const () as *const u16;
        // SAFETY: the address is taken as one inside a module, not as a name; `module` is a place for a handle.
        let pinned = unsafe {
            GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, here, &raw mut module)
        };
        assert!(pinned != 0, "the library cannot be kept loaded, in which its threads run: {}", io::Error::last_os_error());
        keep_network();
    });
}

/// Windows counts who uses Winsock in a process, and who gives it up more often than he asked for it has ended it for all. It is
/// asked for once more, and never given up: to be called again when a connection has failed.
pub fn keep_network() {
    const VERSION: u16 = 0x0202;
    let mut facts = MaybeUninit::<WSADATA>::uninit();
    // SAFETY: a place for what it says of itself. Where it fails every connection does, and says why.
    unsafe { WSAStartup(VERSION, facts.as_mut_ptr()) };
}

/// There are no signals here: a cut connection is an error of the call, and of nothing else.
pub fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    start()
}

/// Nanoseconds since some moment, by a clock that nobody sets and that counts on while the computer sleeps.
pub fn steady_ns() -> i64 {
    type Query = unsafe extern "system" fn(*mut u64);
    /// The unbiased interrupt time, which is easier to get, stands still meanwhile; so may what `Instant` is made of, by the
    /// processor. Looked up, since Wine 8 has none.
    static BIASED: OnceLock<Option<Query>> = OnceLock::new();
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let query = BIASED.get_or_init(|| {
        // SAFETY: both names are NUL-terminated; kernelbase is in every process and stays; the function has this type.
        unsafe {
            let found = GetProcAddress(GetModuleHandleW(w!("kernelbase.dll")), c"QueryInterruptTimePrecise".as_ptr().cast());
            found.map(|found| std::mem::transmute::<unsafe extern "system" fn() -> isize, Query>(found))
        }
    });
    match query {
        Some(query) => {
            let mut hundreds_of_ns = 0;
            // SAFETY: a place for the number.
            unsafe { query(&raw mut hundreds_of_ns) };
            (hundreds_of_ns * 100) as i64
        }
        None => BEGIN.get_or_init(Instant::now).elapsed().as_nanos() as i64,
    }
}

/// This thread never interrupts one of the same priority when it is woken: a push wakes the encoder, and its thread is to go on.
/// That is what the boost does that Windows gives to whoever has waited. It has its share of the processors all the same.
pub fn give_way() {
    // SAFETY: concerns this thread only.
    unsafe { SetThreadPriorityBoost(GetCurrentThread(), 1) };
}

/// Hour and minute, as the clocks of this place show them now.
pub fn hour_and_minute() -> (u32, u32) {
    let mut shown = win::SYSTEMTIME::default();
    // SAFETY: a place for the time.
    unsafe { GetLocalTime(&raw mut shown) };
    (shown.wHour.into(), shown.wMinute.into())
}

/// A text that is no UTF-8, as this computer's programs without Unicode write it: in the ANSI code page.
pub fn from_local_text(text: &[u8]) -> Option<String> {
    let length = i32::try_from(text.len()).ok()?;
    let convert = |wide: *mut u16, room: i32| {
        // SAFETY: `length` bytes are read; at most `room` units are written, none when it only counts.
        unsafe { MultiByteToWideChar(CP_ACP, MB_ERR_INVALID_CHARS, text.as_ptr(), length, wide, room) }
    };
    let units = convert(std::ptr::null_mut(), 0);
    let mut wide = vec![0; usize::try_from(units).ok().filter(|units| *units > 0)?];
    (convert(wide.as_mut_ptr(), units) == units).then(|| String::from_utf16(&wide).ok())?
}

/// How a file is opened. Windows knows who else may have it open meanwhile: everybody may, and remove and rename it, too.
pub struct Opening {
    options: OpenOptions,
    is_private: bool,
    truncate: bool,
}

/// How a file of the spool is opened, whose folder says who may read it. `write` also creates it. A link that a stranger laid in
/// its place leads nowhere.
pub fn private_file(write: bool) -> Opening {
    let mut opening = named_file(write);
    opening.is_private = true;
    opening.options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT);
    if write {
        // With the right to rename it, nobody can open it who does not allow that: so a scanner holds up no rename of an open file.
        opening.options.access_mode(win::GENERIC_READ | win::GENERIC_WRITE | DELETE);
    }
    opening
}

/// The same where a user said which file: it may be a link.
pub fn named_file(write: bool) -> Opening {
    let mut options = OpenOptions::new();
    options.read(true).write(write).create(write);
    Opening { options, is_private: false, truncate: false }
}

impl Opening {
    /// As of `OpenOptions`. Done when it is known that the file is no link.
    pub fn truncate(&mut self, truncate: bool) -> &mut Opening {
        self.truncate = truncate;
        self
    }

    /// As of `OpenOptions`.
    pub fn append(&mut self, append: bool) -> &mut Opening {
        self.options.append(append);
        self
    }

    /// As of `OpenOptions`.
    pub fn create(&mut self, create: bool) -> &mut Opening {
        self.options.create(create);
        self
    }

    /// Opens it; what somebody else holds for a moment, a moment later.
    pub fn open(&self, path: impl AsRef<Path>) -> io::Result<File> {
        let path = path.as_ref();
        if !self.is_private {
            return until_not(IN_USE, || self.options.open(path));
        }
        let mut file = until_not(HELD, || self.options.open(path))?;
        let facts = file.metadata()?;
        if facts.is_symlink() {
            return Err(io::Error::other("it is a link, and links are not followed"));
        }
        if facts.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
            // Of one that is no link (compressed, deduplicated) the flag gives what stands for its bytes.
            file = until_not(HELD, || self.options.clone().custom_flags(0).open(path))?;
        }
        if self.truncate {
            file.set_len(0)?;
        }
        Ok(file)
    }
}

/// A console here has no number that a file could get.
pub fn off_console(file: File) -> io::Result<File> {
    Ok(file)
}

/// Nor could a connection.
pub fn keep_console_numbers() {}

/// Whether this process may open one more file.
pub fn can_open_files() -> io::Result<()> {
    File::open("NUL").map(drop)
}

/// Makes a folder inside one of the spool's: who may enter that one may enter it.
pub fn create_folder_inside(path: &Path) -> io::Result<()> {
    until_not(HELD, || fs::create_dir_all(path))
}

/// Makes the names in a folder survive a power cut, where that can be asked for: only some file systems flush folders, only for
/// those who may write to them, and not while somebody (who makes backups) holds them.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.access_mode(win::GENERIC_WRITE).write(true).custom_flags(FILE_FLAG_BACKUP_SEMANTICS);
    let is_refused = |error: &io::Error| {
        let refusals = [
            win::ERROR_ACCESS_DENIED,
            win::ERROR_INVALID_FUNCTION,
            win::ERROR_INVALID_HANDLE,
            win::ERROR_INVALID_PARAMETER,
            win::ERROR_NOT_SUPPORTED,
        ];
        is_one_of(error, &refusals) || is_one_of(error, IN_USE)
    };
    match until_not(IN_USE, || options.open(path)?.sync_all()) {
        Err(error) if is_refused(&error) => Ok(()),
        synced => synced,
    }
}

/// Renames, and replaces what has the new name; returns when that is on the disk. What somebody else holds for a moment is
/// renamed a moment later: for threads that may wait.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (from_wide, to_wide) = (wide(from)?, wide(to)?);
    until_not(HELD, || {
        // SAFETY: both names are NUL-terminated.
        let moved =
            unsafe { MoveFileExW(from_wide.as_ptr(), to_wide.as_ptr(), MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH) };
        if moved != 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // What is open is replaced only by those who ask for it in another way, which `fs` knows; not every disk does.
        if is_one_of(&error, &[win::ERROR_ACCESS_DENIED]) && fs::rename(from, to).is_ok() { Ok(()) } else { Err(error) }
    })
}

/// Removes a file; what somebody else holds for a moment, a moment later: for threads that may wait. Some holders, and some disks,
/// let it be removed, but keep its name there until it is closed: it returns when that is gone, too.
pub fn remove_file(path: &Path) -> io::Result<()> {
    let removed = look_at(path).and_then(|file| identity(&file));
    remove_open_file(path)?;
    until_not(HELD, || match look_at(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // Some let it be opened even now; unless it is another one of its name.
        Ok(file) if removed.as_ref().is_ok_and(|removed| identity(&file).is_ok_and(|there| there == *removed)) => {
            Err(io::Error::from_raw_os_error(win::ERROR_DELETE_PENDING as i32))
        }
        looked => looked.map(drop),
    })
}

/// The same for a file that this process itself has open: its name may stay until it is closed.
pub fn remove_open_file(path: &Path) -> io::Result<()> {
    until_not(HELD, || fs::remove_file(path))
}

/// Removes an empty folder. A file that was removed while it was open is in it for another moment.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    until_not(HELD_WITHIN, || fs::remove_dir(path))
}

/// Sets the time at which an entry of a folder was modified, whatever it is: no link is followed. `None` is now.
pub fn touch(path: &Path, time: Option<SystemTime>) -> io::Result<()> {
    let time = time.unwrap_or_else(SystemTime::now);
    let mut options = OpenOptions::new();
    options.access_mode(FILE_WRITE_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT);
    options.open(path)?.set_times(FileTimes::new().set_accessed(time).set_modified(time))
}

/// Free bytes on the disk that holds `path`, for this user.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let mut path = wide(path)?;
    path.pop();
    path.extend(b"\\\0".map(u16::from)); // A share's name has to end so.
    let mut free = 0;
    // SAFETY: the name is NUL-terminated; a place for the number; the others are not wanted.
    let told = unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, std::ptr::null_mut(), std::ptr::null_mut()) };
    if told != 0 { Ok(free) } else { Err(io::Error::last_os_error()) }
}

/// Whether a write failed because the disk is full.
pub fn is_disk_full(error: &io::Error) -> bool {
    is_one_of(error, &[win::ERROR_DISK_FULL, win::ERROR_HANDLE_DISK_FULL, win::ERROR_DISK_QUOTA_EXCEEDED])
}

/// Whether the disk itself failed at it. Not one that was pulled out: that is away, and may come back.
pub fn is_disk_fault(error: &io::Error) -> bool {
    let faults = [
        win::ERROR_CRC,
        win::ERROR_DATA_CHECKSUM_ERROR,
        win::ERROR_DISK_CORRUPT,
        win::ERROR_DISK_OPERATION_FAILED,
        win::ERROR_FILE_CORRUPT,
        win::ERROR_IO_DEVICE,
        win::ERROR_READ_FAULT,
        win::ERROR_SECTOR_NOT_FOUND,
        win::ERROR_SEEK,
        win::ERROR_WRITE_FAULT,
    ];
    is_one_of(error, &faults)
}

fn is_one_of(error: &io::Error, numbers: &[win::WIN32_ERROR]) -> bool {
    error.raw_os_error().is_some_and(|number| numbers.contains(&(number as u32)))
}

/// Which file an open file is: its disk's number and its own. Some servers and some drives that are programs number no files, or
/// cannot say it.
fn identity(file: &File) -> io::Result<(u32, Option<u64>)> {
    let mut facts = MaybeUninit::<BY_HANDLE_FILE_INFORMATION>::zeroed();
    // SAFETY: the handle is open as long as `file` lives; all zeros are such a structure, and it is filled.
    let facts = unsafe {
        if GetFileInformationByHandle(file.as_raw_handle() as *mut c_void, facts.as_mut_ptr()) == 0 {
            let error = io::Error::last_os_error();
            let unknown = [win::ERROR_INVALID_FUNCTION, win::ERROR_INVALID_PARAMETER, win::ERROR_NOT_SUPPORTED];
            return if is_one_of(&error, &unknown) { Ok((0, None)) } else { Err(error) };
        }
        facts.assume_init()
    };
    let number = u64::from(facts.nFileIndexHigh) << 32 | u64::from(facts.nFileIndexLow);
    Ok((facts.dwVolumeSerialNumber, Some(number).filter(|number| ![0, u64::MAX].contains(number))))
}

/// A file or a folder, opened only to be asked about: nobody's way of sharing it forbids that.
fn look_at(path: &Path) -> io::Result<File> {
    OpenOptions::new().access_mode(FILE_READ_ATTRIBUTES).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// Whether the open file is still the one with that name, as far as the disk can say.
pub fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    let named = match look_at(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        named => identity(&named?)?,
    };
    Ok(are_one(named, identity(file)?))
}

/// Without a number it is taken for the same: what is open was there, and something is.
fn are_one(named: (u32, Option<u64>), open: (u32, Option<u64>)) -> bool {
    named == open || named.1.is_none() || open.1.is_none()
}

/// Whether the system forgets the disk of an open file that is renamed: Wine does.
#[cfg(test)]
pub fn forgets_disks() -> bool {
    // SAFETY: both names are NUL-terminated; ntdll is in every process and stays.
    unsafe { GetProcAddress(GetModuleHandleW(w!("ntdll.dll")), c"wine_get_version".as_ptr().cast()) }.is_some()
}

/// Which disk a path lies on, or would lie on if it were made.
pub fn disk_of(path: &Path) -> io::Result<u64> {
    for folder in path.ancestors().chain([Path::new(".")]) {
        match look_at(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            found => return Ok(identity(&found?)?.0.into()),
        }
    }
    Err(ErrorKind::NotFound.into())
}

/// Whether a file's attributes deny its owner to write it. Who may read it stands elsewhere: what cannot be read is tried again.
pub fn is_denied_to_its_owner(facts: &fs::Metadata, write: bool) -> bool {
    write && facts.permissions().readonly()
}

/// Where the spool lies when no option says so: in what the user's profile keeps on this computer.
pub fn default_spool() -> Option<PathBuf> {
    let told = std::env::var_os(HOME).map(PathBuf::from).filter(|path| path.is_absolute());
    let local = told.or_else(|| std::env::home_dir().map(|home| home.join(r"AppData\Local")))?;
    Some(local.join("rheed-stream"))
}

/// The one name of a folder that is there, however it was called.
pub fn one_name(path: &Path) -> PathBuf {
    paths::one_name(path)
}

/// An exclusive lock on a file. The system lets it go when the process ends, however that comes about.
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Takes the lock, or says `None` when somebody else, here or elsewhere, has it.
    pub fn take(path: &Path) -> io::Result<Option<FileLock>> {
        let file = private_file(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(FileLock { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The locked file.
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Not by closing alone: then it is let go at some later moment.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("{name}-{}", uuid::Uuid::now_v7()))
    }

    #[test]
    fn a_file_is_removed_when_its_name_is_gone_too() {
        let path = scratch("rheed-held");
        fs::write(&path, "held").unwrap();
        let held = File::open(&path).unwrap(); // As the standard library opens it everybody may remove it.
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            drop(held);
        });
        remove_file(&path).unwrap();
        assert!(fs::symlink_metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound));
        holder.join().unwrap();
    }

    #[test]
    fn a_folder_that_somebody_holds_is_not_synced_and_that_is_no_failure() {
        let path = scratch("rheed-backup");
        fs::create_dir(&path).unwrap();
        let mut backup = OpenOptions::new();
        let held = backup.read(true).share_mode(FILE_SHARE_READ).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(&path).unwrap();
        sync_folder(&path).unwrap();
        drop(held);
        remove_folder(&path).unwrap();
    }

    #[test]
    fn a_user_s_file_that_is_held_for_a_moment_is_opened_a_moment_later() {
        let path = scratch("rheed-key");
        fs::write(&path, "key").unwrap();
        let held = OpenOptions::new().read(true).share_mode(0).open(&path).unwrap();
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(300));
            drop(held);
        });
        named_file(false).open(&path).unwrap();
        holder.join().unwrap();
        remove_file(&path).unwrap();
    }

    #[test]
    fn where_files_have_no_numbers_what_is_there_is_taken_for_the_same() {
        let of = |number| (7, number);
        assert!(are_one(of(Some(1)), of(Some(1))) && are_one(of(None), of(None)) && are_one(of(None), of(Some(1))));
        assert!(!are_one(of(Some(1)), of(Some(2))) && !are_one(of(Some(1)), (8, Some(1))));
    }
}
