//! Tells those who wait that something has happened.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
pub(super) struct News {
    count: Mutex<u64>,
    spread: Condvar,
}

impl News {
    pub(super) fn tell(&self) {
        *self.count.lock() += 1;
        self.spread.notify_all();
    }

    /// True as soon as `arrived` holds; looks again after every [`News::tell`].
    pub(super) fn wait_until(&self, timeout: Duration, mut arrived: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            let seen = *self.count.lock();
            if arrived() {
                return true;
            }
            let mut count = self.count.lock();
            while *count == seen {
                if self.spread.wait_until(&mut count, deadline).timed_out() {
                    drop(count);
                    return arrived();
                }
            }
        }
    }
}
