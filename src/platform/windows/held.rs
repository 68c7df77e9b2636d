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

/// Tries until nobody holds it, or until it seems to be held for good. Waits: for threads that may.
pub fn until_let_go<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt() {
            Err(error) if is_held(&error) && begun.elapsed() < PATIENCE => {
                sleep(pause);
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
            done => return done,
        }
    }
}

/// Access is also denied to a file that was removed while somebody had it open, until he closes it, and to the folder with it.
fn is_held(error: &io::Error) -> bool {
    let held = [
        win::ERROR_ACCESS_DENIED,
        win::ERROR_DELETE_PENDING,
        win::ERROR_DIR_NOT_EMPTY,
        win::ERROR_LOCK_VIOLATION,
        win::ERROR_SHARING_VIOLATION,
        win::ERROR_USER_MAPPED_FILE,
    ];
    is_one_of(error, &held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_asked_for_until_it_is_let_go_and_any_other_failure_is_told_at_once() {
        let mut tries = 0;
        let answer = |number: u32| Err::<(), _>(io::Error::from_raw_os_error(number as i32));
        until_let_go(|| {
            tries += 1;
            if tries < 5 { answer(win::ERROR_SHARING_VIOLATION) } else { Ok(()) }
        })
        .unwrap();
        assert_eq!(tries, 5);
        until_let_go(|| {
            tries += 1;
            answer(win::ERROR_DISK_FULL)
        })
        .unwrap_err();
        assert_eq!(tries, 6);
    }
}
