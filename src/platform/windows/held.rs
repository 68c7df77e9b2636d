//! What somebody else holds for a moment, a virus scanner above all, who opens what was just written: it is asked for again.

use super::is_one_of;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation as win;

/// Scanners hold a file for a second or so.
const PATIENCE: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Somebody has it open in a way that forbids what was asked for.
pub const IN_USE: &[win::WIN32_ERROR] = &[win::ERROR_LOCK_VIOLATION, win::ERROR_SHARING_VIOLATION];
/// Or it is one of the spool, where access is also denied to a file that was removed while somebody had it open, until he closes
/// it, and to the folder with it.
pub const HELD: &[win::WIN32_ERROR] = &[
    win::ERROR_ACCESS_DENIED,
    win::ERROR_DELETE_PENDING,
    win::ERROR_LOCK_VIOLATION,
    win::ERROR_SHARING_VIOLATION,
    win::ERROR_USER_MAPPED_FILE,
];
/// Or it is a folder in which such a file still is.
pub const HELD_WITHIN: &[win::WIN32_ERROR] =
    &[win::ERROR_ACCESS_DENIED, win::ERROR_DELETE_PENDING, win::ERROR_DIR_NOT_EMPTY, win::ERROR_SHARING_VIOLATION];

/// Tries as long as it fails by one of these, or until that seems to be for good. Waits: for threads that may.
pub fn until_not<T>(held: &[win::WIN32_ERROR], mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt() {
            Err(error) if is_one_of(&error, held) && begun.elapsed() < PATIENCE => {
                sleep(pause);
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_asked_for_until_it_is_let_go_and_any_other_failure_is_told_at_once() {
        let mut tries = 0;
        let answer = |number: u32| Err::<(), _>(io::Error::from_raw_os_error(number as i32));
        until_not(HELD, || {
            tries += 1;
            if tries < 5 { answer(win::ERROR_SHARING_VIOLATION) } else { Ok(()) }
        })
        .unwrap();
        assert_eq!(tries, 5);
        until_not(HELD, || {
            tries += 1;
            answer(win::ERROR_DISK_FULL)
        })
        .unwrap_err();
        assert_eq!(tries, 6);
    }
}
