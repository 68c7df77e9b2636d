//! Looking up the name of a host, as a test wants it: this program's `getaddrinfo` stands before the C library's.

use super::support::HANGS_AFTER;
use std::ffi::{CStr, c_char, c_int};
use std::sync::{Condvar, Mutex};

/// The one name that it is about. All others go to the C library.
pub const HOST: &str = "chamber.invalid";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Names {
    /// No name server answers that there is such a host.
    Fail,
    /// No answer at all.
    Hang,
    /// It is this computer.
    Work,
}

static NAMES: Mutex<Names> = Mutex::new(Names::Fail);
static CHANGED: Condvar = Condvar::new();

/// From now on.
pub fn names(now: Names) {
    *NAMES.lock().expect("nobody panics while it is locked") = now;
    CHANGED.notify_all();
}

type GetAddrInfo = unsafe extern "C" fn(*const c_char, *const c_char, *const libc::addrinfo, *mut *mut libc::addrinfo) -> c_int;

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    found: *mut *mut libc::addrinfo,
) -> c_int {
    // SAFETY: the name is a symbol of the C library, which is loaded; its type is the one that POSIX gives it.
    let real: GetAddrInfo = unsafe { std::mem::transmute(libc::dlsym(libc::RTLD_NEXT, c"getaddrinfo".as_ptr())) };
    // SAFETY: the caller gives a name or none.
    let asked = (!node.is_null()).then(|| unsafe { CStr::from_ptr(node) });
    if asked.is_none_or(|name| name.to_str() != Ok(HOST)) {
        // SAFETY: the caller's own arguments.
        return unsafe { real(node, service, hints, found) };
    }
    let names = NAMES.lock().expect("nobody panics while it is locked");
    let (names, _) =
        CHANGED.wait_timeout_while(names, HANGS_AFTER, |names| *names == Names::Hang).expect("nobody panics while it is locked");
    match *names {
        // SAFETY: the caller's own arguments, and a name that is alive.
        Names::Work => unsafe { real(c"127.0.0.1".as_ptr(), service, hints, found) },
        _ => libc::EAI_AGAIN,
    }
}
