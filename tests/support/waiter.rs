//! A call that waits, on a thread of its own.

use super::HANGS_AFTER;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

/// The call under way.
pub struct Waiter<T> {
    what: String,
    thread: libc::pid_t,
    returned: Arc<AtomicBool>,
    answer: Receiver<T>,
}

impl<T: Send + 'static> Waiter<T> {
    /// Makes the call, and returns when it waits, or has ended at once.
    pub fn start(what: &str, call: impl FnOnce() -> T + Send + 'static) -> Waiter<T> {
        let (here, thread) = mpsc::channel();
        let (answers, answer) = mpsc::sync_channel(1);
        let calls = Arc::new(AtomicBool::new(false));
        let begins = calls.clone();
        let returned = Arc::new(AtomicBool::new(false));
        let returns = returned.clone();
        std::thread::spawn(move || {
            // SAFETY: gettid takes nothing and cannot fail.
            here.send(unsafe { libc::gettid() }).expect("the test waits for it");
            begins.store(true, Ordering::SeqCst); // Before, it may have slept to tell its number.
            let answer = call();
            returns.store(true, Ordering::SeqCst);
            let _ = answers.send(answer);
        });
        let thread = thread.recv().expect("the thread begins");
        let waiter = Waiter { what: what.into(), thread, returned, answer };
        while !calls.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        waiter.sleeps();
        waiter
    }

    /// Until the thread sleeps in the call, or is gone.
    fn sleeps(&self) {
        let file = format!("/proc/self/task/{}/stat", self.thread);
        let end = Instant::now() + HANGS_AFTER;
        // The state stands behind the name in brackets. A thread that is gone has no file.
        while std::fs::read_to_string(&file).is_ok_and(|stat| !stat[stat.rfind(')').unwrap_or(0)..].starts_with(") S")) {
            assert!(Instant::now() < end, "{} neither waits nor returns", self.what);
            std::thread::yield_now();
        }
    }

    /// The call's name.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Whether it has not returned yet.
    pub fn is_waiting(&self) -> bool {
        !self.returned.load(Ordering::SeqCst)
    }

    /// What it returns.
    #[track_caller]
    pub fn answer(self) -> T {
        self.answer.recv_timeout(HANGS_AFTER).unwrap_or_else(|_| panic!("{} does not return", self.what))
    }
}
