//! What `cargo xtask torture` asks of a test that the ordinary run cuts short, and where the test leaves its figures.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How often: as the variable says (`cargo xtask torture` sets it), else as in the ordinary run.
pub fn times(variable: &str, ordinary: u64) -> u64 {
    let Ok(wanted) = std::env::var(variable) else { return ordinary };
    wanted.parse().unwrap_or_else(|_| panic!("{variable}={wanted}: a count is wanted"))
}

/// Plays cases side by side, for those that wait most of their time. After a failure no more are begun.
pub fn several_at_a_time<T: Send>(cases: impl Iterator<Item = T> + Send, play: impl Fn(T) + Sync) {
    const AT_A_TIME: usize = 4;
    let (cases, failed) = (Mutex::new(cases), AtomicBool::new(false));
    let next =
        || cases.lock().expect("whoever looks for a case does not fail").next().filter(|_| !failed.load(Ordering::Relaxed));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let played = catch_unwind(AssertUnwindSafe(|| play(case)));
                    if let Err(failure) = played {
                        failed.store(true, Ordering::Relaxed);
                        resume_unwind(failure);
                    }
                }
            });
        }
    });
}

/// A figure for docs/reliability.md: on the screen, and in the file that RHEED_TEST_FIGURES names.
pub fn figure(text: &str) {
    println!("{text}");
    if let Some(file) = std::env::var_os("RHEED_TEST_FIGURES") {
        let mut file = std::fs::File::options().create(true).append(true).open(file).expect("RHEED_TEST_FIGURES can be written");
        writeln!(file, "{text}").expect("RHEED_TEST_FIGURES can be written");
    }
}
