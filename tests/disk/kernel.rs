//! The functions of libc that this program's own definitions replace. Each does what libc's does, but asks the disk first.

use super::{Change, Kind, ask};
use libc::{c_char, c_int, c_long, c_void, mode_t, off64_t, size_t, ssize_t};
use std::ffi::{CStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

pub fn set_errno(number: i32) {
    // SAFETY: the address is this thread's own errno.
    unsafe { *libc::__errno_location() = number };
}

/// A path that was given.
///
/// # Safety
/// `path` is a C string.
unsafe fn named(path: *const c_char) -> PathBuf {
    // SAFETY: the caller's promise.
    PathBuf::from(std::ffi::OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()))
}

/// The path of an open file, as it is now; none of what has no name any more, or never had one.
fn open_at(descriptor: c_int) -> Option<PathBuf> {
    let link = format!("/proc/self/fd/{descriptor}\0");
    let mut target = vec![0u8; 4096];
    // SAFETY: the name is NUL-terminated, and the kernel writes no more than the buffer has.
    let length = unsafe { libc::readlink(link.as_ptr().cast(), target.as_mut_ptr().cast(), target.len()) };
    target.truncate(usize::try_from(length).ok()?);
    (target.starts_with(b"/") && !target.ends_with(b" (deleted)")).then(|| PathBuf::from(OsString::from_vec(target)))
}

fn nothing() {}

/// As libc has it. Its third argument is passed in the same place whether it is one of a list or not.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's arguments, as they are.
    let open = || unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int };
    // SAFETY: the caller gives a C string.
    let name = || Some(unsafe { named(path) });
    // SAFETY: the caller gives a C string; zeros are facts, and the kernel fills them in.
    let length = unsafe {
        let mut facts: libc::stat64 = std::mem::zeroed();
        (libc::lstat64(path, &raw mut facts) == 0).then_some(facts.st_size)
    };
    match length {
        None if flags & libc::O_CREAT != 0 => ask(Kind::MakeFile, name, nothing, open, |path| Some(Change::MakeFile(path))),
        Some(1..) if flags & libc::O_TRUNC != 0 => {
            ask(Kind::SetLength, name, nothing, open, |path| Some(Change::SetLength(path, 0)))
        }
        _ => ask(Kind::Open, name, nothing, open, |_| None),
    }
}

/// As libc has it. Asked about an open file, whose path is then empty, it asks the kernel only.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn statx(at: c_int, path: *const c_char, flags: c_int, mask: u32, facts: *mut c_void) -> c_int {
    // SAFETY: the caller's arguments, as they are.
    let look = || unsafe { libc::syscall(libc::SYS_statx, at, path, flags, mask, facts) as c_int };
    // SAFETY: the caller gives a C string, or, to learn whether there is such a call, nothing.
    ask(Kind::Look, || (!path.is_null()).then(|| unsafe { named(path) }), nothing, look, |_| None)
}

/// Not to be had here, so that who copies a file reads and writes it.
#[unsafe(no_mangle)]
pub extern "C" fn copy_file_range() -> ssize_t {
    set_errno(libc::ENOSYS);
    -1
}

/// The same.
#[unsafe(no_mangle)]
pub extern "C" fn sendfile64() -> ssize_t {
    set_errno(libc::ENOSYS);
    -1
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(descriptor: c_int, buffer: *mut c_void, size: size_t) -> ssize_t {
    // SAFETY: the caller's arguments, as they are.
    let read = || unsafe { libc::syscall(libc::SYS_read, descriptor, buffer, size) as ssize_t };
    ask(Kind::Read, || open_at(descriptor), nothing, read, |_| None)
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(descriptor: c_int, bytes: *const c_void, size: size_t) -> ssize_t {
    // SAFETY: the caller's arguments, as they are, or the first half of the bytes.
    let write = |size: size_t| unsafe { libc::syscall(libc::SYS_write, descriptor, bytes, size) as ssize_t };
    let written = std::cell::Cell::new(0);
    let whole = || {
        written.set(write(size));
        written.get()
    };
    ask(
        Kind::Write,
        || open_at(descriptor),
        || _ = write(size / 2),
        whole,
        |path| {
            let count = written.get() as usize;
            // SAFETY: so many of the caller's bytes were just read by the kernel; the descriptor is open.
            let (bytes, end) =
                unsafe { (std::slice::from_raw_parts(bytes.cast::<u8>(), count), libc::lseek64(descriptor, 0, libc::SEEK_CUR)) };
            Some(Change::Write { path, at: end as u64 - count as u64, bytes: bytes.to_vec() })
        },
    )
}

/// As libc has it.
#[unsafe(no_mangle)]
pub extern "C" fn ftruncate64(descriptor: c_int, length: off64_t) -> c_int {
    // SAFETY: numbers only.
    let set = || unsafe { libc::syscall(libc::SYS_ftruncate, descriptor, length) as c_int };
    ask(Kind::SetLength, || open_at(descriptor), nothing, set, |path| Some(Change::SetLength(path, length as u64)))
}

/// As libc has it, but nothing of a watched disk is brought to the real one.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(descriptor: c_int) -> c_int {
    ask(Kind::Sync, || open_at(descriptor), nothing, || 0, |path| Some(Change::Sync(path)))
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rename(from: *const c_char, to: *const c_char) -> c_int {
    // SAFETY: the caller's arguments, as they are.
    let rename = || unsafe { libc::syscall(libc::SYS_renameat2, libc::AT_FDCWD, from, libc::AT_FDCWD, to, 0) as c_int };
    // SAFETY: the caller gives C strings.
    let (source, target) = unsafe { (named(from), named(to)) };
    ask(Kind::Rename, || Some(source), nothing, rename, |source| Some(Change::Rename(source, target)))
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(path: *const c_char, mode: mode_t) -> c_int {
    // SAFETY: the caller's arguments, as they are.
    let make = || unsafe { libc::syscall(libc::SYS_mkdirat, libc::AT_FDCWD, path, mode) as c_int };
    // SAFETY: the caller gives a C string.
    ask(Kind::MakeFolder, || Some(unsafe { named(path) }), nothing, make, |path| Some(Change::MakeFolder(path)))
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rmdir(path: *const c_char) -> c_int {
    // SAFETY: the caller gives a C string.
    unsafe { remove(path, libc::AT_REMOVEDIR) }
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: the caller gives a C string.
    unsafe { remove(path, 0) }
}

/// # Safety
/// `path` is a C string.
unsafe fn remove(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the caller's arguments, as they are.
    let remove = || unsafe { libc::syscall(libc::SYS_unlinkat as c_long, libc::AT_FDCWD, path, flags) as c_int };
    // SAFETY: the caller's promise.
    let name = || Some(unsafe { named(path) });
    if flags == libc::AT_REMOVEDIR {
        ask(Kind::RemoveFolder, name, nothing, remove, |path| Some(Change::RemoveFolder(path)))
    } else {
        ask(Kind::RemoveFile, name, nothing, remove, |path| Some(Change::RemoveFile(path)))
    }
}

/// As libc has it.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn opendir(path: *const c_char) -> *mut libc::DIR {
    type Opendir = unsafe extern "C" fn(*const c_char) -> *mut libc::DIR;
    // A folder's names are no affair of the kernel's alone: libc reads them ahead.
    let open = || {
        // SAFETY: the next definition of this name is libc's, which has this type; the caller's argument, as it is.
        unsafe {
            let next = libc::dlsym(libc::RTLD_NEXT, c"opendir".as_ptr());
            std::mem::transmute::<*mut c_void, Opendir>(next)(path) as isize
        }
    };
    // SAFETY: the caller gives a C string.
    match ask(Kind::List, || Some(unsafe { named(path) }), nothing, open, |_| None) {
        -1 => std::ptr::null_mut(),
        folder => folder as *mut libc::DIR,
    }
}
