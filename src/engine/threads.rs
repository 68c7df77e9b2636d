//! Threads and tasks that are counted, so that one can wait until they have done their work.

use crate::panics;
use crate::platform;
use crate::wait::{Bell, Deadline};
use parking_lot::Mutex;
use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Counts what is running.
#[derive(Clone, Default)]
pub struct Gauge(Arc<Counted>);

#[derive(Default)]
struct Counted {
    running: AtomicUsize,
    bell: Bell,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Something is running until this is dropped.
pub struct Running(Arc<Counted>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.bell.ring();
    }
}

/// What every thread of the library begins with.
fn begin_thread() {
    panics::contain_thread();
    platform::give_way();
}

thread_local!(static HERE: Cell<Option<Running>> = const { Cell::new(None) });

impl Gauge {
    /// Something begins to run.
    pub fn enter(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        Running(self.0.clone())
    }

    /// This thread, which is the library's, counts until it leaves.
    pub fn enter_thread(&self) {
        begin_thread();
        HERE.set(Some(self.enter()));
    }

    /// The last act of a thread that entered.
    pub fn leave_thread() {
        HERE.take();
    }

    /// A thread of the library: it takes no signals.
    pub fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let running = self.enter();
        let thread = platform::with_signals_blocked(|| {
            std::thread::Builder::new().name(name.into()).spawn(move || {
                begin_thread();
                body();
                drop(running);
            })
        });
        let mut threads = self.0.threads.lock();
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread?);
        Ok(())
    }

    /// Until nothing runs; tells whether that was in time.
    pub fn wait(&self, deadline: Deadline) -> bool {
        let ended = || (self.0.running.load(Ordering::Acquire) == 0).then_some(());
        if self.0.bell.wait_until(deadline, ended).is_none() {
            return false;
        }
        // Their last word is said, but they are threads until they are joined.
        let threads = std::mem::take(&mut *self.0.threads.lock());
        if platform::CAN_JOIN_THREADS {
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
        true
    }
}
