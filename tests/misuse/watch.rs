//! No call may wait for ever: one that does ends the test, and says which it is.

use crate::call::Call;
use crate::support::HANGS_AFTER;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The calls under way, by their numbers.
static UNDER_WAY: Mutex<BTreeMap<u64, (Instant, Call, u64)>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
static WATCHING: Once = Once::new();

/// Makes a call on a handle under watch.
pub fn watched<T>(call: &Call, handle: u64, make: impl FnOnce() -> T) -> T {
    WATCHING.call_once(|| {
        std::thread::spawn(watch);
    });
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    UNDER_WAY.lock().insert(number, (Instant::now(), call.clone(), handle));
    let made = make();
    UNDER_WAY.lock().remove(&number);
    made
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1)); // Between looks: what hangs tells nothing.
        let under_way = UNDER_WAY.lock();
        if under_way.values().any(|(began, ..)| began.elapsed() > HANGS_AFTER) {
            for (began, call, handle) in under_way.values() {
                eprintln!("for {:?} under way: {call:?} on {handle:#x}", began.elapsed());
            }
            std::process::abort();
        }
    }
}
